"""A register that sends more than can be done: refused, not journaled, and nobody else waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.register.mqtt.inbox import EXCESS_TOGETHER_MAX, LINE_MAX
from bridge.register.mqtt.messages import EXCESS_BYTES_MAX
from bridge.register.outbox import RESPONSES_WAITING_MAX
from simulators.broker import Message
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json

AMOUNTS = {"currency": "EUR", "requested_amount": "47.90"}
FLOODED = "till-9"
FULL = LINE_MAX + 1  # the line, and the one that the desk has taken from it
EVERY_COMMAND: dict[str, Json] = {
    "payment/status": {"payment_id": payment_id(77)},
    "payment/list": {},
    "payment/cancel": {"payment_id": payment_id(77)},
    "payment/acknowledge": {"payment_id": payment_id(77), "rev": 1},
    "payment/start": {"payment_id": payment_id(78), "amounts": {}},
    "terminal/check": {"terminal_id": "counter-1"},
    "terminal/totals": {"terminal_id": "counter-1"},
    "gift_card/balance": {"gift_card": {"code": "6396210000004711"}},
    "nothing/known": {},
}


class Heard:
    """The responses of one register, in order, by the broker."""

    def __init__(self, shop: Shop) -> None:
        self.found: list[Json] = []
        self.order: list[str] = []  # whose response came, in the order of publishing
        shop.broker.on_published = self._heard(shop)

    def _heard(self, shop: Shop) -> Any:
        def hear(message: Message) -> None:
            shop.hear(message)
            if "/response/" in message.topic:
                self.order.append(message.topic.split("/")[3])
                if self.order[-1] == FLOODED:
                    self.found.append(json.loads(message.payload))

        return hear

    def of(self, code: str) -> list[Json]:
        return [one for one in self.found if (one.get("error") or {}).get("code") == code]


@asynccontextmanager
async def held_up(shop: Shop) -> AsyncIterator[None]:
    """Have the desk do nothing until the block's commands have arrived."""
    shop.desk.journal_compared.clear()
    yield
    await asyncio.sleep(0.1)
    shop.desk.journal_compared.set()


def flood(shop: Shop, operation: str, count: int, till: str = FLOODED, **fields: object) -> None:
    """Send so many commands at once, in the order of their numbers."""
    for number in range(count):
        body = {"request_id": f"f-{number}", **fields}
        topic = f"{TOPICS.register(till)}/request/{operation}"
        shop.broker.take_at_once(Message(topic, json.dumps(body).encode()))


async def answered(heard: Heard, count: int) -> None:
    async with asyncio.timeout(600):
        while len(heard.found) < count:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("operation", sorted(EVERY_COMMAND))
def test_every_command_of_a_flood_has_an_answer_and_another_register_pays_at_once(
    tmp_path: Path, operation: str
) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        async with held_up(shop):
            flood(shop, operation, 400, **EVERY_COMMAND[operation])
        answer = await shop.pay("till-1", 1)
        assert answer["status"] == "accepted"
        before = heard.order.index("till-1")
        await answered(heard, 400)
        assert before < 400, "the flood's answers did not all come first"
        names = [one["request_id"] for one in heard.found]
        assert sorted(names) == sorted(f"f-{number}" for number in range(400))
        refused = heard.of("too_many_requests")
        assert len(refused) > 200
        assert {one["error"]["money_moved"] for one in refused} == {"no"}
        assert {one["error"]["retry"] for one in refused} == {"same_id"}
        assert shop.bus.connected

    in_a_shop(tmp_path, test)


@pytest.mark.parametrize("registers", [10, 50])
def test_one_payment_waits_for_one_turn_of_each_that_floods(tmp_path: Path, registers: int) -> None:
    async def test(shop: Shop) -> None:
        served: list[str] = []
        acknowledge = shop.bus.acknowledge

        def watched(delivery: Any) -> None:
            served.append(delivery.topic.split("/")[3])
            acknowledge(delivery)

        shop.bus.acknowledge = watched  # type: ignore[method-assign]
        for number in range(registers):
            flood(shop, "payment/list", 60, f"flood-{number}")
        await asyncio.sleep(0.05)  # all of it is there
        at = len(served)
        assert (await shop.pay("till-1", 1))["status"] == "accepted"
        ahead = served.index("till-1") - at
        # Each turn is one command, or some refusals together.
        assert ahead <= (registers + 1) * EXCESS_TOGETHER_MAX

    in_a_shop(tmp_path, test)


def test_a_refused_start_is_not_journaled_and_may_come_again_under_its_id(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        entries = shop.journal.last_seq()
        async with held_up(shop):
            flood(shop, "payment/status", FULL, payment_id=payment_id(77))
            flood(shop, "payment/start", 1, payment_id=payment_id(5), amounts=AMOUNTS)
        await answered(heard, FULL + 1)
        (refused,) = heard.of("too_many_requests")
        assert refused["payment_id"] == payment_id(5)
        assert refused["payment_status"] is None
        assert refused["error"]["money_moved"] == "no"
        assert refused["error"]["retry_after_s"] > 0
        assert shop.journal.last_seq() == entries
        again = await shop.pay(FLOODED, 5)
        assert again["status"] == "accepted"
        await shop.until(FLOODED, 5, status="approved")
        assert shop.charged() == [4790]

    in_a_shop(tmp_path, test)


def test_a_refusal_denies_no_payment_that_goes_on(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        async with held_up(shop):
            flood(shop, "payment/start", 1, payment_id=payment_id(5), amounts=AMOUNTS)
            flood(shop, "payment/status", FULL, payment_id=payment_id(77))
            flood(shop, "payment/start", 1, payment_id=payment_id(5), amounts=AMOUNTS)
        await answered(heard, FULL + 2)
        of_it = [one for one in heard.found if one["payment_id"] == payment_id(5)]
        assert [one["status"] for one in of_it] == ["accepted", "error"]
        refused = of_it[1]
        assert refused["error"]["code"] == "too_many_requests"
        assert refused["error"]["money_moved"] in {"unknown", "yes"}
        assert refused["error"]["retry"] == "after_check"

    in_a_shop(tmp_path, test)


def test_a_refusal_denies_no_payment_that_memory_has_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.money.store.payment_store.SETTLED_IN_MEMORY_MAX", 0)

    async def test(shop: Shop) -> None:
        await shop.pay(FLOODED, 5)
        shown = await shop.until(FLOODED, 5, status="approved")
        await shop.ask(FLOODED, "payment/acknowledge", payment_id=payment_id(5), rev=shown["rev"])
        async with asyncio.timeout(100):
            while shop.ledger.payments.get(payment_id(5)) is not None:  # noqa: ASYNC110
                await asyncio.sleep(1)
        for till, seen in ((FLOODED, "unknown"), ("till-1", "no")):
            shop.answers.clear()
            async with held_up(shop):
                flood(shop, "payment/status", FULL, till, payment_id=payment_id(77))
                flood(shop, "payment/start", 1, till, payment_id=payment_id(5), amounts=AMOUNTS)
            async with asyncio.timeout(100):
                while len(shop.answers) <= FULL:  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(0.05)
            (refused,) = (one["error"] for _, one in shop.answers if one["op"] == "payment/start")
            assert (refused["code"], refused["money_moved"]) == ("too_many_requests", seen)

    in_a_shop(tmp_path, test, Plans(records=False))


def test_what_is_cut_off_before_its_payment_is_named_is_not_called_a_no(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        long = "x" * (2 * EXCESS_BYTES_MAX)
        async with held_up(shop):
            flood(shop, "payment/status", FULL, payment_id=payment_id(77))
            flood(shop, "payment/start", 1, metadata={"note": long}, payment_id=payment_id(5))
        await answered(heard, FULL + 1)
        (refused,) = heard.of("too_many_requests")
        assert refused["payment_id"] is None
        assert refused["error"]["money_moved"] == "unknown"
        assert refused["error"]["retry"] == "after_check"

    in_a_shop(tmp_path, test)


def test_where_the_broker_acknowledges_late_a_flood_still_takes_turns_with_others(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        async with held_up(shop):
            flood(shop, "payment/status", 200, payment_id=payment_id(77))
        await answered(heard, 3)
        shop.broker.acknowledges_after = 5.0
        before = len(heard.order)
        assert (await shop.ask("till-1", "payment/list"))["status"] == "ok"
        # One was under way, one has the turn before, and one is taken meanwhile.
        assert heard.order.index("till-1") - before <= 3
        shop.broker.acknowledges_after = 0.0
        await answered(heard, 200)

    in_a_shop(tmp_path, test)


def test_no_command_is_taken_while_too_many_answers_wait_for_the_broker(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        shop.broker.acknowledges_after = 5.0
        taken = len(shop.acknowledged)
        for _ in range(8):
            flood(shop, "payment/status", 200, payment_id=payment_id(77))
            await asyncio.sleep(2)
        waiting = len(shop.desk.outbox.responses)
        assert waiting < RESPONSES_WAITING_MAX + EXCESS_TOGETHER_MAX
        assert len(shop.acknowledged) - taken < 1_600, "what waits is not acknowledged"
        shop.broker.acknowledges_after = 0.0
        await answered(heard, 1_600)

    in_a_shop(tmp_path, test)


def test_the_log_has_one_line_for_a_flood(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(shop: Shop) -> None:
        heard = Heard(shop)
        flood(shop, "payment/list", 300)
        await answered(heard, 300)

    caplog.set_level("WARNING")
    in_a_shop(tmp_path, test)
    said = [one for one in caplog.messages if "too_many_requests" in one]
    assert len(said) == 1
    assert f"register={FLOODED}" in said[0]
