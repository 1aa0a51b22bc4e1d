"""How long money stays held, and when a clerk must be reminded of it. Pure.

Nobody tells the bridge when a bank lets a hold go: the days are the acquirer's word, a setting. So
a hold whose days are over *may* have ended; what became of it, its capture shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from bridge.money.store.records import PaymentRecord

HOLD_WARNING: Final = timedelta(days=1)
# A document stays that long after its hold's last day: then somebody has looked, or never will.
HOLD_KEPT: Final = timedelta(days=7)
HOLD_UNKNOWN: Final = timedelta(days=31)  # where no days are configured: no bank holds longer
Notice = Literal["", "soon", "over"]


def expires_at(account: PaymentRecord, hold_days: Mapping[str, int]) -> datetime | None:
    """Return when a hold that still holds may end; None for everything else, and where unknown.

    `hold_days` is how many days a hold stands, by terminal.
    """
    days = hold_days.get(account.payment.request.terminal_id)
    if days is None or not account.payment.held_minor:
        return None
    return datetime.fromisoformat(account.ended_at) + timedelta(days=days)


def notice(account: PaymentRecord, hold_days: Mapping[str, int], now: datetime) -> Notice:
    """Return whether a hold ends within a day (`soon`), or may have ended (`over`)."""
    until = expires_at(account, hold_days)
    if until is None or now < until - HOLD_WARNING:
        return ""
    return "soon" if now < until else "over"


def must_stay(account: PaymentRecord, hold_days: Mapping[str, int], now: datetime) -> bool:
    """Say whether a hold's document stays, whoever acknowledged it: its money waits."""
    if not account.payment.held_minor:
        return False
    until = expires_at(account, hold_days)
    began = datetime.fromisoformat(account.ended_at)
    return now < (began + HOLD_UNKNOWN if until is None else until + HOLD_KEPT)
