"""The end of the demo: what terminal, journal and back office know of each payment. Pure.

Three parties wrote their own books. Every payment must stand in all three with the same amount,
and nothing may stand in one of them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

FINAL = frozenset({"approved", "declined", "canceled", "failed"})


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment in the terminal's own memory. `settled` is False while it may still undo it."""

    receipt: str
    amount_minor: int
    currency: str
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment in the journal; `amount_minor` is what it says was captured."""

    payment_id: str
    status: str
    amount_minor: int
    currency: str
    receipt: str = ""  # the terminal's number for it, "" when the terminal took nothing
    transaction_ids: tuple[str, ...] = ()  # of the purchases made of it


@dataclass(frozen=True, slots=True)
class Booking:
    """One purchase in the back office's own books."""

    record_id: str
    transaction_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Row:
    """One payment as three parties know it. `faults` says in sentences what differs."""

    payment_id: str  # "" for what the journal does not know
    status: str
    currency: str
    terminal_minor: int
    journal_minor: int
    back_office_minor: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, the journal's payments in its order first, then what it does not know."""

    rows: tuple[Row, ...]
    charges: int
    bookings: int
    terminal_minor: int = field(init=False)
    journal_minor: int = field(init=False)
    back_office_minor: int = field(init=False)

    def __post_init__(self) -> None:
        for name in ("terminal_minor", "journal_minor", "back_office_minor"):
            object.__setattr__(self, name, sum(getattr(row, name) for row in self.rows))

    @property
    def equal(self) -> bool:
        """Whether the three agree about every payment, to the cent."""
        return not any(row.faults for row in self.rows)


def compare(
    charges: Sequence[Charge], entries: Sequence[Entry], bookings: Sequence[Booking]
) -> Comparison:
    """Return what the three books say of each payment, and where they differ."""
    rows = [_row(entry, charges, bookings) for entry in entries]
    receipts = {(entry.receipt, entry.currency) for entry in entries}
    rows += [
        Row("", "", charge.currency, charge.amount_minor, 0, 0, ("charged, not in the journal",))
        for charge in charges
        if (charge.receipt, charge.currency) not in receipts
    ]
    transactions = {name for entry in entries for name in entry.transaction_ids}
    rows += [
        Row("", "", "", 0, 0, booking.amount_minor, ("recorded, not in the journal",))
        for booking in bookings
        if booking.transaction_id not in transactions
    ]
    return Comparison(tuple(rows), len(charges), len(bookings))


def _row(entry: Entry, charges: Sequence[Charge], bookings: Sequence[Booking]) -> Row:
    taken = [
        charge
        for charge in charges
        if (charge.receipt, charge.currency) == (entry.receipt, entry.currency)
    ]
    booked = [one for one in bookings if one.transaction_id in entry.transaction_ids]
    terminal = sum(charge.amount_minor for charge in taken)
    office = sum(booking.amount_minor for booking in booked)
    faults = []
    if entry.status not in FINAL:
        faults.append(f"still {entry.status}")
    if len(taken) > 1:
        faults.append("charged more than once")
    if not all(charge.settled for charge in taken):
        faults.append("the terminal may still undo it")
    if len(booked) > 1:
        faults.append("recorded more than once")
    if terminal != entry.amount_minor:
        faults.append("terminal and journal differ")
    if office != entry.amount_minor:
        faults.append("journal and back office differ")
    return Row(
        payment_id=entry.payment_id,
        status=entry.status,
        currency=entry.currency,
        terminal_minor=terminal,
        journal_minor=entry.amount_minor,
        back_office_minor=office,
        faults=tuple(faults),
    )
