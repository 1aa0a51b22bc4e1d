"""Gift cards as a payment method: stands where a terminal's station stands, decides no rule.

It fetches the ledger's live actions for gift cards and reports what the back office says as
events. A sale is a hold, then the capture of the hold by its id; a pre-authorization stops at the
hold, and its capture and void are payments of their own. What an answer or a balance proves stands
in `giftcard_evidence.py`, what an event means in `money/table.py`.

* `Started`, with the card's balance, is on disk before the hold is asked for; `Offered`, with the
  hold's id, and `Concluding` before the hold is captured or released.
* A hold whose answer was lost is never asked for again; the balance tells, or a person.
* A capture or release is asked for again until it is answered: one hold ends once only.

One at a time: two attempts on one card at once would make its balance prove nothing.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from bridge.backoffice import giftcard_evidence as e
from bridge.backoffice import giftcard_holds as h
from bridge.backoffice.attempts import (
    Applied,
    Attempt,
    GiftCardBalance,
    NotApplied,
    Refused,
    Unknown,
)
from bridge.backoffice.documents import CodeType, GiftCardCapture, GiftCardTransaction
from bridge.log import about
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.plan import load_step
from bridge.money.work import Work
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

QUIET_DEADLINES = 2.0  # after a lost answer the server may still be at work; as POS_API.md 5 says
# Also when our deadline is short: a request that its proxy gave up may still be carried out, and a
# balance that is read before that would call a hold not made. Servers give up within two minutes.
QUIET_SECONDS_MIN = 120.0
READING_GAP_SECONDS = 2.0  # between two readings: some servers commit after they have answered
RELEASE_AGAIN_SECONDS = 60.0  # a release that nobody waits for
LOAD_LOOK_SECONDS = 0.5  # how often a load that waits for its sale looks whether that is paid
SAME_ERROR_MAX = 2  # repeats that end in the same error; more would tell no more
DOUBT_AGED_SECONDS = 90.0  # then a person is asked, as the register's contract promises
LOOK_SECONDS = 3_600.0  # with nothing to do it still looks up once an hour
UNHELPFUL = frozenset({"", e.NO_PERMISSION}) | e.UNREADABLE  # errors that say nothing of the hold

CAPABILITIES = c.Capabilities(
    operations=frozenset({"sale", "preauth", "capture", "void", "load"}),
    status_query="last_transaction",
    cancel="any_time",
    partial_approval=True,
)


class Office(Protocol):
    """The back office, as `graphql.py` reaches it; never raises for what the other side does."""

    @property
    def can_hold(self) -> bool:
        """False when the server is known to offer no hold."""

    async def learn_names(self) -> object:
        """Find out what the server calls what no published example shows."""

    async def gift_card_balance(
        self, code: str, code_type: CodeType
    ) -> GiftCardBalance | NotApplied | Refused:
        """Return a card's balance."""

    async def gift_card_trans_add(self, transaction: GiftCardTransaction) -> Attempt:
        """Use or hold, once."""

    async def gift_card_trans_capture(self, capture: GiftCardCapture) -> Attempt:
        """End a hold, once."""


@dataclass(frozen=True, slots=True)
class GiftCardState:
    """Nothing is known before a payment: the back office is asked with each of them."""

    ready: c.TerminalReady | None = None


class GiftCards:
    """The one who talks about gift cards. `run` acts; everything else only looks or notes."""

    def __init__(self, ledger: Ledger, office: Office, *, deadline_seconds: float) -> None:
        """Work off the ledger's queue; `deadline_seconds` bounds one request of `office`."""
        self.capabilities = CAPABILITIES
        self.state = GiftCardState()
        self._ledger = ledger
        self._office = office
        self._queue = ledger.work(p.GIFT_CARDS)
        self._quiet_seconds = max(QUIET_DEADLINES * deadline_seconds, QUIET_SECONDS_MIN)
        self._questions: dict[str, p.GiftCardCode] = {}  # about balances, by name
        self.balances: dict[str, str | c.Declined | c.Failed | p.NotReached] = {}
        self._pins: dict[str, str] = {}  # by payment, until its hold is asked for
        self._learned = False
        self._quiet_until: dict[str, float] = {}
        self._reading: dict[str, Decimal] = {}  # the first of two, by payment
        self._same_errors: dict[str, int] = {}
        self._doubt_since: dict[str, float] = {}
        self._load_until: dict[str, float] = {}  # when a load whose sale is not paid is given up

    # --- asked by the desk, never waiting

    def keep_pin(self, payment_id: str, pin: str) -> None:
        """Remember the PIN of a payment that is about to be accepted; it is never stored."""
        self._pins[payment_id] = pin

    def claim(self, payment_id: str, register_id: str) -> p.Started | None:
        """Return None: there is nothing to keep, and the balance must be read first."""

    def release(self, payment_id: str) -> None:
        """Forget a payment that was refused after all."""
        self._pins.pop(payment_id, None)

    def ask_balance(self, name: str, card: p.GiftCardCode) -> None:
        """Find a balance out and put it into `balances`; `something_changed` tells when."""
        self._questions[name] = card
        self._queue.wake()

    # --- acting

    async def run(self) -> None:
        """Serve for ever. Canceled in an attempt, it leaves that payment in doubt.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self._age_doubts(loop.time())
            work = self._queue.take_due(loop.time())
            if work is None and self._questions:
                await self._answer(next(iter(self._questions)))
                continue
            if work is None:
                await self._idle(loop.time())
                continue
            with about(work.payment_id):
                await self._do(work)

    async def _idle(self, now: float) -> None:
        times = [now + LOOK_SECONDS]
        if self._queue.next_due_at is not None:
            times.append(self._queue.next_due_at)
        times += [
            self._doubt_since[one.payment_id] + DOUBT_AGED_SECONDS
            for one in self._ledger.unfinished()
            if one.payment_id in self._doubt_since
            and one.payment.doubt is not None
            and not one.payment.doubt.needs_operator
        ]
        try:
            async with self._queue.pause(min(times)):
                await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            pass

    async def _do(self, work: Work) -> None:
        account = self._ledger.get(work.payment_id)
        if account is None:
            return
        match work.action:
            case p.StartOnTerminal():
                pin = self._pins.pop(work.payment_id, "")
                if account.payment.status is p.Status.QUEUED:
                    await self._start(account.payment, pin)
            case p.AskTerminal():
                await self._ask(account.payment)
            case p.StopOnTerminal():
                if account.payment.resolved_by == "operator":
                    await self._release_after_all(account.payment)
                elif account.payment.request.type is p.PaymentType.LOAD:
                    await self._ask(account.payment)  # it may be waiting for its sale
                # Anything else looks at the payment itself before its next step.

    async def _answer(self, name: str) -> None:
        """Ask the back office about one balance."""
        card = self._questions.pop(name)
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        match found:
            case GiftCardBalance(balance=balance):
                self.balances[name] = balance
            case NotApplied(reason):
                self.balances[name] = p.NotReached("host_unreachable", reason)
            case Refused():
                self.balances[name] = e.refusal(found, "FindGiftCardByCode")
        self._ledger.something_changed.set()

    # --- a new payment

    async def _start(self, payment: p.Payment, pin: str) -> None:
        request = payment.request
        name, card = request.payment_id, h.card_of(request)
        if self._is_contested(payment):
            busy = p.NotReached("terminal_busy", "another payment is using this gift card")
            await self._ledger.apply(name, busy)
            return
        if not self._learned:
            await self._office.learn_names()
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        if isinstance(found, NotApplied):
            await self._ledger.apply(name, p.NotReached("host_unreachable", found.reason))
            return
        self._learned = True
        before = None
        if isinstance(found, GiftCardBalance):
            at_once = not self._office.can_hold and request.type is p.PaymentType.SALE
            before = e.Before(Decimal(found.balance), at_once)
        try:
            baseline = c.Baseline(before.text) if before else None
            account = await self._ledger.apply(name, p.Started(baseline))
        except p.IllegalEvent:
            return  # canceled in this very moment
        if isinstance(found, Refused):
            await self._ledger.apply(name, e.refusal(found, "FindGiftCardByCode"))
        elif account.payment.status is p.Status.CANCELING:
            await self._ledger.apply(name, c.Canceled("cashier", text="before it was sent"))
        elif request.original_payment_id:
            await self._conclude(account.payment)
        else:
            assert before is not None, "what was not refused was read"
            await self._hold(request, before, pin)

    async def _hold(self, request: p.PaymentRequest, before: e.Before, pin: str) -> None:
        name = request.payment_id
        amount = e.amount_to_hold(request, before.balance)
        if amount is None:
            await self._ledger.apply(name, h.insufficient(before))
            return
        adds = request.type is p.PaymentType.LOAD
        transaction = h.transaction_for(request, amount, pin, at_once=before.at_once)
        attempt = await self._office.gift_card_trans_add(transaction)
        match attempt:
            case Applied(transaction_id, balance):
                after = Decimal(balance) if balance else None
                approval = e.approval_of(
                    request, amount, transaction_id, before=before.balance, after=after
                )
                if before.at_once:
                    await self._ledger.apply(name, c.Approved(approval))
                    return
                account = await self._ledger.apply(name, c.Offered(approval))
                await self._end_hold(account.payment)
            case NotApplied(reason):
                failed = c.Failed("not_applied", reason, "host_unreachable")
                await self._ledger.apply(name, failed)
            case Refused():
                permission = "GiftCardTransAdd" if adds else "GiftCardTransUse"
                await self._ledger.apply(name, e.refusal(attempt, permission))
            case Unknown() if adds:
                # Only the capture of a hold fills a card, and nobody has this one's id.
                failed = c.Failed("no_answer", "nothing was put on the card", "host_timeout")
                await self._ledger.apply(name, failed)
            case Unknown(reason):
                loop = asyncio.get_running_loop()
                self._quiet_until[name] = loop.time() + self._quiet_seconds
                await self._ledger.apply(name, c.Unclear("no_answer", reason))

    # --- the end of a hold

    async def _end_hold(self, payment: p.Payment) -> None:
        """Do with a new hold what the register wants: keep, capture or release it."""
        name = payment.request.payment_id
        assert payment.offer is not None, "only a hold can be ended"
        if payment.request.type is p.PaymentType.LOAD:
            await self._end_load(payment)
            return
        if payment.request.type is p.PaymentType.PREAUTH and not payment.cancel_asked:
            await self._ledger.apply(name, c.Approved(payment.offer))
            return
        await self._conclude_by(name, "release" if payment.cancel_asked else "capture")

    async def _end_load(self, payment: p.Payment) -> None:
        """Fill the card if its sale is paid, give it up if that is too late, else look again."""
        name = payment.request.payment_id
        account = self._ledger.get(name)
        assert account is not None, "an open payment stays in memory"
        now = asyncio.get_running_loop().time()
        seconds = 0 if payment.doubt is not None else payment.request.deadline_seconds
        until = self._load_until.setdefault(name, now + seconds)
        sale = self._ledger.of_sale(payment.request.sale_key)
        step = load_step(
            payment,
            [one.payment for one in sale if one.payment_id != name],
            remaining_minor=self._ledger.remaining(account).minor,
            is_overdue=now >= until,
        )
        if step == "wait":
            self._ask_at(name, now + LOAD_LOOK_SECONDS)
            return
        await self._conclude_by(name, step)

    async def _conclude_by(self, name: str, how: Literal["capture", "release"]) -> None:
        try:
            account = await self._ledger.apply(name, p.Concluding(how))
        except p.IllegalEvent:
            return  # a person settled the doubt in this very moment
        await self._conclude(account.payment)

    async def _conclude(self, payment: p.Payment) -> None:
        """Capture or release a hold by its id; once more, if that is not known to be done."""
        name, how = payment.request.payment_id, h.way_of(payment)
        attempt = await self._office.gift_card_trans_capture(h.capture_for(payment, how))
        match attempt:
            case Applied(_, balance):
                await self._concluded(payment, how, Decimal(balance) if balance else None)
            case NotApplied(reason):
                await self._ledger.apply(name, c.Unclear("not_reached", reason))
            case Refused() if h.may_give_up(payment) and how == "capture":
                _LOGGER.error("capture refused code=%s: the hold is released", attempt.code)
                await self._conclude_by(name, "release")
            case Refused() if payment.doubt is None and payment.offer is None:
                await self._ledger.apply(name, e.refusal(attempt, "GiftCardTransUse"))
            case Refused(code) | Unknown(_, code):
                await self._repeated(payment, how, code)

    async def _repeated(
        self, payment: p.Payment, how: Literal["capture", "release"], code: str
    ) -> None:
        """The end of a hold was not confirmed: ask again later, or look at the balance."""
        name, card = payment.request.payment_id, h.card_of(payment.request)
        if payment.doubt is None or code in UNHELPFUL:
            await self._ledger.apply(name, c.Unclear("no_answer", code))
            return
        self._same_errors[name] = self._same_errors.get(name, 0) + 1
        if self._same_errors[name] < SAME_ERROR_MAX:
            await self._ledger.apply(name, c.Unclear("error", code))
            return
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        if not isinstance(found, GiftCardBalance):
            await self._ledger.apply(name, c.Unclear("balance_unreadable"))
            return
        balance = Decimal(found.balance)
        if balance == e.balance_after(payment, h.before_of(payment), how):
            text = f"the back office answers {code} to the {how}, and the balance is as after it"
            inferred = text if how == "capture" else ""
            await self._concluded(payment, how, balance, inferred)
            return
        await self._ask_a_person(name, f"neither the answer ({code}) nor the balance says")

    async def _concluded(
        self,
        payment: p.Payment,
        how: Literal["capture", "release"],
        balance: Decimal | None,
        inferred: str = "",
    ) -> None:
        request = payment.request
        self._forget(request.payment_id)
        if how == "release" and not request.original_payment_id:
            gone: p.Event = c.Failed("capture_refused", "it could not be captured", "not_allowed")
            if request.type is p.PaymentType.LOAD:
                gone = c.Canceled("timeout", text="the sale was not paid in time")
            if payment.cancel_asked:
                gone = c.Canceled("cashier", text="the hold was released")
            await self._ledger.apply(request.payment_id, gone)
            return
        amount = payment.offer.amount if payment.offer else request.amount
        approval = e.approval_of(
            request,
            amount,
            h.hold_id(payment),
            before=h.before_of(payment).balance,
            after=balance,
            inferred=inferred,
        )
        await self._ledger.apply(request.payment_id, c.Approved(approval))

    async def _release_after_all(self, payment: p.Payment) -> None:
        """Release the hold of a payment that a person called not charged; it is final already."""
        name = payment.request.payment_id
        attempt = await self._office.gift_card_trans_capture(h.capture_for(payment, "release"))
        match attempt:
            case NotApplied() | Unknown(code=""):
                at = asyncio.get_running_loop().time() + RELEASE_AGAIN_SECONDS
                self._queue.put(Work(name, p.StopOnTerminal(), at))
            case Refused(code) | Unknown(code=code):
                _LOGGER.error("hold not released code=%s ref_no=%s: look it up", code, name)
            case Applied():
                _LOGGER.info("released the hold of a payment that was not charged")

    # --- doubts

    async def _ask(self, payment: p.Payment) -> None:
        """Find out what became of a payment, or take the step that is still to be taken."""
        request = payment.request
        waits = request.type is p.PaymentType.LOAD and payment.offer is not None
        if payment.is_final or (payment.doubt is None and not waits):
            return
        if payment.doubt is not None and payment.doubt.evidence_lost:
            return
        self._queue.take_for(request.payment_id, p.AskTerminal)  # one question at a time
        if payment.baseline is None:
            # The balance was never read, and nothing is sent before it is.
            failed = c.Failed("not_sent", "nothing was sent", "bridge_restarted")
            await self._ledger.apply(request.payment_id, failed)
        elif request.original_payment_id or payment.concluding:
            await self._conclude(payment)
        elif payment.offer is not None:
            await self._end_hold(payment)
        else:
            await self._judge_by_balance(payment)

    async def _judge_by_balance(self, payment: p.Payment) -> None:
        """Read the balance twice, after a quiet time, and say what it proves of a lost hold."""
        request, before = payment.request, h.before_of(payment)
        name, card = request.payment_id, h.card_of(request)
        if e.amount_to_hold(request, before.balance) is None:
            await self._ledger.apply(name, h.insufficient(before))
            return
        now = asyncio.get_running_loop().time()
        quiet_until = self._quiet_until.setdefault(name, now + self._quiet_seconds)
        if now < quiet_until:
            self._ask_at(name, quiet_until)
            return
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        if not isinstance(found, GiftCardBalance):
            await self._ledger.apply(name, c.Unclear("balance_unreadable"))
            return
        balance = Decimal(found.balance)
        if self._reading.get(name) != balance:
            self._reading[name] = balance
            self._ask_at(name, asyncio.get_running_loop().time() + READING_GAP_SECONDS)
            return
        match e.judge_hold(request, before, balance):
            case "not_applied":
                self._forget(name)
                text = "the balance is unchanged: nothing was taken"
                await self._ledger.apply(name, c.Failed("not_applied", text, "host_timeout"))
            case "applied" if before.at_once:
                self._forget(name)
                amount = e.amount_to_hold(request, before.balance)
                assert amount is not None, "looked at above"
                text = "no answer came, and the balance is lower by exactly the amount"
                approval = e.approval_of(
                    request, amount, "", before=before.balance, after=balance, inferred=text
                )
                await self._ledger.apply(name, c.Approved(approval))
            case "applied":
                await self._ask_a_person(name, "the money is held, and only a person can see how")
            case "contradictory":
                await self._ask_a_person(name, "somebody else used the card meanwhile")

    def _ask_at(self, name: str, at: float) -> None:
        self._queue.put(Work(name, p.AskTerminal(0.0), at))

    async def _ask_a_person(self, name: str, why: str) -> None:
        self._forget(name)
        _LOGGER.error("gift card in doubt ref_no=%s (%s): look it up in the back office", name, why)
        await self._ledger.apply(name, p.EvidenceLost())

    def _forget(self, name: str) -> None:
        for known in (self._quiet_until, self._reading, self._same_errors, self._load_until):
            known.pop(name, None)

    def _is_contested(self, payment: p.Payment) -> bool:
        """True while the card's balance is evidence about another payment."""
        return any(
            one.payment.request.gift_card == payment.request.gift_card
            and one.payment_id != payment.request.payment_id
            and one.payment.doubt is not None
            and not one.payment.doubt.evidence_lost
            for one in self._ledger.unfinished()
        )

    async def _age_doubts(self, now: float) -> None:
        doubts = {
            one.payment_id: one.payment.doubt
            for one in self._ledger.unfinished()
            if one.payment.doubt is not None and one.payment.request.method == "gift_card"
        }
        self._doubt_since = {name: self._doubt_since.get(name, now) for name in doubts}
        for name, doubt in doubts.items():
            if now - self._doubt_since[name] >= DOUBT_AGED_SECONDS and not doubt.needs_operator:
                await self._ledger.apply(name, p.DoubtAged())
