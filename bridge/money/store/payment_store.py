"""What the ledger reads of the journal when memory does not have it. Changes no payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bridge.money.store.cache import Memory
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import Entry, register_filter
from bridge.money.store.records import Account, fold_payment, fold_purchase

HOLD_DAYS_MAX = 31  # the longest that card schemes let a pre-authorization stand
RETIRED_HOLDS = (
    "live=0 and pruned=0 and status='approved' and created_at>=? and exists (select 1 from entry"
    " where subject=payment_id and kind='Requested' and instr(body, '\"type\":\"preauth\"'))"
)


class Recollection(Memory):
    """A memory that looks things up."""

    def __init__(self, journal: Journal) -> None:
        """Look up in `journal`."""
        super().__init__()
        self._journal = journal

    async def find(self, payment_id: str) -> Account | None:
        """Return any payment that was ever accepted, or None."""
        account = self._accounts.get(payment_id)
        if account is not None:
            return account
        entries = await self._journal.entries_of(payment_id)
        return replace(fold_payment(entries), live=False) if entries else None

    async def list_payments(
        self, *, register_id: str, only_open: bool, since: str, sale_key: str, limit: int
    ) -> list[Account]:
        """Return at most `limit` payments of a register, newest first; "" filters nothing.

        What is held is open: somebody must capture or release it.
        """
        held = [one.payment_id for one in self.accounts() if one.payment.held_minor]
        where, values = register_filter(
            register_id, only_open=only_open, since=since, sale_key=sale_key, held=held
        )
        rows = await self._journal.newest_payments(where, values, limit)
        unknown = [row.payment_id for row in rows if row.payment_id not in self._accounts]
        entries = await self._journal.entries_of_all(unknown)
        return [
            self._accounts.get(row.payment_id)
            or replace(fold_payment(entries[row.payment_id]), live=False)
            for row in rows
        ]

    async def retired_holds(self, now: str) -> list[str]:
        """Return the holds whose documents were let go although they may hold still.

        Only those of `HOLD_DAYS_MAX` before `now` (ISO 8601 UTC): no bank holds longer.
        """
        since = datetime.fromisoformat(now) - timedelta(days=HOLD_DAYS_MAX)
        rows = await self._journal.payment_rows(RETIRED_HOLDS, (since.isoformat(),))
        for row in rows:
            await self._load_sale(row.sale_key)
        accounts = [self._accounts[row.payment_id] for row in rows]
        return [one.payment_id for one in accounts if one.payment.held_minor and not one.live]

    async def find_original(self, payment_id: str) -> Account | None:
        """Return a payment to be followed up, with everything else of its sale in memory."""
        if payment_id not in self._accounts:
            await self._load_payment(payment_id)
        return self._accounts.get(payment_id)

    async def find_sale(self, sale_key: str) -> list[Account]:
        """Return everything that was done for a sale, oldest first; [] when nothing was."""
        await self._load_sale(sale_key)
        return self.of_sale(sale_key)

    async def purchases_of_sale(self, sale_key: str) -> dict[str, list[Entry]]:
        """Return what happened to the recorded purchases of a sale, by transaction id."""
        rows = await self._journal.purchase_rows("sale_key=? and state='recorded'", (sale_key,))
        return await self._journal.entries_of_all([row.transaction_id for row in rows])

    async def _load_payment(self, payment_id: str) -> None:
        for row in await self._journal.payment_rows("payment_id=?", (payment_id,)):
            await self._load_sale(row.sale_key)

    async def _load_sale(self, sale_key: str) -> None:
        """Bring everything about one sale into memory."""
        payments = await self._journal.payment_rows("sale_key=?", (sale_key,))
        purchases = await self._journal.purchase_rows("sale_key=?", (sale_key,))
        names = [*(one.payment_id for one in payments), *(o.transaction_id for o in purchases)]
        entries = await self._journal.entries_of_all(names)
        for row in payments:
            if row.payment_id not in self._accounts:
                account = fold_payment(entries[row.payment_id])
                self._remember(replace(account, live=bool(row.live)))
                if not row.live:
                    self._retired(self._accounts[row.payment_id])
        for due in purchases:
            if due.transaction_id not in self._purchases:
                self._keep(fold_purchase(entries[due.transaction_id]))
