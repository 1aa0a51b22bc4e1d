"""Nobody hears of anything before the disk has it: no register, no broker, no acknowledgement."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.errors import JournalError
from tests.component.register.test_queue import SLOW_FIRST
from tests.support.shop import Plans, Shop, in_a_shop, payment_id
from tests.support.till import SlowJournal

HELD = Plans(shoppers=SLOW_FIRST.shoppers, journal=SlowJournal)


def hold(shop: Shop) -> asyncio.Event:
    assert isinstance(shop.journal, SlowJournal)
    shop.journal.held = asyncio.Event()
    return shop.journal.held


def test_a_cancel_is_answered_only_once_it_is_on_disk(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        await shop.until("till-1", 1, status="in_progress")
        disk = hold(shop)
        asking = asyncio.ensure_future(
            shop.ask("till-1", "payment/cancel", payment_id=payment_id(1))
        )
        await asyncio.sleep(5)
        assert not asking.done(), "a crash now would forget the cancel that was promised"
        disk.set()
        assert (await asking)["status"] == "accepted"
        await shop.until("till-1", 1, status="canceled")

    in_a_shop(tmp_path, test, HELD)


def test_no_document_tells_what_the_disk_does_not_have(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        await shop.until("till-1", 1, status="in_progress")
        before = shop.document("till-1", 1)
        disk = hold(shop)
        while True:  # what the terminal shows is known to memory at once
            known = shop.ledger.payments.get(payment_id(1))
            assert known is not None
            if known.payment.stage is not None and known.payment.stage.value != before["stage"]:
                break
            await asyncio.sleep(0.05)
        await shop.ask("till-1", "payment/status", payment_id=payment_id(1))  # have it told again
        await asyncio.sleep(1)
        assert shop.document("till-1", 1)["stage"] == before["stage"]
        assert shop.document("till-1", 1)["rev"] == before["rev"]
        disk.set()
        await shop.until("till-1", 1, status="approved")

    in_a_shop(tmp_path, test, HELD)


def test_a_command_that_the_journal_could_not_store_is_not_acknowledged(tmp_path: Path) -> None:
    shops: list[Shop] = []

    async def test(shop: Shop) -> None:
        shops.append(shop)
        shop.journal._connection.execute("pragma query_only=on")  # as a disk that became read-only
        await shop.pay("till-1", 1)

    with pytest.raises(ExceptionGroup) as died:
        in_a_shop(tmp_path, test)
    assert died.value.subgroup(JournalError) is not None
    topics = [one.topic for one in shops[0].acknowledged]
    assert not any("/request/" in one for one in topics), "the next life must get it again"


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("payment/status", {}),
        ("payment/cancel", {}),
        ("payment/acknowledge", {"rev": 1}),
        ("receipt/reprint", {}),
    ],
)
def test_a_registers_identity_is_its_topic_and_never_what_it_says(
    tmp_path: Path, operation: str, fields: dict[str, object]
) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        claims = {"register_id": "till-1", "x_register_id": "till-1"}
        refused = await shop.ask("till-2", operation, payment_id=payment_id(1), **claims, **fields)
        assert refused["error"]["code"] in {"not_allowed", "invalid_request"}
        assert shop.document("till-1", 1)["status"] != "canceled"
        listed = await shop.ask("till-2", "payment/list", register_id="till-1")
        assert listed.get("result", {"payments": []})["payments"] == []
        await shop.pay("till-2", 2, when_busy="queue", x_register_id="till-1")
        await shop.until("till-2", 2, status="queued")
        assert not shop.document("till-1", 2)

    in_a_shop(tmp_path, test, SLOW_FIRST)
