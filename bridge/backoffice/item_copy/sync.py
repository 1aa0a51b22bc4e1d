"""Keeps the copy of items fresh, in a task of its own and in small steps.

A page is asked for, stored in one transaction with the mark that follows it, and the next one is
asked for. So a process that dies goes on where it was. Whatever goes wrong is tried again; a copy
that was whole goes on answering, with its age.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.items import ITEM, ITEM_SERIAL_LOT, ITEM_WAREHOUSE
from bridge.backoffice.api.paging import Bounds
from bridge.backoffice.api.products import PRODUCTS
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.item_copy.copy import CopyUnusable, ItemCopy
from bridge.backoffice.item_copy.progress import Plan, after_end, after_page, plan

_LOGGER = logging.getLogger(__name__)

BOUNDS: Final = Bounds(pages=200_000, rows=2_000_000, megabytes=4_000)
"""Of one walk: ten times what a large store has."""

PAGE_ROWS: Final = 200
"""Rows asked for at once: some 40 kB, read in a millisecond or two."""

PAGE_PAUSE_SECONDS: Final = 0.002
"""Between two pages, so that whoever takes money is served first."""

FIRST_PAUSE_SECONDS: Final = 30.0  # after a round that failed; doubled up to the interval
UNMARKED_SECONDS: Final = 3_600.0
"""Between two walks of an endpoint without `since`, which reads everything each time."""

MARK_FAILURES_MAX: Final = 5
"""Rounds that fail at a stored mark before it is tried from the beginning: the server may have
forgotten the mark and not say so in a way that we know."""

WAKE_SECONDS: Final = 10.0
"""At most so often a sale with an unknown SKU brings the next round forward."""

ENDPOINTS: Final[dict[str, Endpoint[Any]]] = {
    one.root: one for one in (ITEM, ITEM_WAREHOUSE, ITEM_SERIAL_LOT, *PRODUCTS)
}
"""What can be copied."""


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How the copy is kept.

    Attributes:
        endpoints: Which are copied, in this order.
        interval_seconds: Between two rounds.
        full_every: After so long everything is read again: no query says what was removed.
        max_age: An older copy says nothing of what is missing.
    """

    endpoints: tuple[str, ...]
    interval_seconds: float
    full_every: timedelta
    max_age: timedelta


class ItemSync:
    """The task that copies."""

    def __init__(
        self,
        copy: ItemCopy,
        reader: Reader,
        settings: SyncSettings,
        now: Callable[[], datetime],
    ) -> None:
        """Copy by `reader` into `copy`; `now` is the wall clock in UTC."""
        self._copy = copy
        self._reader = reader
        self._settings = settings
        self._now = now
        self._wanted = asyncio.Event()
        self._woken_at: float | None = None
        self._failures: dict[str, int] = {}
        self._problems: dict[str, str] = {}

    def warnings(self) -> Sequence[str]:
        """Return why the copy is not what it should be, for people; () while all is well."""
        found = []
        for endpoint in self._settings.endpoints:
            problem = self._problems.get(endpoint)
            if problem and self.is_stale(endpoint):
                what = ENDPOINTS[endpoint].what
                found.append(f"the copy of the back office's {what} cannot be kept: {problem}")
        return list(dict.fromkeys(found))

    def is_stale(self, endpoint: str) -> bool:
        """Tell whether the copy of an endpoint is too old, or not whole, to deny anything by."""
        age = self._copy.of(endpoint).age(self._now())
        return age is None or age > self._settings.max_age

    def copies(self, endpoint: str) -> bool:
        """Tell whether an endpoint is copied at all."""
        return endpoint in self._settings.endpoints

    def is_any_stale(self, endpoints: Sequence[str]) -> bool:
        """Tell whether one of these is copied, and too old."""
        return any(self.copies(one) and self.is_stale(one) for one in endpoints)

    def wake(self) -> None:
        """Have the next round begin at once, though not more than every ten seconds."""
        now = asyncio.get_running_loop().time()
        if self._woken_at is None or now - self._woken_at >= WAKE_SECONDS:
            self._woken_at = now
            self._wanted.set()

    async def run(self) -> None:
        """Copy for ever."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            all_well = await self.round()
            pause = FIRST_PAUSE_SECONDS if all_well else min(pause * 2, 3_600.0)
            interval = self._settings.interval_seconds
            try:
                async with asyncio.timeout(interval if all_well else min(pause / 2, interval)):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()

    async def round(self) -> bool:
        """Bring every endpoint up to date once; False when one could not be."""
        try:
            await self._copy.load()
            results = [await self._bring_up(one) for one in self._settings.endpoints]
        except CopyUnusable as error:
            self._note(self._settings.endpoints, str(error))
            return False
        return all(results)

    async def _bring_up(self, name: str) -> bool:
        endpoint = ENDPOINTS[name]
        has_marks = await self._reader.has_since(endpoint)
        before = self._copy.of(name)
        if not has_marks and before.is_complete:
            age = before.age(self._now())
            if age is not None and age.total_seconds() < UNMARKED_SECONDS:
                return True
        forced = self._failures.get(name, 0) >= MARK_FAILURES_MAX
        way = plan(
            before, self._now(), self._settings.full_every, has_marks=has_marks, forced=forced
        )
        problem = await self._walk(endpoint, way)
        if isinstance(problem, CannotTell) and problem.is_about_values and way.since:
            _LOGGER.info("the back office knows its mark of %s no more: reading all", name)
            way = plan(before, self._now(), self._settings.full_every, has_marks=True, forced=True)
            problem = await self._walk(endpoint, way)
        if problem is not None:
            self._failures[name] = 0 if forced else self._failures.get(name, 0) + 1
            self._note((name,), problem.reason)
            return False
        self._failures[name] = 0
        if self._problems.pop(name, ""):
            _LOGGER.info("the copy of the back office's %s is kept again", endpoint.what)
        await self._copy.purge(name)
        return True

    async def _walk(self, endpoint: Endpoint[Any], way: Plan) -> CannotTell | None:
        """Read and store page after page; return what broke it off, None at its end."""
        name = endpoint.root
        began = self._now()
        rows, until = 0, ""
        async for page in self._reader.pages(
            endpoint, since=way.since, first=PAGE_ROWS, bounds=BOUNDS
        ):
            if isinstance(page, CannotTell):
                return page
            if page.limited:
                return CannotTell(f"the login may not see all of {endpoint.what}")
            until = page.until
            rows += len(page.rows)
            stored = after_page(self._copy.of(name), way, until)
            await self._copy.store(stored, page.rows, way.generation)
            await asyncio.sleep(PAGE_PAUSE_SECONDS)
        if way.is_full and not rows and way.since in {None, ""} and await self._copy.count(name):
            # A login that may see nothing sees this. Nobody empties a whole catalogue.
            return CannotTell(f"the back office suddenly shows no {endpoint.what}")
        done = after_end(self._copy.of(name), way, until, began)
        await self._copy.store(done, (), way.generation)
        if way.is_full:
            count = await self._copy.count(name)
            _LOGGER.info("copied all of the back office's %s rows=%d", endpoint.what, count)
        return None

    def _note(self, endpoints: Sequence[str], problem: str) -> None:
        for name in endpoints:
            if self._problems.get(name) != problem:
                _LOGGER.warning("the copy of %s is not brought up to date: %s", name, problem)
            self._problems[name] = problem
