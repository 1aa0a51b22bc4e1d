"""A person at the store who answers, with the truth, what the bridge could not find out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.records import Account

if TYPE_CHECKING:
    from tests.simulation.world import World


async def answer_what_is_open(world: World) -> None:
    """Answer what the bridge could not find out, from the slip and the office's list."""
    life = world.life
    if life is None or not life.ready:
        return
    for account in list(life.ledger.unfinished()):
        doubt = account.payment.doubt
        if doubt is None:
            continue
        if account.payment.request.method == "gift_card":
            if not doubt.evidence_lost:
                continue  # the card's balance answers, or its sale does
            await _answer_about_a_gift_card(world, account)
            continue
        standing = world.truth.standing(account.payment_id)
        world.story.mark("a person resolved a doubt")
        world.judge.resolved.add(account.payment_id)
        answer = p.Resolved(
            outcome="approved" if standing else "not_charged",
            by="supervisor-1",
            approval_code="123456" if standing else "",
            source="merchant_slip",
        )
        with suppress(RequestError):
            await life.desk.known.resolve(account.payment_id, answer)
    waiting = {s.PurchaseState.UNCONFIRMED, s.PurchaseState.REJECTED}
    for purchase in list(life.ledger.open_purchases()):
        if purchase.purchase.state not in waiting:
            continue
        name = purchase.purchase.content.transaction_id
        world.story.mark(f"a person answered a purchase that was {purchase.purchase.state.value}")
        found = world.books.purchases_of(name)
        await life.ledger.apply_purchase(
            name,
            s.Answered("supervisor-1", found[0].id if found else "", send_again=not found),
        )


async def _answer_about_a_gift_card(world: World, account: Account) -> None:
    """Look the payment up in the office's list; end a hold there that the bridge cannot name."""
    life = world.life
    assert life is not None
    world.story.mark("a person resolved a doubt about a gift card")
    world.judge.resolved.add(account.payment_id)
    request = account.payment.request
    ends = request.type in {p.PaymentType.CAPTURE, p.PaymentType.VOID}
    name = request.original_payment_id if ends else account.payment_id
    listed = [one for one in world.judge.gifts.of(name) if one.status != "CANCELLED"]
    done = any(one.status == "COMPLETED" for one in listed)
    if request.type is p.PaymentType.VOID:
        done = not listed
    elif not ends and account.payment.offer is None:
        for held in listed:
            if held.status == "AUTHORIZED":
                world.office.release_by_hand(held.name)
    answer = p.Resolved(
        outcome="approved" if done else "not_charged",
        by="supervisor-1",
        approval_code="123456" if done else "",
        source="other",
    )
    with suppress(RequestError):
        await life.desk.known.resolve(account.payment_id, answer)
