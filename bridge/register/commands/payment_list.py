"""A payment as a row of `payment/list`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.money.holds import expires_at
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from drivers.contract import Money


def listed(account: PaymentRecord, hold_days: Mapping[str, int]) -> k.ListedPayment:
    """Return the row; `hold_days` is how many days a hold stands, by terminal."""
    payment, request = account.payment, account.payment.request
    currency = request.amount.currency
    held, taken = payment.held_minor, payment.captured_so_far
    return k.ListedPayment.model_validate(
        {
            "payment_id": request.payment_id,
            "terminal_id": request.terminal_id,
            "type": request.type.value,
            "method": request.method.word,
            "sale_id": request.sale_id or None,
            "plan_id": request.plan.plan_id if request.plan else None,
            "original_payment_id": request.original_payment_id or None,
            "status": payment.status,
            "funds": payment.funds,
            "recording": payment.recording,
            "amount": k.format_amount(request.amount),
            "captured_amount": k.format_amount(taken) if taken is not None else None,
            "held_amount": k.format_amount(Money(held, currency)) if held else None,
            "currency": currency,
            "hold_expires_at": expires_at(account, hold_days),
            "created_at": k.read_time(account.created_at),
            "updated_at": k.read_time(account.updated_at),
        }
    )
