"""What the journal has forgotten is never told as "no", nor charged again, under any of its ids."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.money.payment.request import leg_id
from tests.support.shop import Shop, in_a_shop, payment_id

PLAN_ID = payment_id(1)


@pytest.mark.parametrize("number", [1, 2, 6])
def test_a_plan_of_which_any_payment_was_forgotten_is_neither_no_nor_begun_again(
    tmp_path: Path, number: int
) -> None:
    async def test(shop: Shop) -> None:
        shop.desk.lost_payments = frozenset({leg_id(PLAN_ID, number)})
        status = await shop.ask("till-1", "payment/status", payment_id=PLAN_ID)
        again = await shop.pay("till-1", 1, "47.90")
        for answer in (status, again):
            assert answer["error"]["code"] == "outcome_unknown"
            assert answer["error"]["money_moved"] == "unknown"
        await shop.pay("till-1", 2, "3.00")
        await shop.until("till-1", 2, status="approved")
        assert shop.charged() == [300], "other payments go on"

    in_a_shop(tmp_path, test)


def test_nothing_begins_before_the_retained_documents_were_compared(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        shop.desk.journal_compared.clear()
        asked = asyncio.ensure_future(shop.pay("till-1", 1, "47.90"))
        await asyncio.sleep(30.0)
        assert not asked.done()
        assert not [one for one in shop.acknowledged if "/request/" in one.topic]
        shop.desk.lost_payments = frozenset({payment_id(1)})
        shop.desk.journal_compared.set()
        assert (await asked)["error"]["code"] == "outcome_unknown"
        assert shop.charged() == []

    in_a_shop(tmp_path, test)
