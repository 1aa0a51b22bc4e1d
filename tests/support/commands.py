"""Commands as registers write them."""

from __future__ import annotations

from typing import Any


def start_fields(payment_id: str, amount: str = "12.00", **fields: Any) -> dict[str, Any]:
    """Return what a start of a sale says."""
    amounts = {"currency": "EUR", "requested_amount": amount}
    return {"payment_id": payment_id, "amounts": amounts, **fields}
