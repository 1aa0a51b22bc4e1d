"""Whether a new command may become a payment at all. Pure: decides, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.errors import RequestError
from bridge.money.payment import Payment, PaymentRequest, Status
from bridge.money.sale import CapturedPayment, outstanding_minor


def refuse_conflict(request: PaymentRequest, known: PaymentRequest) -> None:
    """Refuse a known `payment_id` that now means something else.

    Raises:
        RequestError: `idempotency_conflict`.
    """
    if request.content_hash != known.content_hash:
        raise RequestError(
            "idempotency_conflict",
            "this payment_id was used before with other content; a new payment needs a new id",
            path="payment_id",
            payment_id=known.payment_id,
        )


def refuse_unsafe_start(
    request: PaymentRequest, siblings: Sequence[Payment], captured: Sequence[CapturedPayment]
) -> None:
    """Refuse a start that could take the money of one sale twice.

    `siblings` are the other payments of the same sale, `captured` what they brought. A person in
    charge (`approved_by`) passes both rules.

    Raises:
        RequestError: `payment_in_doubt` or `sale_already_paid`.
    """
    if request.approved_by:
        return
    for sibling in siblings:
        if sibling.status is Status.IN_DOUBT:
            raise RequestError(
                "payment_in_doubt",
                "an earlier payment of this sale may have been charged; it is being checked",
                path="sale_id",
                payment_id=sibling.request.payment_id,
            )
        if not sibling.is_final:
            raise RequestError(
                "payment_in_doubt",
                "an earlier payment of this sale is still running",
                path="sale_id",
                payment_id=sibling.request.payment_id,
            )
    if not captured:
        return
    details = request.sale or next((s.request.sale for s in siblings if s.request.sale), None)
    total = details.total if details is not None else request.amount
    if outstanding_minor(total, captured) == 0:
        raise RequestError(
            "sale_already_paid",
            "this sale is paid; a further charge needs a supervisor",
            path="sale_id",
            payment_id=captured[0].payment_id,
        )
