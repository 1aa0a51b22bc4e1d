"""The copy as the rest of the bridge sees it: its file behind two threads. Decides nothing.

One thread writes pages, another answers questions, so that nobody who asks waits for a page. The
loop waits for neither: a question has a deadline, after which nobody can tell.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from bridge.backoffice.item_copy.file import CopyFull, CopyRow, ItemFile, is_damage
from bridge.backoffice.item_copy.progress import Progress
from bridge.money.lookup import FoundItem

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)

CHECK_SECONDS_MAX = 0.25
"""For a sale's SKUs, which takes a fraction of a millisecond; a disk that hangs must not hold up a
payment."""

FIND_SECONDS_MAX = 1.0
"""For an item that a register asks for, which nothing waits for."""


class CopyUnusable(Exception):
    """The copy cannot be read or written now; the words are for a person."""


class ItemCopy:
    """The copy of items, stocks, lots and products."""

    def __init__(self, file: ItemFile, writer: Executor, reader: Executor) -> None:
        """Use `file` by the one thread of `writer` and the one of `reader`."""
        self._file = file
        self._writer = writer
        self._reader = reader
        self.progress: dict[str, Progress] = {}
        """How far each endpoint has come, as stored."""
        self._is_damaged = False  # as who asked it saw

    async def load(self) -> None:
        """Read how far the copy has come, and begin anew where somebody saw that it is damaged.

        Raises:
            CopyUnusable: It cannot be read.
        """
        if self._is_damaged:
            await self._begin_anew()
        self.progress = await self._write(self._file.progress)

    def of(self, endpoint: str) -> Progress:
        """Return how far the copy of one endpoint has come."""
        return self.progress.get(endpoint, Progress(endpoint))

    async def store(self, progress: Progress, rows: Sequence[CopyRow], generation: int) -> None:
        """Store a page of one endpoint and where its walk stands, in one transaction.

        Raises:
            CopyUnusable: Nothing was stored.
        """
        await self._write(lambda: self._file.store(progress, rows, generation))
        self.progress[progress.endpoint] = progress

    async def count(self, endpoint: str) -> int:
        """Return how many rows the copy of one endpoint has.

        Raises:
            CopyUnusable: It cannot be read.
        """
        return await self._write(lambda: self._file.count(endpoint))

    async def purge(self, endpoint: str) -> None:
        """Take away what the last full walk did not see, in many short transactions.

        Raises:
            CopyUnusable: Some is left.
        """
        while self.of(endpoint).purging:
            await self._write(lambda: self._file.purge(self.of(endpoint)))
            self.progress = await self._write(self._file.progress)

    async def unknown(self, skus: Iterable[str]) -> tuple[str, ...] | None:
        """Return the SKUs that the copy does not have; None when it cannot be asked in time."""
        wanted = tuple(skus)
        return await self._ask(lambda: self._file.unknown(wanted), CHECK_SECONDS_MAX)

    async def find(self, *, sku: str = "", barcode: str = "") -> tuple[FoundItem, ...] | None:
        """Return the items with this SKU or barcode; None when it cannot be asked in time."""
        return await self._ask(lambda: self._file.find(sku=sku, barcode=barcode), FIND_SECONDS_MAX)

    async def _ask(self, question: Callable[[], T], seconds_max: float) -> T | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds_max):
                return await loop.run_in_executor(self._reader, question)
        except TimeoutError:
            _LOGGER.warning("the copy of items does not answer in time; is its disk all right?")
        except sqlite3.Error as error:
            self._is_damaged = self._is_damaged or is_damage(error)
            _LOGGER.warning("the copy of items cannot be read: %s", _words(error))
        return None

    async def _write(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writer, work)
        except OSError as error:
            raise CopyUnusable("the disk of the copy of items does not answer") from error
        except CopyFull:
            raise CopyUnusable("the disk is nearly full: the journal needs what is left") from None
        except sqlite3.Error as error:
            if is_damage(error):
                await self._begin_anew()
            raise CopyUnusable(f"the copy of items cannot be written: {_words(error)}") from error

    async def _begin_anew(self) -> None:
        """Make the file anew: what it held, the back office has."""
        _LOGGER.warning("the copy of items is damaged, and is read anew from the back office")
        loop = asyncio.get_running_loop()
        self.progress, self._is_damaged = {}, False
        try:
            await loop.run_in_executor(self._reader, self._file.stop_reading)
            await loop.run_in_executor(self._writer, self._file.discard)
        except (OSError, sqlite3.Error) as error:
            raise CopyUnusable("the copy of items cannot be made anew") from error


def _words(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", "") or type(error).__name__)


@asynccontextmanager
async def open_item_copy(
    path: Path, free_bytes: Callable[[Path], int], origin: str
) -> AsyncIterator[ItemCopy | None]:
    """Yield the copy of `origin`'s items at `path`; None where the file cannot be made.

    Payments do not depend on it, so that is said in the log and is no reason not to start.
    """
    try:
        file = ItemFile(path, free_bytes, origin)
    except (OSError, sqlite3.Error):
        _LOGGER.exception("path=%s the copy of items cannot be made; payments go on", path)
        yield None
        return
    writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="items")
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="items-read")
    try:
        yield ItemCopy(file, writer, reader)
    finally:
        writer.shutdown()
        reader.shutdown()
        file.close()
