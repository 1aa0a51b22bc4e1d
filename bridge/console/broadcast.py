"""Says to every open page that something changed, at most some times a second. Starts no task."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

SETTLE_SECONDS = 0.4  # changes come in bursts: a payment has ten within a second
BEAT_SECONDS = 2.0  # a page that hears nothing for some of these says that the service is away
FRESH_SECONDS = 5.0  # times and ages on a page are that old at most
PAGES_SHARED_MAX = 64
STREAMS_MAX = 40  # a store has a few screens; each costs one connection


class Broadcast:
    """The version of what is true now, and pages of it that several people look at."""

    def __init__(self, changed: asyncio.Event) -> None:
        """Watch `changed`, which nobody else clears."""
        self._changed = changed
        self._version = 0
        self._news = asyncio.Event()
        self._pages: OrderedDict[tuple[str, ...], tuple[int, float, str]] = OrderedDict()
        self.streams = 0
        self.is_over = False  # streams end by themselves

    def note(self) -> None:
        """Note that something changed that nobody else tells."""
        self._changed.set()

    def end(self) -> None:
        """Have every stream end."""
        self.is_over = True
        self._news.set()

    def begin(self) -> None:
        """Take streams again."""
        self.is_over = False

    async def run(self) -> None:
        """Tell changes, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._version += 1
            self._news.set()
            self._news = asyncio.Event()
            await asyncio.sleep(SETTLE_SECONDS)

    async def next(self) -> None:
        """Return when something changed, or after `BEAT_SECONDS`."""
        news = self._news
        try:
            async with asyncio.timeout(BEAT_SECONDS):
                await news.wait()
        except TimeoutError:
            pass

    async def shared(self, key: tuple[str, ...], make: Callable[[], Awaitable[str]]) -> str:
        """Return what `make` returns, once for all who ask for the same at the same time."""
        now = asyncio.get_running_loop().time()
        known = self._pages.get(key)
        if known is not None and known[0] == self._version and now - known[1] < FRESH_SECONDS:
            return known[2]
        version = self._version
        text = await make()
        self._pages[key] = (version, now, text)
        self._pages.move_to_end(key)
        while len(self._pages) > PAGES_SHARED_MAX:
            self._pages.popitem(last=False)
        return text
