"""The journal: every event, in one SQLite file, one transaction per change. Decides nothing.

One connection, one writer thread. Work that arrives while a commit is under way shares the next
one (group commit), so the cost of `fsync` is paid once for all of them. WAL with
`synchronous=FULL` is read back at the start: every cheaper mode lost acknowledged commits when
power was cut in tests.

The tables:

    entry     what happened, in order; the truth
    payment   one row per payment to find it by: an index, rebuilt from `entry` if ever in doubt
    purchase  one row per purchase, likewise

Reading by others (the command line) is done on a connection of their own that cannot write.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bridge.errors import JournalError
from bridge.money import payment as p
from bridge.money import sale as s
from drivers import contract as c

T = TypeVar("T")

# Commits that may wait for the writer. A store has a handful of registers, so more than this means
# that the disk has stopped; refusing is better than promising.
COMMITS_WAITING_MAX = 20_000
# Commits that share one fsync. Bounds the time the oldest of them waits for the others.
GROUP_COMMITS_MAX = 256
BUSY_TIMEOUT_SECONDS = 5.0  # a reader of the command line may hold a lock for a moment
SYNCHRONOUS_FULL = 2

MIGRATIONS: tuple[str, ...] = (
    """
    create table entry(
        seq integer primary key,
        subject text not null,
        kind text not null,
        at text not null,
        body text not null
    );
    create index entry_by_subject on entry(subject, seq);
    create table payment(
        payment_id text primary key,
        register_id text not null,
        terminal_id text not null,
        sale_key text not null,
        status text not null,
        recording text not null,
        amount_minor integer not null,
        currency text not null,
        created_at text not null,
        updated_at text not null,
        live integer not null
    ) without rowid;
    create index payment_by_sale on payment(sale_key);
    create index payment_live on payment(live) where live = 1;
    create index payment_by_time on payment(created_at);
    create table purchase(
        transaction_id text primary key,
        sale_key text not null,
        state text not null,
        created_at text not null,
        updated_at text not null
    ) without rowid;
    create index purchase_by_sale on purchase(sale_key);
    create index purchase_open on purchase(state) where state != 'recorded';
    """,
)

# Only what may change is updated, so that the indexes on the rest stay untouched: each page that a
# commit changes is written to the log, and that is most of what a commit costs.
WRITE_PAYMENT = """
    insert into payment values(?,?,?,?,?,?,?,?,?,?,?) on conflict do update set
        status=excluded.status, recording=excluded.recording, updated_at=excluded.updated_at,
        live=excluded.live
"""
WRITE_PURCHASE = """
    insert into purchase values(?,?,?,?,?) on conflict do update set
        state=excluded.state, updated_at=excluded.updated_at
"""

JournalEvent = p.Event | p.BatchClosed | s.PurchaseEvent

EVENT_TYPES: dict[str, type] = {
    event.__name__: event
    for event in (
        p.Requested,
        p.Started,
        p.Concluding,
        p.NotReached,
        p.CancelAsked,
        p.Restarted,
        p.DoubtAged,
        p.EvidenceLost,
        p.Resolved,
        p.RecordingChanged,
        p.Acknowledged,
        p.Decided,
        p.FollowedUp,
        p.LinesAttached,
        p.LinesOverdue,
        p.BatchClosed,
        c.Progress,
        c.Receipt,
        c.Offered,
        c.Approved,
        c.Declined,
        c.Canceled,
        c.Failed,
        c.Unclear,
        c.StillRunning,
        s.PurchaseDue,
        s.Sending,
        s.Recorded,
        s.NotApplied,
        s.Unproven,
        s.Refused,
        s.Answered,
        s.PurchaseRestarted,
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it stands in the journal. `at` (ISO 8601 UTC) is for people; `seq` orders."""

    subject: str
    event: JournalEvent
    at: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """What a payment can be found by."""

    payment_id: str
    register_id: str
    terminal_id: str
    sale_key: str
    status: str
    recording: str
    amount_minor: int
    currency: str
    created_at: str
    updated_at: str
    live: int  # 1: its document is still published, or work is left to do; else 0

    @property
    def amount(self) -> c.Money:
        """What was asked for."""
        return c.Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    """What a purchase can be found by."""

    transaction_id: str
    sale_key: str
    state: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the writer believes of the journal when it adds a new payment.

    Checked inside the transaction, so that a new payment costs no question of its own.
    """

    payment_id: str  # is not in the journal yet
    sale_key: str
    siblings: int  # payments of this sale that are


class StaleView(Exception):
    """The journal knows more than the `Expectation`; nothing of the change was written."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit holds: events and the rows to find them by. All of it or nothing."""

    entries: tuple[Entry, ...]
    payments: tuple[PaymentRow, ...] = ()
    purchases: tuple[PurchaseRow, ...] = ()
    expectation: Expectation | None = None


class EventCodec:
    """Events as text and back. Built once; building the adapters takes some milliseconds."""

    def __init__(self) -> None:
        self._adapters: dict[str, TypeAdapter[JournalEvent]] = {
            name: TypeAdapter(event) for name, event in EVENT_TYPES.items()
        }

    def encode(self, event: JournalEvent) -> tuple[str, str]:
        """Return kind and body."""
        kind = type(event).__name__
        return kind, self._adapters[kind].dump_json(event).decode()

    def decode(self, kind: str, body: str) -> JournalEvent:
        """Return the event.

        Raises:
            JournalError: The journal was written by a newer version, or is damaged.
        """
        try:
            return self._adapters[kind].validate_json(body)
        except (KeyError, ValidationError) as error:
            raise JournalError(f"the journal holds a {kind!r} that cannot be read") from error


class Ownership:
    """The one process that may write a journal. Held until `release`, or until the process dies."""

    def __init__(self, path: Path) -> None:
        """Take the lock beside the journal `path`.

        Raises:
            JournalError: Another process has it, or the folder cannot be written.
        """
        try:
            self._descriptor = os.open(
                path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise JournalError(f"cannot write in {path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise JournalError(f"{path} belongs to another running paybridge") from error

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._descriptor)


def open_database(path: Path) -> sqlite3.Connection:
    """Return the one writing connection, migrated and proven durable.

    Raises:
        JournalError: It cannot be opened, is damaged, is newer than this program, or SQLite does
            not keep the promises we need.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        prepare(connection)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from error
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Set the modes, read them back, and bring the tables up to date.

    Raises:
        JournalError: A mode was not taken, or the file is newer than this program.
    """
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("pragma foreign_keys=on")
    (mode,) = connection.execute("pragma journal_mode").fetchone()
    (synchronous,) = connection.execute("pragma synchronous").fetchone()
    if mode != "wal" or synchronous != SYNCHRONOUS_FULL:
        raise JournalError(f"the disk takes journal_mode={mode} synchronous={synchronous} only")
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > len(MIGRATIONS):
        raise JournalError(
            f"the journal has version {version}, this program knows {len(MIGRATIONS)}"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"begin immediate; {script} pragma user_version={number}; commit;")


class Journal:
    """Appends changes and reads them back. Latched by the first failure: fail closed."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        executor: ThreadPoolExecutor | None,
        codec: EventCodec | None = None,
    ) -> None:
        """Write on `connection` by the one thread of `executor`; build a codec if given none."""
        self._connection = connection
        self._executor = executor
        self._codec = codec or EventCodec()
        self._waiting: deque[tuple[Change, asyncio.Future[int]]] = deque()
        self._writing = False
        self._broken: JournalError | None = None

    @property
    def broken(self) -> JournalError | None:
        """Why nothing can be written any more, or None."""
        return self._broken

    def append(self, change: Change) -> asyncio.Future[int]:
        """Return a future of the last `seq` written; done once the change is on disk.

        Changes reach the disk in the order of the calls, even if nobody waits. If the caller is
        canceled the change is written all the same.

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
        if not self._writing:
            self._start_writing(loop)
        return future

    def _start_writing(self, loop: asyncio.AbstractEventLoop) -> None:
        self._writing = True
        count = min(len(self._waiting), GROUP_COMMITS_MAX)
        group = [self._waiting.popleft() for _ in range(count)]
        changes = [change for change, _ in group]
        work = loop.run_in_executor(self._executor, self._commit, changes)

        def written(done: asyncio.Future[list[int | None]]) -> None:
            self._writing = False
            error = None if done.cancelled() else done.exception()
            if done.cancelled() or error is not None:
                self._break(group, error)
                return
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

    async def purchase_rows(self, where: str, values: Sequence[object]) -> list[PurchaseRow]:
        """Return the purchases that match the SQL condition, oldest first."""
        return await self._run(lambda: read_purchases(self._connection, where, values))

    async def pulse(self) -> None:
        """Return when the writer thread has answered: it is alive, and so is the disk.

        Raises:
            JournalError: It is not.
        """
        await self._run(lambda: self._connection.execute("select 1").fetchone())

    async def _run(self, work: Callable[[], T]) -> T:
        if self._broken is not None:
            raise self._broken
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error

    def _entries_of(self, subject: str) -> list[Entry]:
        return read_entries(self._connection, self._codec, subject)

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
        for row in change.payments:
            execute(WRITE_PAYMENT, dataclasses.astuple(row))
        for due in change.purchases:
            execute(WRITE_PURCHASE, dataclasses.astuple(due))
        return seq

    def _holds(self, expected: Expectation) -> bool:
        execute = self._connection.execute
        known = execute("select 1 from payment where payment_id=?", (expected.payment_id,))
        if known.fetchone() is not None:
            return False
        count = execute("select count(*) from payment where sale_key=?", (expected.sale_key,))
        return bool(count.fetchone()[0] == expected.siblings)


def read_entries(connection: sqlite3.Connection, codec: EventCodec, subject: str) -> list[Entry]:
    """Return what happened to `subject`, oldest first, on any connection."""
    rows = connection.execute(
        "select seq, kind, at, body from entry where subject=? order by seq", (subject,)
    ).fetchall()
    return [Entry(subject, codec.decode(kind, body), at, seq) for seq, kind, at, body in rows]


def read_payments(
    connection: sqlite3.Connection, where: str, values: Sequence[object], *, newest: int = 0
) -> list[PaymentRow]:
    """Return the payments that match the SQL condition `where`, oldest first.

    With `newest`, that many of them at most, newest first.
    """
    order = f"desc limit {newest:d}" if newest else ""
    query = f"select * from payment where {where} order by created_at {order}"  # noqa: S608 - the condition is our own constant, values are bound
    return [PaymentRow(*row) for row in connection.execute(query, values)]


def read_purchases(
    connection: sqlite3.Connection, where: str, values: Sequence[object]
) -> list[PurchaseRow]:
    """Return the purchases that match the SQL condition `where`, oldest first."""
    query = f"select * from purchase where {where} order by created_at, transaction_id"  # noqa: S608 - the condition is our own constant, values are bound
    return [PurchaseRow(*row) for row in connection.execute(query, values)]


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot change anything, for the command line.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_SECONDS)
        connection.execute("pragma query_only=on")
        connection.execute("select 1 from entry limit 1")
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from error
    return connection
