"""What is published when: outcomes once, answers at once, and what lay there before last."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bridge.register import api as k
from bridge.register.publishing.publisher import OLD_TOGETHER
from simulators.broker import Message
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id

PAYMENTS = 3 * OLD_TOGETHER


class Published:
    """Everything that the bridge publishes from now on, in order."""

    def __init__(self, shop: Shop) -> None:
        self.messages: list[Message] = []
        hear = shop.broker.on_published

        def both(message: Message) -> None:
            self.messages.append(message)
            hear(message)

        shop.broker.on_published = both

    def documents(self, till: str) -> list[Message]:
        return [one for one in self.messages if f"/{till}/payments/" in one.topic and one.payload]

    def first(self, part: str) -> int:
        """Return the place of the first message with this in its topic."""
        return next(n for n, one in enumerate(self.messages) if part in one.topic)


def test_each_outcome_is_published_once(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        published = Published(shop)
        for number in range(1, 4):
            await shop.pay("till-1", number)
            await shop.until("till-1", number, status="approved")
        await asyncio.sleep(5)
        revs = Counter(
            (one.topic, json.loads(one.payload)["rev"]) for one in published.documents("till-1")
        )
        assert set(revs.values()) == {1}

    in_a_shop(tmp_path, test, Plans(records=False))


def test_what_lay_at_the_broker_is_published_again_after_everything_else(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        for number in range(1, PAYMENTS + 1):
            await shop.pay("till-1", number)
            await shop.until("till-1", number, status="approved")
        await shop.pay("till-2", 900)
        await shop.until("till-2", 900, stage="waiting_for_card")
        published = Published(shop)
        shop.broker.cut()
        await asyncio.sleep(0)
        async with asyncio.timeout(100):
            while not shop.bus.connected:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.01)
        shop.broker.send(
            Message(
                TOPICS.request("till-3", "payment/list"), json.dumps({"request_id": "l"}).encode()
            )
        )
        await shop.until("till-2", 900, status="approved")
        async with asyncio.timeout(100):
            while len({one.topic for one in published.documents("till-1")}) < PAYMENTS:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        last = max(
            n for n, one in enumerate(published.messages) if "/till-1/payments/" in one.topic
        )
        old = published.first("/till-1/payments/")
        assert published.first("bridge/state") < old
        assert published.first("terminals/counter-1/state") < old
        assert published.first("bridge/health") < old
        assert published.first("/till-2/payments/") < old, "it is open"
        answered = published.first("/till-3/response/")
        ahead = published.messages[:answered]
        assert sum("/till-1/payments/" in one.topic for one in ahead) < PAYMENTS
        assert answered < last

    in_a_shop(tmp_path, test, Plans(records=False))


def test_answers_and_terminals_do_not_wait_for_the_end_of_the_outcomes(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        published = Published(shop)
        changed = 0

        def always_due() -> list[str]:
            """Have every look find one more outcome, as while a day's sales are being recorded."""
            nonlocal changed
            changed += 1
            return [payment_id(1)] if changed < 500 else []

        await shop.pay("till-1", 1)
        await shop.until("till-1", 1, status="approved")
        with patch.object(shop.ledger.payments, "take_changed", always_due):
            answer = await shop.ask("till-2", "payment/list")
            assert answer["status"] == "ok"
            documents = len(published.documents("till-1"))
            assert documents < 400, "the answer came between them"
        assert changed < 500

    in_a_shop(tmp_path, test, Plans(records=False))


def test_only_the_terminal_that_changed_is_described_again(tmp_path: Path) -> None:
    names = tuple(f"counter-{number}" for number in range(1, 11))
    made: Counter[str] = Counter()
    build = k.TerminalState.__init__

    def counted(self: k.TerminalState, **fields: Any) -> None:
        made[str(fields["terminal_id"])] += 1
        build(self, **fields)

    async def test(shop: Shop) -> None:
        with patch.object(k.TerminalState, "__init__", counted):
            await asyncio.sleep(1)
            made.clear()
            await shop.pay("till-1", 1, terminal_id="counter-3")
            await shop.until("till-1", 1, status="approved")
            await asyncio.sleep(1)
        assert set(made) == {"counter-3"}
        states = shop.parts.status.terminal_states()
        assert all(one is shop.parts.status.terminal_states()[name] for name, one in states.items())

    in_a_shop(tmp_path, test, Plans(terminals=names))
