"""A stage that hangs ends: by its own time, by the payment's, and when nobody obeys, in doubt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.config import parse
from bridge.errors import ConfigError
from drivers.contract import Stage
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.shop import Plans, Shop, in_a_shop

SLOW_PIN = Plan(entry="chip", seconds_to_card=2.0, seconds_to_pin=100.0)
TERMINAL = {"driver": "zvt", "port": "/dev/null"}
TABLE = {"site": {"store_code": "S"}, "terminals": {"counter-1": TERMINAL}}


def a_shop(plan: Plan, stage: Stage, seconds: float) -> Plans:
    return Plans(shoppers={"counter-1": Scenario(otherwise=plan)}, stage_seconds={stage: seconds})


@pytest.mark.parametrize(
    ("plan", "stage", "ends_after"),
    [
        (SLOW_PIN, Stage.CARD_PRESENTED, 12.0),
        (Plan(seconds_to_card=100.0), Stage.WAITING_FOR_CARD, 10.0),
    ],
)
def test_a_stage_that_takes_too_long_is_stopped(
    tmp_path: Path, plan: Plan, stage: Stage, ends_after: float
) -> None:
    async def test(shop: Shop) -> None:
        began = asyncio.get_running_loop().time()
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, final=True)
        took = asyncio.get_running_loop().time() - began
        assert (document["status"], document["cancel_reason"]) == ("canceled", "timeout")
        assert ends_after - 1 < took < ends_after + 3
        assert shop.charged() == []

    in_a_shop(tmp_path, test, a_shop(plan, stage, 10.0))


def test_a_stage_leaves_time_to_the_next_one(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, final=True)
        assert document["status"] == "approved"

    slow = Plan(entry="chip", seconds_to_card=8.0, seconds_to_pin=25.0)
    in_a_shop(tmp_path, test, a_shop(slow, Stage.WAITING_FOR_CARD, 10.0))


def test_the_deadline_of_the_payment_ends_a_stage_without_a_time(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        began = asyncio.get_running_loop().time()
        await shop.pay("till-1", 1, deadline_s=30)
        document = await shop.until("till-1", 1, final=True)
        took = asyncio.get_running_loop().time() - began
        assert (document["status"], document["cancel_reason"]) == ("canceled", "timeout")
        assert 29 < took < 33

    in_a_shop(tmp_path, test, a_shop(SLOW_PIN, Stage.SELECT_APPLICATION, 10.0))


def test_a_terminal_that_does_not_obey_is_in_doubt_and_not_lost(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        began = asyncio.get_running_loop().time()
        await shop.pay("till-1", 1)
        await shop.until("till-1", 1, status="in_doubt")
        took = asyncio.get_running_loop().time() - began
        assert 40 < took < 46, "ten seconds for the PIN, thirty to obey"
        document = await shop.until("till-1", 1, final=True)
        captured = sum(shop.charged())
        assert (document["status"] == "approved") is (captured == 4790)

    deaf = SLOW_PIN.model_copy(update={"abort": "ignore"})
    in_a_shop(tmp_path, test, a_shop(deaf, Stage.CARD_PRESENTED, 10.0))


@pytest.mark.parametrize(
    ("stages", "key"),
    [
        ({"authorizing": 30}, "authorizing"),
        ({"entering_pin": 1}, "entering_pin"),
    ],
)
def test_only_stages_before_the_bank_is_asked_have_a_time(stages: dict[str, int], key: str) -> None:
    terminal = {**TERMINAL, "stage_seconds": stages}
    with pytest.raises(ConfigError, match=key):
        parse({**TABLE, "terminals": {"counter-1": terminal}})


def test_a_pin_has_a_minute_where_nothing_is_configured() -> None:
    stages = parse(TABLE).terminals["counter-1"].stage_seconds
    assert (stages.entering_pin, stages.waiting_for_card) == (60.0, None)
