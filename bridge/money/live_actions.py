"""Live actions, waiting for the station of their terminal to fetch them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bridge.money.payment import Action, AskTerminal, LiveAction, PaymentRequest


@dataclass(frozen=True, slots=True)
class Work:
    """A live action for one terminal. `due_at` is in seconds of the loop's clock."""

    payment_id: str
    action: LiveAction
    due_at: float


def anything(_work: Work) -> bool:
    """Say that every work may be taken."""
    return True


class WorkQueue:
    """Work of one terminal, earliest first; a few entries for each open payment."""

    def __init__(self) -> None:
        self._work: list[Work] = []
        self._news = False
        self._pause: asyncio.Timeout | None = None

    def put(self, work: Work) -> None:
        """Add work and wake who waits."""
        self._work.append(work)
        self._work.sort(key=lambda one: one.due_at)
        self.wake()

    def take_due(self, now: float, may: Callable[[Work], bool] = anything) -> Work | None:
        """Return and remove the earliest work that is due and `may` be taken, or None."""
        for index, one in enumerate(self._work):
            if one.due_at > now:
                break
            if may(one):
                return self._work.pop(index)
        return None

    def next_due(self, may: Callable[[Work], bool]) -> float | None:
        """Return when the earliest work that `may` be taken is due, None when there is none."""
        return next((one.due_at for one in self._work if may(one)), None)

    def due_of(self, payment_id: str, kind: type[LiveAction]) -> float | None:
        """Return when the earliest work of one kind for one payment is due, None without any."""
        return self.next_due(
            lambda one: one.payment_id == payment_id and isinstance(one.action, kind)
        )

    def take_for(self, payment_id: str, kind: type[LiveAction]) -> bool:
        """Remove all work of one kind for one payment; say whether there was any."""
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

    @property
    def next_due_at(self) -> float | None:
        """When the earliest work is due, None when there is none."""
        return self._work[0].due_at if self._work else None

    def wake(self) -> None:
        """End the current `pause`, or the next one at once."""
        self._news = True
        if self._pause is not None and not self._pause.expired():
            self._pause.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def pause(self, until: float | None) -> AsyncIterator[None]:
        """Bound what waits inside: by `until` (loop's clock), and by news for this queue.

        So one task can wait for bytes and for work at once, without a second task.

        Raises:
            TimeoutError: `until` was reached, or work came; what waited inside was canceled.
        """
        if self._news:
            self._news = False
            until = asyncio.get_running_loop().time()
        async with asyncio.timeout_at(until) as bound:
            self._pause = bound
            try:
                yield
            finally:
                self._pause = None
                self._news = False


class WorkQueues:
    """One queue for each terminal, made when it is first asked for."""

    def __init__(self) -> None:
        self._queues: dict[str, WorkQueue] = {}

    def of(self, terminal_id: str) -> WorkQueue:
        """Return the queue of live actions of one terminal."""
        return self._queues.setdefault(terminal_id, WorkQueue())

    def put(self, request: PaymentRequest, actions: Iterable[Action], now: float) -> None:
        """Add the live ones of `actions`; what is durable is found by whoever does it."""
        for action in actions:
            if isinstance(action, LiveAction):
                delay = action.delay_seconds if isinstance(action, AskTerminal) else 0.0
                work = Work(request.payment_id, action, now + delay)
                self.of(request.terminal_id).put(work)
