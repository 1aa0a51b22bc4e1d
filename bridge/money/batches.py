"""The terminals' batches: stores what happens to them, and finds what they may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from bridge.money.reconciliation import compare
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry
from bridge.money.store.payment_store import PaymentStore
from bridge.money.store.records import PaymentRecord
from bridge.money.terminal_batch import (
    Batch,
    BatchClosed,
    BatchClosing,
    BatchEvent,
    BatchKept,
    GapFound,
    GapsNoted,
    Unasked,
    advance_batch,
    judge_close,
    subject_of,
)
from drivers.contract import Approval, BatchTotals, Money

T = TypeVar("T")

NEVER = Batch()
NEWEST_MAX = 50  # of a terminal's payments, most of which made no transaction at all on a bad day


class Batches:
    """What terminals add up between two ends of day."""

    def __init__(self, journal: Journal, payments: PaymentStore, now: Callable[[], str]) -> None:
        """Keep them in `journal`; `now` gives ISO 8601 UTC with `Z`."""
        self._journal = journal
        self._payments = payments
        self._now = now
        self._batches: dict[str, Batch] = {}  # by terminal

    async def recover(self, terminals: Iterable[str]) -> None:
        """Read what happened to the batches of `terminals`.

        Raises:
            JournalError: The journal cannot be read.
        """
        for terminal_id in terminals:
            for entry in await self._journal.entries_of(subject_of(terminal_id)):
                assert isinstance(entry.event, BatchEvent), "a terminal has batch events"
                batch = advance_batch(self.of(terminal_id), entry.event, entry.seq)
                self._batches[terminal_id] = batch

    def of(self, terminal_id: str) -> Batch:
        """Return what is known of a terminal's batch."""
        return self._batches.get(terminal_id, NEVER)

    async def begin_close(self, terminal_id: str, name: str) -> None:
        """Note that the terminal is about to be told to close; on disk when this returns.

        `name` is how the register knows this end of day; see `Batch.closed` for its answer.

        Raises:
            JournalError: It could not be stored: the terminal must not be told.
        """
        await self._store(terminal_id, BatchClosing(name, self._now()))

    async def close(
        self,
        terminal_id: str,
        total: Money,
        *,
        name: str = "",
        answer: str = "",
        gave_more: bool = False,
        gap: GapFound | None = None,
    ) -> None:
        """Note that the terminal's batch was closed: what is in it cannot be voided any more.

        `answer` is what the register was sent (JSON); it gets the same when it asks again.
        With `gave_more` the total is what went out on balance. `gap` is what the comparison found,
        unless a person has noted the same while the batch was open.

        Raises:
            JournalError: It could not be stored.
        """
        closing = self.of(terminal_id).closing
        # Nobody paid at the terminal between the attempt and its answer, which may be old by now.
        at = closing.began_at if closing is not None and closing.name == name else self._now()
        closed = BatchClosed(at, total, name, answer, gave_more)
        before, noted = self.of(terminal_id), False
        if gap is not None and before.last_gap is not None:
            is_open = any(not one.name for _, one in before.gaps)
            noted = not is_open and gap.is_like(before.last_gap)
        if gap is None or gap.says_nothing or noted:
            await self._store(terminal_id, closed)
        else:
            await self._store(terminal_id, closed, gap)

    async def keep(self, terminal_id: str, reason: str) -> None:
        """Note that the attempt certainly closed nothing: refused, or never sent.

        Raises:
            JournalError: It could not be stored.
        """
        closing = self.of(terminal_id).closing
        if closing is not None:
            await self._store(terminal_id, BatchKept(closing.name, reason))

    async def judge(
        self, terminal_id: str, told: BatchTotals
    ) -> Literal["closed", "kept", "unknown"]:
        """Settle an attempt to close whose answer was lost, by what the open totals are now.

        Raises:
            JournalError: It could not be read or stored.
        """
        closing = self.of(terminal_id).closing
        assert closing is not None, "there is an attempt to judge"
        held = await self.payments_of(terminal_id)
        since = [one for one in held if one.ended_seq > self.of(terminal_id).closing_seq]
        found = await self.compute(
            lambda: judge_close(
                told.net_minor,
                since_close_minor=compare(0, held, books=False).journal_minor,
                since_attempt_minor=compare(0, since, books=False).journal_minor,
            )
        )
        match found:
            case "closed":
                before = [one for one in held if one not in since]
                net_minor = compare(0, before, books=False).journal_minor
                total = Money(abs(net_minor), told.total.currency)
                event = BatchClosed(closing.began_at, total, closing.name, gave_more=net_minor < 0)
                await self._store(terminal_id, event)
            case "kept":
                await self.keep(terminal_id, "the terminal's totals go on")
            case "unknown":
                pass
        return found

    async def found_gap(self, terminal_id: str, gap: GapFound) -> bool:
        """Keep what totals of the open batch showed; False when that was known already.

        Raises:
            JournalError: It could not be stored.
        """
        last = self.of(terminal_id).last_gap
        if gap.is_like(last) if last is not None else gap.says_nothing:
            return False
        await self._store(terminal_id, gap)
        return True

    def gaps(self) -> list[tuple[str, GapFound]]:
        """Return the gaps that nobody has noted, each with its terminal, oldest first."""
        found = [
            (seq, name, gap) for name, batch in self._batches.items() for seq, gap in batch.gaps
        ]
        return [(name, gap) for _, name, gap in sorted(found, key=lambda one: one[0])]

    async def note_gaps(self, terminal_id: str, by: str, text: str = "") -> int:
        """Note that a person has seen a terminal's gaps; return how many there were.

        Raises:
            JournalError: It could not be stored.
        """
        gaps = self.of(terminal_id).gaps
        if gaps:
            await self._store(terminal_id, GapsNoted(gaps[-1][0], by, text))
        return len(gaps)

    async def saw(self, terminal_id: str, transaction: Approval) -> bool:
        """Keep a transaction that no payment of ours asked for; False when it was seen before.

        Raises:
            JournalError: It could not be stored.
        """
        seen = {one.approval.fingerprint for _, one in self.of(terminal_id).unasked}
        if transaction.fingerprint in seen:
            return False
        await self._store(terminal_id, Unasked(transaction, self._now()))
        return True

    async def payments_of(self, terminal_id: str) -> list[PaymentRecord]:
        """Return the payments of a terminal that its open batch may hold, oldest first."""
        closed_seq, aside = self.of(terminal_id).closed_seq, self._journal.aside
        rows = await aside.payment_rows(
            "terminal_id=? and payment_id in (select subject from entry where seq>?)",
            (terminal_id, closed_seq),
        )
        names = [row.payment_id for row in rows]
        missing = [name for name in names if self._payments.get(name) is None]
        folded = await aside.records_of(missing)
        found = [self._payments.get(name) or folded.get(name) for name in names]
        gone = [name for name, one in zip(names, found, strict=True) if one is None]
        if gone:  # memory let go of them meanwhile
            folded |= await aside.records_of(gone)
            found = [self._payments.get(name) or folded[name] for name in names]
        # What ended before may have changed since: it was recorded, or given back.
        return [
            one
            for one in found
            if one is not None and (not one.payment.is_final or one.ended_seq > closed_seq)
        ]

    async def compute(self, pure: Callable[[], T]) -> T:
        """Have a comparison of a whole batch made by the reader's thread: it may be a year's."""
        return await self._journal.aside.work(pure)

    async def newest_of(self, terminal_id: str) -> list[PaymentRecord]:
        """Return the payments that may have made the terminal's last transaction, newest first."""
        aside = self._journal.aside
        rows = await aside.newest_payments("terminal_id=?", (terminal_id,), NEWEST_MAX)
        folded = await aside.records_of([row.payment_id for row in rows])
        return [self._payments.get(row.payment_id) or folded[row.payment_id] for row in rows]

    async def _store(self, terminal_id: str, *events: BatchEvent) -> None:
        at = self._now()
        entries = tuple(Entry(subject_of(terminal_id), event, at) for event in events)
        last = await self._journal.append(Change(entries))
        for seq, event in enumerate(events, last - len(events) + 1):
            self._batches[terminal_id] = advance_batch(self.of(terminal_id), event, seq)
