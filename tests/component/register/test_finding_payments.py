"""What a register can find again: holds, lists, and documents that were acknowledged."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.cli.payment_table import payments_table
from bridge.register.api import PaymentDocument
from bridge.register.publishing.publisher import HEALTH_SECONDS
from bridge.reports.payment_lines import Selection, find_lines
from bridge.reports.reader import reading
from bridge.settings import JOURNAL_NAME
from tests.published import check
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json

GUARD = {"expires_at": "2026-11-23T12:30:00Z"}
DAYS = 5
PLANS = Plans(terminal={"hold_days": DAYS})
NO_BOOKS = Plans(records=False)  # nothing waits to be recorded
LOOK_SECONDS = HEALTH_SECONDS + 1


async def hold(shop: Shop, number: int, amount: str = "50.00") -> Json:
    await shop.pay("till-1", number, amount, type="preauth", sale_id=f"H-{number}", **GUARD)
    return await shop.until("till-1", number, status="approved")


async def acknowledge(shop: Shop, number: int) -> None:
    rev = shop.document("till-1", number)["rev"]
    answer = await shop.ask("till-1", "payment/acknowledge", payment_id=payment_id(number), rev=rev)
    assert answer["status"] == "ok"


async def listed(shop: Shop, **more: object) -> list[Json]:
    answer = await shop.ask("till-1", "payment/list", **more)
    found: list[Json] = answer["result"]["payments"]
    return found


def test_a_list_tells_type_funds_sale_plan_and_what_was_captured(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await hold(shop, 1)
        amounts = {"currency": "EUR", "requested_amount": "30.00"}
        await shop.ask(
            "till-1",
            "payment/capture",
            payment_id=payment_id(2),
            original_payment_id=payment_id(1),
            amounts=amounts,
            **GUARD,
        )
        await shop.until("till-1", 2, status="approved")
        await shop.pay("till-1", 3, "8.00", **GUARD)
        await shop.until("till-1", 3, status="approved")
        sale, capture, held = await listed(shop)
        assert (sale["type"], sale["funds"], sale["sale_id"]) == ("sale", "captured", None)
        assert (sale["captured_amount"], sale["held_amount"]) == ("8.00", None)
        assert (capture["type"], capture["original_payment_id"]) == ("capture", payment_id(1))
        assert capture["captured_amount"] == "30.00"
        assert (held["type"], held["sale_id"]) == ("preauth", "H-1")
        assert (held["captured_amount"], held["plan_id"]) == ("30.00", None)

    in_a_shop(tmp_path, test, PLANS)


def test_holds_are_open_until_somebody_captures_or_releases_them(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await hold(shop, 1)
        await shop.pay("till-1", 2, "8.00", **GUARD)
        await shop.until("till-1", 2, status="approved")
        (found,) = await listed(shop, filter={"open": True})
        assert (found["payment_id"], found["held_amount"]) == (payment_id(1), "50.00")
        assert found["hold_expires_at"].startswith("2026-11-28T12:00")
        await acknowledge(shop, 1)
        await asyncio.sleep(25 * 3600.0)
        assert shop.document("till-1", 1), "acknowledged or not: its money waits for somebody"
        assert [one["payment_id"] for one in await listed(shop, filter={"open": True})] == [
            payment_id(1)
        ]
        until = {"expires_at": "2026-11-24T14:00:00Z"}
        await shop.ask(
            "till-1",
            "payment/void",
            payment_id=payment_id(3),
            original_payment_id=payment_id(1),
            **until,
        )
        await shop.until("till-1", 3, status="approved")
        await asyncio.sleep(LOOK_SECONDS)
        assert await listed(shop, filter={"open": True}) == []
        assert not shop.document("till-1", 1)

    in_a_shop(tmp_path, test, PLANS)


def test_a_hold_shows_its_expiry_and_is_warned_about_a_day_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(shop: Shop) -> None:
        document = await hold(shop, 1)
        PaymentDocument.model_validate_json(
            shop.broker.retained[TOPICS.payment("till-1", payment_id(1))].payload
        )
        assert document["hold_expires_at"].startswith("2026-11-28T12:00")
        assert document["display"]["code"] == "approved"
        await acknowledge(shop, 1)
        shop.ahead += timedelta(days=DAYS - 1)
        await asyncio.sleep(LOOK_SECONDS)
        shown = shop.document("till-1", 1)["display"]
        assert shown["lines"] == ["Held 50,00 €", "Ends within a day: capture or void it"]
        assert shown["severity"] == "warning"
        shop.ahead += timedelta(days=1)
        await asyncio.sleep(LOOK_SECONDS)
        document = shop.document("till-1", 1)
        assert document["display"]["lines"] == ["Held 50,00 €", "The bank may have released it"]
        assert document["funds"] == "held", "that it may have ended is not that it ended"

    with caplog.at_level(logging.WARNING):
        in_a_shop(tmp_path, test, PLANS)
    said = [one.getMessage() for one in caplog.records if "money is held" in one.getMessage()]
    assert [text.rpartition("hold ")[2] for text in said] == ["ends within a day", "may have ended"]


def test_a_hold_without_known_days_says_nothing_of_its_end(tmp_path: Path) -> None:
    async def begin(shop: Shop) -> None:
        await hold(shop, 1)

    async def without_the_terminal(shop: Shop) -> None:
        shop.ahead += timedelta(days=1)
        document = await shop.until("till-1", 1, status="approved")
        assert document["hold_expires_at"] is None
        shop.ahead += timedelta(days=20)
        await asyncio.sleep(LOOK_SECONDS)
        assert shop.document("till-1", 1)["display"]["code"] == "approved"

    in_a_shop(tmp_path, begin)
    in_a_shop(tmp_path, without_the_terminal, Plans(terminals=("counter-9",)))


def test_the_command_line_finds_holds_too(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await hold(shop, 1)
        await shop.pay("till-1", 2, "8.00", **GUARD)
        await shop.until("till-1", 2, status="approved")

    in_a_shop(tmp_path, test, replace(PLANS, records=False))
    with reading(tmp_path / JOURNAL_NAME) as reader:
        (found,) = find_lines(reader, Selection(only_open=True))
        assert (found.payment_id, found.held_minor) == (payment_id(1), 5000)
        assert "[yellow]held[/]" in list(payments_table([found], lambda at: at).columns[7].cells)
        assert len(find_lines(reader, Selection())) == 2


def test_a_hold_that_an_earlier_version_let_go_is_found_again(tmp_path: Path) -> None:
    async def begin(shop: Shop) -> None:
        await hold(shop, 1)
        await shop.pay("till-1", 2, "8.00", **GUARD)
        await shop.until("till-1", 2, status="approved")
        await asyncio.sleep(1.0)
        shop.journal._connection.execute(
            "update payment set live=0"
        )  # as the version before retired it

    async def go_on(shop: Shop) -> None:
        found = await listed(shop, filter={"open": True})
        assert [one["payment_id"] for one in found] == [payment_id(1)]
        await shop.until("till-1", 1, funds="held")
        assert not shop.document("till-1", 2)

    in_a_shop(tmp_path, begin, PLANS)
    in_a_shop(tmp_path, go_on, PLANS)


@pytest.mark.parametrize("way", ["status", "start"])
def test_a_document_that_was_acknowledged_comes_back_when_it_is_asked_for(
    tmp_path: Path, way: str
) -> None:
    async def ask(shop: Shop) -> None:
        if way == "status":
            answer = await shop.ask("till-1", "payment/status", payment_id=payment_id(1))
            assert answer["status"] == "ok"
        else:
            answer = await shop.pay("till-1", 1, **GUARD)
            assert (answer["status"], answer["duplicate"]) == ("accepted", True)

    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, **GUARD)
        before = await shop.until("till-1", 1, status="approved")
        await acknowledge(shop, 1)
        await asyncio.sleep(LOOK_SECONDS)
        assert not shop.document("till-1", 1), "taken away"
        await ask(shop)
        again = await shop.until("till-1", 1, status="approved")
        assert again["amounts"] == before["amounts"]
        await asyncio.sleep(1.0)
        for receipt in again["receipts"]:
            message = shop.broker.retained[receipt["topic"]]
            check(receipt["topic"], message.payload)
        await asyncio.sleep(10 * LOOK_SECONDS)
        assert shop.document("till-1", 1), "it stays for whoever looks a little later"
        await acknowledge(shop, 1)
        await asyncio.sleep(LOOK_SECONDS)
        assert not shop.document("till-1", 1)
        await ask(shop)
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(25 * 3600.0)
        assert not shop.document("till-1", 1), "nobody asks for it any more"
        assert shop.charged() == [4790]

    in_a_shop(tmp_path, test, NO_BOOKS)


def test_a_document_that_was_asked_back_does_not_outlive_a_restart(tmp_path: Path) -> None:
    async def begin(shop: Shop) -> None:
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, status="approved")
        await acknowledge(shop, 1)
        await asyncio.sleep(LOOK_SECONDS)
        await shop.ask("till-1", "payment/status", payment_id=payment_id(1))
        await shop.until("till-1", 1, status="approved")

    async def go_on(shop: Shop) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        assert not shop.document("till-1", 1)
        await shop.ask("till-1", "payment/status", payment_id=payment_id(1))
        await shop.until("till-1", 1, status="approved")

    in_a_shop(tmp_path, begin, NO_BOOKS)
    in_a_shop(tmp_path, go_on, NO_BOOKS)


def test_asking_many_old_payments_back_keeps_a_bounded_number(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        for number in range(1, 6):
            await shop.pay("till-1", number, f"{number}.00", **GUARD)
            await shop.until("till-1", number, final=True)
            await acknowledge(shop, number)
        await asyncio.sleep(LOOK_SECONDS)
        outbox = shop.desk.outbox
        for number in range(1, 6):
            await shop.ask("till-1", "payment/status", payment_id=payment_id(number))
        assert list(outbox.asked_back) == [payment_id(number) for number in range(3, 6)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.register.outbox.ASKED_BACK_MAX", 3)
        in_a_shop(tmp_path, test, NO_BOOKS)
