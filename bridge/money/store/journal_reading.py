"""What is read of the journal, and by which thread. Two ways, for two kinds of questions.

A decision about money asks the writer's own thread, behind everything that was appended before.
What somebody only wants to see (a list, totals) is read aside: on a connection that cannot write,
in a thread of its own, so that a year of payments keeps no commit waiting. It sees what is on disk.
One connection writes, so the known fault of older SQLite in resetting the log, which needs two that
write, cannot happen.
"""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bridge.errors import JournalError
from bridge.money.store.journal_entries import (
    Entry,
    EventCodec,
    PaymentRow,
    PurchaseRow,
    read_entries,
    read_payments,
    read_prunable,
    read_purchases,
)
from bridge.money.store.records import (
    PaymentRecord,
    PurchaseRecord,
    fold_payment,
    fold_purchase,
)

T = TypeVar("T")

# Payments that are read and folded in one visit: some 10 ms, in which no other reader is served.
FOLDED_TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Sales:
    """Payments in the order of their acceptance, and purchases in the order of the journal."""

    payments: Sequence[PaymentRecord]
    purchases: Sequence[PurchaseRecord]


class JournalReading(ABC):
    """Questions to the journal, all of which raise JournalError when it cannot be read."""

    def __init__(self, connection: sqlite3.Connection, codec: EventCodec) -> None:
        """Read on `connection`, and events with `codec`."""
        self._connection = connection
        self._codec = codec

    async def work(self, pure: Callable[[], T]) -> T:
        """Have something done by the reader's thread that would keep the loop for too long."""
        return await self._run(pure)

    async def records_of(self, payment_ids: Sequence[str]) -> dict[str, PaymentRecord]:
        """Return these payments as the journal has them; folded by its thread, some at a time."""
        found: dict[str, PaymentRecord] = {}
        for start in range(0, len(payment_ids), FOLDED_TOGETHER):
            some = payment_ids[start : start + FOLDED_TOGETHER]
            found |= await self._run(partial(self._folded, some))
        return found

    def _folded(self, payment_ids: Sequence[str]) -> dict[str, PaymentRecord]:
        return {name: fold_payment(self._entries_of(name)) for name in payment_ids}

    @abstractmethod
    async def _run(self, work: Callable[[], T]) -> T:
        """Have `work` done by the thread that owns the connection."""

    async def entries_of(self, subject: str) -> list[Entry]:
        """Return what happened to `subject`, oldest first."""
        return await self._run(lambda: self._entries_of(subject))

    async def entries_of_all(self, subjects: Sequence[str]) -> dict[str, list[Entry]]:
        """Return what happened to each of `subjects`, oldest first."""
        return await self._run(lambda: {name: self._entries_of(name) for name in subjects})

    async def payment_rows(self, where: str, values: Sequence[object]) -> list[PaymentRow]:
        """Return the payments that match the SQL condition, oldest first."""
        return await self._run(lambda: read_payments(self._connection, where, values))

    async def newest_payments(
        self, where: str, values: Sequence[object], limit: int
    ) -> list[PaymentRow]:
        """Return at most `limit` payments that match the SQL condition, newest first."""
        return await self._run(lambda: read_payments(self._connection, where, values, newest=limit))

    async def prunable(self, before: str, limit: int) -> list[PaymentRow]:
        """Return at most `limit` payments that have not changed since `before`, oldest first."""
        return await self._run(lambda: read_prunable(self._connection, before, limit))

    async def purchase_rows(self, where: str, values: Sequence[object]) -> list[PurchaseRow]:
        """Return the purchases that match the SQL condition, oldest first."""
        return await self._run(lambda: read_purchases(self._connection, where, values))

    async def sales(self, sale_keys: Sequence[str]) -> Sales:
        """Return everything about some sales: one visit to the thread, where it is folded, too."""
        return await self._run(lambda: self._sales_of(sale_keys))

    def _sales_of(self, sale_keys: Sequence[str]) -> Sales:
        where = f"sale_key in ({','.join('?' for _ in sale_keys)})"
        payments = []
        for row in read_payments(self._connection, where, sale_keys):
            account = fold_payment(self._entries_of(row.payment_id))
            payments.append(replace(account, live=bool(row.live)))
        histories = [
            self._entries_of(row.transaction_id)
            for row in read_purchases(self._connection, where, sale_keys)
        ]
        # In the order of the journal, not of a clock: the newest is the one that may be answered.
        histories.sort(key=lambda history: history[0].seq)
        return Sales(payments, [fold_purchase(history) for history in histories])

    def _entries_of(self, subject: str) -> list[Entry]:
        return read_entries(self._connection, self._codec, subject)


class Aside(JournalReading):
    """Reads what is on disk, in a thread of its own."""

    def __init__(
        self, connection: sqlite3.Connection, executor: Executor, codec: EventCodec | None = None
    ) -> None:
        """Read on `connection`, which cannot write, by the one thread of `executor`."""
        super().__init__(connection, codec or EventCodec())
        self._executor = executor

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error
