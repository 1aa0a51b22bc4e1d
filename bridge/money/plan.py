"""What comes next when several payments belong together. Pure: decides, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bridge.money.payment import Payment, PaymentType, Status


def load_step(
    load: Payment, siblings: Sequence[Payment], *, remaining_minor: int, is_overdue: bool
) -> Literal["wait", "capture", "release"]:
    """Say what becomes of money that was set aside for a gift card to be filled with.

    `siblings` are the other payments of its sale, `remaining_minor` what is still to be paid of
    it. The card is filled with money that was captured, and with no cent of it twice.
    """
    if load.cancel_asked:
        return "release"
    captured = sum(one.refundable_minor for one in siblings)
    filled = sum(
        one.request.amount.minor
        for one in siblings
        if one.request.type is PaymentType.LOAD
        and (one.status is Status.APPROVED or one.concluding == "capture")
    )
    if remaining_minor == 0 and filled + load.request.amount.minor <= captured:
        return "capture"
    if is_overdue and all(one.is_final for one in siblings if one.request.type in _MAY_PAY):
        return "release"
    return "wait"


_MAY_PAY = frozenset({PaymentType.SALE, PaymentType.CAPTURE})
