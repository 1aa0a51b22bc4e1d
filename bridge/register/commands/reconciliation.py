"""A terminal's end of day as registers see it: its name, its comparison, and the same answer twice.

A name is the register's `operation_id`, or its request where it gives none. The batch is closed
once under one name, also when the answer was lost or the bridge died before it was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from bridge.errors import RequestError
from bridge.money.batch_gap import Cause, Gap, explain
from bridge.money.ledger import Ledger
from bridge.money.reconciliation import Reconciliation, compare
from bridge.money.store.records import PaymentRecord
from bridge.money.terminal_batch import Batch, BatchClosed, GapFound
from bridge.register import api as k
from bridge.register.outbox import Outbox
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

# A register that gives no operation_id names its end of day by the request. It repeats a request
# for seconds; much later the same request_id is a counter that began again.
SAME_REQUEST_WITHIN = timedelta(minutes=10)


class DayEnds:
    """What registers are told of ends of day; the journal keeps it."""

    def __init__(self, ledger: Ledger, outbox: Outbox) -> None:
        """Compare with the payments of `ledger`; what is retained goes to `outbox`."""
        self._ledger = ledger
        self._batches = ledger.batches
        self._outbox = outbox
        self.under_way: set[str] = set()  # names of what a terminal does now

    def recall(self, terminals: Iterable[str]) -> None:
        """Find what was answered before a restart, to be published again."""
        for terminal_id in terminals:
            closed = self._batches.of(terminal_id).closed.values()
            if closed:
                last = max(closed, key=lambda one: one.closed_at)
                self._outbox.ends_of_day[terminal_id] = _document(terminal_id, last)

    def name(self, register_id: str, request: k.TerminalReconcile, terminal_id: str) -> str:
        """Return what names an end of day for ever, or for some minutes."""
        if request.operation_id is not None:
            return f"{terminal_id} {request.operation_id}"
        return f"{terminal_id} {register_id} {request.request_id}"

    def known(self, terminal_id: str, name: str, *, lasting: bool) -> dict[str, Any] | None:
        """Return the answer of an end of day that was done, None when it was not.

        `lasting` says that the name means the same one for ever.
        """
        closed = self._batches.of(terminal_id).closed.get(name)
        if closed is None or not (lasting or self._is_recent(closed.closed_at)):
            return None
        document = _document(terminal_id, closed)
        result: dict[str, Any] = document.model_dump(mode="json")
        return result

    def is_open(self, terminal_id: str) -> bool:
        """Say whether an end of day was asked for, and its outcome is not known."""
        return self._batches.of(terminal_id).closing is not None

    async def look(self, terminal_id: str, name: str, told: c.BatchTotals) -> None:
        """Settle an end of day without an answer by the totals that the terminal has now.

        Raises:
            RequestError: `outcome_unknown`: it is the one of this name, and still nobody knows.
            JournalError: It could not be stored.
        """
        closing = self._batches.of(terminal_id).closing
        if closing is None or (closing.name in self.under_way and closing.name != name):
            return
        found = await self._batches.judge(terminal_id, told)
        _LOGGER.info("terminal=%s end_of_day=%s found=%s", terminal_id, closing.name, found)
        if found == "unknown" and closing.name == name:
            raise unknown(terminal_id)
        if found == "closed":
            self.recall((terminal_id,))

    async def totals(self, terminal_id: str, told: c.BatchTotals) -> dict[str, Any]:
        """Return the comparison of the open batch; settles an end of day without an answer.

        Raises:
            JournalError: It could not be stored.
        """
        await self.look(terminal_id, "", told)
        batch = await self._batches.payments_of(terminal_id)
        at = self._ledger.now()
        gap, document = await self._look_at(terminal_id, told, batch, at)
        found = _found(gap, told, at)
        if await self._batches.found_gap(terminal_id, found):
            _warn(terminal_id, found)
            self._ledger.payments.something_changed.set()
        result: dict[str, Any] = document.model_dump(mode="json")
        return result

    async def ended(self, terminal_id: str, name: str, told: c.BatchTotals) -> dict[str, Any]:
        """Return the comparison of the batch that was closed, once it is stored.

        Raises:
            JournalError: It could not be stored.
        """
        known = self._batches.of(terminal_id)
        closed_at = self._ledger.now()
        held = await self._batches.payments_of(terminal_id)
        if known.closing is not None and known.closing.name == name:
            closed_at, last = known.closing.began_at, known.closing_seq
            # Nobody paid there until it answered, which may be long ago.
            held = [one for one in held if not one.payment.is_final or one.ended_seq <= last]
        if not told.counted:  # what follows is the journal's own word, and says so
            minor = await self._batches.compute(lambda: compare(0, held, books=False).journal_minor)
            total = c.Money(abs(minor), told.total.currency)
            told = replace(told, total=total, gave_more=minor < 0)
        gap, document = await self._look_at(terminal_id, told, held, closed_at)
        found = _found(gap, told, closed_at, name)
        await self._batches.close(
            terminal_id,
            told.total,
            name=name,
            answer=k.encode(document).decode(),
            gave_more=told.gave_more,
            gap=found,
        )
        _warn(terminal_id, found)
        if document.status != "matched":
            _LOGGER.warning(
                "terminal=%s end_of_day=%s status=%s open=%s",
                *(terminal_id, name, document.status),
                " ".join(f"payment={one.payment_id} {one.kind}" for one in document.differences)
                or "nothing",
            )
        self._outbox.ends_of_day[terminal_id] = document
        result: dict[str, Any] = document.model_dump(mode="json")
        return result

    async def kept(self, terminal_id: str, name: str, why: str) -> None:
        """Note that the end of day of this name closed nothing, for sure.

        Raises:
            JournalError: It could not be stored.
        """
        closing = self._batches.of(terminal_id).closing
        if closing is not None and closing.name == name:  # else it was not even begun
            await self._batches.keep(terminal_id, why)

    async def note(self, terminal_id: str, by: str, text: str) -> int:
        """Note that a person has seen a terminal's gaps; return how many there were.

        Raises:
            JournalError: It could not be stored.
        """
        noted = await self._batches.note_gaps(terminal_id, by, text)
        _LOGGER.warning("terminal=%s gaps noted=%d by=%s", terminal_id, noted, by)
        self._ledger.payments.something_changed.set()
        return noted

    async def _look_at(
        self, terminal_id: str, told: c.BatchTotals, batch: list[PaymentRecord], at: str
    ) -> tuple[Gap, k.ReconciliationDocument]:
        """Return what differs, and the document about it; both are made beside the loop."""

        def compared() -> tuple[Gap, k.ReconciliationDocument]:
            gap = self._gap(terminal_id, told, batch)
            return gap, self._compare(terminal_id, told, batch, at, gap)

        return await self._batches.compute(compared)

    def _gap(self, terminal_id: str, told: c.BatchTotals, batch: list[PaymentRecord]) -> Gap:
        return explain(
            told.net_minor,
            batch,
            [one for _, one in self._batches.of(terminal_id).unasked],
            currency=told.total.currency,
            closed_batch=told.batch,
        )

    def _is_recent(self, at: str) -> bool:
        now = datetime.fromisoformat(self._ledger.now())
        return now - datetime.fromisoformat(at) <= SAME_REQUEST_WITHIN

    def _compare(
        self, terminal_id: str, told: c.BatchTotals, batch: list[PaymentRecord], at: str, gap: Gap
    ) -> k.ReconciliationDocument:
        found = compare(
            told.net_minor,
            batch,
            books=self._ledger.keeps_books,
            tips=self._ledger.records_tips,
        )
        currency = told.total.currency
        return k.ReconciliationDocument(
            terminal_id=terminal_id,
            closed_at=datetime.fromisoformat(at),
            closed=told.closed,
            status=_status(gap, found, told),
            currency=currency,
            host_reconciliation_id=told.batch or None,
            time_stamp=told.time_text or None,
            totals=tuple(
                k.TotalsLine(
                    payment_brand=line.brand,
                    count=line.count,
                    amount=k.format_amount(line.amount),
                    currency=currency,
                )
                for line in told.lines
            ),
            compare=_comparison(found, currency, counted=told.counted),
            differences=tuple(
                k.DifferenceLine(
                    payment_id=one.payment_id,
                    kind=one.kind,
                    amount=k.format_signed(one.minor, currency),
                )
                for one in found.differences
            ),
            gap=k.format_signed(gap.minor, currency) if told.counted else None,
            explained_by=tuple(_cause(one, currency) for one in gap.causes),
            not_explained=None if gap.is_explained else k.format_signed(gap.minor, currency),
            facts=tuple(_cause(one, currency) for one in gap.facts),
        )


def _status(
    gap: Gap, found: Reconciliation, told: c.BatchTotals
) -> Literal["matched", "different", "unknown"]:
    if not told.counted:
        return "unknown"
    return "different" if gap.is_open else found.status


def _cause(cause: Cause, currency: str) -> k.GapCause:
    return k.GapCause(
        kind=cause.kind,
        payment_id=cause.payment_id or None,
        amount=k.format_signed(cause.minor, currency),
        text=cause.text,
    )


def _found(gap: Gap, told: c.BatchTotals, at: str, name: str = "") -> GapFound:
    """Return what the journal keeps of a gap."""
    return GapFound(
        gap.minor,
        told.total.currency,
        at,
        name,
        causes=tuple(_words(one) for one in gap.causes),
        facts=tuple(_words(one) for one in gap.facts),
    )


def _words(cause: Cause) -> str:
    return f"{cause.payment_id}: {cause.text}" if cause.payment_id else cause.text


def _warn(terminal_id: str, found: GapFound) -> None:
    if found.says_nothing:
        return
    _LOGGER.warning(
        "terminal=%s gap=%s %s end_of_day=%s explained_by=%s facts=%s",
        terminal_id,
        k.format_signed(found.minor, found.currency),
        found.currency,
        found.name or "not closed",
        "; ".join(found.causes) or ("nothing: not explained" if found.minor else "none needed"),
        "; ".join(found.facts) or "none",
    )


def unknown(terminal_id: str) -> RequestError:
    """Return the answer while it is not known whether a batch was closed."""
    return RequestError(
        "outcome_unknown",
        "whether the terminal closed its batch is not known; ask again, its totals may tell",
        terminal_id=terminal_id,
    )


def told_ends_of_day(terminal_id: str, batch: Batch) -> list[k.ReconciliationDocument]:
    """Return every end of day of a terminal that has a name, in the order of the journal."""
    return [_document(terminal_id, closed) for closed in batch.closed.values()]


def _document(terminal_id: str, closed: BatchClosed) -> k.ReconciliationDocument:
    """Return what was told of a close; what is known of it where nothing was, or is not read."""
    try:
        document = k.ReconciliationDocument.model_validate_json(closed.answer)
    except ValidationError:  # never told, or told in the words of another version
        return _unheard(terminal_id, closed)
    if document.compare.books == "not_compared" and document.compare.back_office is not None:
        # An older version told the journal's word as the back office's own.
        said = {
            "recorded": document.compare.back_office,
            "back_office": None,
            "back_office_reason": "not_asked",
        }
        compare = document.compare.model_copy(update=said)
        return document.model_copy(update={"compare": compare})
    return document


def _unheard(terminal_id: str, closed: BatchClosed) -> k.ReconciliationDocument:
    """Return what is known of a batch whose closing only later totals showed."""
    currency = closed.total.currency
    return k.ReconciliationDocument(
        terminal_id=terminal_id,
        closed_at=datetime.fromisoformat(closed.closed_at),
        closed=True,
        status="unknown",
        currency=currency,
        compare=k.Comparison(
            terminal=None,
            journal=k.format_signed(closed.net_minor, currency),
            books="not_compared",
            back_office_reason="not_asked",
        ),
    )


def _comparison(found: Reconciliation, currency: str, *, counted: bool) -> k.Comparison:
    recorded = found.recorded_minor
    return k.Comparison(
        terminal=k.format_signed(found.terminal_minor, currency) if counted else None,
        journal=k.format_signed(found.journal_minor, currency),
        recorded=None if recorded is None else k.format_signed(recorded, currency),
        books="not_compared",
        back_office=None,
        back_office_reason="not_ours" if recorded is None else "not_asked",
    )
