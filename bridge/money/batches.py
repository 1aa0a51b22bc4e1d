"""The terminals' batches: when each was closed last, and what the open one may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bridge.money import payment as p
from bridge.money.accounts import Account, fold_payment
from bridge.money.entries import Entry
from bridge.money.journal import Change, Journal
from bridge.money.memory import Memory
from drivers.contract import Money


class Batches:
    """What terminals add up between two ends of day."""

    def __init__(self, journal: Journal, memory: Memory, now: Callable[[], str]) -> None:
        """Keep them in `journal`; `now` gives ISO 8601 UTC with `Z`."""
        self._journal = journal
        self._memory = memory
        self._now = now
        self._closed_at: dict[str, str] = {}  # terminal_id -> ISO 8601 UTC

    async def recover(self, terminals: Iterable[str]) -> None:
        """Read when the batches of `terminals` were closed.

        Raises:
            JournalError: The journal cannot be read.
        """
        for terminal_id in terminals:
            for entry in await self._journal.entries_of(p.subject_of(terminal_id)):
                assert isinstance(entry.event, p.BatchClosed), "a terminal closes batches"
                self._closed_at[terminal_id] = entry.event.closed_at

    def closed_at(self, terminal_id: str) -> str:
        """Return when the terminal's batch was last closed, ISO 8601 UTC; "" is never."""
        return self._closed_at.get(terminal_id, "")

    async def close(self, terminal_id: str, total: Money) -> None:
        """Note that the terminal's batch was closed: what is in it cannot be voided any more.

        Raises:
            JournalError: It could not be stored.
        """
        event = p.BatchClosed(self._now(), total)
        entry = Entry(p.subject_of(terminal_id), event, event.closed_at)
        await self._journal.append(Change((entry,)))
        self._closed_at[terminal_id] = event.closed_at

    async def payments_of(self, terminal_id: str) -> list[Account]:
        """Return the payments of a terminal that its open batch may hold, oldest first."""
        closed_at = self.closed_at(terminal_id)
        rows = await self._journal.payment_rows(
            "terminal_id=? and updated_at>?", (terminal_id, closed_at)
        )
        missing = [row.payment_id for row in rows if self._memory.get(row.payment_id) is None]
        entries = await self._journal.entries_of_all(missing)
        found = [
            self._memory.get(row.payment_id) or fold_payment(entries[row.payment_id])
            for row in rows
        ]
        # What ended before may have changed since: it was recorded, or given back.
        return [one for one in found if not one.payment.is_final or one.ended_at > closed_at]
