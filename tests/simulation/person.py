"""A person at the store who answers what the bridge could not find out: with the truth, in the end.

They have what a person has: the documents on the register's screen and the command that answers
them, the command line, the slip, and the office's own list.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from simulators.broker import Message
from tests.simulation.attempts import euros
from tests.simulation.pages import Written
from tests.simulation.purchase_desk import answer_for_purchases
from tests.simulation.rest import may_be_answered

if TYPE_CHECKING:
    from tests.simulation.world import World

NAME = "supervisor-1"
ANSWER_SECONDS = 5.0  # then the same is said again
ANSWERS_MAX = 12  # a broker that is away for long is not there in a calm world


async def answer_what_is_open(world: World, *, may_err: bool = False) -> None:
    """Answer what the bridge could not find out, from the slip and the office's list."""
    for payment in world.judge.pages.open_payments():
        if not may_be_answered(world, payment):
            continue  # a card's balance answers, or a sale does
        if payment.row.method == "gift_card":
            world.story.mark("a person resolved a doubt about a gift card")
            done = _gift_card_moved(world, payment)
        else:
            world.story.mark("a person resolved a doubt")
            done = bool(world.truth.standing(payment.payment_id))
            if may_err and payment.type == "sale" and world.rng.random() < world.weather.errs:
                world.story.mark("a person erred")
                world.judge.erred.add(payment.payment_id)
                done = not done
        world.judge.resolved.add(payment.payment_id)
        await _resolve(world, payment, approved=done)
    await answer_for_purchases(world)


async def correct_what_was_wrong(world: World) -> None:
    """Take back the answers that were wrong, as somebody does who looks into the slips at night."""
    for payment_id in sorted(world.judge.erred):
        payment = world.judge.pages.payment(payment_id)
        moved = bool(world.truth.standing(payment_id))
        if payment.brought_money is moved:
            continue  # the terminal itself had said it before the wrong answer came
        world.story.mark("a wrong answer was corrected")
        await _resolve(world, payment, approved=moved)


async def _resolve(world: World, payment: Written, *, approved: bool) -> None:
    """Press the button at the payment's own register until it says that it was taken."""
    body: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "outcome": "approved" if approved else "not_charged",
        "evidence": {"source": "merchant_slip"},
        "approved_by": NAME,
    }
    if approved:
        body["evidence"]["approval_code"] = "123456"
        slip = world.truth.standing(payment.payment_id)
        if slip and slip[0].amount_minor != payment.row.amount_minor:
            body["evidence"]["amount"] = euros(slip[0].amount_minor)
    for number in range(ANSWERS_MAX):
        body["request_id"] = f"{payment.payment_id[-6:]}-answer-{number}"
        topic = f"paybridge/v1/registers/{payment.row.register_id}/request/payment/resolve"
        world.broker.send(Message(topic, json.dumps(body).encode()))
        await asyncio.sleep(ANSWER_SECONDS)
        now = world.judge.pages.payment(payment.payment_id)
        if now.row.status != "in_doubt" and now.brought_money is approved:
            return


def _gift_card_moved(world: World, payment: Written) -> bool:
    """Look the payment up in the office's list; end a hold there that the bridge cannot name."""
    ends = payment.type in {"capture", "void"}
    name = payment.original_id if ends else payment.payment_id
    listed = [one for one in world.judge.gifts.of(name) if one.status != "CANCELLED"]
    if payment.type == "void":
        return not listed
    if not ends and not payment.has("Offered"):
        for held in listed:
            if held.status == "AUTHORIZED":
                world.office.release_by_hand(held.name)
    return any(one.status == "COMPLETED" for one in listed)
