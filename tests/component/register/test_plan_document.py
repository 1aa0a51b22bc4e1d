"""A plan's own document, from its first moment to its end, as it lies at the broker."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

from bridge.money import payment as p
from drivers import contract as c
from tests.published import check
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json
from tests.unit.money.payment.test_machine import REQUEST

PLAN_ID = payment_id(7)
LEGS = tuple(p.leg_id(PLAN_ID, number) for number in (1, 2))
PLAN = p.Plan(
    PLAN_ID,
    (
        p.PlanLeg(LEGS[0], "gift_card", c.Money(2000, "EUR")),
        p.PlanLeg(LEGS[1], "card", c.Money(2790, "EUR")),
    ),
)
FIRST = replace(
    REQUEST,
    payment_id=LEGS[0],
    terminal_id=p.GIFT_CARDS,
    type=p.PaymentType.PREAUTH,
    amount=c.Money(2000, "EUR"),
    gift_card=p.GiftCardCode("PHYSICAL", "1"),
    plan=PLAN,
)
TOPIC = TOPICS.plan("till-1", PLAN_ID)


def document(shop: Shop) -> Json:
    message = shop.broker.retained.get(TOPIC)
    if message is None or not message.payload:
        return {}
    check(TOPIC, message.payload)
    found: Json = json.loads(message.payload)
    return found


def test_a_plan_has_a_document_from_its_first_moment_to_its_end(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.ledger.accept(FIRST)
        await asyncio.sleep(0.5)
        first = document(shop)
        assert (first["status"], first["final"], first["requested_amount"]) == (
            "in_progress",
            False,
            "47.90",
        )
        assert [one["status"] for one in first["legs"]] == ["queued", None]
        await shop.ledger.apply(LEGS[0], p.Started(None))
        await shop.ledger.apply(LEGS[0], c.Unclear("no_answer"))
        await asyncio.sleep(0.5)
        assert document(shop)["status"] == "in_doubt"
        await shop.ledger.apply(LEGS[0], c.Declined("51"))
        await asyncio.sleep(0.5)
        last = document(shop)
        assert (last["status"], last["final"], last["held_amount"]) == ("not_paid", True, "0.00")
        assert last["rev"] > first["rev"]
        account = shop.ledger.payments.get(LEGS[0])
        assert account is not None
        seen = {"payment_id": LEGS[0], "rev": account.rev}
        assert (await shop.ask("till-1", "payment/acknowledge", **seen))["status"] == "ok"
        await asyncio.sleep(2)
        assert document(shop) == {}, "its last part is gone"

    in_a_shop(tmp_path, test, Plans(serves_gift_cards=False))


def test_a_plans_document_survives_a_broker_that_forgot_everything(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.ledger.accept(FIRST)
        await asyncio.sleep(0.5)
        before = document(shop)
        shop.broker.retained.clear()
        shop.broker.cut()
        await asyncio.sleep(10)
        assert document(shop) == before

    in_a_shop(tmp_path, test, Plans(serves_gift_cards=False))
