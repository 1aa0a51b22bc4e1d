"""How long what a cashier's screen shows will last. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord
from drivers.contract import Stage

# The stages of a terminal that waits for a card, and stops when its time is up.
CARD_STAGES = frozenset({Stage.WAITING_FOR_CARD, Stage.TRY_AGAIN, Stage.CARD_REMOVED_TOO_EARLY})


def seconds_left(
    account: PaymentRecord,
    *,
    now: datetime,
    stage_seconds: Mapping[Stage, float],
    expires_at: datetime,
) -> int | None:
    """Return the whole seconds to count down on the screen, 0 or more; None for nothing.

    `stage_seconds` is how long the terminal may stay in a stage, where that is limited by more
    than the payment's own deadline. `expires_at` is when a question about it would expire.
    """
    payment = account.payment
    if payment.signature_is_asked:
        end = expires_at
    elif payment.status is p.Status.IN_PROGRESS and payment.stage in CARD_STAGES:
        began = _since(account, p.Status.IN_PROGRESS.value, None)
        end = began + timedelta(seconds=payment.request.deadline_seconds)
        if payment.stage in stage_seconds:
            entered = _since(account, p.Status.IN_PROGRESS.value, payment.stage)
            end = min(end, entered + timedelta(seconds=stage_seconds[payment.stage]))
    else:
        return None
    return max(ceil((end - now).total_seconds()), 0)


def _since(account: PaymentRecord, status: str, stage: Stage | None) -> datetime:
    """Return since when a payment is in a status; with `stage`, since when in that stage."""
    lines = [line for line in account.history if line.status == status]
    if stage is None:
        return datetime.fromisoformat(lines[0].at if lines else account.updated_at)
    last = [line for line in lines if line.stage == stage.value]
    return datetime.fromisoformat(last[-1].at if last else account.updated_at)
