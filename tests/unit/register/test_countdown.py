"""What can be counted down: the wait for a card, a question, the next look at a doubt."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.payment.signature import Signature
from bridge.money.store.records import HistoryLine, PaymentRecord
from bridge.register.publishing.countdown import seconds_left
from drivers.contract import Stage
from simulators.terminals.shared.shopper import Mischief, Plan, Scenario
from tests.support.shop import Plans, Shop, in_a_shop
from tests.unit.money.test_payment import STATES

BEGAN = datetime.fromisoformat("2026-11-23T12:00:00.000Z")
EXPIRES = BEGAN + timedelta(seconds=200)


def waiting(stage: Stage, entered_seconds: int = 10) -> PaymentRecord:
    """Return a payment of 120 s that began at `BEGAN` and entered its stage so much later."""
    payment = replace(STATES["in_progress"], stage=stage)
    entered = f"2026-11-23T12:00:{entered_seconds:02d}.000Z"
    history = (
        HistoryLine("queued", "", "2026-11-23T11:59:00.000Z"),
        HistoryLine("in_progress", "starting", "2026-11-23T12:00:00.000Z"),
        HistoryLine("in_progress", stage.value, entered),
    )
    return PaymentRecord(payment, 3, 3, history[0].at, entered, history)


def left(account: PaymentRecord, seconds: float, **limits: float) -> int | None:
    stage_seconds = {Stage(name): limit for name, limit in limits.items()}
    now = BEGAN + timedelta(seconds=seconds)
    return seconds_left(account, now=now, stage_seconds=stage_seconds, expires_at=EXPIRES)


@pytest.mark.parametrize(
    ("seconds", "limits", "expected"),
    [
        (15.0, {}, 105),
        (15.2, {}, 105),
        (15.0, {"waiting_for_card": 30.0}, 25),
        (15.0, {"waiting_for_card": 300.0}, 105),
        (15.0, {"entering_pin": 30.0}, 105),
        (500.0, {}, 0),
    ],
)
def test_a_card_is_waited_for_until_the_first_limit(
    seconds: float, limits: dict[str, float], expected: int
) -> None:
    assert left(waiting(Stage.WAITING_FOR_CARD), seconds, **limits) == expected


@pytest.mark.parametrize("stage", list(Stage))
def test_only_the_wait_for_a_card_is_counted_down(stage: Stage) -> None:
    counted = {Stage.WAITING_FOR_CARD, Stage.TRY_AGAIN, Stage.CARD_REMOVED_TOO_EARLY}
    assert (left(waiting(stage), 20.0) is not None) is (stage in counted)


def test_a_question_is_counted_down_to_its_end() -> None:
    line = HistoryLine("approved", "", "2026-11-23T12:00:00.000Z")
    account = PaymentRecord(STATES["approved"], 3, 3, line.at, line.at, (line,))
    assert left(account, 50.0) == 150
    answered = replace(account.payment, signature=Signature.ACCEPTED)
    assert left(replace(account, payment=answered), 50.0) is None


def test_a_payment_that_was_stopped_counts_nothing_down() -> None:
    account = waiting(Stage.WAITING_FOR_CARD)
    stopped = replace(account.payment, status=p.Status.CANCELING)
    assert left(replace(account, payment=stopped), 20.0) is None


def test_the_register_is_told_how_long_a_card_is_waited_for(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, deadline_s=60)
        document = await shop.until("till-1", 1, stage="waiting_for_card")
        assert 55 <= document["display"]["countdown_s"] <= 60
        document = await shop.until("till-1", 1, status="approved")
        assert document["display"]["countdown_s"] is None

    slow = Scenario(payments=(Plan(seconds_to_card=20.0),))
    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": slow}))


def test_a_doubt_says_when_the_terminal_is_asked_again(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, status="in_doubt")
        told = datetime.fromisoformat(document["in_doubt"]["next_check_at"])
        assert timedelta() <= told - shop.now() <= timedelta(seconds=5)
        await asyncio.sleep(95)
        assert shop.document("till-1", 1)["in_doubt"]["needs_operator"]
        async with asyncio.timeout(60):
            while (  # noqa: ASYNC110 - virtual time
                at := shop.document("till-1", 1)["in_doubt"]["next_check_at"]
            ) is None:
                await asyncio.sleep(0.1)  # it is being asked
        assert timedelta(seconds=25) < datetime.fromisoformat(at) - shop.now()

    gone = Plan(mischief=(Mischief(kind="die", at="status", seconds=600),))
    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": Scenario(payments=(gone,))}))
