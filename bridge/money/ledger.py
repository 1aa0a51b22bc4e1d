"""The only place where a payment or a sale changes: advance, journal, then act.

Every event enters here. The pure functions say what it means, one transaction stores it, and only
then can anybody see it: readers, registers (`take_changed`), terminals (`work`) and the recorder
(`purchases_pending`). The tasks that act fetch them; the ledger calls none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.admission import (
    refuse_attachment,
    refuse_conflict,
    refuse_follow_up,
    refuse_rival,
    refuse_tenders,
    refuse_unsafe_start,
)
from bridge.money.batches import Batches
from bridge.money.code_changes import CodeChanges
from bridge.money.commit_decision import BooksPolicy, Moment, SaleAsKnown, change_of, decide
from bridge.money.coverage import was_given_back
from bridge.money.live_actions import WorkQueue, WorkQueues
from bridge.money.locks import Locks
from bridge.money.payment.signature import ReversalFailed, SignatureJudged
from bridge.money.redaction import may_prune, prune
from bridge.money.store.journal import Change, Expectation, Journal, StaleView
from bridge.money.store.journal_entries import Entry
from bridge.money.store.payment_store import PaymentStore
from bridge.money.store.records import (
    PaymentRecord,
    PurchaseRecord,
    captured_payments,
    fold_event,
    payment_row,
    purchase_row,
    recording_news,
    stored,
)
from drivers.contract import Approved

# Events after which a sale may have to be recorded.
SETTLING = (Approved, p.Resolved, p.Corrected, p.Decided, SignatureJudged, ReversalFailed)


class ChangedSince(Exception):
    """A purchase has changed since somebody looked at it; `now` is what it is."""

    def __init__(self, now: PurchaseRecord) -> None:
        super().__init__(now.purchase.content.transaction_id)
        self.now = now


class Ledger:
    """Changes payments and purchases; `payments` has them as they are on disk, for everybody."""

    def __init__(
        self,
        journal: Journal,
        *,
        books: BooksPolicy,
        now: Callable[[], str],
        local_now: Callable[[], str],
        terminals: Iterable[str] = (),
        clock_is_doubtful: Callable[[], bool] = lambda: False,
        server_local_now: Callable[[], str] = lambda: "",
        tip_limit_percent: int = p.TIP_LIMIT_PERCENT,
    ) -> None:
        """Keep the books in `journal`.

        `now` gives ISO 8601 UTC with `Z`; `local_now` the store's local time without offset, and
        `server_local_now` the same by the back office's clock, "" while it has told none.
        """
        self.payments = PaymentStore(journal)
        self._journal = journal
        self._books = books
        self._tip_limit_percent = tip_limit_percent
        self._now = now
        self._local_now = local_now
        self._clock_is_doubtful = clock_is_doubtful
        self._server_local_now = server_local_now
        self._known_terminals = set(terminals)
        self.batches = Batches(journal, self.payments, now)
        self.code_changes = CodeChanges(journal, now)
        self._reserved: dict[str, p.PaymentRequest] = {}  # accepted, not yet on disk
        self._locks = Locks()
        self._work = WorkQueues()

    def work(self, terminal_id: str) -> WorkQueue:
        """Return the queue of live actions of one terminal."""
        return self._work.of(terminal_id)

    # --- changing

    async def recover(self) -> None:
        """Read what is open: the process restarted, and running conversations were lost.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        await self._load_open()
        # An earlier version let them go.
        for name in await self.payments.retired_holds(self._now()):
            await self.show_again(name)
        for account in self.payments.open_purchases():
            if account.purchase.state is s.PurchaseState.SENDING:  # a pending one goes on waiting
                name = account.purchase.content.transaction_id
                await self.apply_purchase(name, s.PurchaseRestarted())
        for one in self.payments.in_memory():
            payment = one.payment
            asks = payment.answer_check is p.AnswerCheck.DUE
            if not payment.is_final or payment.owes_release or payment.owes_look or asks:
                await self.apply(one.payment_id, p.Restarted())

    async def mistrust(self) -> None:
        """Leave to a person whatever the journal calls open: it was put back from a copy.

        What was open then may have ended since: a queued payment may have been charged, a terminal
        has another last transaction by now, and what was to be booked may be in the books. Nothing
        of it is done again by itself. May be repeated; instead of `recover`.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        await self._load_open()
        for one in self.payments.in_memory():
            payment = one.payment
            if payment.status is p.Status.QUEUED:
                await self.apply(one.payment_id, p.Started(None))
            if not payment.is_final:
                await self.apply(one.payment_id, p.Restarted())
                await self.apply(one.payment_id, p.EvidenceLost())
                continue
            if payment.answer_check is p.AnswerCheck.DUE:
                await self.apply(one.payment_id, p.EvidenceLost())
            if (
                self._books.required
                and payment.recording is p.Recording.PENDING
                and not payment.awaits_signature
            ):
                await self.give_up_waiting(one.payment_id)
        for account in self.payments.open_purchases():
            name = account.purchase.content.transaction_id
            if account.purchase.state is s.PurchaseState.PENDING:
                await self.apply_purchase(name, s.Sending())
            await self.apply_purchase(name, s.PurchaseRestarted())

    async def _load_open(self) -> None:
        live = await self._journal.payment_rows("live=1", ())
        due = await self._journal.purchase_rows("state!='recorded'", ())
        await self.code_changes.recover()
        await self.batches.recover({row.terminal_id for row in live} | self._known_terminals)
        keys = [row.sale_key for row in live] + [row.sale_key for row in due]
        await self.payments.load_sales(keys)

    async def check(self, request: p.PaymentRequest) -> None:
        """Refuse what must not start as things are now; `accept` decides for good.

        Raises:
            RequestError: See `admission.py`.
            JournalError: The journal cannot be read.
        """
        request = replace(request, tip_limit_percent=self._tip_limit_percent)
        try:
            self._check(request)
        except RequestError:
            await self._recall(request)  # memory may have forgotten what speaks for it
            self._check(request)

    def _check(self, request: p.PaymentRequest) -> None:
        if request.payment_id not in self.payments:
            self._refuse(request)

    async def _recall(self, request: p.PaymentRequest) -> None:
        """Bring everything into memory that the journal knows about a request's ids."""
        for name in (request.payment_id, *request.rival_ids):
            await self.payments.load_payment(name)
        await self.payments.load_sale(request.sale_key)

    async def accept(
        self, request: p.PaymentRequest, started: p.Started | None = None
    ) -> tuple[PaymentRecord, bool]:
        """Take a new payment, or return the known one and True.

        With `started` the send marker is stored in the same commit: the caller has made sure
        that the terminal is idle and waits for this payment.

        Raises:
            RequestError: `idempotency_conflict`, `payment_in_doubt`, `sale_already_paid`.
            JournalError: Nothing was stored; the payment does not exist.
        """
        request = replace(request, tip_limit_percent=self._tip_limit_percent)
        payment_id, key = request.payment_id, request.sale_key
        events: tuple[p.Event, ...] = (p.Requested(request),)
        if started is not None:
            events = (*events, started)
        is_recalled = False
        while True:
            async with self._locks.of(payment_id):  # the same command twice: the second waits here
                known = self.payments.get(payment_id)
                if known is not None:
                    refuse_conflict(request, known.payment.request)
                    return known, True
                try:
                    count = self._refuse(request)
                except RequestError:
                    if is_recalled:
                        raise
                else:
                    self._reserved[payment_id] = request
                    try:
                        expectation = Expectation(payment_id, key, count, request.rival_ids)
                        return await self._store(None, events, expectation), False
                    except StaleView:
                        pass  # the journal knows more of these ids than memory does
                    finally:
                        del self._reserved[payment_id]
            await self._recall(request)
            is_recalled = True

    def now(self) -> str:
        """Return the wall clock as the journal writes it: ISO 8601 UTC."""
        return self._now()

    @property
    def keeps_books(self) -> bool:
        """True when captured payments are recorded in the back office by us."""
        return self._books.required

    @property
    def records_tips(self) -> bool:
        """True when tips that are added later are recorded in the back office, too."""
        return self._books.required and bool(self._books.tip_sku)

    async def attach(
        self, sale_key: str, details: s.SaleDetails | None, tenders: s.OtherTenders | None = None
    ) -> tuple[PaymentRecord, bool]:
        """Keep what was sold and what else paid it; settle the sale if it is covered now.

        `details` is None for a sale whose lines are known. Returns a payment of the sale that
        knows it, and True when the sale knew all of it before.

        Raises:
            RequestError: `sale_not_found`, `sale_lines_differ`, `sale_already_recorded` or
                `invalid_request`; nothing was changed.
            JournalError: It could not be stored.
        """
        await self.payments.load_sale(sale_key)
        async with self._whole_sale(sale_key):
            found = [one for one in self.payments.of_sale(sale_key) if one.payment.is_for_goods]
            known = p.known_sale(one.payment for one in found)
            knowing = next((one for one in found if one.payment.sale is not None), None)
            captured = captured_payments(found, "")
            in_books = any(self.payments.has_purchase(one.payment_id) for one in found)
            pending = (one for one in found if one.payment.recording is p.Recording.PENDING)
            target = next(pending, found[-1] if found else None)
            is_same = details is None or known is None or _same_goods(details, known)
            if knowing is not None and known is not None and is_same:
                if tenders is None or tenders == known.elsewhere:
                    return knowing, True
                refuse_tenders(replace(known, elsewhere=tenders), captured, in_books=in_books)
                assert target is not None, "one of them knows the sale"
                return await self._store(target, (p.TendersStated(tenders),)), False
            if details is None:
                raise RequestError(
                    "invalid_request", "say at least one line of what was sold", path="sale.lines"
                )
            details = replace(details, elsewhere=tenders)
            payments = [one.payment for one in found]
            refuse_attachment(details, payments, captured, in_books=in_books)
            assert target is not None, "a sale without payments was refused"
            return await self._store(target, (p.LinesAttached(details),)), False

    async def give_up_waiting(self, payment_id: str) -> None:
        """Have a captured payment recorded as it is, with what else its sale brought so far.

        Raises:
            JournalError: It could not be stored.
        """
        async with self._whole_sale(self.payments[payment_id].payment.request.sale_key):
            account = self.payments[payment_id]
            waits = account.payment.recording is p.Recording.PENDING
            if waits and not self.payments.has_purchase(payment_id):
                await self._store(account, (p.LinesOverdue(),))

    async def apply(self, payment_id: str, event: p.Event, *, wait: bool = True) -> PaymentRecord:
        """Let `event` happen to a payment: decide, store, act; in the order of the calls.

        With `wait=False` the call returns before the event is on disk; for events that are not
        evidence (progress). No later event reaches the disk before it. Evidence waits for what is
        being stored of other payments of its sale: what is recorded depends on them.

        Raises:
            KeyError: The payment is not in memory.
            IllegalEvent: The payment's state cannot have the event; nothing happened.
            JournalError: It could not be stored; nothing happened, and nothing will again.
        """
        if isinstance(event, SETTLING):
            async with self._whole_sale(self.payments[payment_id].payment.request.sale_key):
                return await self._store(self.payments[payment_id], (event,), wait=wait)
        async with self._locks.of(payment_id):
            before = self.payments[payment_id]
            original_id = before.payment.request.original_payment_id
            if original_id not in self.payments:
                return await self._store(before, (event,), wait=wait)
            async with self._locks.of(original_id):  # always follow-up first, then its original
                return await self._store(before, (event,), wait=wait)

    async def apply_purchase(
        self, transaction_id: str, event: s.PurchaseEvent, *, seen_rev: int = 0
    ) -> PurchaseRecord:
        """Let `event` happen to a purchase, and note it in the payments it records, in one commit.

        `seen_rev` is the state that a person has looked at; 0 stands for whatever it is now.

        Raises:
            KeyError: The purchase is not in memory.
            ChangedSince: It is not as `seen_rev` was; nothing happened.
            IllegalPurchaseEvent: Its state cannot have the event; nothing happened.
            JournalError: It could not be stored; nothing happened.
        """
        async with self._locks.of(transaction_id):
            before = self.payments.purchase(transaction_id)
            if before is None:
                raise KeyError(transaction_id)
            if seen_rev and before.rev != seen_rev:
                raise ChangedSince(before)
            purchase = s.advance_purchase(before.purchase, event)
            if purchase == before.purchase:
                return before
            at = self._now()
            after = replace(before, purchase=purchase, updated_at=at, rev=before.rev + 1)
            news = recording_news(before.purchase, purchase)
            entry = Entry(transaction_id, event, at)
            if news is None:
                await self._journal.append(Change((entry,), (), (purchase_row(after),)))
                self.payments.put_purchase(after)
            else:
                await self._tell_payments(after, entry, news)
        return after

    async def prune(self, payment_id: str, before: str) -> bool:
        """Forget the personal data of a payment that ended before that; False if it must stay.

        Raises:
            JournalError: It could not be stored.
        """
        async with self._locks.of(payment_id):
            account = await self.payments.find(payment_id)
            if account is None or not may_prune(account, before):
                return False
            purchases = await self.payments.purchases_of_sale(account.payment.request.sale_key)
            pruned, change = prune(account, purchases, self._now())
            seq = await self._journal.append(change)
            if payment_id in self.payments:
                self.payments.put(replace(pruned, seq=seq))
        return True

    async def show_again(self, payment_id: str) -> None:
        """Mark that a document that was no longer published is published once more.

        Raises:
            JournalError: It could not be stored.
        """
        account = await self.payments.find_original(payment_id)
        if account is None or account.live:
            return
        async with self._locks.of(payment_id):
            account = self.payments[payment_id]
            shown = replace(account, live=True)
            await self._journal.append(Change((), (payment_row(shown),)))
            self.payments.put(shown)
            self.payments.announce(shown, tell=True)

    async def retire(self, payment_id: str) -> None:
        """Mark that a settled payment's document is no longer published."""
        async with self._locks.of(payment_id):
            account = self.payments[payment_id]
            if not account.payment.is_settled:
                return  # something came in while its topics were being emptied
            retired = replace(account, live=False)
            await self._journal.append(Change((), (payment_row(retired),)))
            self.payments.put_retired(retired)
        awaited = {one.sale_key for one in self._reserved.values()}
        self.payments.forget_settled(awaited)

    # --- private

    @asynccontextmanager
    async def _whole_sale(self, sale_key: str) -> AsyncIterator[None]:
        """Keep all payments of a sale as they are: two that settle it at once are blind."""
        rivals = [one.payment_id for one in self._reserved.values() if one.sale_key == sale_key]
        known = [one.payment_id for one in self.payments.of_sale(sale_key)]
        async with self._hold({*known, *rivals}):
            yield

    def _hold(self, payment_ids: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Keep several payments as they are; follow-ups before their originals, as `apply`."""
        depth = self.payments.depth
        return self._locks.all_of(sorted(payment_ids, key=lambda name: (-depth(name), name)))

    async def _store(
        self,
        before: PaymentRecord | None,
        events: tuple[p.Event, ...],
        expectation: Expectation | None = None,
        *,
        wait: bool = True,
    ) -> PaymentRecord:
        moment = self._moment(before, events)
        decided = decide(before, events, self._known(before, events[0]), self._books, moment)
        account, actions = decided.account, decided.actions
        if before is not None and account.payment == before.payment:
            self._perform(account, actions)
            return before
        future = self._journal.append(change_of(before, decided, expectation), urgent=wait)
        tell = p.Publish() in actions
        if not wait:
            self.payments.put_ahead(account, before)
            future.add_done_callback(partial(self.payments.announce_later, account, tell))
            self._perform(account, actions)
            return account
        account = stored(account, await future)
        if decided.opened is not None:
            self.payments.put_purchase(decided.opened)
        if decided.original is not None:
            original = replace(decided.original, seq=account.seq)
            self.payments.put(original)
            self.payments.announce(original, tell=True)
        self.payments.put(account)
        self._perform(account, actions)  # the terminal first, then who tells registers
        self.payments.announce(account, tell=tell)
        return account

    def _moment(self, before: PaymentRecord | None, events: tuple[p.Event, ...]) -> Moment:
        """Return when this happens; by the terminal or the server where our clock is doubtful."""
        at, local = self._now(), self._local_now()
        if not self._clock_is_doubtful():
            return Moment(at, local)
        approvals = [one.approval for one in events if isinstance(one, Approved)]
        if before is not None and before.payment.approval is not None:
            approvals.append(before.payment.approval)
        for approval in approvals:
            if is_local_time(approval.time_text):
                return Moment(at, approval.time_text, "terminal")
        told = self._server_local_now()
        return Moment(at, told, "server") if told else Moment(at, local, "doubtful_clock")

    def _known(self, before: PaymentRecord | None, first: p.Event) -> SaleAsKnown:
        """Return what a decision about a payment needs to know of its sale."""
        request = first.request if isinstance(first, p.Requested) else None
        request = before.payment.request if before is not None else request
        assert request is not None, "a payment begins with its request"
        siblings = self.payments.of_sale(request.sale_key)
        return SaleAsKnown(
            others=[one for one in siblings if one.payment_id != request.payment_id],
            original=self.payments.get(request.original_payment_id),
            in_books={o.payment_id for o in siblings if self.payments.has_purchase(o.payment_id)},
        )

    def _perform(self, account: PaymentRecord, actions: Iterable[p.Action]) -> None:
        now = asyncio.get_running_loop().time()
        self._work.put(account.payment.request, actions, now)

    def _refuse(self, request: p.PaymentRequest) -> int:
        """Refuse what must not become a payment; return how many its sale has already.

        Raises:
            RequestError: See `admission.py`.
        """
        for name in request.rival_ids:
            rival = self.payments.get(name)
            if rival is not None:
                refuse_rival(request, rival.payment.request)
        key = request.sale_key
        siblings = self.payments.of_sale(key)
        rivals = [p.Payment(r) for r in self._reserved.values() if r.sale_key == key]
        if request.type in p.FOLLOW_UPS:
            refuse_follow_up(
                request,
                self.payments.get(request.original_payment_id),
                [*(one.payment for one in siblings), *rivals],
                batch_closed_seq=self.batches.of(request.terminal_id).closed_seq,
            )
        else:
            captured = captured_payments(siblings, "")
            payments = [*(one.payment for one in siblings), *rivals]
            mine = {leg.payment_id for leg in request.plan.legs} if request.plan else frozenset()
            undone = was_given_back(one for one in siblings if one.payment_id not in mine)
            refuse_unsafe_start(request, payments, captured, was_given_back=undone)
        return len(siblings)

    async def _tell_payments(
        self, after: PurchaseRecord, entry: Entry, news: p.RecordingChanged
    ) -> None:
        """Store a purchase's change together with what it means for its payments."""
        names = [name for name in after.purchase.payment_ids if name in self.payments]
        async with self._hold(names):
            told = [fold_event(self.payments[name], news, entry.at)[0] for name in names]
            seq = await self._journal.append(
                Change(
                    (entry, *(Entry(name, news, entry.at) for name in names)),
                    tuple(payment_row(account) for account in told),
                    (purchase_row(after),),
                )
            )
            self.payments.put_purchase(after)
            for account in told:
                self.payments.put(replace(account, seq=seq))
                self.payments.announce(account, tell=True)


def is_local_time(text: str) -> bool:
    """Say whether a terminal's time is a whole one: ISO 8601 with date, without an offset."""
    try:
        return datetime.fromisoformat(text).tzinfo is None and "T" in text
    except ValueError:
        return False


def _same_goods(one: s.SaleDetails, other: s.SaleDetails) -> bool:
    """Tell whether two statements of a sale name the same goods, whatever else paid them."""
    return replace(one, elsewhere=None) == replace(other, elsewhere=None)
