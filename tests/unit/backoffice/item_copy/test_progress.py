"""A walk goes on where it was broken off, and a copy is whole only once everything was read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.backoffice.item_copy.progress import Plan, Progress, after_end, after_page, plan

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
WHOLE = Progress(
    "item", generation=3, mark="m9", as_of=NOW.isoformat(), full_at=(NOW - WEEK / 2).isoformat()
)


def test_the_first_walk_is_a_full_one_from_the_beginning() -> None:
    way = plan(Progress("item"), NOW, WEEK, has_marks=True)
    assert way == Plan("", 1, is_full=True)
    progress = after_page(Progress("item"), way, "m1")
    assert not progress.is_complete
    assert progress.age(NOW) is None
    progress = after_end(after_page(progress, way, "m2"), way, "m2", NOW)
    assert progress.is_complete
    assert (progress.generation, progress.mark, progress.purging) == (1, "m2", True)
    assert progress.age(NOW + timedelta(hours=1)) == timedelta(hours=1)


def test_a_full_walk_that_was_broken_off_goes_on_at_its_last_page() -> None:
    progress = after_page(Progress("item"), Plan("", 1, is_full=True), "m1")
    assert plan(progress, NOW, WEEK, has_marks=True) == Plan("m1", 1, is_full=True)


def test_what_was_whole_answers_while_a_new_full_walk_is_under_way() -> None:
    later = NOW + WEEK
    way = plan(WHOLE, later, WEEK, has_marks=True)
    assert way == Plan("", 4, is_full=True)
    during = after_page(WHOLE, way, "m1")
    assert during.is_complete
    assert during.age(NOW) == timedelta(0)
    assert (during.generation, during.mark) == (3, "m9")


def test_in_between_only_what_is_newer_is_read() -> None:
    way = plan(WHOLE, NOW, WEEK, has_marks=True)
    assert way == Plan("m9", 3, is_full=False)
    after = after_end(after_page(WHOLE, way, "m10"), way, "m10", NOW + timedelta(minutes=5))
    assert (after.mark, after.full_at, after.purging) == ("m10", WHOLE.full_at, False)
    assert after.age(NOW + timedelta(minutes=5)) == timedelta(0)


def test_a_server_that_says_no_mark_leaves_the_one_that_is_known() -> None:
    way = plan(WHOLE, NOW, WEEK, has_marks=True)
    assert after_end(after_page(WHOLE, way, ""), way, "", NOW).mark == "m9"


def test_a_mark_that_is_no_good_means_reading_everything_again() -> None:
    assert plan(WHOLE, NOW, WEEK, has_marks=True, forced=True) == Plan("", 4, is_full=True)
    broken_off = after_page(WHOLE, Plan("", 4, is_full=True), "m1")
    assert plan(broken_off, NOW, WEEK, has_marks=True, forced=True) == Plan("", 5, is_full=True)


def test_without_marks_every_walk_reads_everything_and_begins_anew() -> None:
    way = plan(WHOLE, NOW, WEEK, has_marks=False)
    assert way == Plan(None, 4, is_full=True)
    assert after_page(WHOLE, way, "") == WHOLE
    assert after_end(WHOLE, way, "", NOW).generation == 4


@pytest.mark.parametrize("full_at", ["", (NOW + 2 * WEEK).isoformat()])
def test_a_time_that_is_missing_or_in_the_future_does_not_put_the_full_walk_off(
    full_at: str,
) -> None:
    progress = Progress("item", 3, "m9", as_of=NOW.isoformat(), full_at=full_at)
    assert plan(progress, NOW, WEEK, has_marks=True).is_full


def test_a_copy_from_the_future_has_no_age() -> None:
    assert WHOLE.age(NOW - timedelta(minutes=1)) is None
