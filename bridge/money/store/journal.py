"""The journal: every event, in one SQLite file, one transaction per change. Decides nothing.

One connection, one writer thread. Work that arrives while a commit is under way shares the next
one (group commit), so the cost of `fsync` is paid once for all of them. What a journal holds
is in `journal_entries.py`, its file and tables in `database.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from bridge.errors import JournalError
from bridge.money.store.journal_entries import Entry, EventCodec, PaymentRow, PurchaseRow
from bridge.money.store.journal_reading import JournalReading

T = TypeVar("T")

# Commits that may wait for the writer. A store has a handful of registers, so more than this means
# that the disk has stopped; refusing is better than promising.
COMMITS_WAITING_MAX = 20_000
# Commits that share one fsync. Bounds the time the oldest of them waits for the others.
GROUP_COMMITS_MAX = 256
COMMITS_REMEMBERED = 31  # some eight payments: one that was in another's way says nothing
# How long a change that no caller waits for (a receipt) waits for others to share its commit. An
# approval that follows a receipt at once would otherwise wait for the receipt's own commit.
COMPANY_SECONDS = 0.01

# Only what may change is updated, so that the indexes on the rest stay untouched: each page that a
# commit changes is written to the log, and that is most of what a commit costs.
WRITE_PAYMENT = """
    insert into payment values(?,?,?,?,?,?,?,?,?,?,?,?) on conflict do update set
        status=excluded.status, recording=excluded.recording, updated_at=excluded.updated_at,
        live=excluded.live, pruned=max(pruned, excluded.pruned)
"""
WRITE_PURCHASE = """
    insert into purchase values(?,?,?,?,?) on conflict do update set
        state=excluded.state, updated_at=excluded.updated_at
"""


_PAYMENT_FIELDS = tuple(field.name for field in fields(PaymentRow))
_PURCHASE_FIELDS = tuple(field.name for field in fields(PurchaseRow))


def _values(row: PaymentRow | PurchaseRow) -> tuple[object, ...]:
    """Return a row's fields in order; the library's `astuple` copies each of them deeply."""
    names = _PAYMENT_FIELDS if isinstance(row, PaymentRow) else _PURCHASE_FIELDS
    return tuple([getattr(row, name) for name in names])


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the writer assumes of the journal when it adds a new payment.

    Checked inside the transaction, so that a new payment costs no question of its own.
    """

    payment_id: str  # is not in the journal yet
    sale_key: str
    siblings: int  # payments of this sale that are
    rival_ids: tuple[str, ...] = ()  # are not in the journal either


class StaleView(Exception):
    """The journal knows more than the `Expectation`; nothing of the change was written."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit holds: events and the rows to find them by. All of it or nothing."""

    entries: tuple[Entry, ...]
    payments: tuple[PaymentRow, ...] = ()
    purchases: tuple[PurchaseRow, ...] = ()
    expectation: Expectation | None = None
    replaces: tuple[str, ...] = ()  # subjects whose earlier entries go: the new ones say it all
    rewrites: tuple[Entry, ...] = ()  # entries that stand there already, by `seq`


class Journal(JournalReading):
    """Appends changes and reads them back. Latched by the first failure: fail closed.

    What is read here has everything that was appended before; `aside` has what is on disk, and
    keeps no commit waiting.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        executor: ThreadPoolExecutor | None,
        codec: EventCodec | None = None,
        *,
        remember: Callable[[int], None] | None = None,
        aside: JournalReading | None = None,
    ) -> None:
        """Write on `connection` by the one thread of `executor`; build a codec if given none.

        `aside` reads on a connection and in a thread of its own; without it, this one does.

        `remember` is called in that thread with the last `seq` after each commit that wrote any,
        so what is remembered outside the journal may lag it and never leads.
        """
        super().__init__(connection, codec or EventCodec())
        self.aside: JournalReading = aside or self
        self._executor = executor
        self._remember = remember
        self._waiting: deque[tuple[Change, asyncio.Future[int]]] = deque()
        self._writing = False
        self._deferred: asyncio.TimerHandle | None = None  # writes what is not urgent
        self._broken: JournalError | None = None
        self._took: deque[float] = deque(maxlen=COMMITS_REMEMBERED)  # seconds, of the last ones
        # Told of each commit, once it is on disk, with what it took in seconds.
        self.observer: Callable[[Sequence[Change], float], None] | None = None

    @property
    def commit_seconds(self) -> float:
        """What a commit takes, the median of the last ones; 0 while there were too few."""
        return statistics.median(self._took) if len(self._took) == COMMITS_REMEMBERED else 0.0

    @property
    def waiting(self) -> int:
        """How many changes wait for the writer."""
        return len(self._waiting)

    @property
    def broken(self) -> JournalError | None:
        """Why nothing can be written any more, or None."""
        return self._broken

    def last_seq(self) -> int:
        """Return the number of the last entry; for the start, before anything is appended.

        Raises:
            JournalError: It cannot be read.
        """
        ((seq,),) = self._read_at_once("select max(seq) from entry")
        return int(seq or 0)

    def latest_times(self, count: int) -> list[str]:
        """Return when the last `count` entries were written, newest first; for the start.

        Raises:
            JournalError: It cannot be read.
        """
        rows = self._read_at_once("select at from entry order by seq desc limit ?", count)
        return [at for (at,) in rows]

    def _read_at_once(self, query: str, *values: int) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error

    def append(self, change: Change, *, urgent: bool = True) -> asyncio.Future[int]:
        """Return a future of the last `seq` written; done once the change is on disk.

        Changes reach the disk in the order of the calls, awaited or not. If the caller is
        canceled the change is written all the same. One that is not `urgent` shares the next
        commit, or has one of its own after `COMPANY_SECONDS`.

        Raises (in the future):
            JournalError: Nothing of the change was written, and nothing ever will be again.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        if self._broken is None and len(self._waiting) >= COMMITS_WAITING_MAX:
            self._broken = JournalError("the disk does not keep up")
        if self._broken is not None:
            future.set_exception(self._broken)
            return future
        self._waiting.append((change, future))
        if urgent:
            self._write_what_waits()
        elif self._deferred is None:
            self._deferred = loop.call_later(COMPANY_SECONDS, self._write_what_waits)
        return future

    def _write_what_waits(self) -> None:
        if self._waiting and not self._writing:
            self._start_writing(asyncio.get_running_loop())

    def _start_writing(self, loop: asyncio.AbstractEventLoop) -> None:
        self._writing = True
        if self._deferred is not None:
            self._deferred.cancel()
            self._deferred = None
        count = min(len(self._waiting), GROUP_COMMITS_MAX)
        group = [self._waiting.popleft() for _ in range(count)]
        changes = [change for change, _ in group]
        began = loop.time()
        work = loop.run_in_executor(self._executor, self._commit, changes)

        def written(done: asyncio.Future[list[int | None]]) -> None:
            self._writing = False
            error = None if done.cancelled() else done.exception()
            if done.cancelled() or error is not None:
                self._break(group, error)
                return
            self._took.append(loop.time() - began)
            if self.observer is not None:
                told = zip(changes, done.result(), strict=True)
                stored = [change for change, seq in told if seq is not None]
                self.observer(stored, loop.time() - began)
            for (_, future), seq in zip(group, done.result(), strict=True):
                if future.done():
                    continue
                if seq is None:
                    future.set_exception(StaleView())
                else:
                    future.set_result(seq)
            if self._waiting:
                self._start_writing(loop)

        work.add_done_callback(written)

    def _break(
        self, group: Iterable[tuple[Change, asyncio.Future[int]]], error: BaseException | None
    ) -> None:
        self._broken = JournalError(f"the journal cannot be written: {error or 'stopped'}")
        for _, future in (*group, *self._waiting):
            if not future.done():
                future.set_exception(self._broken)
        self._waiting.clear()

    async def shrink(self, pages: int) -> None:
        """Give at most that many unused pages of the file back to the disk.

        Raises:
            JournalError: The file cannot be written.
        """
        await self._run(
            lambda: self._connection.execute(f"pragma incremental_vacuum({pages:d})").fetchall()
        )

    async def finish(self) -> None:
        """Return once everything that was appended is on disk, or never can be."""
        while self._waiting:
            _, last = self._waiting[-1]
            self._write_what_waits()
            await asyncio.wait({last})

    async def pulse(self) -> None:
        """Return when the writer thread has answered: it is alive, and so is the disk.

        Raises:
            JournalError: It is not.
        """
        await self._run(lambda: self._connection.execute("select 1").fetchone())

    async def _run(self, work: Callable[[], T]) -> T:
        if self._broken is not None:
            raise self._broken
        self._write_what_waits()  # a reader sees what was appended before
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error

    def _commit(self, changes: Sequence[Change]) -> list[int | None]:
        """Write all changes in one transaction; None stands for a stale one. Writer thread."""
        execute = self._connection.execute
        execute("begin immediate")
        try:
            written = [self._write(change) for change in changes]
            execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                execute("rollback")
            raise
        seq = max((one for one in written if one), default=0)
        if seq and self._remember is not None:
            self._remember(seq)
        return written

    def _write(self, change: Change) -> int | None:
        execute = self._connection.execute
        if change.expectation is not None and not self._holds(change.expectation):
            return None
        seq = 0
        for entry in change.entries:
            kind, body = self._codec.encode(entry.event)
            cursor = execute(
                "insert into entry(subject, kind, at, body) values(?,?,?,?)",
                (entry.subject, kind, entry.at, body),
            )
            seq = cursor.lastrowid or 0
        for entry in change.rewrites:
            _, body = self._codec.encode(entry.event)
            execute("update entry set body=? where seq=?", (body, entry.seq))
        first = seq - len(change.entries) + 1
        for subject in change.replaces:  # after the inserts: a number is given once only
            execute("delete from entry where subject=? and seq<?", (subject, first))
        for row in change.payments:
            execute(WRITE_PAYMENT, _values(row))
        for due in change.purchases:
            execute(WRITE_PURCHASE, _values(due))
        return seq

    def _holds(self, expected: Expectation) -> bool:
        execute = self._connection.execute
        for name in (expected.payment_id, *expected.rival_ids):
            known = execute("select 1 from payment where payment_id=?", (name,))
            if known.fetchone() is not None:
                return False
        count = execute("select count(*) from payment where sale_key=?", (expected.sale_key,))
        return bool(count.fetchone()[0] == expected.siblings)
