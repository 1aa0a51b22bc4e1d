"""A journal with a year in it, written at once: for measurements of what must not depend on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.database import open_database
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry, EventCodec, PurchaseRow
from bridge.money.store.records import fold_payment, payment_row
from bridge.register.api import format_time
from drivers.contract import Approval, Approved, Baseline, Money

TOGETHER = 1_000
TERMINAL = "counter-1"


def payment_id(number: int) -> str:
    """Return the id of the payment of that number."""
    return f"018f6f0e-0000-7000-8000-{number:012d}"


def write(state: Path, count: int, *, due: bool = False) -> None:
    """Leave `count` approved payments of one terminal in the state directory.

    With `due` each has a purchase that waits for the books, and its document is published; else
    they are settled, and nothing of them is open.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = open_database(state / "journal.sqlite")
    journal = Journal(connection, None, EventCodec())
    began = datetime.now(UTC) - timedelta(hours=20)
    for first in range(0, count, TOGETHER):
        numbers = range(first, min(first + TOGETHER, count))
        journal._commit([_payment(n, began + timedelta(seconds=n / 10), due=due) for n in numbers])
    connection.close()


def _payment(number: int, moment: datetime, *, due: bool) -> Change:
    name, at = payment_id(number), format_time(moment)
    request = p.PaymentRequest(
        name, f"till-{number % 4 + 1}", TERMINAL, p.PaymentType.SALE, Money(1250, "EUR"), "h"
    )
    approval = Approval(request.amount, f"{TERMINAL}/{number}")
    entries = [
        Entry(name, p.Requested(request), at),
        Entry(name, p.Started(Baseline("")), at),
        Entry(name, Approved(approval), at),
    ]
    if not due:
        account = replace(fold_payment(entries), live=False)
        return Change(tuple(entries), (payment_row(account),))
    content = s.PurchaseContent(
        transaction_id=f"T{number}",
        store_code="BENCH",
        purchased_on=at[:19],
        pay_amount=request.amount,
        sale=s.SaleDetails(request.amount, ()),
        tip_minor=0,
        pay_method="CARD",
    )
    entries += [
        Entry(name, p.RecordingChanged(p.Recording.PENDING), at),
        Entry(f"T{number}", s.PurchaseDue(content, request.sale_key, (name,)), at),
    ]
    account = fold_payment(entries[:-1])
    purchase = PurchaseRow(f"T{number}", request.sale_key, "pending", at, at)
    return Change(tuple(entries), (payment_row(account),), (purchase,))
