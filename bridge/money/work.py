"""Live actions of one terminal, waiting for its station to fetch them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from bridge.money.payment import LiveAction


@dataclass(frozen=True, slots=True)
class Work:
    """A live action for one terminal. `due_at` is in seconds of the loop's clock."""

    payment_id: str
    action: LiveAction
    due_at: float


class WorkQueue:
    """Work of one terminal, earliest first. Bounded by the open payments of the terminal."""

    def __init__(self) -> None:
        self._work: list[Work] = []
        self._filled = asyncio.Event()

    def put(self, work: Work) -> None:
        """Add work and wake who waits."""
        self._work.append(work)
        self._work.sort(key=lambda one: one.due_at)
        self._filled.set()

    def take_due(self, now: float) -> Work | None:
        """Return and remove the earliest work that is due, or None."""
        if self._work and self._work[0].due_at <= now:
            return self._work.pop(0)
        return None

    def take_for(self, payment_id: str, kind: type[LiveAction]) -> bool:
        """Remove due or undue work of one kind for one payment; say whether there was any."""
        kept = [
            one
            for one in self._work
            if one.payment_id != payment_id or not isinstance(one.action, kind)
        ]
        found = len(kept) < len(self._work)
        self._work = kept
        return found

    def hurry(self, now: float) -> None:
        """Make everything that waits due at once: the terminal is back."""
        self._work = [replace(one, due_at=min(one.due_at, now)) for one in self._work]
        self._filled.set()

    @property
    def next_due_at(self) -> float | None:
        """When the earliest work is due, None when there is none."""
        return self._work[0].due_at if self._work else None

    def __len__(self) -> int:
        return len(self._work)

    def wake(self) -> None:
        """Make `wait` return now."""
        self._filled.set()

    async def wait(self, until: float | None) -> None:
        """Return when something was added since the last call, or at `until` (loop's clock)."""
        try:
            async with asyncio.timeout_at(until):
                await self._filled.wait()
        except TimeoutError:
            return
        finally:
            self._filled.clear()
