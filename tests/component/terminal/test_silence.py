"""A terminal that falls silent after the card: in doubt in a stated time, and listened to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bridge.config import SilentSeconds, parse
from bridge.errors import ConfigError
from bridge.terminal.conversation import LISTEN_SECONDS, SILENT
from bridge.terminal.status import SILENT_SECONDS
from drivers.contract import Stage
from simulators.broker import Message
from simulators.terminals.shared.shopper import Mischief, Plan, Scenario
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop, payment_id
from tests.support.virtual_store import Json

TABLE = {"site": {"store_code": "S"}, "terminals": {"counter-1": {"driver": "zvt", "port": "/d"}}}
AUTHORIZING = SILENT_SECONDS[Stage.AUTHORIZING]


def a_shop(plan: Plan) -> Plans:
    return Plans(shoppers={"counter-1": Scenario(otherwise=plan)})


def told(shop: Shop) -> list[Json]:
    """Listen to the documents of payment 1."""
    found: list[Json] = []
    inner = shop.broker.on_published

    def hear(message: Message) -> None:
        if message.topic == TOPICS.payment("till-1", payment_id(1)) and message.payload:
            found.append(json.loads(message.payload))
        inner(message)

    shop.broker.on_published = hear
    return found


async def silence(shop: Shop) -> tuple[Json, float]:
    """Pay, and return the document that tells the doubt and how long the silence had been."""
    await shop.pay("till-1", 1)
    await shop.until("till-1", 1, stage="authorizing")
    began = asyncio.get_running_loop().time()
    document = await shop.until("till-1", 1, status="in_doubt")
    return document, asyncio.get_running_loop().time() - began


def test_a_bank_that_is_silent_is_told_as_in_doubt_and_its_late_answer_is_taken(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        documents = told(shop)
        document, took = await silence(shop)
        assert AUTHORIZING - 1 < took < AUTHORIZING + 3
        assert document["in_doubt"]["cause"] == SILENT
        assert document["display"]["lines"][0] == "Do not charge again"
        document = await shop.until("till-1", 1, final=True)
        assert (document["status"], document["discrepancy"]) == ("approved", None)
        assert shop.charged() == [4790]
        assert "canceling" not in {one["status"] for one in documents}, "nothing was stopped"
        again = await shop.pay("till-1", 2)
        assert again["status"] == "accepted"
        await shop.until("till-1", 2, final=True)

    slow = Plan(seconds_at_host=AUTHORIZING + LISTEN_SECONDS - 5)
    in_a_shop(tmp_path, test, a_shop(slow))


@pytest.mark.parametrize("outcome", ["approve", "decline"])
def test_a_terminal_that_hangs_is_asked_on_a_new_line_and_the_truth_comes_out(
    tmp_path: Path, outcome: str
) -> None:
    """Its memory is proof: it shows an older payment, and nobody can type in another one."""

    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 2, "1.00")
        await shop.until("till-1", 2, final=True)
        document, took = await silence(shop)
        assert took < AUTHORIZING + 3
        document = await shop.until("till-1", 1, final=True)
        charged = document["status"] == "approved"
        assert shop.charged() == ([100, 4790] if charged else [100])
        assert document["discrepancy"] is None

    mischief = Mischief(kind="silent", at="status", seconds=AUTHORIZING + LISTEN_SECONDS + 20)
    hangs = Plan.model_validate({"outcome": outcome, "mischief": (mischief,)})
    shoppers = {"counter-1": Scenario(payments=(Plan(),), otherwise=hangs)}
    locked = {"settings": {"keypad_stays_locked": True}}
    in_a_shop(tmp_path, test, Plans(shoppers=shoppers, terminal=locked))


def test_a_shopper_who_is_slow_before_the_tap_is_no_doubt(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        documents = told(shop)
        await shop.pay("till-1", 1, deadline_s=300)
        await shop.until("till-1", 1, final=True)
        assert documents[-1]["status"] == "approved"
        assert "in_doubt" not in {one["status"] for one in documents}

    in_a_shop(tmp_path, test, a_shop(Plan(seconds_to_card=150.0)))


def test_a_silence_after_the_end_of_a_payments_time_is_told_as_before(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, deadline_s=20)
        await shop.until("till-1", 1, status="canceling")
        document = await shop.until("till-1", 1, status="in_doubt")
        assert document["in_doubt"]["cause"] == "cancel_unanswered"

    hangs = Plan(abort="ignore", seconds_at_host=100.0)
    in_a_shop(tmp_path, test, a_shop(hangs))


def test_the_stated_times_are_settings_with_the_same_defaults() -> None:
    stages = parse(TABLE).terminals["counter-1"].silent_seconds
    assert {Stage(name): each for name, each in stages.model_dump().items()} == SILENT_SECONDS
    assert set(SilentSeconds.model_fields).isdisjoint({"waiting_for_card", "entering_pin"})
    terminal = {**TABLE["terminals"]["counter-1"], "silent_seconds": {"waiting_for_card": 30}}  # type: ignore[index]
    with pytest.raises(ConfigError, match="waiting_for_card"):
        parse({**TABLE, "terminals": {"counter-1": terminal}})
