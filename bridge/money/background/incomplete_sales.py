"""Ends the wait for sales that nobody completes. Looks at the clock, decides nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bridge.log import about
from bridge.money.ledger import Ledger

_LOGGER = logging.getLogger(__name__)

LOOK_SECONDS = 60.0  # the wait is hours long


class IncompleteSales:
    """Has captured payments recorded as they are when the rest of their sale does not come."""

    def __init__(
        self,
        ledger: Ledger,
        wait: timedelta,
        *,
        now: Callable[[], datetime],
        write_time: Callable[[datetime], str],
        clock_is_steady: Callable[[], bool] = lambda: True,
    ) -> None:
        """Let a sale `wait`; `now` is the wall clock in UTC, `write_time` the journal's way.

        While `clock_is_steady` says no, nothing has waited long enough.
        """
        self._clock_is_steady = clock_is_steady
        self._ledger = ledger
        self._wait = wait
        self._now = now
        self._write_time = write_time

    async def run(self) -> None:
        """Look for ever.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Have recorded what has waited long enough.

        Raises:
            JournalError: It could not be stored.
        """
        if not self._clock_is_steady():
            return
        before = self._write_time(self._now() - self._wait)
        for account in self._ledger.payments.overdue(before):
            with about(account.payment_id):
                _LOGGER.warning("recorded without its lines: the rest of its sale did not come")
                await self._ledger.give_up_waiting(account.payment_id)
