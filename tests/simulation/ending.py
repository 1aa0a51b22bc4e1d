"""What the judge reads for himself: the journal after each death, and all books at the end."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

import apsw

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.records import Account
from simulators.back_office.records import Purchase
from simulators.broker import Broker
from tests.simulation.disk import DiskDoor
from tests.simulation.judge import cents, short

if TYPE_CHECKING:
    from tests.simulation.world import World


DOCUMENT_SECONDS_MAX = 30  # a commit may take 5 s, and the broker may just have been away


def compare_journal(world: World) -> None:
    """Show the judge what a new process finds, on a copy that keeps no trace of it."""
    if "/journal" not in world.disk.files:
        return
    door = DiskDoor(f"judge-{world.seed}", world.disk.copy(), random.Random(0))
    connection = apsw.Connection("/journal", vfs=door.name)
    try:
        connection.execute("pragma locking_mode=exclusive")
        tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        if "purchase_open" not in tables:
            return
        entries = list(connection.execute("select subject, kind from entry order by seq"))
        rows = {
            name: (status, amount)
            for name, status, amount in connection.execute(
                "select payment_id, status, amount_minor from payment"
            )
        }
        if list(connection.execute("pragma integrity_check")) != [("ok",)]:
            world.story.accuse("S9", "the journal is damaged")
    finally:
        connection.close()
    world.judge.restarted(entries, rows)


async def judge_the_end(world: World) -> None:
    """Compare terminals, journal, back office and retained documents."""
    life, story = world.life, world.story
    if life is None or not life.ready:
        story.accuse("L1", "the bridge does not serve at the end")
        return
    accounts: dict[str, Account] = {}
    for payment_id in world.judge.rows:
        account = await life.ledger.find(payment_id)
        if account is not None:
            accounts[payment_id] = account
    for charge in world.truth.charges:
        if charge.stands and charge.payment_id:
            _judge_charge(world, accounts.get(charge.payment_id), charge.payment_id)
    for account in accounts.values():
        _judge_payment(world, account)
    _judge_totals(world, accounts)
    await _judge_books(world, accounts)
    world.judge.gifts.judge_the_end(accounts, _gift_cards(world))
    await _judge_documents(world)
    for data in world.disk.contents():
        world.judge.look_for_cards(data, "on the disk")


def _gift_cards(world: World) -> dict[str, tuple[int, int]]:
    """Return what was on each gift card in the beginning, and what is on it now, in cents."""
    found = {}
    for one in world.shop.gift_cards:
        card = world.books.find_gift_card(one.code)
        assert card is not None, "gift cards are never taken out of the world"
        found[card.id] = (one.minor, cents(str(card.balance)))
    return found


def _judge_charge(world: World, account: Account | None, payment_id: str) -> None:
    if account is None:
        world.story.accuse("S3", f"{short(payment_id)} is charged and unknown")
    elif account.payment.status is not p.Status.APPROVED:
        status = account.payment.status.value
        world.story.accuse("S3", f"{short(payment_id)} is charged, and at the end {status}")


def _judge_payment(world: World, account: Account) -> None:
    payment, story = account.payment, world.story
    name, request = short(account.payment_id), payment.request
    story.mark(f"ended {payment.status.value}")
    story.mark(f"{request.method} {request.type.value} {payment.status.value}")
    if payment.discrepancies:
        story.mark("discrepancy")
        story.tell("ending", f"{name} {[odd.kind for odd in payment.discrepancies]}")
    if payment.status is not p.Status.APPROVED or request.method == "gift_card":
        return
    standing = world.truth.standing(account.payment_id)
    assert payment.approval is not None, "approved says what was approved"
    if not standing:
        story.accuse("S4", f"{name} is approved, but nothing was moved")
    elif payment.approval.amount.minor != standing[0].amount_minor:
        told = payment.approval.amount.minor
        story.accuse("S4", f"{name}: {told}, not {standing[0].amount_minor}")


def _judge_totals(world: World, accounts: Mapping[str, Account]) -> None:
    """What all terminals have and what the journal says of them is equal to the cent."""
    terminals = sum(one.ledger.taken_minor() for one in world.terminals.values())
    alone = sum(one.net_minor for one in world.truth.charges if not one.payment_id)
    journal = sum(net_minor(one.payment, accounts) for one in accounts.values())
    if terminals - alone != journal:
        world.story.accuse("S15", f"terminals have {terminals - alone}, the journal {journal}")


def net_minor(payment: p.Payment, accounts: Mapping[str, Account]) -> int:
    """Return what the journal says that a card payment brought, in cents."""
    if payment.status is not p.Status.APPROVED or payment.request.method != "card":
        return 0
    assert payment.approval is not None, "approved says what was approved"
    amount = payment.approval.amount.minor
    match payment.request.type:
        case p.PaymentType.SALE | p.PaymentType.CAPTURE:
            return 0 if payment.funds is p.Funds.VOIDED else amount
        case p.PaymentType.REFUND:
            return -amount
        case p.PaymentType.TIP_ADJUST:
            original = accounts[payment.request.original_payment_id].payment
            return 0 if original.funds is p.Funds.VOIDED else amount
        case _:
            return 0


async def _judge_books(world: World, accounts: dict[str, Account]) -> None:
    """What each sale brought is in the books once, to the cent; tips are not their business."""
    life, story = world.life, world.story
    assert life is not None
    told: dict[str, list[str]] = {}  # transaction id -> payments
    sales: dict[str, list[Account]] = {}
    for account in accounts.values():
        sales.setdefault(account.payment.request.sale_key, []).append(account)
    due = [name for name, kinds in world.judge.stored.items() if "PurchaseDue" in kinds]
    for name, entries in (await life.journal.entries_of_all(due)).items():
        first = entries[0].event
        assert isinstance(first, s.PurchaseDue), "a purchase begins with being due"
        told[name] = list(first.payment_ids)
    booked = {one.transaction_id: one for one in world.books.purchases.values()}
    for name in booked.keys() - told.keys():
        story.accuse("S4", f"{name} is in the books, and nobody wrote it")
    for key, members in sales.items():
        net = sum(_goods_minor(world, one) for one in members)
        names = {one.payment_id for one in members}
        mine = {name: ids for name, ids in told.items() if names.intersection(ids)}
        in_books = sum(books_minor(booked[name]) for name in mine if name in booked)
        details = next((one.payment.sale for one in members if one.payment.sale), None)
        total = details.total.minor if details is not None else net
        total += sum(_raised_minor(one.payment) for one in members)
        if net > total and not any(one.payment.discrepancies for one in members):
            story.accuse("S1", f"sale {key} cost {total}, taken were {net}")
        if mine and in_books != net:
            story.accuse("S4", f"{key} is booked with {in_books}, it brought {net}")
        if not mine and net >= total > 0:
            story.accuse("S4", f"{key} brought {net} and is not in the books")
        if 0 < net < total and not mine:
            story.mark("sale not covered")
        for one in members if mine else ():
            _judge_recording(world, one, mine)


def _judge_recording(world: World, account: Account, mine: Mapping[str, list[str]]) -> None:
    """Each payment of a sale that is in the books stands in one purchase, or in none for good."""
    payment, name = account.payment, short(account.payment_id)
    if payment.status is not p.Status.APPROVED or payment.request.type is p.PaymentType.PREAUTH:
        return
    purchases = sum(account.payment_id in ids for ids in mine.values())
    if purchases > 1:
        world.story.accuse("S4", f"{name} stands in {purchases} purchases")
    if payment.recording not in {p.Recording.RECORDED, p.Recording.NOT_REQUIRED}:
        world.story.accuse("L2", f"{name} is {payment.recording.value}")


def _raised_minor(payment: p.Payment) -> int:
    """Return by how much a hold was raised: the sale may cost so much more."""
    raises = payment.request.type is p.PaymentType.INCREMENT
    return payment.approval.amount.minor if raises and payment.approval is not None else 0


def _goods_minor(world: World, account: Account) -> int:
    """Return what a payment really brought to its sale, in cents."""
    name = account.payment_id
    by_card = sum(o.net_minor for o in world.truth.charges_for(name) if o.kind != "tipped")
    gifts = world.judge.gifts
    return by_card + gifts.taken_minor(name) - gifts.returned_minor(name)


def books_minor(purchase: Purchase) -> int:
    """Return what a purchase says was paid, less what it says was given back."""
    return cents(str(purchase.pay_amount)) - cents(str(purchase.request["refundAmount"]))


async def _judge_documents(world: World) -> None:
    """A register may still acknowledge something, so each document gets a moment to follow."""
    life = world.life
    assert life is not None
    for account in life.ledger.accounts():
        for _ in range(DOCUMENT_SECONDS_MAX):
            now = life.ledger.get(account.payment_id)
            if now is None or not is_missing(world.broker, now):
                break
            await asyncio.sleep(1)
        else:
            status = account.payment.status.value
            name = short(account.payment_id)
            world.story.accuse("L1", f"{name} is {status}, its document is not there")


def is_missing(broker: Broker, account: Account) -> bool:
    """Tell whether registers cannot read what a payment came to."""
    being_retired = account.payment.is_settled and account.payment.acknowledged
    if not account.live or being_retired:
        return False
    register = account.payment.request.register_id
    topic = f"paybridge/v1/registers/{register}/payments/{account.payment_id}"
    message = broker.retained.get(topic)
    if message is None:
        return True
    shown = json.loads(message.payload)
    return bool(shown["rev"] != account.rev or shown["status"] != account.payment.status.value)
