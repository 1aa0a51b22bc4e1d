"""Locks by name, so that what belongs together changes one event after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager


class Locks:
    """One lock for each payment and purchase, made when it is first asked for."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, name: str) -> asyncio.Lock:
        """Return the lock of one payment or purchase."""
        return self._locks.setdefault(name, asyncio.Lock())

    @asynccontextmanager
    async def all_of(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold several; whoever holds more than one takes them in the same order."""
        async with AsyncExitStack() as held:
            for name in names:
                await held.enter_async_context(self.of(name))
            yield

    def forget(self, names: Iterable[str]) -> None:
        """Drop the locks of what can no longer be asked for."""
        for name in names:
            self._locks.pop(name, None)
