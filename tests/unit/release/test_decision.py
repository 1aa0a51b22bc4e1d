"""A version goes away by itself only where the journal has nothing that the copy lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.money.store.journal_copy import NO_JOURNAL, JournalFacts
from bridge.release.decision import CallPerson, GoBack, Stay, after_start

COPY = JournalFacts(schema=2, last_seq=40, last_at="2026-12-01T08:00:00Z", payments=9, unsettled=1)


def test_a_version_that_is_ready_stays_whatever_was_journaled() -> None:
    later = replace(COPY, last_seq=41, schema=3)
    for journal in (COPY, later, "cannot be read"):
        assert after_start(ready=True, copy=COPY, journal=journal) == Stay()


def test_nothing_journaled_goes_back_on_the_same_journal() -> None:
    assert after_start(ready=False, copy=COPY, journal=COPY) == GoBack(restore=False)


def test_tables_that_the_old_version_cannot_read_are_put_back_if_nothing_was_journaled() -> None:
    migrated = replace(COPY, schema=3)
    assert after_start(ready=False, copy=COPY, journal=migrated) == GoBack(restore=True)


@pytest.mark.parametrize("schema", [2, 3])
def test_one_entry_since_the_copy_is_a_persons_to_decide(schema: int) -> None:
    journal = replace(COPY, last_seq=41, schema=schema)
    verdict = after_start(ready=False, copy=COPY, journal=journal)
    assert isinstance(verdict, CallPerson)
    assert "1 entries" in verdict.reason


@pytest.mark.parametrize(
    "journal", [replace(COPY, last_seq=39), replace(COPY, payments=8), replace(COPY, payments=10)]
)
def test_a_journal_that_does_not_match_its_copy_is_a_persons(journal: JournalFacts) -> None:
    assert isinstance(after_start(ready=False, copy=COPY, journal=journal), CallPerson)


def test_a_journal_that_cannot_be_read_is_a_persons_to_decide() -> None:
    verdict = after_start(ready=False, copy=COPY, journal="damaged: page 3")
    assert isinstance(verdict, CallPerson)
    assert "damaged: page 3" in verdict.reason


def test_a_store_without_a_journal_goes_back_to_having_none() -> None:
    made = JournalFacts(schema=3, last_seq=0, last_at="", payments=0, unsettled=0)
    assert after_start(ready=False, copy=NO_JOURNAL, journal=NO_JOURNAL) == GoBack(restore=False)
    assert after_start(ready=False, copy=NO_JOURNAL, journal=made) == GoBack(restore=True)
