"""Counts what reaches the journal: outcomes, stages, bookings, commits. Decides nothing.

It is called after each commit, so nothing is counted that is not on disk, and nothing waits for it.
Counters begin at zero with the process, as Prometheus expects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from bridge.money import purchase as s
from bridge.money.payment import FINAL, Pruned, Requested, Started, Status
from bridge.money.store.journal import Change
from bridge.money.store.journal_entries import Entry, PaymentRow
from drivers.contract import Progress, Stage

FINAL_WORDS: Final = frozenset(status.value for status in FINAL)
DOUBT: Final = Status.IN_DOUBT.value
# A commit takes 1 to 30 ms on a store PC; a shopper feels a tenth of a second.
COMMIT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STAGE_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
BOOKING_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)
FOLLOWED_MAX: Final = 10_000  # payments and purchases whose beginning is remembered


class Observer:
    """Keeps counters and histograms in `registry`.

    Args:
        registry: Of this process; not the library's global one.
        monotonic: A clock that nobody can set, in seconds.
    """

    def __init__(self, registry: CollectorRegistry, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kinds: dict[str, str] = {}  # of payments that are not final: what was asked
        self._stages: dict[str, tuple[str, float]] = {}  # the stage, and since when
        self._doubts: set[str] = set()
        self._due: dict[str, float] = {}  # when a purchase became due
        self._sent: dict[str, float] = {}
        self.payments = Counter(
            "paybridge_payments",
            "Payments that became final, by what was asked, how it ended and where.",
            ("type", "status", "terminal_id"),
            registry=registry,
        )
        self.doubts = Counter(
            "paybridge_payment_doubts",
            "Payments that became doubtful, by terminal.",
            ("terminal_id",),
            registry=registry,
        )
        self.stages = Histogram(
            "paybridge_payment_stage_seconds",
            "How long payments were in a stage, as the terminal told it.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.commits = Histogram(
            "paybridge_journal_commit_seconds",
            "How long commits of the journal took, with the wait for its thread.",
            buckets=COMMIT_BUCKETS,
            registry=registry,
        )
        self.changes = Counter(
            "paybridge_journal_changes",
            "Changes that were stored; several may share a commit.",
            registry=registry,
        )
        self.bookings = Counter(
            "paybridge_booking_attempts",
            "Attempts to record a sale in the back office, by what they proved.",
            ("outcome",),
            registry=registry,
        )
        self.booking_answers = Histogram(
            "paybridge_booking_answer_seconds",
            "How long the back office took to answer an attempt.",
            buckets=BOOKING_BUCKETS,
            registry=registry,
        )
        self.booked = Histogram(
            "paybridge_booking_seconds",
            "How long it took from a sale being due until the back office had it.",
            buckets=BOOKING_BUCKETS,
            registry=registry,
        )

    def observe(self, changes: Sequence[Change], seconds: float) -> None:
        """Take note of one commit, which took so long."""
        self.commits.observe(seconds)
        self.changes.inc(len(changes))
        now = self._monotonic()
        for change in changes:
            for entry in change.entries:
                self._entry(entry, now)
            for row in change.payments:
                self._row(row, now)

    def _entry(self, entry: Entry, now: float) -> None:
        match entry.event:
            case Requested(request):
                if len(self._kinds) < FOLLOWED_MAX:
                    self._kinds[entry.subject] = request.type.value
            case Started():
                self._stage(entry.subject, Stage.STARTING.value, now)
            case Progress(stage):
                self._stage(entry.subject, stage.value, now)
            case Pruned():
                pass
            case s.PurchaseDue():
                if len(self._due) < FOLLOWED_MAX:
                    self._due[entry.subject] = now
            case s.Sending():
                self._sent[entry.subject] = now
            case s.Recorded() | s.NotApplied() | s.Unproven() | s.Refused() as answer:
                self._answer(entry.subject, answer, now)

    def _stage(self, payment_id: str, stage: str, now: float) -> None:
        self._end_stage(payment_id, now)
        if stage and len(self._stages) < FOLLOWED_MAX:
            self._stages[payment_id] = (stage, now)

    def _end_stage(self, payment_id: str, now: float) -> None:
        before = self._stages.pop(payment_id, None)
        if before is not None:
            self.stages.labels(before[0]).observe(max(now - before[1], 0.0))

    def _answer(
        self,
        transaction_id: str,
        answer: s.Recorded | s.NotApplied | s.Unproven | s.Refused,
        now: float,
    ) -> None:
        words = {
            s.Recorded: "recorded",
            s.NotApplied: "not_applied",
            s.Unproven: "unproven",
            s.Refused: "refused",
        }
        self.bookings.labels(words[type(answer)]).inc()
        sent = self._sent.pop(transaction_id, None)
        if sent is not None:
            self.booking_answers.observe(max(now - sent, 0.0))
        if isinstance(answer, s.Recorded):
            due = self._due.pop(transaction_id, None)
            if due is not None:
                self.booked.observe(max(now - due, 0.0))

    def _row(self, row: PaymentRow, now: float) -> None:
        name = row.payment_id
        if row.status == DOUBT:
            self._end_stage(name, now)
            if name not in self._doubts and len(self._doubts) < FOLLOWED_MAX:
                self._doubts.add(name)
                self.doubts.labels(row.terminal_id).inc()
        if row.status not in FINAL_WORDS:
            self._kinds.setdefault(name, "unknown")  # open since before this process began
            return
        kind = self._kinds.pop(name, None)
        if kind is not None:  # else it was final before: its booking or its document changed
            self.payments.labels(kind, row.status, row.terminal_id).inc()
            self._end_stage(name, now)
            self._doubts.discard(name)
