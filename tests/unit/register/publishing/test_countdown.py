"""What can be counted down: the wait for a card, a question, the next look at a doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bridge.money import payment as p
from bridge.money.payment.signature import Signature
from bridge.money.store.records import HistoryLine, PaymentRecord
from bridge.register.publishing.countdown import seconds_left
from drivers.contract import Stage
from tests.unit.money.payment.test_machine import STATES

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
