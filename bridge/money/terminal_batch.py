"""One terminal's batch: what is known of its closing, and what that means. Pure.

The rules:

* `BatchClosing` is on disk before the terminal is told to close; from then on, until the terminal
  has said what it did, it is not known whether the batch is open.
* Neither a crash nor a lost answer says that it is open, or that it is closed. The terminal's next
  totals can: they are what the journal counts since the last known close, or since the attempt.
* An end of day is known by its name for ever: the same name is the same end of day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from drivers.contract import Approval, Money


@dataclass(frozen=True, slots=True)
class BatchClosing:
    """The terminal is about to be told to close its batch."""

    name: str  # of this end of day; the register's own, or made from its request
    began_at: str  # ISO 8601 UTC


@dataclass(frozen=True, slots=True)
class BatchClosed:
    """A terminal's batch was closed."""

    closed_at: str  # ISO 8601 UTC; of the attempt, when only later totals showed it
    total: Money
    name: str = ""  # of the end of day; "" for one that nobody can ask for again
    answer: str = ""  # JSON: what the register was told of it
    gave_more: bool = False  # more was given back than taken: `total` is what went out on balance

    @property
    def net_minor(self) -> int:
        """What the batch brought, in minor units; below zero where more was given back."""
        return -self.total.minor if self.gave_more else self.total.minor


@dataclass(frozen=True, slots=True)
class BatchKept:
    """It is certain that the attempt closed nothing."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unasked:
    """The terminal shows a transaction that no payment of ours asked for."""

    approval: Approval
    seen_at: str  # ISO 8601 UTC


@dataclass(frozen=True, slots=True)
class GapFound:
    """The terminal's sum of a batch is not the journal's, or it did something on its own.

    Of an open batch the newest counts; one that says nothing is the end of those before it.
    """

    minor: int  # the terminal's sum less the journal's, signed
    currency: str
    found_at: str  # ISO 8601 UTC
    name: str = ""  # of the end of day; "" while the batch is open
    causes: tuple[str, ...] = ()  # what accounts for it, in words
    facts: tuple[str, ...] = ()  # what the terminal did on its own, in words

    @property
    def says_nothing(self) -> bool:
        """True when the sums are equal, and nothing speaks against them."""
        return self.minor == 0 and not self.facts

    @property
    def is_explained(self) -> bool:
        """True where named causes make the gap, or there is none."""
        return self.minor == 0 or bool(self.causes)

    def is_like(self, other: GapFound) -> bool:
        """Tell whether another look found the same."""
        return (self.minor, self.currency, self.facts) == (other.minor, other.currency, other.facts)


@dataclass(frozen=True, slots=True)
class GapsNoted:
    """A person has seen the gaps that were found up to the journal's entry `up_to`."""

    up_to: int
    by: str
    text: str = ""


BatchEvent = BatchClosing | BatchClosed | BatchKept | Unasked | GapFound | GapsNoted


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known of a terminal's batch, folded from its events."""

    closed_at: str = ""  # ISO 8601 UTC of the last known close; "" is never
    closed_seq: int = 0  # the journal's number of that close: what ended before is in that batch
    closing: BatchClosing | None = None  # an attempt whose outcome is not known
    closing_seq: int = 0  # the journal's number of that attempt
    closed: Mapping[str, BatchClosed] = field(default_factory=dict)  # by name
    unasked: tuple[tuple[int, Unasked], ...] = ()  # since the last close, by the journal's number
    gaps: tuple[tuple[int, GapFound], ...] = ()  # that nobody has noted, by the journal's number
    last_gap: GapFound | None = None  # of the open batch, noted or not


def subject_of(terminal_id: str) -> str:
    """Return the journal's subject for a terminal's own events."""
    return f"terminal/{terminal_id}"


def advance_batch(batch: Batch, event: BatchEvent, seq: int) -> Batch:
    """Return the batch after `event`, the journal's entry `seq`. Pure and total.

    What belongs to which batch is ordered by these numbers, since a clock may be set back. Nobody
    pays at a terminal between an attempt and its answer, so the attempt's number counts.
    """
    match event:
        case BatchClosing():
            return replace(batch, closing=event, closing_seq=seq)
        case BatchClosed(closed_at, _, name):
            attempt = batch.closing
            known = batch.closing_seq if attempt is not None and attempt.name == name else seq
            return replace(
                batch,
                unasked=tuple(one for one in batch.unasked if one[0] > known),
                gaps=tuple(one for one in batch.gaps if one[1].name),
                last_gap=None,
                closed_at=closed_at,
                closed_seq=known,
                closing=None,
                closed={**batch.closed, name: event} if name else batch.closed,
            )
        case BatchKept(name):
            if batch.closing is None or batch.closing.name != name:
                return batch
            return replace(batch, closing=None)
        case Unasked():
            return replace(batch, unasked=(*batch.unasked, (seq, event)))
        case GapFound():
            kept = tuple(one for one in batch.gaps if one[1].name)
            new = () if event.says_nothing else ((seq, event),)
            last = batch.last_gap if event.name else event
            return replace(batch, gaps=(*kept, *new), last_gap=last)
        case GapsNoted(up_to):
            return replace(batch, gaps=tuple(one for one in batch.gaps if one[0] > up_to))


def judge_close(
    net_minor: int, *, since_close_minor: int, since_attempt_minor: int
) -> Literal["closed", "kept", "unknown"]:
    """Say what a terminal's open totals prove of an attempt to close whose answer was lost.

    `net_minor` is what the terminal tells, `since_close_minor` what the journal counts since the
    last known close, and `since_attempt_minor` since the attempt: signed sums in minor units of the
    same currency.
    """
    if since_close_minor == since_attempt_minor:
        return "unknown"
    if net_minor == since_attempt_minor:
        return "closed"
    return "kept" if net_minor == since_close_minor else "unknown"
