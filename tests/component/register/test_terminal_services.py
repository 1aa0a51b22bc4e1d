"""What registers ask a real (simulated) ZVT terminal without money, from the topic to the bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.shop import Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json

OPERATION = "018f6f50-0000-7000-8000-0000000000f1"
SLOW_FIRST = Plans(shoppers={"counter-1": Scenario(payments=(Plan(seconds_to_card=40.0),))})


def test_a_technician_sees_whose_the_last_transaction_is(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        before = await shop.ask("till-1", "terminal/last_transaction")
        assert before["result"]["amount"] is None
        await shop.pay("till-1", 1, "47.90")
        document = await shop.until("till-1", 1, status="approved")
        found = (await shop.ask("till-2", "terminal/last_transaction"))["result"]
        assert (found["payment_id"], found["amount"]) == (payment_id(1), "47.90")
        assert found["masked_pan"] == document["card"]["masked_pan"]
        assert found["transaction_id"] == document["poi_transaction_id"]["transaction_id"]

    in_a_shop(tmp_path, test)


def test_the_last_transaction_is_read_while_a_payment_is_in_doubt(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "1.00")
        await shop.until("till-1", 1, stage="waiting_for_card")
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        refused = await shop.ask("till-1", "terminal/totals")
        assert refused["error"]["code"] == "terminal_busy"
        refused = await shop.ask("till-1", "terminal/last_transaction")
        assert refused["error"]["code"] == "terminal_offline", "refused for nothing but the cable"

    in_a_shop(tmp_path, test, SLOW_FIRST)


@pytest.mark.parametrize("operation", ["terminal/diagnose", "terminal/self_test"])
def test_a_diagnosis_reaches_the_terminal(tmp_path: Path, operation: str) -> None:
    async def test(shop: Shop) -> None:
        found = (await shop.ask("till-1", operation))["result"]
        assert found["passed"] is True
        assert (await shop.pay("till-1", 1))["status"] == "accepted"

    in_a_shop(tmp_path, test)


def test_an_end_of_day_is_the_same_after_a_restart(tmp_path: Path) -> None:
    answers: list[Json] = []

    async def day(shop: Shop) -> None:
        if not answers:
            await shop.pay("till-1", 1, "47.90")
            await shop.until("till-1", 1, status="approved")
        answer = await shop.ask("till-1", "terminal/reconcile", operation_id=OPERATION)
        answers.append(answer["result"])
        await asyncio.sleep(1)
        retained = shop.broker.retained["paybridge/v1/terminals/counter-1/reconciliation"]
        assert b'"47.90"' in retained.payload

    in_a_shop(tmp_path, day)
    in_a_shop(tmp_path, day)
    assert answers[0] == answers[1]
    assert answers[0]["compare"]["terminal"] == "47.90"
