"""Reads the journal beside the service, on a connection that cannot write.

Everything of one report is read in one transaction, so its parts are of the same moment, and a
commit of the service is in all of it or in none. The service is never waited for, nor kept waiting:
the journal is in WAL mode.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from bridge.errors import JournalError
from bridge.money import payment as p
from bridge.money.store.database import open_for_reading
from bridge.money.store.journal_entries import (
    Entry,
    EventCodec,
    PaymentRow,
    PurchaseRow,
    read_entries,
    read_payments,
    read_purchases,
)
from bridge.money.store.records import (
    PaymentRecord,
    PurchaseRecord,
    fold_payment,
    fold_purchase,
)

T = TypeVar("T")

SUBJECTS_AT_ONCE = 500  # of one question; SQLite takes 32 766 values


@cache
def _codec() -> EventCodec:
    """Return the codec; building it takes some milliseconds."""
    return EventCodec()


class Reader:
    """The journal at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read on `connection`; see `reading`."""
        self._connection = connection

    def rows(
        self, where: str = "1", values: Sequence[object] = (), *, newest: int = 0
    ) -> list[PaymentRow]:
        """Return the payments' rows that match the SQL condition; see `read_payments`.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._run(lambda: read_payments(self._connection, where, values, newest=newest))

    def count(self, where: str, values: Sequence[object]) -> int:
        """Return how many payments match the SQL condition.

        Raises:
            JournalError: The journal cannot be read.
        """
        query = f"select count(*) from payment where {where}"  # noqa: S608 - our own constant
        ((found,),) = self.ask(query, values)
        return int(found)

    def entries(self, subject: str) -> list[Entry]:
        """Return what happened to `subject`, oldest first.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._run(lambda: read_entries(self._connection, _codec(), subject))

    def records(self, payment_ids: Iterable[str]) -> dict[str, PaymentRecord]:
        """Return these payments, folded; one that is not in the journal is left out.

        Raises:
            JournalError: The journal cannot be read.
        """
        wanted = list(dict.fromkeys(payment_ids))
        found = {}
        for at in range(0, len(wanted), SUBJECTS_AT_ONCE):
            some = wanted[at : at + SUBJECTS_AT_ONCE]
            for payment_id, entries in self._entries_of(some):
                if isinstance(entries[0].event, p.Event | p.Pruned):
                    found[payment_id] = fold_payment(entries)
        return found

    def purchases(self, where: str, values: Sequence[object]) -> list[PurchaseRecord]:
        """Return the purchases that match the SQL condition, folded, oldest first.

        Raises:
            JournalError: The journal cannot be read.
        """
        rows = self._run(lambda: read_purchases(self._connection, where, values))
        return [self._purchase(row) for row in rows]

    def ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return what a query of ours finds.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._run(lambda: self._connection.execute(query, values).fetchall())

    def decode(self, subject: str, seq: int, kind: str, at: str, body: str) -> Entry:
        """Return an entry from its columns.

        Raises:
            JournalError: It is of a newer version, or damaged.
        """
        return Entry(subject, _codec().decode(kind, body), at, seq)

    def _purchase(self, row: PurchaseRow) -> PurchaseRecord:
        return fold_purchase(self.entries(row.transaction_id))

    def _entries_of(self, subjects: Sequence[str]) -> Iterator[tuple[str, list[Entry]]]:
        marks = ",".join("?" for _ in subjects)
        query = (
            "select subject, seq, kind, at, body from entry"  # noqa: S608 - marks only
            f" where subject in ({marks}) order by subject, seq"
        )
        for subject, columns in groupby(self.ask(query, subjects), key=lambda row: row[0]):
            yield subject, [self.decode(*row) for row in columns]

    def _run(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error


def _refuse_unreadable(path: Path) -> None:
    """Say in words what SQLite only calls unable to open.

    Raises:
        JournalError: There is no journal, or this user may not read it.
    """
    try:
        path.stat()
        may_read = os.access(path, os.R_OK)
    except FileNotFoundError:
        raise JournalError(f"{path}: there is no journal yet; has the service run here?") from None
    except PermissionError:
        may_read = False
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    if not may_read:
        raise JournalError(f"{path}: this user may not read it; be root or the service's user")


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Yield the journal at `path` as it is now.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    _refuse_unreadable(path)
    connection = open_for_reading(path)
    try:
        connection.execute("begin")
        yield Reader(connection)
    finally:
        connection.close()
