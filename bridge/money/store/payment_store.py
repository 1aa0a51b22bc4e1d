"""Payments and purchases as they are on disk: a cache that reads through to the journal.

In memory is everything open, and what was asked for lately. Reading what is in memory never waits.
Nothing is decided here, and nothing is kept that is not on disk, but for events that no caller
has to wait for (see `get_stored`). Only the ledger writes.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.coverage import still_needed
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import Entry, PaymentRow, register_filter
from bridge.money.store.records import PaymentRecord, PurchaseRecord, fold_payment
from drivers.contract import Money

# Payments that are final, recorded and retired stay in memory for quick answers to repeated
# commands; the journal has them all.
SETTLED_IN_MEMORY_MAX = 1_000

# That are read in one visit to the journal's thread. A visit costs as much as two sales.
SALES_TOGETHER = 100
WAITING_FOR_BOOKS = frozenset({s.PurchaseState.PENDING, s.PurchaseState.SENDING})
HOLD_DAYS_MAX = 31  # the longest that card schemes let a pre-authorization stand
RETIRED_HOLDS = (
    "live=0 and pruned=0 and status='approved' and created_at>=? and exists (select 1 from entry"
    " where subject=payment_id and kind='Requested' and instr(body, '\"type\":\"preauth\"'))"
)


@dataclass(slots=True)
class _Sales:
    """Which payments and purchases belong together."""

    payments: dict[str, dict[str, None]] = field(default_factory=dict)  # sale_key -> ids, in order
    purchase_of: dict[str, str] = field(default_factory=dict)  # payment_id -> transaction_id


class Changes(asyncio.Event):
    """Says that something changed, to several tasks: each has an event of its own to clear."""

    def __init__(self) -> None:
        """Say nothing yet."""
        super().__init__()
        self._listeners: list[asyncio.Event] = []

    def listen(self) -> asyncio.Event:
        """Return one more event that is set with this one."""
        self._listeners.append(asyncio.Event())
        return self._listeners[-1]

    def set(self) -> None:
        """Wake everybody who waits."""
        super().set()
        for one in self._listeners:
            one.set()


class PaymentStore:
    """Payments and purchases, and what changed of them since somebody looked."""

    def __init__(self, journal: Journal) -> None:
        """Read `journal`; nothing is in memory yet."""
        self._journal = journal
        self._records: dict[str, PaymentRecord] = {}
        self._on_disk: dict[str, PaymentRecord] = {}  # of payments that memory knows more about
        self._purchases: dict[str, PurchaseRecord] = {}
        self._sales = _Sales()
        self._open_purchases: dict[str, None] = {}  # transaction ids not in the books yet
        self._to_record: dict[str, None] = {}  # transaction ids of pending purchases, in order
        self._unfinished: dict[str, None] = {}  # payment ids whose outcome is open
        self._held: dict[str, None] = {}  # payment ids whose money is held
        self.open_purchase_states: Counter[s.PurchaseState] = Counter()  # how many there are
        self._pending_since: list[tuple[str, str]] = []  # a heap: since when, transaction id
        self._unsigned: dict[str, None] = {}  # payment ids that await a signature
        self._unchecked: dict[str, None] = {}  # payment ids that a person answered for
        self._settled: deque[str] = deque()
        self._changed: dict[str, None] = {}
        self.something_changed = Changes()
        self.purchases_pending = asyncio.Event()
        self.signature_asked = asyncio.Event()

    # --- in memory

    def __contains__(self, payment_id: str) -> bool:
        """True for a payment that is in memory."""
        return payment_id in self._records

    def __getitem__(self, payment_id: str) -> PaymentRecord:
        """Return a payment that is in memory; KeyError for any other."""
        return self._records[payment_id]

    def get(self, payment_id: str) -> PaymentRecord | None:
        """Return a payment that is in memory: every open or published one, and some others."""
        return self._records.get(payment_id)

    def get_stored(self, payment_id: str) -> PaymentRecord | None:
        """Return a payment in memory as the journal has it: what may be told to others."""
        return self._on_disk.get(payment_id) or self._records.get(payment_id)

    def in_memory(self) -> Iterable[PaymentRecord]:
        """Return the payments in memory, in the order of their acceptance."""
        return tuple(self._records.values())

    def newest_first(self) -> Iterator[PaymentRecord]:
        """Yield the payments in memory, the last accepted first."""
        return reversed(self._records.values())

    def unfinished(self) -> list[PaymentRecord]:
        """Return the payments whose outcome is open."""
        return [self._records[name] for name in self._unfinished]

    def held(self) -> list[PaymentRecord]:
        """Return the payments in memory whose money is held."""
        return [self._records[name] for name in self._held]

    def unsigned(self) -> list[PaymentRecord]:
        """Return the payments whose signature nobody has accepted, and that were not undone."""
        return [self._records[name] for name in self._unsigned]

    def unchecked(self) -> list[PaymentRecord]:
        """Return the payments that a person answered for, and whose terminal is still to be asked.

        Oldest answer first.
        """
        return [self._records[name] for name in self._unchecked]

    def of_sale(self, sale_key: str) -> list[PaymentRecord]:
        """Return the payments of a sale that are in memory, in the order of their acceptance."""
        return [self._records[name] for name in self._sales.payments.get(sale_key, ())]

    def remaining(self, account: PaymentRecord) -> Money | None:
        """Return what the account's sale still needs; None where there is no sale."""
        return still_needed(account, self.of_sale(account.payment.request.sale_key))

    def open_purchases(self) -> list[PurchaseRecord]:
        """Return the purchases that are not in the books yet."""
        return [self._purchases[name] for name in self._open_purchases]

    def oldest_pending_purchase(self) -> str | None:
        """Return since when (ISO 8601 UTC) the oldest purchase waits for the books; None: none."""
        while self._pending_since:
            since, name = self._pending_since[0]
            known = self._purchases.get(name)
            if known is not None and known.purchase.state in WAITING_FOR_BOOKS:
                return since
            heapq.heappop(self._pending_since)
        return None

    def purchase(self, transaction_id: str) -> PurchaseRecord | None:
        """Return a purchase in memory."""
        return self._purchases.get(transaction_id)

    def purchase_of(self, payment_id: str) -> PurchaseRecord | None:
        """Return the purchase that records a payment, None while there is none in memory."""
        return self._purchases.get(self._sales.purchase_of.get(payment_id, ""))

    def overdue(self, captured_before: str) -> list[PaymentRecord]:
        """Return the captured payments that wait since that long for the rest of their sale.

        `captured_before` is ISO 8601 UTC. They wait for lines or for money; neither may come.
        """
        return [
            one
            for one in self._records.values()
            if one.payment.recording is p.Recording.PENDING
            and not one.payment.awaits_signature
            and not self.has_purchase(one.payment_id)
            and one.ended_at < captured_before
        ]

    def take_pending_purchases(self) -> list[str]:
        """Return the purchases that became pending since the last call, oldest first."""
        pending = list(self._to_record)
        self._to_record.clear()
        self.purchases_pending.clear()
        return pending

    def take_changed(self) -> list[str]:
        """Return the payments that changed since the last call, oldest change first."""
        changed = list(self._changed)
        self._changed.clear()
        self.something_changed.clear()
        return changed

    # --- read from the journal where memory does not have it

    async def find(self, payment_id: str) -> PaymentRecord | None:
        """Return any payment that was ever accepted, or None."""
        account = self._records.get(payment_id)
        if account is not None:
            return account
        # Behind what is being stored, where nothing is found: not yet there is not unknown.
        entries = await self._journal.aside.entries_of(payment_id)
        entries = entries or await self._journal.entries_of(payment_id)
        return replace(fold_payment(entries), live=False) if entries else None

    async def rows_of(self, payment_ids: Sequence[str]) -> list[PaymentRow]:
        """Return what the journal finds these payments by; those that it knows.

        Raises:
            JournalError: The journal cannot be read.
        """
        marks = ",".join("?" for _ in payment_ids)
        return await self._journal.payment_rows(f"payment_id in ({marks})", payment_ids)

    async def list_payments(
        self, *, register_id: str, only_open: bool, since: str, sale_key: str, limit: int
    ) -> list[PaymentRecord]:
        """Return at most `limit` payments of a register, newest first; "" filters nothing.

        What is held is open: somebody must capture or release it.
        """
        aside = self._journal.aside  # a list is to be seen, and decides nothing
        where, values = register_filter(
            register_id, only_open=only_open, since=since, sale_key=sale_key
        )
        rows = await aside.newest_payments(where, values, limit)
        known = {row.payment_id: self.get_stored(row.payment_id) for row in rows}
        unknown = [name for name, one in known.items() if one is None]
        entries = await aside.entries_of_all(unknown)
        found = {
            name: one or replace(fold_payment(entries[name]), live=False)
            for name, one in known.items()
        }
        if only_open:
            found |= {
                one.payment_id: one
                for one in self.held()
                if _is_of(one, register_id, since, sale_key)
            }
        newest = sorted(found.values(), key=lambda one: one.created_at, reverse=True)
        return newest[:limit]

    async def retired_holds(self, now: str) -> list[str]:
        """Return the holds whose documents were let go although they may hold still.

        Only those of `HOLD_DAYS_MAX` before `now` (ISO 8601 UTC): no bank holds longer.
        """
        since = datetime.fromisoformat(now) - timedelta(days=HOLD_DAYS_MAX)
        rows = await self._journal.payment_rows(RETIRED_HOLDS, (since.isoformat(),))
        await self.load_sales(row.sale_key for row in rows)
        accounts = [self._records[row.payment_id] for row in rows]
        return [one.payment_id for one in accounts if one.payment.held_minor and not one.live]

    async def find_original(self, payment_id: str) -> PaymentRecord | None:
        """Return a payment to be followed up, with everything else of its sale in memory."""
        if payment_id not in self._records:
            await self.load_payment(payment_id)
        return self._records.get(payment_id)

    async def find_sale(self, sale_key: str) -> list[PaymentRecord]:
        """Return everything that was done for a sale, oldest first; [] when nothing was."""
        await self.load_sale(sale_key)
        return self.of_sale(sale_key)

    async def purchases_of_sale(self, sale_key: str) -> dict[str, list[Entry]]:
        """Return what happened to the recorded purchases of a sale, by transaction id."""
        rows = await self._journal.purchase_rows("sale_key=? and state='recorded'", (sale_key,))
        return await self._journal.entries_of_all([row.transaction_id for row in rows])

    async def load_payment(self, payment_id: str) -> None:
        """Bring a payment into memory, with everything else of its sale."""
        for row in await self._journal.payment_rows("payment_id=?", (payment_id,)):
            await self.load_sale(row.sale_key)

    async def load_sale(self, sale_key: str) -> None:
        """Bring everything about one sale into memory."""
        await self.load_sales((sale_key,))

    async def load_sales(self, sale_keys: Iterable[str]) -> None:
        """Bring everything about some sales into memory, many at a time."""
        left = list(dict.fromkeys(sale_keys))
        for start in range(0, len(left), SALES_TOGETHER):
            sales = await self._journal.sales(left[start : start + SALES_TOGETHER])
            for account in sales.payments:
                if account.payment_id not in self._records:
                    self.put(account)
                    if not account.live:
                        self.put_retired(account)
            for purchase in sales.purchases:
                if purchase.purchase.content.transaction_id not in self._purchases:
                    self.put_purchase(purchase)

    # --- for the ledger

    def has_purchase(self, payment_id: str) -> bool:
        """True when a purchase records the payment, or will."""
        return payment_id in self._sales.purchase_of

    def depth(self, payment_id: str) -> int:
        """Return how many payments stand above a follow-up."""
        account = self._records.get(payment_id)
        original_id = account.payment.request.original_payment_id if account else ""
        return 1 + self.depth(original_id) if original_id else 0

    def put(self, account: PaymentRecord) -> None:
        """Keep a payment that is on disk like this."""
        name = account.payment_id
        self._records[name] = account
        if account.payment.is_final:
            self._unfinished.pop(name, None)
        else:
            self._unfinished[name] = None
        if account.payment.held_minor:
            self._held[name] = None
        else:
            self._held.pop(name, None)
        if account.payment.answer_check is p.AnswerCheck.DUE:
            self._unchecked[name] = None
        else:
            self._unchecked.pop(name, None)
        if account.payment.awaits_signature:
            self._unsigned[name] = None
            self.signature_asked.set()
        else:
            self._unsigned.pop(name, None)
        self._sales.payments.setdefault(account.payment.request.sale_key, {})[name] = None

    def put_ahead(self, account: PaymentRecord, before: PaymentRecord | None) -> None:
        """Keep a payment that is being written; until that is done `before` is what is on disk."""
        if before is not None:
            self._on_disk.setdefault(account.payment_id, before)
        self.put(account)

    def put_purchase(self, account: PurchaseRecord) -> None:
        """Keep a purchase that is on disk like this."""
        name, state = account.purchase.content.transaction_id, account.purchase.state
        before = self._purchases.get(name)
        if before is not None and before.purchase.state is not s.PurchaseState.RECORDED:
            self.open_purchase_states[before.purchase.state] -= 1
        if state is not s.PurchaseState.RECORDED:
            self.open_purchase_states[state] += 1
        was_waiting = before is not None and before.purchase.state in WAITING_FOR_BOOKS
        if state in WAITING_FOR_BOOKS and not was_waiting:
            heapq.heappush(self._pending_since, (account.created_at, name))
        self._purchases[name] = account
        for payment_id in account.purchase.payment_ids:
            self._sales.purchase_of[payment_id] = name
        if account.purchase.state is s.PurchaseState.RECORDED:
            self._open_purchases.pop(name, None)
        else:
            self._open_purchases[name] = None
        if account.purchase.state is s.PurchaseState.PENDING:
            self._to_record[name] = None
            self.purchases_pending.set()

    def announce(self, account: PaymentRecord, *, tell: bool) -> None:
        """Note that this much of a payment is on disk now; `tell` whoever asks what changed."""
        name = account.payment_id
        if self._records.get(name) is account:
            self._on_disk.pop(name, None)
        elif name in self._on_disk:
            self._on_disk[name] = account
        if tell:
            self._changed[name] = None
            self.something_changed.set()

    def announce_later(self, account: PaymentRecord, tell: bool, done: asyncio.Future[int]) -> None:
        """Announce what no caller waited for, once it is on disk."""
        if done.cancelled() or done.exception() is not None:
            return  # the journal is latched; the next caller gets the error
        self.announce(account, tell=tell)

    def put_retired(self, account: PaymentRecord) -> None:
        """Note that a payment is not needed any more."""
        self._records[account.payment_id] = account
        self._settled.append(account.payment_id)

    def forget_settled(self, awaited: Container[str]) -> None:
        """Drop the oldest settled sales but those `awaited`."""
        while len(self._settled) > SETTLED_IN_MEMORY_MAX:
            account = self._records.get(self._settled.popleft())
            if account is None:
                continue
            key = account.payment.request.sale_key
            if key in awaited or any(one.live for one in self.of_sale(key)):
                continue
            for payment_id in self._sales.payments.pop(key):
                del self._records[payment_id]
                self._held.pop(payment_id, None)
                name = self._sales.purchase_of.pop(payment_id, "")
                purchase = self._purchases.pop(name, None)
                if purchase is not None and name in self._open_purchases:
                    del self._open_purchases[name]
                    self.open_purchase_states[purchase.purchase.state] -= 1


def _is_of(account: PaymentRecord, register_id: str, since: str, sale_key: str) -> bool:
    """Say whether a payment is one of those that a register asks for; "" filters nothing."""
    request = account.payment.request
    return (
        request.register_id == register_id
        and account.created_at >= since
        and (not sale_key or request.sale_key == sale_key)
    )
