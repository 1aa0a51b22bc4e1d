"""When a cashier must be reminded of money that is held, and how long its document stays. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from bridge.money.holds import expires_at
from bridge.money.store.records import PaymentRecord

HOLD_WARNING: Final = timedelta(days=1)
# A document stays that long after its hold's last day: then somebody has looked, or never will.
HOLD_KEPT: Final = timedelta(days=7)
HOLD_UNKNOWN: Final = timedelta(days=31)  # where no days are configured: no bank holds longer
Notice = Literal["", "soon", "over"]


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


def warnings(
    accounts: Iterable[PaymentRecord], hold_days: Mapping[str, int], now: datetime
) -> list[str]:
    """Return what a person should know of holds that end soon or may have ended, in words."""
    near = [notice(one, hold_days, now) for one in accounts]
    found = []
    if soon := near.count("soon"):
        found.append(f"{soon} holds end within a day: capture or void them")
    if over := near.count("over"):
        found.append(f"{over} holds may have ended by now: capture or void them, and see")
    return found
