"""All that the journal has of one payment and beside it, for a page that stays open.

The connection is kept, and cannot write.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bridge.errors import JournalError
from bridge.money.store.database import open_for_reading
from bridge.money.store.journal_entries import (
    Entry,
    EventCodec,
    read_entries,
    read_payments,
    read_purchases,
)
from bridge.money.store.provenance import acts_on
from bridge.money.store.records import PaymentRecord, PurchaseRecord, fold_payment, fold_purchase

SIBLINGS_MAX = 20  # of one sale, beside the payment itself


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What happened to one payment, and beside it."""

    account: PaymentRecord
    entries: tuple[Entry, ...]  # the payment's own, oldest first
    acts: tuple[Entry, ...]  # what persons asked for at the console
    purchase: PurchaseRecord | None  # the newest that records it
    booking: tuple[Entry, ...]  # what happened to that
    siblings: tuple[PaymentRecord, ...]  # the other payments of its sale

    @property
    def seconds_to_outcome(self) -> float:
        """How long it took from the order to its status; of a running one, to the last entry."""
        began = datetime.fromisoformat(self.account.created_at)
        return max((datetime.fromisoformat(self.account.ended_at) - began).total_seconds(), 0.0)


class PaymentExcerpts:
    """For one thread; the journal is opened with the first question."""

    def __init__(self, journal: Path) -> None:
        """Read `journal`, which somebody else writes."""
        self._path = journal
        self._connection: sqlite3.Connection | None = None
        self._codec = EventCodec()

    def close(self) -> None:
        """Let go of the journal."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def read(self, payment_id: str) -> Excerpt | None:
        """Return what there is of a payment, None where there is no such payment.

        Raises:
            JournalError: The journal cannot be read.
        """
        try:
            if self._connection is None:
                self._connection = open_for_reading(self._path)
            return self._read(self._connection, payment_id)
        except sqlite3.Error as error:
            raise JournalError(f"{self._path}: {error}") from error

    def _read(self, connection: sqlite3.Connection, payment_id: str) -> Excerpt | None:
        rows = read_payments(connection, "payment_id=?", (payment_id,))
        if not rows:
            return None
        entries = read_entries(connection, self._codec, payment_id)
        booking: list[Entry] = []
        for row in read_purchases(connection, "sale_key=?", (rows[0].sale_key,)):
            found = read_entries(connection, self._codec, row.transaction_id)
            if payment_id in fold_purchase(found).purchase.payment_ids:
                booking = found
        siblings = [
            fold_payment(read_entries(connection, self._codec, row.payment_id))
            for row in read_payments(
                connection, "sale_key=?", (rows[0].sale_key,), newest=SIBLINGS_MAX + 1
            )
            if row.payment_id != payment_id
        ]
        return Excerpt(
            account=fold_payment(entries),
            entries=tuple(entries),
            acts=tuple(read_entries(connection, self._codec, acts_on(payment_id))),
            purchase=fold_purchase(booking) if booking else None,
            booking=tuple(booking),
            siblings=tuple(reversed(siblings[:SIBLINGS_MAX])),
        )
