"""The only place where a payment or a sale changes: advance, journal, then act.

Every event enters here. The pure functions say what it means, one transaction stores it, and only
then can anybody see it: readers, registers (`take_changed`), terminals (`work`) and the recorder
(`purchases_pending`). Those who act come and fetch; the ledger calls nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from bridge.money import payment as p
from bridge.money import sale as s
from bridge.money.accounts import (
    Account,
    PurchaseAccount,
    captured_payments,
    fold_event,
    fold_payment,
    fold_purchase,
    payment_row,
    purchase_row,
    recording_news,
    same_but_for_time,
)
from bridge.money.admission import (
    refuse_attachment,
    refuse_conflict,
    refuse_follow_up,
    refuse_unsafe_start,
)
from bridge.money.entries import Entry, PaymentRow, PurchaseRow
from bridge.money.journal import Change, Expectation, Journal, StaleView
from bridge.money.work import Work, WorkQueue
from drivers.contract import Approved, Money

# Payments that are final, recorded and retired stay in memory for quick answers to repeated
# commands; the journal has them all.
SETTLED_IN_MEMORY_MAX = 1_000


@dataclass(frozen=True, slots=True)
class BooksPolicy:
    """What the shop's books want to know."""

    store_code: str
    summary_sku: str = "CARD-PAYMENT"
    required: bool = True  # False: the register's own extract records sales


class Ledger:
    """All payments and purchases: in memory what is on disk."""

    def __init__(
        self,
        journal: Journal,
        *,
        books: BooksPolicy,
        now: Callable[[], str],
        local_now: Callable[[], str],
        terminals: Iterable[str] = (),
    ) -> None:
        """Keep the books in `journal`.

        `now` gives ISO 8601 UTC with `Z`; `local_now` the store's local time without offset.
        """
        self._journal = journal
        self._books = books
        self._now = now
        self._local_now = local_now
        self._known_terminals = set(terminals)
        self._accounts: dict[str, Account] = {}
        self._on_disk: dict[str, Account] = {}  # of payments that memory knows more about
        self._purchases: dict[str, PurchaseAccount] = {}
        self._purchase_of: dict[str, str] = {}  # payment_id -> transaction_id
        self._open_purchases: dict[str, None] = {}  # transaction ids not in the books yet
        self._to_record: dict[str, None] = {}  # transaction ids of pending purchases, in order
        self._sales: dict[str, dict[str, None]] = {}  # sale_key -> payment ids, in order
        self._batch_closed_at: dict[str, str] = {}  # terminal_id -> ISO 8601 UTC
        self._reserved: dict[str, p.PaymentRequest] = {}  # accepted, not yet on disk
        self._locks: dict[str, asyncio.Lock] = {}
        self._unfinished: dict[str, None] = {}  # payment ids whose outcome is open
        self._settled: deque[str] = deque()
        self._work: dict[str, WorkQueue] = {}
        self._changed: dict[str, None] = {}
        self.something_changed = asyncio.Event()
        self.purchases_pending = asyncio.Event()

    # --- reading

    def get(self, payment_id: str) -> Account | None:
        """Return a payment that is in memory: every open or published one, and some others."""
        return self._accounts.get(payment_id)

    def get_stored(self, payment_id: str) -> Account | None:
        """Return a payment in memory as the journal has it: what may be told to others."""
        return self._on_disk.get(payment_id) or self._accounts.get(payment_id)

    async def find(self, payment_id: str) -> Account | None:
        """Return any payment that was ever accepted, or None."""
        account = self._accounts.get(payment_id)
        if account is not None:
            return account
        entries = await self._journal.entries_of(payment_id)
        return replace(fold_payment(entries), live=False) if entries else None

    async def list_payments(
        self, *, register_id: str, only_open: bool, since: str, sale_key: str, limit: int
    ) -> list[PaymentRow]:
        """Return at most `limit` payments of a register, newest first; "" filters nothing."""
        conditions, values = ["register_id=?", "created_at>=?"], [register_id, since]
        if only_open:
            conditions.append("status not in ('approved','declined','canceled','failed')")
        if sale_key:
            conditions.append("sale_key=?")
            values.append(sale_key)
        return await self._journal.newest_payments(" and ".join(conditions), values, limit)

    def accounts(self) -> Iterable[Account]:
        """Return the payments in memory, in the order of their acceptance."""
        return tuple(self._accounts.values())

    def newest_first(self) -> Iterator[Account]:
        """Yield the payments in memory, the last accepted first."""
        return reversed(self._accounts.values())

    def unfinished(self) -> list[Account]:
        """Return the payments whose outcome is open."""
        return [self._accounts[name] for name in self._unfinished]

    def open_purchases(self) -> list[PurchaseAccount]:
        """Return the purchases that are not in the books yet."""
        return [self._purchases[name] for name in self._open_purchases]

    def purchase(self, transaction_id: str) -> PurchaseAccount | None:
        """Return a purchase in memory."""
        return self._purchases.get(transaction_id)

    def purchase_of(self, payment_id: str) -> PurchaseAccount | None:
        """Return the purchase that records a payment, None while there is none in memory."""
        return self._purchases.get(self._purchase_of.get(payment_id, ""))

    def take_pending_purchases(self) -> list[str]:
        """Return the purchases that became pending since the last call, oldest first."""
        pending = list(self._to_record)
        self._to_record.clear()
        self.purchases_pending.clear()
        return pending

    def work(self, terminal_id: str) -> WorkQueue:
        """Return the queue of live actions of one terminal."""
        return self._work.setdefault(terminal_id, WorkQueue())

    def take_changed(self) -> list[str]:
        """Return the payments that changed since the last call, oldest change first."""
        changed = list(self._changed)
        self._changed.clear()
        self.something_changed.clear()
        return changed

    def remaining(self, account: Account) -> Money:
        """Return what is still to be paid of the account's sale."""
        request = account.payment.request
        key = request.sale_key
        captured = captured_payments(self.of_sale(key), "")
        details = account.payment.sale or self._details(key)
        tip = request.tip.minor if request.tip else 0
        own = Money(request.amount.minor - tip, request.amount.currency)
        total = details.total if details is not None else own
        return Money(s.outstanding_minor(total, captured), total.currency)

    # --- changing

    async def recover(self) -> None:
        """Read what is open, and tell each open payment and purchase that we were dead.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        live = await self._journal.payment_rows("live=1", ())
        due = await self._journal.purchase_rows("state!='recorded'", ())
        for terminal_id in {row.terminal_id for row in live} | self._known_terminals:
            for entry in await self._journal.entries_of(p.subject_of(terminal_id)):
                assert isinstance(entry.event, p.BatchClosed), "a terminal closes batches"
                self._batch_closed_at[terminal_id] = entry.event.closed_at
        keys = [row.sale_key for row in live] + [row.sale_key for row in due]
        for key in dict.fromkeys(keys):
            await self._load_sale(key)
        for account in self.open_purchases():
            name = account.purchase.content.transaction_id
            await self.apply_purchase(name, s.PurchaseRestarted())
        for one in self.unfinished():
            await self.apply(one.payment_id, p.Restarted())

    def check(self, request: p.PaymentRequest) -> None:
        """Refuse at once what memory already knows must not start; `accept` decides for good.

        Raises:
            RequestError: See `admission.py`.
        """
        if request.payment_id not in self._accounts:
            self._refuse(request)

    async def accept(
        self, request: p.PaymentRequest, started: p.Started | None = None
    ) -> tuple[Account, bool]:
        """Take a new payment, or return the known one and True.

        With `started` the send marker is stored in the same commit: the caller has made sure
        that the terminal is idle and waits for this payment.

        Raises:
            RequestError: `idempotency_conflict`, `payment_in_doubt`, `sale_already_paid`.
            JournalError: Nothing was stored; the payment does not exist.
        """
        payment_id, key = request.payment_id, request.sale_key
        events: tuple[p.Event, ...] = (p.Requested(request),)
        if started is not None:
            events = (*events, started)
        while True:
            async with self._lock(payment_id):  # the same command twice: the second waits here
                known = self._accounts.get(payment_id)
                if known is not None:
                    refuse_conflict(request, known.payment.request)
                    return known, True
                count = self._refuse(request)
                self._reserved[payment_id] = request
                try:
                    expectation = Expectation(payment_id, key, count)
                    return await self._store(None, events, expectation), False
                except StaleView:
                    pass  # the journal knows more of this sale than memory does
                finally:
                    del self._reserved[payment_id]
            await self._load_payment(payment_id)
            await self._load_sale(key)

    async def batch_of(self, terminal_id: str) -> list[Account]:
        """Return the payments of a terminal that its open batch may hold, oldest first."""
        closed_at = self.batch_closed_at(terminal_id)
        rows = await self._journal.payment_rows(
            "terminal_id=? and updated_at>?", (terminal_id, closed_at)
        )
        missing = [row.payment_id for row in rows if row.payment_id not in self._accounts]
        entries = await self._journal.entries_of_all(missing)
        found = [
            self._accounts.get(row.payment_id) or fold_payment(entries[row.payment_id])
            for row in rows
        ]
        # What ended before may have changed since: it was recorded, or given back.
        return [one for one in found if not one.payment.is_final or one.ended_at > closed_at]

    def now(self) -> str:
        """Return the wall clock as the journal writes it: ISO 8601 UTC."""
        return self._now()

    @property
    def keeps_books(self) -> bool:
        """True when captured payments are recorded in the back office by us."""
        return self._books.required

    async def find_original(self, payment_id: str) -> Account | None:
        """Return a payment to be followed up, with everything else of its sale in memory."""
        if payment_id not in self._accounts:
            await self._load_payment(payment_id)
        return self._accounts.get(payment_id)

    async def find_sale(self, sale_key: str) -> list[Account]:
        """Return everything that was done for a sale, oldest first; [] when nothing was."""
        await self._load_sale(sale_key)
        return self.of_sale(sale_key)

    async def attach(self, sale_key: str, details: s.SaleDetails) -> tuple[Account, bool]:
        """Keep what was sold, and settle the sale if its captured payments cover it now.

        Returns a payment of the sale that knows it, and True when the sale knew it before.

        Raises:
            RequestError: `sale_not_found`, `sale_lines_differ`, `sale_already_recorded` or
                `invalid_request`; nothing was changed.
            JournalError: It could not be stored.
        """
        await self._load_sale(sale_key)
        async with self._whole_sale(sale_key):
            found = [one for one in self.of_sale(sale_key) if one.payment.is_for_goods]
            knowing = next((one for one in found if one.payment.sale is not None), None)
            if knowing is not None and knowing.payment.sale == details:
                return knowing, True
            refuse_attachment(
                details,
                [one.payment for one in found],
                captured_payments(found, ""),
                in_books=any(one.payment_id in self._purchase_of for one in found),
            )
            pending = (one for one in found if one.payment.recording is p.Recording.PENDING)
            target = next(pending, found[-1])
            return await self._store(target, (p.LinesAttached(details),)), False

    def overdue(self, captured_before: str) -> list[Account]:
        """Return the captured payments that wait since that long for the rest of their sale.

        `captured_before` is ISO 8601 UTC. They wait for lines or for money; neither may come.
        """
        return [
            one
            for one in self._accounts.values()
            if one.payment.recording is p.Recording.PENDING
            and one.payment_id not in self._purchase_of
            and one.ended_at < captured_before
        ]

    async def give_up_waiting(self, payment_id: str) -> None:
        """Have a captured payment recorded as it is, with what else its sale brought so far.

        Raises:
            JournalError: It could not be stored.
        """
        async with self._whole_sale(self._accounts[payment_id].payment.request.sale_key):
            account = self._accounts[payment_id]
            waits = account.payment.recording is p.Recording.PENDING
            if waits and payment_id not in self._purchase_of:
                await self._store(account, (p.LinesOverdue(),))

    async def close_batch(self, terminal_id: str, total: Money) -> None:
        """Note that the terminal's batch was closed: what is in it cannot be voided any more.

        Raises:
            JournalError: It could not be stored.
        """
        event = p.BatchClosed(self._now(), total)
        await self._journal.append(
            Change((Entry(p.subject_of(terminal_id), event, event.closed_at),))
        )
        self._batch_closed_at[terminal_id] = event.closed_at

    def batch_closed_at(self, terminal_id: str) -> str:
        """Return when the terminal's batch was last closed, ISO 8601 UTC; "" is never."""
        return self._batch_closed_at.get(terminal_id, "")

    async def apply(self, payment_id: str, event: p.Event, *, wait: bool = True) -> Account:
        """Let `event` happen to a payment: decide, store, act; in the order of the calls.

        With `wait=False` the call returns before the event is on disk; for events that are not
        evidence (progress). No later event reaches the disk before it. Evidence waits for what is
        being stored of other payments of its sale: what the books are told depends on them.

        Raises:
            KeyError: The payment is not in memory.
            IllegalEvent: The payment's state cannot have the event; nothing happened.
            JournalError: It could not be stored; nothing happened, and nothing will again.
        """
        if isinstance(event, (Approved, p.Resolved, p.Decided)):
            async with self._whole_sale(self._accounts[payment_id].payment.request.sale_key):
                return await self._store(self._accounts[payment_id], (event,), wait=wait)
        async with self._lock(payment_id):
            before = self._accounts[payment_id]
            original_id = before.payment.request.original_payment_id
            if original_id not in self._accounts:
                return await self._store(before, (event,), wait=wait)
            async with self._lock(original_id):  # always follow-up first, then its original
                return await self._store(before, (event,), wait=wait)

    async def apply_purchase(self, transaction_id: str, event: s.PurchaseEvent) -> PurchaseAccount:
        """Let `event` happen to a purchase, and tell the payments it records, in one commit.

        Raises:
            KeyError: The purchase is not in memory.
            IllegalPurchaseEvent: Its state cannot have the event; nothing happened.
            JournalError: It could not be stored; nothing happened.
        """
        async with self._lock(transaction_id):
            before = self._purchases[transaction_id]
            purchase = s.advance_purchase(before.purchase, event)
            if purchase == before.purchase:
                return before
            at = self._now()
            after = replace(before, purchase=purchase, updated_at=at)
            news = recording_news(before.purchase, purchase)
            entry = Entry(transaction_id, event, at)
            if news is None:
                await self._journal.append(Change((entry,), (), (purchase_row(after),)))
                self._keep(after)
            else:
                await self._tell_payments(after, entry, news)
        return after

    async def retire(self, payment_id: str) -> None:
        """Mark that a settled payment's document is no longer published."""
        async with self._lock(payment_id):
            account = self._accounts[payment_id]
            if not account.payment.is_settled:
                return  # something came in while its topics were being emptied
            retired = replace(account, live=False)
            await self._journal.append(Change((), (payment_row(retired),)))
            self._accounts[payment_id] = retired
            self._settled.append(payment_id)
        self._forget()

    # --- private

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    @asynccontextmanager
    async def _whole_sale(self, sale_key: str) -> AsyncIterator[None]:
        """Keep all payments of a sale as they are: two that settle it at once are blind."""
        rivals = [one.payment_id for one in self._reserved.values() if one.sale_key == sale_key]
        async with self._locks_of({*self._sales.get(sale_key, ()), *rivals}):
            yield

    @asynccontextmanager
    async def _locks_of(self, payment_ids: Iterable[str]) -> AsyncIterator[None]:
        """Hold several payments; follow-ups before their originals, as `apply` does."""
        async with AsyncExitStack() as held:
            for name in sorted(payment_ids, key=lambda name: (-self._depth(name), name)):
                await held.enter_async_context(self._lock(name))
            yield

    def _depth(self, payment_id: str) -> int:
        """Return how many payments stand above a follow-up."""
        account = self._accounts.get(payment_id)
        original_id = account.payment.request.original_payment_id if account else ""
        return 1 + self._depth(original_id) if original_id else 0

    async def _store(
        self,
        before: Account | None,
        events: tuple[p.Event, ...],
        expectation: Expectation | None = None,
        *,
        wait: bool = True,
    ) -> Account:
        at = self._now()
        first, *rest = events
        account, actions = fold_event(before, first, at)
        for event in rest:
            account, more = fold_event(account, event, at)
            actions = (*actions, *more)
        if before is not None and account.payment == before.payment:
            self._perform(account, actions)
            return before
        entries = [Entry(account.payment_id, event, at) for event in events]
        opened: PurchaseAccount | None = None
        original = self._follow(account, at, entries) if p.TellOriginal() in actions else None
        if p.Settle() in actions:
            account, opened = self._settle(account, at, entries)
        rows: tuple[PurchaseRow, ...] = () if opened is None else (purchase_row(opened),)
        changed = [payment_row(one) for one in (account, original) if one is not None]
        if before is not None and same_but_for_time(changed[0], payment_row(before)):
            del changed[0]  # nothing that it is found by has changed
        future = self._journal.append(Change(tuple(entries), tuple(changed), rows, expectation))
        if not wait:
            if before is not None:
                self._on_disk.setdefault(account.payment_id, before)
            self._remember(account)
            future.add_done_callback(partial(self._announce, account, p.Publish() in actions))
            self._perform(account, actions)
            return account
        account = replace(account, seq=await future)
        if opened is not None:
            self._keep(opened)
        if original is not None:
            self._remember(replace(original, seq=account.seq))
            self._announce(self._accounts[original.payment_id], tell=True)
        self._on_disk.pop(account.payment_id, None)
        self._remember(account)
        self._announce(account, p.Publish() in actions)
        self._perform(account, actions)
        return account

    def _refuse(self, request: p.PaymentRequest) -> int:
        """Refuse what must not become a payment; return how many its sale has already.

        Raises:
            RequestError: See `admission.py`.
        """
        key = request.sale_key
        siblings = [one.payment for one in self.of_sale(key)]
        rivals = [p.Payment(r) for r in self._reserved.values() if r.sale_key == key]
        if request.type not in p.FOLLOW_UPS:
            captured = captured_payments(self.of_sale(key), "")
            refuse_unsafe_start(request, [*siblings, *rivals], captured)
            return len(siblings)
        original = self._accounts.get(request.original_payment_id)
        refuse_follow_up(
            request,
            original.payment if original is not None else None,
            [
                one
                for one in (*siblings, *rivals)
                if one.request.original_payment_id == request.original_payment_id
            ],
            batch_closed_at=self.batch_closed_at(request.terminal_id),
            approved_at=original.ended_at if original is not None else "",
        )
        return len(siblings)

    def _follow(self, account: Account, at: str, entries: list[Entry]) -> Account | None:
        """Tell the original of an approved follow-up, in the same commit."""
        request = account.payment.request
        original = self._accounts.get(request.original_payment_id)
        approval = account.payment.approval
        if original is None or approval is None:
            return None
        amount = approval.amount
        event = p.FollowedUp(request.type, account.payment_id, amount, request.is_last)
        entries.append(Entry(original.payment_id, event, at))
        told, _ = fold_event(original, event, at)
        if (
            request.type in p.GIVES
            and told.payment.refundable_minor == 0
            and told.payment.recording is p.Recording.PENDING
            and original.payment_id not in self._purchase_of
        ):
            # Nothing of it is left to be recorded, and the books never had it.
            return _leave_out(told, at, entries)
        return told

    def _settle(
        self, account: Account, at: str, entries: list[Entry]
    ) -> tuple[Account, PurchaseAccount | None]:
        """Decide what the books must be told now that the account's payment was captured."""
        if not self._books.required:
            return _leave_out(account, at, entries), None
        request = account.payment.request
        key = request.sale_key
        if request.type in p.GIVES:
            due: s.PurchaseDue | None = self._settle_return(account)
            if due is None:
                return _leave_out(account, at, entries), None
            entries.append(Entry(due.content.transaction_id, due, at))
            return account, PurchaseAccount(s.open_purchase(due), at, at)
        in_books = {name for name in self._sales.get(key, ()) if name in self._purchase_of}
        others = [one for one in self.of_sale(key) if one.payment_id != account.payment_id]
        everything = (*others, account)
        unrecorded = [one for one in everything if one.payment_id not in in_books]
        # A sale that is in the books already was paid again on a supervisor's word: that money
        # is recorded by itself. So is money whose sale nobody completes.
        alone = bool(in_books) or any(one.payment.lines_overdue for one in everything)
        details = account.payment.sale or self._details(key)
        awaited = any(one.payment.request.lines_later for one in everything)
        if details is None and awaited and not alone:
            return account, None
        due = s.settle(
            key,
            None if alone else details,
            captured_payments(unrecorded, self._local_now()),
            store_code=self._books.store_code,
            summary_sku=self._books.summary_sku,
        )
        if due is None:
            return account, None
        entries.append(Entry(due.content.transaction_id, due, at))
        return account, PurchaseAccount(s.open_purchase(due), at, at)

    def _settle_return(self, account: Account) -> s.PurchaseDue | None:
        """Return what the books must be told of money given back; None if they never had it."""
        payment = account.payment
        original_id = payment.request.original_payment_id
        approval = payment.approval
        assert approval is not None, "settled means approved"
        if original_id and original_id not in self._purchase_of:
            return None  # the sale will be recorded with what is left of it
        return s.settle_return(
            payment.request.sale_key,
            account.payment_id,
            approval.amount,
            label=(approval.card.brand or "card").upper(),
            returned_at=self._local_now(),
            store_code=self._books.store_code,
            summary_sku=self._books.summary_sku,
        )

    async def _tell_payments(
        self, after: PurchaseAccount, entry: Entry, news: p.RecordingChanged
    ) -> None:
        """Store a purchase's change together with what it means for its payments."""
        names = [name for name in after.purchase.payment_ids if name in self._accounts]
        async with self._locks_of(names):
            told = [fold_event(self._accounts[name], news, entry.at)[0] for name in names]
            seq = await self._journal.append(
                Change(
                    (entry, *(Entry(name, news, entry.at) for name in names)),
                    tuple(payment_row(account) for account in told),
                    (purchase_row(after),),
                )
            )
            self._keep(after)
            for account in told:
                self._remember(replace(account, seq=seq))
                self._announce(account, tell=True)

    def of_sale(self, sale_key: str) -> list[Account]:
        """Return the payments of a sale that are in memory, in the order of their acceptance."""
        return [self._accounts[name] for name in self._sales.get(sale_key, ())]

    def _details(self, sale_key: str) -> s.SaleDetails | None:
        told = (one.payment.sale for one in self.of_sale(sale_key))
        return next((details for details in told if details is not None), None)

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
                    self._settled.append(row.payment_id)
        for due in purchases:
            if due.transaction_id not in self._purchases:
                self._keep(fold_purchase(entries[due.transaction_id]))

    def _keep(self, account: PurchaseAccount) -> None:
        name = account.purchase.content.transaction_id
        self._purchases[name] = account
        for payment_id in account.purchase.payment_ids:
            self._purchase_of[payment_id] = name
        if account.purchase.state is s.PurchaseState.RECORDED:
            self._open_purchases.pop(name, None)
        else:
            self._open_purchases[name] = None
        if account.purchase.state is s.PurchaseState.PENDING:
            self._to_record[name] = None
            self.purchases_pending.set()

    def _remember(self, account: Account) -> None:
        self._accounts[account.payment_id] = account
        if account.payment.is_final:
            self._unfinished.pop(account.payment_id, None)
        else:
            self._unfinished[account.payment_id] = None
        self._sales.setdefault(account.payment.request.sale_key, {})[account.payment_id] = None

    def _announce(
        self, account: Account, tell: bool, done: asyncio.Future[int] | None = None
    ) -> None:
        if done is not None and (done.cancelled() or done.exception() is not None):
            return  # the journal is latched; the next caller hears of it
        if self._accounts.get(account.payment_id) is account:
            self._on_disk.pop(account.payment_id, None)
        elif account.payment_id in self._on_disk:
            self._on_disk[account.payment_id] = account
        if not tell:
            return
        self._changed[account.payment_id] = None
        self.something_changed.set()

    def _perform(self, account: Account, actions: Iterable[p.Action]) -> None:
        now = asyncio.get_running_loop().time()
        queue = self.work(account.payment.request.terminal_id)
        for action in actions:
            match action:
                case p.StartOnTerminal() | p.StopOnTerminal():
                    queue.put(Work(account.payment_id, action, now))
                case p.AskTerminal(delay_seconds):
                    queue.put(Work(account.payment_id, action, now + delay_seconds))
                case p.Publish() | p.Settle():
                    pass  # both were stored with the event, and are found by whoever does them

    def _forget(self) -> None:
        """Drop the oldest settled sales from memory; the journal keeps them."""
        while len(self._settled) > SETTLED_IN_MEMORY_MAX:
            account = self._accounts.get(self._settled.popleft())
            if account is None:
                continue
            key = account.payment.request.sale_key
            awaited = any(one.sale_key == key for one in self._reserved.values())
            if awaited or any(one.live for one in self.of_sale(key)):
                continue
            for payment_id in self._sales.pop(key):
                del self._accounts[payment_id]
                self._locks.pop(payment_id, None)
                name = self._purchase_of.pop(payment_id, "")
                self._purchases.pop(name, None)
                self._locks.pop(name, None)


def _leave_out(account: Account, at: str, entries: list[Entry]) -> Account:
    """Return the account once the books need not hear of it; adds the entry that says so."""
    news = p.RecordingChanged(p.Recording.NOT_REQUIRED)
    entries.append(Entry(account.payment_id, news, at))
    return fold_event(account, news, at)[0]
