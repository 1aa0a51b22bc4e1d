"""What may happen by itself after a new version was started. Pure.

An old journal under new payments is a second charge: the registers' answers and the bookings since
are forgotten with it. So a version that does not become ready goes away again by itself only where
the journal is proven to have nothing that the copy made before it lacks. Everything else is a
person's to decide, and no payment is taken meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.money.store.journal_copy import JournalFacts


@dataclass(frozen=True, slots=True)
class Stay:
    """The new version serves."""


@dataclass(frozen=True, slots=True)
class GoBack:
    """Run the version before again; `restore`: over the copy, for it cannot read what is there."""

    restore: bool


@dataclass(frozen=True, slots=True)
class CallPerson:
    """Take no payment; `reason` in words, for the person."""

    reason: str


Verdict = Stay | GoBack | CallPerson


def after_start(*, ready: bool, copy: JournalFacts, journal: JournalFacts | str) -> Verdict:
    """Say what follows, once the new version is ready or was stopped because it is not.

    `copy` was made of the journal after the version before had stopped; `journal` is what it says
    now, or in words why that cannot be told.
    """
    if ready:
        return Stay()
    if isinstance(journal, str):
        return CallPerson(f"the journal cannot be read, so nobody knows what it has: {journal}")
    more = journal.last_seq - copy.last_seq
    if more > 0:
        return CallPerson(
            f"{more} entries were journaled since the copy was made; the copy does not know them"
        )
    if more < 0 or journal.payments != copy.payments:
        return CallPerson("the journal has less than the copy that was made of it")
    return GoBack(restore=journal.schema != copy.schema)
