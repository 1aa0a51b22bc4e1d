"""Forgets receipts and personal data when they have been kept long enough. Looks at the clock.

What is forgotten and what stays says `redaction.py`. One payment at a time with a pause after each,
so that a payment waits for one short commit at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from bridge.money.ledger import Ledger
from bridge.money.store.journal import Journal

_LOGGER = logging.getLogger(__name__)

LOOK_SECONDS = 24 * 3_600.0
LOOKED_AT_ONCE = 50  # rows that are read together
PAUSE_SECONDS = 0.05  # after each payment: twenty a second, a busy year in some hours
PAGES_AT_ONCE = 16  # 64 kB: what is given back to the disk after each round
MONTHS_A_YEAR = 12
DAY_MAX = 28  # a day that every month has


class Retention:
    """Keeps receipts for so many months, and no longer."""

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        keep_months: int,
        *,
        now: Callable[[], datetime],
        write_time: Callable[[datetime], str],
        clock_is_steady: Callable[[], bool] = lambda: True,
    ) -> None:
        """Keep for `keep_months`; `now` is the UTC wall clock, `write_time` the journal's way.

        While `clock_is_steady` says no, nothing is old.
        """
        self._clock_is_steady = clock_is_steady
        self._ledger = ledger
        self._journal = journal
        self._keep_months = keep_months
        self._now = now
        self._write_time = write_time

    async def run(self) -> None:
        """Look at the start, and every day.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Forget what has been kept long enough; return of how many payments.

        A clock that jumped forward forgets nothing that is younger than the newest payment.

        Raises:
            JournalError: It could not be stored.
        """
        if not self._clock_is_steady():
            return 0
        newest = await self._journal.newest_payments("1", (), 1)
        if not newest:
            return 0
        today = min(self._write_time(self._now()), newest[0].created_at)
        before = self._write_time(months_before(datetime.fromisoformat(today), self._keep_months))
        count = 0
        while rows := await self._journal.prunable(before, LOOKED_AT_ONCE):
            forgotten = 0
            for row in rows:
                forgotten += await self._ledger.prune(row.payment_id, before)
                await asyncio.sleep(PAUSE_SECONDS)
            await self._journal.shrink(PAGES_AT_ONCE)
            count += forgotten
            if not forgotten:
                break  # what is left has changed meanwhile, or waits for a person
        if count:
            _LOGGER.info("forgot the receipts of payments=%d older than %s", count, before)
        return count


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same time so many months earlier; the last days of a month count as the 28th."""
    index = moment.year * MONTHS_A_YEAR + moment.month - 1 - months
    year, month = divmod(index, MONTHS_A_YEAR)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, DAY_MAX))
