"""The steps of one gift card payment at the back office; what comes when, `payment_method.py` says.

A sale is a hold, then the capture of the hold by its id; a pre-authorization stops at the hold,
and its capture and void are payments of their own. What an answer or a balance proves is in
`evidence.py`, what an event means in `money/payment/machine.py`.

* `Started`, with the card's balance, is on disk before the hold is asked for; `Offered`, with the
  hold's id, and `Concluding` before the hold is captured or released.
* A hold whose answer was lost is never asked for again; the balance tells, or a person.
* A capture or release is asked for again until it is answered: one hold ends once only.
"""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import Literal

from bridge.backoffice.api.attempts import Applied, GiftCardBalance, NotApplied, Refused, Unknown
from bridge.backoffice.api.documents import CodeType
from bridge.backoffice.gift_cards import evidence as e
from bridge.backoffice.gift_cards import holds as h
from bridge.backoffice.gift_cards import second_look as look
from bridge.backoffice.gift_cards.office import Office, make_card
from bridge.money import payment as p
from bridge.money.admission import held_for_goods_minor
from bridge.money.doubt_age import DoubtAges
from bridge.money.ledger import Ledger
from bridge.money.live_actions import Work
from bridge.money.split_payment import load_step
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

QUIET_DEADLINES = 2.0  # after a lost answer the server may still be at work; as POS_API.md 5 says
READING_GAP_SECONDS = 2.0  # between two readings: some servers commit after they have answered
LOOK_AGAIN_SECONDS = 60.0  # a second look that nobody waits for, while the card is in use
RELEASE_AGAIN_SECONDS = 60.0  # a release that nobody waits for
LOAD_LOOK_SECONDS = 0.5  # how often a load that waits for its sale looks whether that is paid
QUIET_SECONDS_DEFAULT = 120.0  # servers and proxies give a request up within two minutes
SAME_ERROR_MAX = 2  # repeats that end in the same error; more would tell no more
UNHELPFUL = frozenset({"", e.NO_PERMISSION}) | e.UNREADABLE  # errors that say nothing of the hold


class GiftCardSteps:
    """What is done for one payment; each method is one step and ends with an event."""

    def __init__(
        self,
        ledger: Ledger,
        office: Office,
        *,
        deadline_seconds: float,
        quiet_seconds: float = QUIET_SECONDS_DEFAULT,
    ) -> None:
        """Tell `ledger` what `office` says; `deadline_seconds` bounds one request.

        A request that its proxy gave up may still be carried out, also when our own deadline is
        short; before `quiet_seconds` have passed no balance calls a hold not made.
        """
        self._ledger = ledger
        self._office = office
        self._queue = ledger.work(p.GIFT_CARDS)
        self._quiet_seconds = max(QUIET_DEADLINES * deadline_seconds, quiet_seconds)
        self._doubt_ages = DoubtAges(ledger)
        self._quiet_until: dict[str, float] = {}
        self._reading: dict[str, Decimal] = {}  # the first of two, by payment
        self._same_errors: dict[str, int] = {}
        self._load_until: dict[str, float] = {}  # when a load whose sale is not paid is given up

    # --- a new payment

    async def start(self, payment: p.Payment, pin: str) -> None:
        """Begin a payment: read its card's balance, then hold, or end the hold it is about."""
        request = payment.request
        name, card = request.payment_id, h.card_of(request)
        await self._office.refresh_names()
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        if isinstance(found, NotApplied):
            await self._ledger.apply(name, p.NotReached("host_unreachable", found.reason))
            return
        before = self._before(request, found)
        obstacle = self._obstacle(request, before.account if before else "")
        if obstacle is not None:
            await self._ledger.apply(name, obstacle)
            return
        try:
            baseline = c.Baseline(before.text) if before else None
            account = await self._ledger.apply(name, p.Started(baseline))
        except p.IllegalEvent:
            return  # canceled in this very moment
        if account.payment.status is p.Status.CANCELING:
            await self._ledger.apply(name, c.Canceled("cashier", text="before it was sent"))
        elif before is None:
            assert isinstance(found, Refused), "what was read is known"
            await self._ledger.apply(name, e.refusal(found, "FindGiftCardByCode"))
        elif h.ends_a_hold(request):
            await self._conclude(account.payment)
        else:
            if request.activates:
                refused = await make_card(self._office, h.card_of(request), pin, before)
                if refused is not None:
                    await self._ledger.apply(name, refused)
                    return
            await self._hold(request, before, pin)

    def _before(
        self, request: p.PaymentRequest, found: GiftCardBalance | Refused
    ) -> e.Before | None:
        """Return what is known of the card; None when there is no such card to go on with."""
        at_once = not self._office.can_hold and request.type in h.AT_ONCE
        match found:
            case GiftCardBalance(account, balance):
                return e.Before(Decimal(balance), at_once, account)
            case Refused("NOT_FOUND") if request.activates:
                return e.Before(Decimal(0), at_once)
            case _:
                return None

    def _obstacle(self, request: p.PaymentRequest, account: str) -> p.NotReached | None:
        """Return why a card cannot be used now, whatever code it is named by."""
        if not self._office.can_hold and not (request.type in h.AT_ONCE or h.ends_a_hold(request)):
            text = "this back office offers no hold that can be released again"
            return p.NotReached("operation_not_supported", text)
        if request.activates and self._is_being_sold(request):
            text = "this gift card is being sold in another sale"
            return p.NotReached("gift_card_already_active", text)
        if self._is_contested(request, account):
            return p.NotReached("terminal_busy", "another payment is using this gift card")
        if account in self._accounts_of_other_legs(request):
            text = "the same gift card stands twice in this plan"
            return p.NotReached("invalid_request", text)
        return None

    def _is_being_sold(self, request: p.PaymentRequest) -> bool:
        """True while another new card with this code waits for its sale."""
        return any(
            one.payment.request.activates
            and one.payment.request.gift_card == request.gift_card
            and one.payment_id != request.payment_id
            for one in self._ledger.payments.unfinished()
        )

    def _accounts_of_other_legs(self, request: p.PaymentRequest) -> set[str]:
        """Return the server's ids of the cards that a plan has begun to use already."""
        if request.plan is None or h.ends_a_hold(request):
            return set()
        names = {leg.payment_id for leg in request.plan.legs} - {request.payment_id}
        legs = [one for name in names if (one := self._ledger.payments.get(name)) is not None]
        return {h.account_of(one.payment) for one in legs} - {""}

    async def _hold(self, request: p.PaymentRequest, before: e.Before, pin: str) -> None:
        name = request.payment_id
        amount = e.amount_to_hold(request, before.balance)
        if amount is None:
            await self._ledger.apply(name, h.insufficient(before))
            return
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
                await self._ledger.apply(name, e.refusal(attempt, h.permission_for(request)))
            case Unknown() if e.adds(request) and not before.at_once:
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
        account = self._ledger.payments.get(name)
        assert account is not None, "an open payment stays in memory"
        now = asyncio.get_running_loop().time()
        seconds = 0 if payment.doubt is not None else payment.request.deadline_seconds
        until = self._load_until.setdefault(name, now + seconds)
        sale = self._ledger.payments.of_sale(payment.request.sale_key)
        needed = self._ledger.payments.remaining(account)
        assert needed is not None, "a load belongs to a sale"
        step = load_step(
            payment,
            [one.payment for one in sale if one.payment_id != name],
            # A card is filled with money that was captured; what is held may still go back.
            remaining_minor=needed.minor + held_for_goods_minor([one.payment for one in sale]),
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
            case Applied() if h.was_captured_first(payment):
                await self._believe_the_balance(payment, how, "released")
            case Applied(_, balance):
                await self._concluded(payment, how, Decimal(balance) if balance else None)
            case NotApplied(reason):
                await self._ledger.apply(name, c.Unclear("not_reached", reason))
            case Refused() if h.may_give_up(payment) and how == "capture":
                _LOGGER.error("capture refused code=%s: the hold is released", attempt.code)
                await self._conclude_by(name, "release")
            case Refused() if payment.doubt is None and payment.offer is None:
                permission = h.permission_for(payment.request)
                await self._ledger.apply(name, e.refusal(attempt, permission))
            case Refused(code) | Unknown(_, code):
                await self._repeated(payment, how, code)

    async def _repeated(
        self, payment: p.Payment, how: Literal["capture", "release"], code: str
    ) -> None:
        """The end of a hold was not confirmed: ask again later, or look at the balance."""
        name = payment.request.payment_id
        if payment.doubt is None or code in UNHELPFUL:
            await self._ledger.apply(name, c.Unclear("no_answer", code))
            return
        self._same_errors[name] = self._same_errors.get(name, 0) + 1
        if self._same_errors[name] < SAME_ERROR_MAX:
            await self._ledger.apply(name, c.Unclear("error", code))
            return
        if e.tells_of(payment, how):
            await self._believe_the_balance(payment, how, code)
        elif h.may_release_instead(payment):
            self._same_errors.pop(name, None)
            _LOGGER.error("capture answered with code=%s: the hold is released instead", code)
            await self._conclude_by(name, "release")
        else:
            await self._ask_a_person(name, f"the capture is answered {code}, which says nothing")

    async def _believe_the_balance(
        self, payment: p.Payment, how: Literal["capture", "release"], answer: str
    ) -> None:
        """End a payment as two readings of the balance say, or leave it to a person."""
        name = payment.request.payment_id
        first = await self._read_balance(payment.request)
        if first is None:
            return
        await asyncio.sleep(READING_GAP_SECONDS)
        balance = await self._read_balance(payment.request)
        if balance is None:
            return
        if first == balance == e.balance_after(payment, h.before_of(payment), how):
            text = f"the back office answers {answer} to the {how}, and the balance is as after it"
            inferred = text if how == "capture" else ""
            await self._concluded(payment, how, balance, inferred)
            return
        await self._ask_a_person(name, f"neither the answer ({answer}) nor the balance says")

    async def _concluded(
        self,
        payment: p.Payment,
        how: Literal["capture", "release"],
        balance: Decimal | None,
        inferred: str = "",
    ) -> None:
        request = payment.request
        self._forget(request.payment_id)
        if how == "release" and not h.ends_a_hold(request):
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

    async def release_after_all(self, payment: p.Payment) -> None:
        """Release the hold of a payment that a person called not charged; it is final already."""
        name = payment.request.payment_id
        attempt = await self._office.gift_card_trans_capture(h.capture_for(payment, "release"))
        match attempt:
            case NotApplied() | Refused(code=e.NO_PERMISSION) | Unknown(code=""):
                if isinstance(attempt, Refused):
                    permission = h.permission_for(payment.request)
                    _LOGGER.error("a hold stays ref_no=%s until we may %s", name, permission)
                at = asyncio.get_running_loop().time() + RELEASE_AGAIN_SECONDS
                self._queue.put(Work(name, p.StopOnTerminal(), at))
            case Refused(code) | Unknown(code=code):
                _LOGGER.error("hold not released code=%s ref_no=%s: look it up", code, name)
                await self._ledger.apply(name, p.HoldEnded(code))
            case Applied():
                _LOGGER.info("released the hold of a payment that was not charged")
                await self._ledger.apply(name, p.HoldEnded())

    # --- doubts

    async def age_doubts(self, now: float) -> None:
        """Have a person asked about doubts that are old enough; `now` is the loop's clock."""
        doubts = [
            one.payment_id
            for one in self._ledger.payments.unfinished()
            if one.payment.doubt is not None
            and one.payment.request.method is p.Method.OFFICE_GIFT_CARD
        ]
        await self._doubt_ages.look(now, doubts)

    def doubts_due_at(self) -> list[float]:
        """Return when each doubt must be looked at again, in the loop's clock."""
        return self._doubt_ages.next_at()

    async def ask(self, payment: p.Payment) -> None:
        """Find out what became of a payment, or take the step that is still to be taken."""
        request = payment.request
        if payment.owes_look:
            await self._look_again(request.payment_id)
            return
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
        elif h.ends_a_hold(request) or payment.concluding:
            await self._conclude(payment)
        elif payment.offer is not None:
            await self._end_hold(payment)
        else:
            await self._judge_by_balance(payment)

    async def _judge_by_balance(self, payment: p.Payment) -> None:
        """Read the balance twice, after a quiet time, and say what it proves of a lost hold."""
        request, before = payment.request, h.before_of(payment)
        name = request.payment_id
        if e.amount_to_hold(request, before.balance) is None:
            await self._ledger.apply(name, h.insufficient(before))
            return
        now = asyncio.get_running_loop().time()
        quiet_until = self._quiet_until.setdefault(name, now + self._quiet_seconds)
        if now < quiet_until:
            self._ask_at(name, quiet_until)
            return
        balance = await self._read_balance(payment.request)
        if balance is None:
            return
        if self._reading.get(name) != balance:
            self._reading[name] = balance
            self._ask_at(name, asyncio.get_running_loop().time() + READING_GAP_SECONDS)
            return
        match e.judge_hold(request, before, balance):
            case "not_applied" if before.at_once:
                await self._ask_a_person(name, "no change of the balance says when one may come")
            case "not_applied":
                self._forget(name)
                text = "the balance is unchanged: nothing was taken"
                failed = c.Failed(p.BALANCE_UNCHANGED, text, "host_timeout")
                await self._ledger.apply(name, failed)
            case "applied" if before.at_once:
                self._forget(name)
                amount = e.amount_to_hold(request, before.balance)
                assert amount is not None, "looked at above"
                text = "no answer came, and the balance moved by exactly the amount"
                approval = e.approval_of(
                    request, amount, "", before=before.balance, after=balance, inferred=text
                )
                await self._ledger.apply(name, c.Approved(approval))
            case "applied":
                await self._ask_a_person(name, "the money is held, and only a person can see how")
            case "contradictory":
                await self._ask_a_person(name, "somebody else used the card meanwhile")

    async def _look_again(self, name: str) -> None:
        """Look at a card much later that an unchanged balance had called untouched."""
        account = self._ledger.payments.get(name)
        assert account is not None, "what owes a look stays in memory"
        payment = account.payment
        others = look.others_on_card(account, self._ledger.payments.in_memory())
        card = h.card_of(payment.request)
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        if isinstance(found, Refused) and found.code == "NOT_FOUND":
            _LOGGER.error("a gift card is gone ref_no=%s: look it up in the back office", name)
            text = f"the card is not shown any more: look Ref No {name} up in the back office"
            await self._ledger.apply(name, p.LookedAgain("moved", text))
            return
        if not isinstance(found, GiftCardBalance) or any(not o.payment.is_final for o in others):
            self._ask_at(name, asyncio.get_running_loop().time() + LOOK_AGAIN_SECONDS)
            return
        now = Decimal(found.balance)
        verdict = look.judge(payment, look.moved_since(account, others), now)
        if verdict == "as_before":
            await self._ledger.apply(name, p.LookedAgain(verdict))
            return
        _LOGGER.error("a gift card moved later ref_no=%s: look it up in the back office", name)
        before = h.before_of(payment)
        held = e.amount_to_hold(payment.request, before.balance)
        text = f"the card has {now:f} now: look Ref No {name} up in the back office"
        approval = None
        if verdict == "taken" and held is not None:
            approval = e.approval_of(payment.request, held, "", before=before.balance, after=now)
        await self._ledger.apply(name, p.LookedAgain(verdict, text, approval))

    def _ask_at(self, name: str, at: float) -> None:
        self._queue.put(Work(name, p.AskTerminal(0.0), at))

    async def _read_balance(self, request: p.PaymentRequest) -> Decimal | None:
        """Return what is on a payment's card; None, and the ledger knows, if nobody tells."""
        card = h.card_of(request)
        found = await self._office.gift_card_balance(card.code, CodeType(card.kind))
        if isinstance(found, GiftCardBalance):
            return Decimal(found.balance)
        await self._ledger.apply(request.payment_id, c.Unclear("balance_unreadable"))
        return None

    async def _ask_a_person(self, name: str, why: str) -> None:
        self._forget(name)
        _LOGGER.error("gift card in doubt ref_no=%s (%s): look it up in the back office", name, why)
        await self._ledger.apply(name, p.EvidenceLost())

    def _forget(self, name: str) -> None:
        for known in (self._quiet_until, self._reading, self._same_errors, self._load_until):
            known.pop(name, None)

    def _is_contested(self, request: p.PaymentRequest, account: str) -> bool:
        """True while the card's balance is evidence about another payment."""
        return any(
            one.payment_id != request.payment_id
            and one.payment.doubt is not None
            and not one.payment.doubt.evidence_lost
            and (
                one.payment.request.gift_card == request.gift_card
                or (account != "" and account == h.account_of(one.payment))
            )
            for one in self._ledger.payments.unfinished()
        )
