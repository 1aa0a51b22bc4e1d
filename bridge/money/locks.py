"""Locks by name, so that what belongs together changes one event after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class Locks:
    """One lock for each payment and purchase, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, name: str) -> asyncio.Lock:
        """Return the lock of one payment or purchase; whoever uses it keeps it alive."""
        return self._locks.setdefault(name, asyncio.Lock())

    @asynccontextmanager
    async def all_of(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold several; whoever holds more than one takes them in the same order."""
        async with AsyncExitStack() as held:
            for name in names:
                await held.enter_async_context(self.of(name))
            yield
