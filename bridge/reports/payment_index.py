"""Finds payments by what people remember of them: amount, day, last digits, sale, till.

The journal's own rows hold none of the card, so a small file of our own beside it does. It is a
copy: built from the journal by the same folding that everybody uses, brought up to date before
each question, and made anew when it does not belong to the journal. Nothing is decided by it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from bridge.errors import JournalError
from bridge.money.payment import PaymentType
from bridge.money.store.database import open_for_reading
from bridge.money.store.journal_entries import EventCodec, read_entries, read_payments
from bridge.money.store.records import PaymentRecord, fold_payment
from bridge.private_files import open_file
from bridge.reports.outcome import Outcome, outcome_of
from bridge.reports.payment_lines import moved_minor

INDEX_NAME = "payment-index.sqlite"
LAYOUT = 5  # a file of another one is made anew
PAYMENTS_AT_ONCE = 100  # folded in one step; some hundredths of a second
ROWS_MAX = 200  # of one page

_TABLES = """
create table payment(
    payment_id text primary key, created_at text, register_id text, terminal_id text,
    sale_id text, type text, outcome text, recording text, currency text, asked_minor integer,
    moved_minor integer, brand text, last4 text, approval_code text, is_open integer
) without rowid;
create index by_time on payment(created_at);
create index by_register on payment(register_id, created_at);
create index by_asked on payment(asked_minor, created_at);
create index by_moved on payment(moved_minor, created_at);
create index by_last4 on payment(last4, created_at);
create index by_sale on payment(sale_id);
create index by_outcome on payment(outcome, created_at);
create index by_recording on payment(recording, created_at);
create index sums on payment(currency, moved_minor, is_open, asked_minor);
create table progress(up_to integer, up_to_at text, first_at text);
insert into progress values(0, '', '');
"""


@dataclass(frozen=True, slots=True)
class FoundPayment:
    """One payment as a list shows it. Amounts in minor units of `currency`."""

    payment_id: str
    created_at: str  # ISO 8601 UTC
    register_id: str
    terminal_id: str
    sale_id: str
    type: str
    outcome: Outcome
    recording: str
    currency: str
    asked_minor: int
    moved_minor: int  # what came in; below zero what went out
    brand: str
    last4: str
    approval_code: str
    is_open: bool  # nobody can say yet what it moved


@dataclass(frozen=True, slots=True)
class PaymentQuery:
    """What to look for; what is empty or None filters nothing."""

    amount_minor: int | None = None  # asked for, or moved either way
    since: str = ""  # ISO 8601 UTC, included
    until: str = ""  # ISO 8601 UTC, not included
    last4: str = ""
    sale_id: str = ""  # or its beginning
    register_id: str = ""
    terminal_id: str = ""
    outcomes: tuple[Outcome, ...] = ()
    recordings: tuple[str, ...] = ()
    is_open: bool | None = None
    before: tuple[str, str] | None = None  # time and id of the last one shown: what is older


@dataclass(frozen=True, slots=True)
class Sums:
    """What payments of one currency moved together, in minor units."""

    currency: str
    came_in: int
    went_out: int
    count_in: int
    count_out: int
    open_minor: int
    count_open: int

    @property
    def net(self) -> int:
        """What is left of what came in."""
        return self.came_in - self.went_out


@dataclass(frozen=True, slots=True)
class FoundPayments:
    """A page of payments, newest first, and the sums over all that match."""

    rows: tuple[FoundPayment, ...]
    count: int
    sums: tuple[Sums, ...] = ()
    behind: int = 0  # journal entries that are not looked at yet; the newest ones
    more: bool = field(default=False)


class PaymentIndex:
    """The copy and its journal. For one thread; nothing is opened before the first call."""

    def __init__(self, journal: Path, index: Path) -> None:
        """Read `journal`, which somebody else writes; keep the copy at `index`."""
        self._journal_path, self._index_path = journal, index
        self._journal: sqlite3.Connection | None = None
        self._index: sqlite3.Connection | None = None
        self._codec = EventCodec()

    def close(self) -> None:
        """Let go of both files."""
        for connection in (self._journal, self._index):
            if connection is not None:
                connection.close()
        self._journal = self._index = None

    def catch_up(self, payments_max: int = PAYMENTS_AT_ONCE) -> int:
        """Take in what the journal learned, of so many payments; return the entries still ahead.

        Raises:
            JournalError: The journal cannot be read, or the copy not written.
        """
        try:
            return self._catch_up(payments_max)
        except sqlite3.Error as error:
            raise JournalError(f"{self._index_path}: {error}") from error

    def search(self, query: PaymentQuery, limit: int = 50) -> FoundPayments:
        """Return the payments that match, as far as the copy goes.

        Raises:
            JournalError: The journal cannot be read, or the copy not opened.
        """
        try:
            behind = self._catch_up(PAYMENTS_AT_ONCE)
            return self._search(query, min(limit, ROWS_MAX), behind)
        except sqlite3.Error as error:
            raise JournalError(f"{self._index_path}: {error}") from error

    def last_by_register(self) -> dict[str, str]:
        """Return when each register that ever paid began its last payment, ISO 8601 UTC.

        Raises:
            JournalError: The copy cannot be opened.
        """
        try:
            rows = self._copy().execute(
                "select register_id, max(created_at) from payment group by register_id"
            )
            return dict(rows.fetchall())
        except sqlite3.Error as error:
            raise JournalError(f"{self._index_path}: {error}") from error

    # --- the copy

    def _source(self) -> sqlite3.Connection:
        if self._journal is None:
            self._journal = open_for_reading(self._journal_path)
        return self._journal

    def _copy(self) -> sqlite3.Connection:
        if self._index is None:
            self._index = self._open_index()
        return self._index

    def _open_index(self) -> sqlite3.Connection:
        path = self._index_path
        try:
            os.close(open_file(path, os.O_RDWR))
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from error
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            (layout,) = connection.execute("pragma user_version").fetchone()
            known = layout == LAYOUT and self._belongs(connection)
        except sqlite3.DatabaseError:
            known = False
        if not known:  # a copy: what is damaged, older or of another journal is thrown away
            connection.close()
            for suffix in ("", "-wal", "-shm", "-journal"):
                with suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).unlink()
            os.close(open_file(path, os.O_RDWR))
            connection = sqlite3.connect(path, isolation_level=None)
            connection.executescript(f"{_TABLES} pragma user_version={LAYOUT};")
        # Lost with the power, it is made again; no payment ever waits for it.
        connection.execute("pragma synchronous=off")
        connection.execute("pragma journal_mode=memory")
        return connection

    def _belongs(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the copy is of this journal and does not know more than it."""
        up_to, at, first_at = connection.execute("select * from progress").fetchone()
        last, first = self._journal_ends()
        # Put back from a backup and gone on with, the journal says something else there. Where it
        # says nothing, that was forgotten since.
        there = self._source().execute("select at from entry where seq=?", (up_to,)).fetchone()
        return up_to <= last and first_at in {"", first} and there in {None, (at,)}

    def _journal_ends(self) -> tuple[int, str]:
        source = self._source()
        (last,) = source.execute("select max(seq) from entry").fetchone()
        # The first payment is for ever, whatever was forgotten of it.
        first = source.execute("select created_at from payment order by created_at limit 1")
        found = first.fetchone()
        return last or 0, found[0] if found else ""

    def _catch_up(self, payments_max: int) -> int:
        source, copy = self._source(), self._copy()
        (up_to,) = copy.execute("select up_to from progress").fetchone()
        last, first_at = self._journal_ends()
        if up_to >= last:
            return 0
        # Payments that something happened to since, in the order of the journal, and how far that
        # goes: all before the first entry that is left for the next time.
        fresh: dict[str, int] = {}
        reached, reached_at = up_to, ""
        for seq, subject, at in source.execute(
            "select seq, subject, at from entry where seq>? order by seq", (up_to,)
        ):
            if subject not in fresh and len(fresh) >= payments_max:
                break
            fresh[subject] = seq
            reached, reached_at = seq, at
        rows = [row for name in fresh if (row := self._fold(source, name)) is not None]
        marks = ",".join("?" * len(fields(FoundPayment)))
        copy.execute("begin")
        try:
            copy.executemany(f"insert or replace into payment values({marks})", rows)
            copy.execute(
                "update progress set up_to=?, up_to_at=?, first_at=?",
                (reached, reached_at, first_at),
            )
            copy.execute("commit")
        except BaseException:
            if copy.in_transaction:
                copy.execute("rollback")
            raise
        return int(last - reached)

    def _fold(self, source: sqlite3.Connection, subject: str) -> tuple[object, ...] | None:
        if not read_payments(source, "payment_id=?", (subject,)):
            return None  # a purchase, a terminal, or what the bridge itself did
        account = fold_payment(read_entries(source, self._codec, subject))
        request, originals = account.payment.request, {}
        if request.type is PaymentType.VOID and request.original_payment_id:
            entries = read_entries(source, self._codec, request.original_payment_id)
            originals = {request.original_payment_id: fold_payment(entries)} if entries else {}
        return as_row(account, originals)

    # --- asking

    def _search(self, query: PaymentQuery, limit: int, behind: int) -> FoundPayments:
        where, values = _condition(query)
        copy = self._copy()
        # The condition is made of constants; what was typed is bound.
        sums = copy.execute(
            "select currency, count(*),"  # noqa: S608 - the condition is ours
            " sum(max(moved_minor, 0)), sum(max(-moved_minor, 0)),"
            " sum(moved_minor > 0), sum(moved_minor < 0),"
            f" sum(is_open * asked_minor), sum(is_open) from payment where {where}"
            " group by currency order by currency",
            values,
        ).fetchall()
        if query.before is not None:
            where, values = (
                f"{where} and (created_at, payment_id) < (?, ?)",
                (
                    *values,
                    *query.before,
                ),
            )
        rows = copy.execute(
            f"select * from payment where {where}"  # noqa: S608
            " order by created_at desc, payment_id desc limit ?",
            (*values, limit + 1),
        ).fetchall()
        return FoundPayments(
            rows=tuple(_as_found(row) for row in rows[:limit]),
            count=sum(one[1] for one in sums),
            sums=tuple(Sums(one[0], *one[2:]) for one in sums),
            behind=behind,
            more=len(rows) > limit,
        )


def as_row(account: PaymentRecord, originals: Mapping[str, PaymentRecord]) -> tuple[object, ...]:
    """Return a payment's row in the copy; `originals` has what a void was done to."""
    payment, request = account.payment, account.payment.request
    approval = payment.approval or payment.offer
    card = approval.card if approval is not None else None
    found = FoundPayment(
        payment_id=account.payment_id,
        created_at=account.created_at,
        register_id=request.register_id,
        terminal_id=request.terminal_id,
        sale_id=request.sale_id or request.sale_key.partition("/")[2],
        type=request.type.value,
        outcome=outcome_of(payment),
        recording=payment.recording.value,
        currency=request.amount.currency,
        asked_minor=request.amount.minor,
        moved_minor=moved_minor(payment, originals),
        brand=(card.label or card.brand.title()) if card is not None else "",
        last4=card.masked_pan.last4 if card is not None and card.masked_pan else "",
        approval_code=payment.approval.approval_code if payment.approval else "",
        is_open=not payment.is_final,
    )
    values = astuple(found)
    return tuple(one.value if isinstance(one, Outcome) else one for one in values)


def _as_found(row: Sequence[Any]) -> FoundPayment:
    values: dict[str, Any] = dict(zip((one.name for one in fields(FoundPayment)), row, strict=True))
    values["outcome"] = Outcome(values["outcome"])
    values["is_open"] = bool(values["is_open"])
    return FoundPayment(**values)


def _condition(query: PaymentQuery) -> tuple[str, tuple[object, ...]]:
    parts: list[str] = ["1"]
    values: list[object] = []

    def add(text: str, *bound: object) -> None:
        parts.append(text)
        values.extend(bound)

    if query.amount_minor is not None:
        # `or` over two indexed columns: SQLite asks both indexes.
        amount = query.amount_minor
        add("(asked_minor=? or moved_minor=? or moved_minor=?)", amount, amount, -amount)
    if query.since:
        add("created_at>=?", query.since)
    if query.until:
        add("created_at<?", query.until)
    if query.last4:
        add("last4=?", query.last4)
    if query.sale_id:
        # What begins so, by the index; `like` would not use it.
        add("sale_id>=? and sale_id<?", query.sale_id, query.sale_id + "\U0010ffff")
    if query.register_id:
        add("register_id=?", query.register_id)
    if query.terminal_id:
        add("terminal_id=?", query.terminal_id)
    if query.outcomes:
        marks = ",".join("?" * len(query.outcomes))
        add(f"outcome in ({marks})", *(one.value for one in query.outcomes))
    if query.recordings:
        marks = ",".join("?" * len(query.recordings))
        add(f"recording in ({marks})", *query.recordings)
    if query.is_open is not None:
        add("is_open=?", int(query.is_open))
    return " and ".join(parts), tuple(values)
