"""No single reading of the wall clock destroys, withdraws or blames anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.clock import STEADY_SECONDS, WallClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Pc:
    """A wall clock that anybody can set, and one that nobody can."""

    def __init__(self, wall: datetime = NOON) -> None:
        self.wall = wall
        self.ticks = 100.0
        self.clock = WallClock(lambda: self.wall, lambda: self.ticks)

    def live(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds
        self.clock.now()


def journal(*days_ago: float, now: datetime = NOON) -> list[str]:
    return [(now - timedelta(days=days)).isoformat() for days in days_ago]


def test_a_clock_that_nobody_sets_is_steady() -> None:
    pc = Pc()
    pc.clock.learn(journal(0, 0, 1))
    for _ in range(100):
        pc.live(3_600)
        assert pc.clock.is_steady
        assert pc.clock.implausible == ""


@pytest.mark.parametrize("step", [timedelta(days=400), timedelta(days=-100), timedelta(hours=1)])
def test_a_step_of_the_clock_stops_cleaning_for_a_day(step: timedelta) -> None:
    pc = Pc()
    pc.wall += step
    assert not pc.clock.is_steady
    pc.live(STEADY_SECONDS - 1)
    assert not pc.clock.is_steady
    pc.live(2)
    assert pc.clock.is_steady


def test_a_network_time_service_steps_nothing() -> None:
    pc = Pc()
    for _ in range(1_000):
        pc.wall += timedelta(milliseconds=500)
        pc.live(60)
        assert pc.clock.is_steady


@pytest.mark.parametrize("year", [1970, 2080])
def test_a_clock_outside_of_any_stores_life_is_implausible(year: int) -> None:
    pc = Pc(datetime(year, 1, 1, tzinfo=UTC))
    assert str(year) in pc.clock.implausible
    assert not pc.clock.is_steady


def test_a_clock_behind_the_journal_is_implausible() -> None:
    pc = Pc()
    pc.clock.learn(journal(-30, -30, -31))
    assert "behind what the journal holds" in pc.clock.implausible


def test_a_few_entries_of_a_day_when_the_clock_stood_wrong_do_not_count() -> None:
    pc = Pc()
    pc.clock.learn(journal(-3_650, -3_650, 0.1, 0.2, 0.3, 1, 2))
    assert pc.clock.implausible == ""
    assert pc.clock.is_steady


def test_a_clock_far_ahead_of_the_journal_at_the_start_forgets_nothing_for_a_day() -> None:
    pc = Pc()
    pc.clock.learn(journal(400, 400, 401))
    assert pc.clock.implausible == "", "a store may have been closed"
    assert not pc.clock.is_steady
    pc.live(STEADY_SECONDS + 1)
    assert pc.clock.is_steady
