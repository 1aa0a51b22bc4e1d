"""Days are the store's: with 23 and 25 hours where the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from bridge.reports.local_days import bounds_of, local_text, read_day

TODAY = date(2026, 11, 30)
BERLIN = ZoneInfo("Europe/Berlin")


def in_zone(zone: ZoneInfo | timezone) -> object:
    return lambda moment: moment.astimezone(zone)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("", TODAY),
        ("today", TODAY),
        ("Yesterday", date(2026, 11, 29)),
        ("2026-03-01", date(2026, 3, 1)),
        ("1.3.2026", date(2026, 3, 1)),
    ],
)
def test_a_day_is_read_as_people_write_it(text: str, day: date) -> None:
    assert read_day(text, TODAY) == day


@pytest.mark.parametrize("text", ["2026-13-01", "tomorrow", "30/11", "2026-02-30"])
def test_what_is_no_day_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-30"):
        read_day(text, TODAY)


@pytest.mark.parametrize(
    ("day", "hours", "begins"),
    [
        (date(2026, 11, 30), 24, "2026-11-29T23:00:00"),
        (date(2026, 3, 29), 23, "2026-03-28T23:00:00"),
        (date(2026, 10, 25), 25, "2026-10-24T22:00:00"),
    ],
)
def test_a_day_of_the_store_in_utc(day: date, hours: int, begins: str) -> None:
    since, until = bounds_of(day, lambda moment: moment.astimezone(BERLIN))
    assert since == begins
    length = datetime.fromisoformat(until) - datetime.fromisoformat(since)
    assert length == timedelta(hours=hours)


def test_days_touch_and_never_overlap() -> None:
    for zone in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"):
        one = ZoneInfo(zone)
        for number in range(0, 366, 5):
            day = date(2026, 1, 1) + timedelta(days=number)
            ends = bounds_of(day, lambda moment, one=one: moment.astimezone(one))[1]  # type: ignore[misc]
            begins = bounds_of(
                day + timedelta(days=1),
                lambda moment, one=one: moment.astimezone(one),  # type: ignore[misc]
            )[0]
            assert ends == begins, (zone, day)


def test_a_moment_is_shown_by_the_stores_clock() -> None:
    shown = local_text("2026-11-30T12:00:00.000Z", lambda moment: moment.astimezone(BERLIN))
    assert shown == "2026-11-30 13:00:00"
    assert local_text("no time", lambda moment: moment.astimezone(UTC)) == "no time"
