"""Takes commands from the registers and tells them what became of them.

The desk decides nothing about money: it refuses what the contract refuses, hands everything else
to the ledger, and publishes what the ledger and the stations show.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol

from bridge.errors import JournalError, RequestError
from bridge.log import about
from bridge.money import payment as p
from bridge.money.accounts import Account
from bridge.money.ledger import Ledger
from bridge.money.plans import leg_id
from bridge.register import balances, errands
from bridge.register import contract as k
from bridge.register.balances import Balances, Question
from bridge.register.bus import Connected, Delivery
from bridge.register.errands import Errands
from bridge.register.freshness import refuse_unfresh
from bridge.register.intake import (
    follow_up_request,
    load_request,
    payment_request,
    refuse_unsupported,
    refuse_unsupported_follow_up,
    sale_details,
)
from bridge.register.paper import PLAIN, receipt_documents
from bridge.register.receipts import ReceiptStyle
from bridge.register.tender import leg_amounts, legs_of, refuse_bad_plan
from bridge.register.waiting import Taker, TakerState, WaitedFor, WaitingLines, fit_for
from drivers.contract import Stage

_LOGGER = logging.getLogger(__name__)

# Responses that wait for the broker. A register repeats a command after 3 s without one, so what
# does not fit is lost without harm.
RESPONSES_WAITING_MAX = 1_000
# Stages in which no card has been presented: losing the register may still cancel.
NO_CARD_YET = frozenset({None, Stage.STARTING, Stage.WAITING_FOR_CARD, Stage.TRY_AGAIN})


class Bus(Protocol):
    """The broker, as `mqtt.py` reaches it."""

    async def next(self) -> Connected | Delivery:
        """Return what came next. Canceling loses nothing."""

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that the delivery is safe with us."""


class TerminalState(errands.State, TakerState, Protocol):
    """What a station shows of its terminal."""


class Terminal(errands.Terminal, WaitedFor, Protocol):
    """What the desk may ask of a station."""

    @property
    def state(self) -> TerminalState:
        """How the terminal is now."""


class Plans(Protocol):
    """Who carries on split payments."""

    def carry(self, legs: Sequence[p.PaymentRequest]) -> None:
        """Carry on a plan whose first leg was accepted."""

    async def cancel(self, plan_id: str) -> None:
        """Begin no further leg, and ask the one that is open to stop."""


class GiftCards(Taker, balances.GiftCards, Protocol):
    """What the desk may ask of who talks about gift cards."""

    def keep_pin(self, payment_id: str, pin: str) -> None:
        """Remember the PIN of a payment that is about to be accepted."""


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What the configuration says about registers."""

    topics: k.Topics
    default_terminals: Mapping[str, str] = field(default_factory=dict)  # register -> terminal
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # pool -> its terminals
    summary_sku: str = "CARD-PAYMENT"  # of the one line of a split payment without lines
    receipt_style: ReceiptStyle = PLAIN


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is not retained: a response or an event."""

    topic: str
    payload: bytes
    correlation: bytes | None = None


class Desk:
    """Serves commands one after the other. What it has to say, the publisher fetches."""

    def __init__(
        self,
        bus: Bus,
        ledger: Ledger,
        terminals: Mapping[str, Terminal],
        settings: DeskSettings,
        *,
        now: Callable[[], datetime],
        gift_cards: GiftCards | None = None,
        plans: Plans | None = None,
    ) -> None:
        """Serve the registers on `bus`; `now` is the wall clock in UTC."""
        self._bus = bus
        self._ledger = ledger
        self._terminals = terminals
        self._gift_cards = gift_cards
        self._balances = Balances(gift_cards)
        self._plans = plans
        self._settings = settings
        self._now = now
        self.errands = Errands(ledger, terminals)
        self.waiting = WaitingLines(ledger, terminals)
        self.receipt_style = settings.receipt_style
        self.outgoing: list[Outgoing] = []
        self.connection: Connected | None = None
        self.connections = 0
        self.draining = False
        self.dirty: dict[str, None] = {}  # payments a register asked to see again, in order
        self.acknowledged: dict[str, None] = {}

    async def run(self) -> None:
        """Serve for ever. Canceled between two commands, or in one that is then not acknowledged.

        Raises:
            JournalError: Nothing can be stored any more; the register was told.
        """
        while True:
            try:
                async with asyncio.timeout_at(self.waiting.next_end):
                    came = await self._bus.next()
            except TimeoutError:
                await self.waiting.end_waits()
                continue
            match came:
                case Connected() as connection:
                    self.connection = connection
                    self.connections += 1
                    self._ledger.something_changed.set()
                case Delivery() as delivery:
                    await self._serve(delivery)

    async def _serve(self, delivery: Delivery) -> None:
        match self._settings.topics.parse(delivery.topic):
            case k.RequestTopic(register_id, operation):
                try:
                    await self._answer(delivery, register_id, operation)
                except JournalError as error:
                    refusal = RequestError("journal_unavailable", str(error))
                    self._refuse(delivery, register_id, operation, refusal)
                    raise
            case k.RegisterStateTopic(register_id):
                await self._register_changed(register_id, delivery.payload)
            case _:
                _LOGGER.debug("ignored topic=%s", delivery.topic)
        self._bus.acknowledge(delivery)

    async def _answer(self, delivery: Delivery, register_id: str, operation: str) -> None:
        """Do one command and queue its response."""
        try:
            if delivery.retained:
                raise RequestError(
                    "retained_command",
                    "commands are never retained: publish with retain off, and empty the topic",
                )
            request = k.decode_request(
                operation, delivery.payload, correlation=delivery.correlation
            )
            self._check_response_topic(delivery, register_id)
            with about(getattr(request, "payment_id", "")):
                response = await self._do(delivery, register_id, request)
        except RequestError as error:
            _LOGGER.info(
                "refused register=%s op=%s code=%s path=%s",
                register_id,
                operation,
                error.code,
                error.path,
            )
            self._refuse(delivery, register_id, operation, error)
            return
        if response is not None:
            self._say(delivery, register_id, response)

    async def _do(
        self, delivery: Delivery, register_id: str, request: k.AnyRequest
    ) -> k.Response | None:
        match request:
            case k.PaymentStart():
                return await self._start(delivery, register_id, request)
            case k.GiftCardLoad():
                return await self._load(delivery, register_id, request)
            case (
                k.PaymentIncrement()
                | k.PaymentCapture()
                | k.PaymentRefund()
                | k.PaymentVoid()
                | k.PaymentTipAdjust()
            ):
                return await self._follow_up(delivery, register_id, request)
            case k.PaymentCancel():
                return await self._cancel(register_id, request)
            case k.PaymentStatus():
                return await self._status(register_id, request)
            case k.PaymentList():
                return await self._list(register_id, request)
            case k.PaymentAcknowledge():
                return await self._acknowledge(register_id, request)
            case k.PaymentResolve():
                return await self._resolve(register_id, request)
            case k.SaleAttach():
                return await self._attach(register_id, request)
            case k.ReceiptReprint():
                return await self._reprint(register_id, request)
            case k.GiftCardBalance():
                self._balances.begin(Question(register_id, delivery, request))
                return None
            case _:
                terminal_id = self._terminal_of(register_id, request.terminal_id)
                self.errands.begin(delivery, register_id, request, terminal_id)
                return None

    # --- commands

    async def _start(
        self, delivery: Delivery, register_id: str, request: k.PaymentStart
    ) -> k.Response:
        if request.plan is not None:
            return await self._start_plan(delivery, register_id, request)
        if self._first_leg(request.payment_id) is not None:
            raise RequestError(
                "idempotency_conflict", "this payment_id was used for a plan", path="payment_id"
            )
        known = await self._known_or_fresh(delivery, request)
        takers: dict[str, Taker] = {}
        if not known:  # what exists is only read: its terminal may have another name by now
            takers = fit_for(request, self._takers(register_id, request))
        repeated = self._looks_repeated(request, takers)
        name = next(iter(takers), request.terminal_id or "")
        wanted = payment_request(request, register_id, name, possible_duplicate=repeated)
        if not known and self._gift_cards is not None and request.gift_card is not None:
            self._gift_cards.keep_pin(wanted.payment_id, request.gift_card.pin or "")
        return await self._begin(request, takers, wanted, known=known)

    async def _start_plan(
        self, delivery: Delivery, register_id: str, request: k.PaymentStart
    ) -> k.Response:
        """Begin a split payment: its first leg now, the others as the plan says."""
        legs, terminal = self._legs(register_id, request)
        first, last = legs[0], legs[-1]
        known = await self._ledger.find(first.payment_id) is not None
        if not known and await self._known_or_fresh(delivery, request):
            raise RequestError(
                "idempotency_conflict", "this payment_id was used before", path="payment_id"
            )
        assert self._plans is not None, "looked at with the legs"
        assert self._gift_cards is not None, "looked at with the legs"
        if not known:
            if terminal is not None:
                terminal.claim(last.payment_id, register_id)
            for leg, asked in zip(legs, request.plan or (), strict=True):
                if asked.gift_card is not None:
                    self._gift_cards.keep_pin(leg.payment_id, asked.gift_card.pin or "")
        accepted = False
        try:
            account, duplicate = await self._ledger.accept(first)
            accepted = True
        finally:
            if not known and not accepted and terminal is not None:
                terminal.release(last.payment_id)
        if not duplicate:
            self._plans.carry(legs)
        assert first.plan is not None, "a leg names its plan"
        told = [
            {
                "payment_id": leg.payment_id,
                "method": leg.method,
                "amount": k.format_amount(leg.amount),
            }
            for leg in first.plan.legs
        ]
        return self._response(
            request,
            "accepted",
            payment_id=request.payment_id,
            payment_status=account.payment.status.value,
            rev=account.rev,
            duplicate=duplicate,
            result={"plan_id": request.payment_id, "legs": told},
        )

    def _legs(
        self, register_id: str, request: k.PaymentStart
    ) -> tuple[tuple[p.PaymentRequest, ...], Terminal | None]:
        """Return the legs of a split payment, and the terminal of the last one if a card pays."""
        refuse_bad_plan(request)
        if self._gift_cards is None or self._plans is None:
            raise RequestError(
                "operation_not_supported",
                "gift cards need a back office, and none is configured",
                path="plan",
            )
        if request.when_busy != "reject" or request.terminal_pool is not None:
            path = "terminal_pool" if request.terminal_pool is not None else "when_busy"
            raise RequestError("operation_not_supported", "a plan waits for no terminal", path=path)
        amounts = leg_amounts(request)
        without = request.model_copy(update={"plan": None})
        terminal_id, terminal = p.GIFT_CARDS, None
        if (request.plan or ())[-1].method == "card":
            terminal_id = self._terminal_of(register_id, request.terminal_id)
            terminal = self._terminals[terminal_id]
            ready = terminal.state.ready
            refuse_unsupported(without, terminal.capabilities, ready.currency if ready else "")
        whole = replace(
            payment_request(without, register_id, terminal_id, possible_duplicate=False),
            content_hash=k.content_hash(request),
        )
        sku = self._settings.summary_sku
        return legs_of(request, whole, amounts, leg_id=leg_id, summary_sku=sku), terminal

    def _first_leg(self, plan_id: str) -> Account | None:
        """Return the first payment of a plan that is in memory, None if it is no plan's id."""
        return self._ledger.get(leg_id(plan_id, 1))

    async def _load(
        self, delivery: Delivery, register_id: str, request: k.GiftCardLoad
    ) -> k.Response:
        """Begin to fill a gift card; it is filled once its sale is paid."""
        known = await self._known_or_fresh(delivery, request)
        name, taker = self._taker(register_id, None, by_gift_card=True)
        if not known and self._gift_cards is not None:
            self._gift_cards.keep_pin(request.payment_id, request.gift_card.pin or "")
        wanted = load_request(request, register_id)
        return await self._begin(request, {name: taker}, wanted, known=known)

    async def _follow_up(
        self, delivery: Delivery, register_id: str, request: k.AnyFollowUp
    ) -> k.Response:
        """Begin an operation on an earlier payment; any register of the store may."""
        known = await self._known_or_fresh(delivery, request)
        original = None
        if request.original_payment_id is not None:
            original = await self._ledger.find_original(request.original_payment_id)
        followed = original.payment if original else None
        same = followed.request.terminal_id if followed else None
        if known:  # what exists is only read: its terminal may have another name by now
            named = request.terminal_id or same or ""
            wanted = follow_up_request(request, register_id, named, followed)
            return await self._begin(request, {}, wanted, known=True)
        by_gift_card = same == p.GIFT_CARDS and request.terminal_id in {None, same}
        terminal_id, taker = self._taker(
            register_id, request.terminal_id or same, by_gift_card=by_gift_card
        )
        wanted = follow_up_request(request, register_id, terminal_id, followed)
        elsewhere = same is not None and terminal_id != same
        refuse_unsupported_follow_up(wanted, taker.capabilities, elsewhere=elsewhere)
        return await self._begin(request, {terminal_id: taker}, wanted, known=False)

    async def _known_or_fresh(
        self, delivery: Delivery, request: k.PaymentStart | k.GiftCardLoad | k.AnyFollowUp
    ) -> bool:
        """Say whether the journal knows the payment; refuse a new one that nobody waits for.

        Raises:
            RequestError: `stale_command`, `command_expired`, `clock_skew` or `bridge_draining`.
        """
        if self._ledger.get(request.payment_id) is not None:
            return True
        try:
            epoch = self.connection.epoch if self.connection else ""
            refuse_unfresh(request, delivery, epoch, self._now())
        except RequestError:
            # A payment that exists is only read, and reading is always fresh.
            if await self._ledger.find(request.payment_id) is None:
                raise
            return True
        if self.draining:
            raise RequestError("bridge_draining", "the bridge is about to stop; try again soon")
        return False

    async def _begin(
        self,
        request: k.PaymentStart | k.GiftCardLoad | k.AnyFollowUp,
        takers: Mapping[str, Taker],
        wanted: p.PaymentRequest,
        *,
        known: bool,
    ) -> k.Response:
        if known:
            account, duplicate = await self._ledger.accept(wanted)
        else:
            queue = isinstance(request, k.PaymentStart) and request.when_busy == "queue"
            account, duplicate = await self._accept(takers, wanted, queue=queue)
        if duplicate:
            self._refuse_foreign(account.payment.request, wanted.register_id)
            self.dirty[account.payment_id] = None
            self._ledger.something_changed.set()
        position = self.waiting.positions().get(account.payment_id)
        return self._response(
            request,
            "accepted",
            payment_id=account.payment_id,
            payment_status=account.payment.status.value,
            rev=account.rev,
            duplicate=duplicate,
            result={"queue_position": position} if position else None,
        )

    async def _accept(
        self, takers: Mapping[str, Taker], wanted: p.PaymentRequest, *, queue: bool
    ) -> tuple[Account, bool]:
        """Claim a terminal and store the payment; give the terminal back if it was refused."""
        self._ledger.check(wanted)  # a sale in doubt says more than a busy terminal
        try:
            name, started = self.waiting.claim(takers, wanted, queue=queue)
        except RequestError:
            # A payment the journal knows is answered from there, whatever the terminal does.
            known = await self._ledger.find(wanted.payment_id)
            if known is None:
                raise
            return await self._ledger.accept(wanted)
        taken = False
        try:
            chosen = replace(wanted, terminal_id=name)
            account, duplicate = await self._ledger.accept(chosen, started)
            taken = not duplicate
        finally:
            if not taken:
                takers[name].release(wanted.payment_id)
        return account, duplicate

    async def _cancel(self, register_id: str, request: k.PaymentCancel) -> k.Response:
        leg = self._first_leg(request.payment_id)
        if leg is not None and self._plans is not None:
            return await self._cancel_plan(register_id, request, leg)
        account = await self._own(register_id, request.payment_id)
        if account.payment.status is p.Status.APPROVED:
            raise RequestError(
                "too_late_to_cancel", "the payment is approved", payment_id=account.payment_id
            )
        if not account.payment.is_final:
            account = await self._ledger.apply(account.payment_id, p.CancelAsked("cashier"))
        return self._about(request, account, "accepted")

    async def _cancel_plan(
        self, register_id: str, request: k.PaymentCancel, first: Account
    ) -> k.Response:
        self._refuse_foreign(first.payment.request, register_id)
        plan = first.payment.request.plan
        assert plan is not None, "a leg names its plan"
        assert self._plans is not None, "there is no plan without them"
        card = self._ledger.get(plan.legs[-1].payment_id)
        if card is not None and card.payment.captured.minor:
            raise RequestError(
                "too_late_to_cancel", "the card has paid", payment_id=card.payment_id
            )
        await self._plans.cancel(plan.plan_id)
        return self._about(request, self._ledger.get(first.payment_id) or first, "accepted")

    async def _status(self, register_id: str, request: k.PaymentStatus) -> k.Response:
        account = await self._own(register_id, request.payment_id)
        self.dirty[account.payment_id] = None
        if request.refresh and account.payment.doubt is not None:
            queue = self._ledger.work(account.payment.request.terminal_id)
            queue.hurry(asyncio.get_running_loop().time())
            queue.wake()
        self._ledger.something_changed.set()
        return self._about(request, account, "ok")

    async def _list(self, register_id: str, request: k.PaymentList) -> k.Response:
        since = request.filter.since
        rows = await self._ledger.list_payments(
            register_id=register_id,
            only_open=bool(request.filter.open),
            since=k.format_time(since) if since else "",
            sale_key=f"{register_id}/{request.filter.sale_id}" if request.filter.sale_id else "",
            limit=request.limit,
        )
        payments = [
            {
                "payment_id": row.payment_id,
                "terminal_id": row.terminal_id,
                "status": row.status,
                "recording": row.recording,
                "amount": k.format_amount(row.amount),
                "currency": row.currency,
                "created_at": row.created_at,
                "updated_at": row.updated_at,
            }
            for row in rows
        ]
        return self._response(request, "ok", result={"payments": payments})

    async def _acknowledge(self, register_id: str, request: k.PaymentAcknowledge) -> k.Response:
        account = await self._own(register_id, request.payment_id)
        if not account.payment.is_final:
            raise RequestError(
                "not_allowed",
                "only a final document can be acknowledged",
                path="payment_id",
                payment_status=account.payment.status.value,
            )
        if request.rev > account.rev:
            raise RequestError(
                "invalid_request", f"the document is at rev {account.rev}", path="rev"
            )
        if account.live:
            account = await self._ledger.apply(account.payment_id, p.Acknowledged(request.rev))
            self.acknowledged[account.payment_id] = None
        return self._about(request, account, "ok")

    async def _resolve(self, register_id: str, request: k.PaymentResolve) -> k.Response:
        account = await self._own(register_id, request.payment_id)
        code = request.evidence.approval_code or ""
        account = await self.resolve(
            account.payment_id,
            p.Resolved(request.outcome, request.approved_by, code, request.evidence.source),
        )
        return self._about(request, account, "accepted")

    async def resolve(self, payment_id: str, answer: p.Resolved) -> Account:
        """Take a person's answer to a doubt, from a register or from the command line.

        Raises:
            RequestError: The payment is unknown, not in doubt, or the evidence is missing.
        """
        account = self._ledger.get(payment_id)
        if account is None:
            raise RequestError("payment_not_found", "there is no such payment", path="payment_id")
        if account.payment.status is not p.Status.IN_DOUBT:
            raise RequestError(
                "not_allowed",
                f"the payment is {account.payment.status.value}, not in doubt",
                path="payment_id",
                payment_status=account.payment.status.value,
            )
        if answer.outcome == "approved" and not answer.approval_code:
            raise RequestError(
                "invalid_request",
                "an approval needs the approval code from the slip",
                path="evidence.approval_code",
            )
        _LOGGER.warning("resolved outcome=%s by=%s", answer.outcome, answer.by)
        resolved = await self._ledger.apply(payment_id, answer)
        self._ledger.work(account.payment.request.terminal_id).wake()  # others may go on there
        return resolved

    async def _attach(self, register_id: str, request: k.SaleAttach) -> k.Response:
        """Keep what a sale consisted of; its money is in the books once it is covered."""
        key = f"{register_id}/{request.sale_id}"
        sale = await self._ledger.find_sale(key)
        if not sale:
            raise RequestError(
                "sale_not_found", "no payment of this register names this sale", path="sale_id"
            )
        currency = sale[0].payment.request.amount.currency
        request.sale.check(currency)
        details = sale_details(request.sale, currency)
        if details is None:
            raise RequestError(
                "invalid_request", "say at least one line of what was sold", path="sale.lines"
            )
        account, duplicate = await self._ledger.attach(key, details)
        return self._response(
            request,
            "ok",
            payment_id=account.payment_id,
            payment_status=account.payment.status.value,
            rev=account.rev,
            duplicate=duplicate,
            result={"recording": account.payment.recording.value},
        )

    async def _reprint(self, register_id: str, request: k.ReceiptReprint) -> k.Response:
        account = await self._own(register_id, request.payment_id)
        receipts = [
            receipt.model_dump(mode="json", by_alias=True)
            for receipt in receipt_documents(account, self.receipt_style, duplicate=True).values()
        ]
        if not receipts:
            raise RequestError(
                "operation_not_supported",
                "this payment has no receipt: it was not approved",
                path="payment_id",
            )
        return self._response(
            request, "ok", payment_id=account.payment_id, result={"receipts": receipts}
        )

    async def answer_errands(self) -> None:
        """Queue the responses of commands that waited for their terminal or the back office."""
        for asked, result in self._balances.finished():
            if isinstance(result, RequestError):
                operation = asked.request.operation
                self._refuse(asked.delivery, asked.register_id, operation, result)
            else:
                response = self._response(asked.request, "ok", result=result)
                self._say(asked.delivery, asked.register_id, response)
        for answer in await self.errands.finished():
            if isinstance(answer.result, RequestError):
                operation = answer.request.operation
                self._refuse(answer.delivery, answer.register_id, operation, answer.result)
                continue
            response = self._response(answer.request, "ok", result=answer.result)
            self._say(answer.delivery, answer.register_id, response)

    # --- registers come and go

    async def _register_changed(self, register_id: str, payload: bytes) -> None:
        state = k.decode_register_state(payload)
        if state is None or state.state == "online":
            return
        _LOGGER.info("register=%s offline", register_id)
        for account in self._ledger.unfinished():
            request = account.payment.request
            if (
                request.register_id == register_id
                and request.cancel_when_register_lost
                and account.payment.status in {p.Status.QUEUED, p.Status.IN_PROGRESS}
                and account.payment.stage in NO_CARD_YET
            ):
                await self._ledger.apply(account.payment_id, p.CancelAsked("register_lost"))

    # --- what commands have in common

    async def _own(self, register_id: str, payment_id: str) -> Account:
        account = await self._ledger.find(payment_id)
        if account is None:  # a plan is known by its first leg
            account = await self._ledger.find(leg_id(payment_id, 1))
        if account is None:
            raise RequestError(
                "payment_not_found",
                "the bridge never accepted this payment; it is safe to start it",
                path="payment_id",
            )
        self._refuse_foreign(account.payment.request, register_id)
        return account

    def _refuse_foreign(self, request: p.PaymentRequest, register_id: str) -> None:
        if request.register_id != register_id:
            raise RequestError(
                "not_allowed", "this payment belongs to another register", path="payment_id"
            )

    def _takers(self, register_id: str, request: k.PaymentStart) -> dict[str, Taker]:
        """Return who may take the money of a start, by name, the preferred one first."""
        if request.terminal_pool is None or request.method == "gift_card":
            by_gift_card = request.method == "gift_card"
            wanted = p.GIFT_CARDS if by_gift_card else request.terminal_id
            name, taker = self._taker(register_id, wanted, by_gift_card=by_gift_card)
            return {name: taker}
        if request.terminal_id is not None:
            raise RequestError(
                "invalid_request", "name a terminal or a pool, not both", path="terminal_pool"
            )
        pools = self._settings.pools
        if request.terminal_pool not in pools:
            raise RequestError(
                "terminal_unknown",
                f"there is no pool {request.terminal_pool}",
                path="terminal_pool",
                known=sorted(pools),
            )
        return {name: self._terminals[name] for name in pools[request.terminal_pool]}

    def _taker(
        self, register_id: str, wanted: str | None, *, by_gift_card: bool
    ) -> tuple[str, Taker]:
        """Return who takes the money: a terminal, or who talks about gift cards."""
        if not by_gift_card:
            terminal_id = self._terminal_of(register_id, wanted)
            return terminal_id, self._terminals[terminal_id]
        if self._gift_cards is None:
            raise RequestError(
                "operation_not_supported",
                "gift cards need a back office, and none is configured",
                path="method",
            )
        return p.GIFT_CARDS, self._gift_cards

    def _terminal_of(self, register_id: str, wanted: str | None) -> str:
        name = wanted or self._settings.default_terminals.get(register_id)
        if name is None and len(self._terminals) == 1:
            name = next(iter(self._terminals))
        if name is None:
            raise RequestError(
                "terminal_unknown",
                "say which terminal, or configure a default for this register",
                path="terminal_id",
                known=sorted(self._terminals),
            )
        if name not in self._terminals:
            raise RequestError(
                "terminal_unknown",
                f"there is no terminal {name}",
                path="terminal_id",
                known=sorted(self._terminals),
            )
        return name

    def _looks_repeated(self, request: k.PaymentStart, takers: Mapping[str, Taker]) -> bool:
        """True for the same amount on the same terminal within 90 s, when no sale says more."""
        if request.sale_id or request.gift_card is not None:
            return False
        since = k.format_time(self._now() - timedelta(seconds=90))
        recent = takewhile(lambda one: one.created_at >= since, self._ledger.newest_first())
        return any(
            account.payment.request.terminal_id in takers
            and account.payment.request.amount == request.amounts.requested
            and account.payment.status in {p.Status.APPROVED, *p.MAYBE_CHARGED}
            for account in recent
        )

    def _check_response_topic(self, delivery: Delivery, register_id: str) -> None:
        topic = delivery.response_topic
        if topic is not None and not self._settings.topics.may_answer_at(register_id, topic):
            raise RequestError(
                "response_topic_not_allowed",
                "answers go to your own prefix only",
                path="response_topic",
                allowed=f"{self._settings.topics.register(register_id)}/…",
            )

    def _about(self, request: k.AnyRequest, account: Account, status: str) -> k.Response:
        return self._response(
            request,
            status,
            payment_id=account.payment_id,
            payment_status=account.payment.status.value,
            rev=account.rev,
        )

    def _response(self, request: k.AnyRequest, status: str, **more: object) -> k.Response:
        return k.Response.model_validate(
            {
                "request_id": request.request_id,
                "op": request.operation,
                "status": status,
                "time": self._now(),
                **more,
            }
        )

    def _refuse(
        self, delivery: Delivery, register_id: str, operation: str, error: RequestError
    ) -> None:
        request_id, payment_id = k.salvage_ids(delivery.payload, delivery.correlation)
        known = self._ledger.get(payment_id) if payment_id else None
        body = k.error_body(error)
        if error.code == "too_late_to_cancel":
            body = body.model_copy(update={"money_moved": "yes"})
        response = k.Response(
            request_id=request_id,
            op=operation[:64],
            status="error",
            payment_id=payment_id,
            payment_status=known.payment.status.value if known else None,
            error=body,
            time=self._now(),
        )
        self._say(delivery, register_id, response)

    def _say(self, delivery: Delivery, register_id: str, response: k.Response) -> None:
        topics = self._settings.topics
        topic = topics.response(register_id, response.op)
        wanted = delivery.response_topic
        if wanted is not None and topics.may_answer_at(register_id, wanted):
            topic = wanted
        if len(self.outgoing) >= RESPONSES_WAITING_MAX:
            self.outgoing.pop(0)
        self.outgoing.append(Outgoing(topic, k.encode(response), delivery.correlation))
        self._ledger.something_changed.set()
