"""Receipts of our own: what they say, how wide they are, and what they never hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from bridge.money import payment as p
from bridge.money import purchase as s
from drivers import contract as c
from simulators.broker import Message
from tests.support.shop import TOPICS, Shop, in_a_shop, payment_id
from tests.unit.money.payment.test_machine import REQUEST
from tests.unit.register.receipts.test_receipt_text import TAKEN


def test_a_reprint_is_a_duplicate(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, status="approved")
        assert document["receipts"]
        answer = await shop.ask("till-1", "receipt/reprint", payment_id=payment_id(1))
        for receipt in answer["result"]["receipts"]:
            assert receipt["duplicate"]
            assert "DUPLICATE" in receipt["lines"][0]

    in_a_shop(tmp_path, test)


def test_an_approval_that_comes_while_events_are_told_has_its_receipts_published(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        told = asyncio.Event()
        inner = shop.broker.on_published

        def hear(message: Message) -> None:
            if message.topic == TOPICS.events("till-1"):
                told.set()
            inner(message)

        shop.broker.on_published = hear
        for number in range(1, 20):  # at one of them it comes just then
            told.clear()
            wanted = replace(REQUEST, payment_id=payment_id(number), terminal_id="elsewhere")
            await shop.ledger.accept(replace(wanted, sale_id=f"S-{number}"), p.Started(None))
            await told.wait()
            await shop.ledger.apply(wanted.payment_id, c.Approved(TAKEN))
            document = await shop.until("till-1", number, status="approved")
            await asyncio.sleep(5)
            assert len(document["receipts"]) == 2
            for receipt in document["receipts"]:
                assert receipt["topic"] in shop.broker.retained

    in_a_shop(tmp_path, test)


def test_a_receipt_that_the_terminal_writes_late_replaces_all_of_ours(tmp_path: Path) -> None:
    def copies(shop: Shop) -> set[str]:
        prefix = TOPICS.receipt("till-1", payment_id(1), "x")[:-1]
        return {topic.removeprefix(prefix) for topic in shop.broker.retained if prefix in topic}

    async def test(shop: Shop) -> None:
        wanted = replace(REQUEST, payment_id=payment_id(1), terminal_id="elsewhere")
        await shop.ledger.accept(wanted, p.Started(None))
        await shop.ledger.apply(wanted.payment_id, c.Approved(TAKEN))
        await asyncio.sleep(1)
        assert copies(shop) == {"customer", "merchant"}
        await shop.ledger.apply(wanted.payment_id, c.Receipt("customer", ("THANKS",)))
        await asyncio.sleep(1)
        assert copies(shop) == {"customer"}

    in_a_shop(tmp_path, test)


def test_a_reprint_of_a_receipt_that_is_kept_no_longer_says_so(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, status="approved")
        (name,) = shop.ledger.payments.take_pending_purchases()
        await shop.ledger.apply_purchase(name, s.Sending())
        await shop.ledger.apply_purchase(name, s.Recorded("P-1"))
        seen = {"payment_id": payment_id(1), "rev": document["rev"]}
        await shop.ask("till-1", "payment/acknowledge", **seen)
        await asyncio.sleep(10)
        assert await shop.ledger.prune(payment_id(1), "2099")
        answer = await shop.ask("till-1", "receipt/reprint", payment_id=payment_id(1))
        assert answer["error"]["code"] == "receipt_no_longer_kept"
        again = await shop.pay("till-1", 1)
        assert (again["payment_status"], again["duplicate"]) == ("approved", True)

    in_a_shop(tmp_path, test)
