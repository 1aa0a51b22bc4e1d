"""The wall clock, and whether it can be trusted: no single reading of it destroys anything.

steady     plausible, and no step for a day: what is old by it may be forgotten
unsteady   it was set, or the service has not seen enough of it yet: nothing is forgotten
implausible  before anything this journal holds, or outside of any store's life: shown to
           people; nothing is judged by it, least of all a register's clock
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

_LOGGER = logging.getLogger(__name__)

STEP_SECONDS: Final = 120.0  # a network time service slews what is smaller; a person sets minutes
STEADY_SECONDS: Final = 24 * 3_600.0  # so long without a step until what is old is forgotten again
BEHIND_MAX: Final = timedelta(hours=2)  # behind the journal: a summer time set by hand, and some
AHEAD_MAX: Final = timedelta(days=14)  # ahead of it at the start: the longest a store is closed
EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)  # before this program was written
LATEST: Final = datetime(2060, 1, 1, tzinfo=UTC)  # far beyond the life of any store PC of today


class WallClock:
    """Reads the wall clock and checks it against the monotonic clock, which cannot be set."""

    def __init__(self, read: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        """`read` gives the wall clock in UTC, `monotonic` seconds that only ever grow."""
        self._read = read
        self._monotonic = monotonic
        self._wall = read()
        self._ticks = monotonic()
        self._unsteady_until = float("-inf")
        self._newest: datetime | None = None

    def learn(self, latest: Sequence[str]) -> None:
        """Compare with when the journal's `latest` entries were written (ISO 8601), at the start.

        Their median counts, so that a few that were written while the clock stood wrong do not.
        """
        if not latest:
            return
        self._newest = datetime.fromisoformat(sorted(latest)[len(latest) // 2])
        ahead = self.now() - self._newest
        if ahead > AHEAD_MAX:
            self._unsteady_until = self._monotonic() + STEADY_SECONDS
            _LOGGER.warning(
                "clock=%s is %d days ahead of the journal: nothing old is forgotten for a day",
                self._wall.isoformat(timespec="seconds"),
                ahead.days,
            )

    def now(self) -> datetime:
        """Return the wall clock in UTC, as it stands."""
        wall, ticks = self._read(), self._monotonic()
        step = (wall - self._wall).total_seconds() - (ticks - self._ticks)
        self._wall, self._ticks = wall, ticks
        if abs(step) > STEP_SECONDS:
            self._unsteady_until = ticks + STEADY_SECONDS
            _LOGGER.warning(
                "the clock was set by %+.0f s: nothing old is forgotten for a day", step
            )
        return wall

    @property
    def implausible(self) -> str:
        """Why the clock cannot be right, in words; "" when it can."""
        now = self.now()
        shown = now.isoformat(timespec="seconds")
        if not EARLIEST <= now <= LATEST:
            return f"this PC's clock cannot be right: {shown}"
        if self._newest is not None and now < self._newest - BEHIND_MAX:
            newest = self._newest.isoformat(timespec="seconds")
            return f"this PC's clock ({shown}) is behind what the journal holds ({newest})"
        return ""

    @property
    def is_steady(self) -> bool:
        """Whether what is old by this clock may be forgotten or withdrawn."""
        return not self.implausible and self._ticks >= self._unsteady_until
