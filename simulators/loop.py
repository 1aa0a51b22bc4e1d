"""An asyncio event loop with virtual time: one seed, one order of events, no outside world.

Waiting moves the clock instead of the hour hand, work for threads runs inline after a seeded
delay, and callbacks that are ready together run in a seeded order. Sockets, signals, subprocesses
and real threads are not there: what needs them raises `NotImplementedError`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

# A commit on a store PC's SSD takes 0.2 to 10 ms; now and then the disk stalls for seconds.
EXECUTOR_DELAY_SECONDS = (0.0002, 0.010)
EXECUTOR_STALL_SECONDS = (0.1, 5.0)
EXECUTOR_STALL_CHANCE = 0.05

# Finer than any delay used here, coarser than the rounding of a float after 30 virtual days.
CLOCK_RESOLUTION_SECONDS = 1e-9

Result = TypeVar("Result")


class Deadlock(RuntimeError):
    """Every task waits for something that can no longer happen."""


class ExecutorHook(Protocol):
    """Lets a world kill a process around any piece of work done in a thread.

    The hook itself does the killing (it cancels the process's tasks); its answer says what the
    machine got done before the lights went out.
    """

    def before(self, work: Callable[..., object]) -> bool:
        """Return False if the process dies first: `work` is not done, and nothing is sent."""

    def after(self, work: Callable[..., object]) -> bool:
        """Return False if the process dies now: `work` is done, and no answer is sent."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop whose clock jumps to the next timer. The same seed gives the same trace.

    `shuffle=False` keeps asyncio's own order of ready callbacks. `instant_executor=True` runs
    work for threads without a virtual delay.
    """

    def __init__(
        self,
        seed: int | str,
        *,
        shuffle: bool = True,
        instant_executor: bool = False,
        executor_hook: ExecutorHook | None = None,
    ) -> None:
        super().__init__()
        self.executor_hook = executor_hook
        self._now = 0.0
        self._instant_executor = instant_executor
        self._order = random.Random(f"{seed}/order") if shuffle else None
        self._delays = random.Random(f"{seed}/executor")
        self._executors_free_at: dict[object, float] = {}
        self._tasks_created = 0
        self._clock_resolution = CLOCK_RESOLUTION_SECONDS
        self._selector = _Clockwork(self)
        self.set_task_factory(_create_task)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def run_in_executor(  # type: ignore[override]  # the base promises any awaitable; this is one
        self, executor: object, func: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        """Run `func` in this thread, some virtual time from now.

        Work for one executor is done in the order it was handed in, as a single writer thread
        does; work for the default executor (None) may overtake.
        """
        future: asyncio.Future[Result] = self.create_future()
        starts_at = self._now
        if executor is not None:
            starts_at = max(starts_at, self._executors_free_at.get(executor, 0.0))
        ends_at = starts_at + self._draw_delay()
        if executor is not None:
            self._executors_free_at[executor] = ends_at
        self.call_at(ends_at, self._work, future, partial(func, *args))
        return future

    def advance_clock(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass. For the loop's own clockwork."""
        self._now += max(seconds, 0.0)

    def shuffle_ready(self) -> None:
        """Put the callbacks that are ready together into a seeded order."""
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]  # no public door
        if self._order is not None and len(ready) > 1:
            shuffled = list(ready)
            self._order.shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)

    def next_task_number(self) -> int:
        """Return 1, 2, 3, … per task, so that a set of tasks has the same order in every run."""
        self._tasks_created += 1
        return self._tasks_created

    def _draw_delay(self) -> float:
        if self._instant_executor:
            return 2 * CLOCK_RESOLUTION_SECONDS
        stalls = self._delays.random() < EXECUTOR_STALL_CHANCE
        return self._delays.uniform(*(EXECUTOR_STALL_SECONDS if stalls else EXECUTOR_DELAY_SECONDS))

    def _work(self, future: asyncio.Future[Result], work: Callable[[], Result]) -> None:
        # A thread cannot be called back: work whose caller was cancelled is done all the same.
        hook = self.executor_hook
        if hook is not None and not hook.before(work):
            return
        try:
            result = work()
        except Exception as error:
            settle = partial(future.set_exception, error)
        else:
            settle = partial(future.set_result, result)
        if hook is not None and not hook.after(work):
            return
        if not future.done():
            settle()

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: no file descriptor is ever ready here."""

    def _write_to_self(self) -> None:
        """Do nothing: there is no other thread to wake this one."""


class _Clockwork:
    """Stands where a selector stands: waiting moves the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock(f"nothing can happen any more at t={self._loop.time():.6f}")
        if timeout > 0:
            self._loop.advance_clock(timeout)
        else:
            self._loop.shuffle_ready()
        return []


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number: `TaskGroup` cancels from a set, by hash, not address."""

    def __init__(self, number: int, coro: Any, **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


def _create_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> _NumberedTask:
    assert isinstance(loop, VirtualLoop)
    return _NumberedTask(loop.next_task_number(), coro, loop=loop, **options)


def run_virtual(
    main: Callable[[], Coroutine[Any, Any, Result]],
    *,
    seed: int | str = 0,
    loop: VirtualLoop | None = None,
) -> Result:
    """Run `main()` on a virtual loop and close the loop; tasks left over are cancelled.

    Raises:
        Deadlock: `main` waits for something that cannot happen.
    """
    loop = loop or VirtualLoop(seed)
    try:
        return loop.run_until_complete(main())
    finally:
        try:
            _cancel_left_over(loop)
        finally:
            loop.close()


def _cancel_left_over(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)

    async def canceled() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_asyncgens()

    loop.run_until_complete(canceled())
