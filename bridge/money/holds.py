"""How long money stays held. Pure.

No message says when a bank releases a hold: the days are the acquirer's word, a setting. So
a hold whose days are over *may* have ended; its capture shows whether it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bridge.money.store.records import PaymentRecord


def expires_at(account: PaymentRecord, hold_days: Mapping[str, int]) -> datetime | None:
    """Return when a hold that still holds may end; None for everything else, and where unknown.

    `hold_days` is how many days a hold stands, by terminal.
    """
    days = hold_days.get(account.payment.request.terminal_id)
    if days is None or not account.payment.held_minor:
        return None
    return datetime.fromisoformat(account.ended_at) + timedelta(days=days)
