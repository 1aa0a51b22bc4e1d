"""Commands that begin a payment: starts, split payments, loads, follow-ups.

Whether money may move, the ledger decides; here a command finds its terminal and becomes a
payment, and a repeated one finds the payment that it made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.payment import leg_id
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from bridge.register.commands.existing_payment import refuse_foreign
from bridge.register.commands.expiry import Guarded, refuse_unfresh
from bridge.register.commands.payment_request import (
    follow_up_request,
    load_request,
    payment_request,
    refuse_activation,
    refuse_another_gift_card,
    refuse_unsupported,
    refuse_unsupported_follow_up,
    refuse_unsupported_load,
)
from bridge.register.commands.replies import Replies
from bridge.register.commands.sale_check import SaleCheck
from bridge.register.commands.split_payment_request import leg_amounts, legs_of, refuse_bad_plan
from bridge.register.commands.terminal_queue import Taker, WaitingLines, fit_for
from bridge.register.commands.terminal_selection import Choice
from bridge.register.mqtt.messages import Delivery

REPEATED_WITHIN = timedelta(seconds=90)  # the same amount again so soon may be a second try


class SplitPayments(Protocol):
    """Who carries on split payments."""

    def carry(self, legs: Sequence[p.PaymentRequest]) -> None:
        """Carry on a plan whose first leg was accepted."""


class GiftCards(Taker, Protocol):
    """Who takes money from gift cards."""

    def keep_pin(self, payment_id: str, pin: str) -> None:
        """Remember the PIN of a payment that is about to be accepted."""


class PaymentStarter:
    """Turns commands into payments, each once."""

    def __init__(
        self,
        ledger: Ledger,
        choice: Choice,
        waiting: WaitingLines,
        replies: Replies,
        *,
        gift_cards: GiftCards | None,
        plans: SplitPayments | None,
        now: Callable[[], datetime],
        sale_check: SaleCheck,
        clock_is_doubtful: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin payments of `ledger`; `now` is the wall clock in UTC."""
        self._ledger = ledger
        self._choice = choice
        self._waiting = waiting
        self._replies = replies
        self._gift_cards = gift_cards
        self._plans = plans
        self._now = now
        self._sale_check = sale_check
        self._clock_is_doubtful = clock_is_doubtful
        self.epoch = ""  # of the connection to the broker
        self.draining = False  # nothing new begins

    async def start(
        self, delivery: Delivery, register_id: str, request: k.PaymentStart
    ) -> k.Response:
        """Begin a payment or a split payment, or find the one that this command began."""
        if request.plan is not None:
            return await self._start_plan(delivery, register_id, request)
        known = await self._known_or_fresh(delivery, register_id, request)
        takers: dict[str, Taker] = {}
        if not known:  # what exists is only read: its terminal may have another name by now
            try:
                takers = fit_for(request, self._choice.for_start(register_id, request))
            except RequestError:
                if not await self._is_stored(register_id, request.payment_id):
                    raise
                known = True
        warnings = () if known else await self._look_at_sale(request)
        repeated = self._looks_repeated(request, takers)
        name = next(iter(takers), request.terminal_id or "")
        wanted = payment_request(request, register_id, name, possible_duplicate=repeated)
        if not known and self._gift_cards is not None and request.gift_card is not None:
            self._gift_cards.keep_pin(wanted.payment_id, request.gift_card.pin or "")
        return await self._begin(request, takers, wanted, known=known, warnings=warnings)

    async def _look_at_sale(self, request: k.PaymentStart) -> tuple[k.SaleWarning, ...]:
        """Compare a sale with the back office's items and members, before anything is stored.

        Raises:
            RequestError: `item_unknown`, where the site wants that and no supervisor stands for it.
        """
        stands_for_it = request.override and bool(request.approved_by)
        return await self._sale_check.look(request.sale, may_refuse=not stands_for_it)

    async def load(
        self, delivery: Delivery, register_id: str, request: k.GiftCardLoad
    ) -> k.Response:
        """Begin to fill a gift card, a new one too; it is filled once its sale is paid."""
        known = await self._known_or_fresh(delivery, register_id, request)
        at_terminal = request.terminal_id is not None
        if at_terminal is (request.gift_card is not None):
            raise RequestError(
                "invalid_request",
                "say which gift card, or which terminal reads it, not both",
                path="gift_card",
            )
        if known:  # what exists is only read: its terminal may have another name by now
            wanted = load_request(request, register_id, request.terminal_id or p.GIFT_CARDS)
            return await self._begin(request, {}, wanted, known=True)
        name, taker = self._choice.one(
            register_id, request.terminal_id, by_gift_card=not at_terminal
        )
        if at_terminal:
            refuse_unsupported_load(request, taker.capabilities)
        if isinstance(request, k.GiftCardActivate):
            refuse_activation(request, taker.capabilities)
        if self._gift_cards is not None and request.gift_card is not None:
            self._gift_cards.keep_pin(request.payment_id, request.gift_card.pin or "")
        wanted = load_request(request, register_id, name)
        return await self._begin(request, {name: taker}, wanted, known=False)

    async def follow_up(
        self, delivery: Delivery, register_id: str, request: k.AnyFollowUp
    ) -> k.Response:
        """Begin an operation on an earlier payment; any register of the store may."""
        known = await self._known_or_fresh(delivery, register_id, request)
        original = None
        if request.original_payment_id is not None:
            original = await self._find_original(request.original_payment_id, request)
        followed = original.payment if original else None
        same = followed.request.terminal_id if followed else None
        card = request.gift_card if isinstance(request, k.WithGiftCard) else None
        at_terminal = (
            followed is not None and followed.request.method is p.Method.TERMINAL_GIFT_CARD
        )
        stores_value = isinstance(request, k.GiftCardUnload | k.GiftCardReverse) and not at_terminal
        if stores_value or (card is not None and request.terminal_id is None):
            same = p.GIFT_CARDS
        if known:  # what exists is only read: its terminal may have another name by now
            named = request.terminal_id or same or ""
            wanted = follow_up_request(request, register_id, named, followed)
            return await self._begin(request, {}, wanted, known=True)
        by_gift_card = same == p.GIFT_CARDS and request.terminal_id in {None, same}
        terminal_id, taker = self._choice.one(
            register_id, request.terminal_id or same, by_gift_card=by_gift_card
        )
        wanted = follow_up_request(request, register_id, terminal_id, followed)
        elsewhere = same is not None and terminal_id != same
        refuse_another_gift_card(wanted, taker.capabilities, followed)
        refuse_unsupported_follow_up(wanted, taker.capabilities, elsewhere=elsewhere)
        if card is not None and self._gift_cards is not None:
            self._gift_cards.keep_pin(wanted.payment_id, card.pin or "")
        return await self._begin(request, {terminal_id: taker}, wanted, known=False)

    async def _find_original(self, payment_id: str, request: k.AnyFollowUp) -> PaymentRecord | None:
        """Return what is followed up; for a refund of a gift card's hold, what captured it.

        A plan's parts are known to registers by their holds.
        """
        found = await self._ledger.payments.find_original(payment_id)
        if found is None or not isinstance(request, k.PaymentRefund):
            return found
        payment = found.payment
        if (
            payment.request.method is not p.Method.OFFICE_GIFT_CARD
            or payment.request.type is not p.PaymentType.PREAUTH
        ):
            return found
        for one in self._ledger.payments.of_sale(payment.request.sale_key):
            asked = one.payment.request
            captures = asked.type is p.PaymentType.CAPTURE and one.payment.approval is not None
            if captures and asked.original_payment_id == payment_id:
                return one
        return found

    async def _start_plan(
        self, delivery: Delivery, register_id: str, request: k.PaymentStart
    ) -> k.Response:
        """Begin a split payment: its first leg now, the others as the plan says."""
        known = await self._ledger.payments.find_original(leg_id(request.payment_id, 1))
        if known is not None:  # only read: its terminal may have another name by now
            refuse_foreign(known.payment.request, register_id)
            if known.payment.request.content_hash != k.content_hash(request):
                raise _used_before("this payment_id was used for another plan")
            await self._replies.show_again(known.payment_id)
            return self._plan_response(request, known, duplicate=True)
        if await self._known_or_fresh(delivery, register_id, request):
            raise _used_before("this payment_id was used for a payment")
        warnings = await self._look_at_sale(request)
        legs, terminal = self._legs(register_id, request)
        first, last = legs[0], legs[-1]
        assert self._plans is not None, "looked at with the legs"
        assert self._gift_cards is not None, "looked at with the legs"
        if terminal is not None:
            terminal.claim(last.payment_id, register_id)
        for leg, asked in zip(legs, request.plan or (), strict=True):
            if asked.gift_card is not None:
                self._gift_cards.keep_pin(leg.payment_id, asked.gift_card.pin or "")
        accepted = False
        try:
            account, _ = await self._ledger.accept(first)
            accepted = True
        finally:
            if not accepted and terminal is not None:
                terminal.release(last.payment_id)
        self._plans.carry(legs)
        return self._plan_response(request, account, duplicate=False, warnings=warnings)

    def _plan_response(
        self,
        request: k.PaymentStart,
        first: PaymentRecord,
        *,
        duplicate: bool,
        warnings: tuple[k.SaleWarning, ...] = (),
    ) -> k.Response:
        plan = first.payment.request.plan
        assert plan is not None, "a leg names its plan"
        legs = tuple(
            k.StartedLeg(
                payment_id=leg.payment_id,
                method=leg.method,
                amount=k.format_amount(leg.amount),
            )
            for leg in plan.legs
        )
        return self._replies.response(
            request,
            "accepted",
            payment_id=request.payment_id,
            payment_status=first.payment.status,
            rev=first.rev,
            duplicate=duplicate,
            result=k.StartResult(plan_id=request.payment_id, legs=legs, warnings=warnings),
        )

    def _legs(
        self, register_id: str, request: k.PaymentStart
    ) -> tuple[tuple[p.PaymentRequest, ...], Taker | None]:
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
        terminal_id = p.GIFT_CARDS
        terminal: Taker | None = None
        if (request.plan or ())[-1].method == "card":
            terminal_id = self._choice.terminal_of(register_id, request.terminal_id)
            terminal = self._choice.terminals[terminal_id]
            ready = terminal.state.ready
            refuse_unsupported(without, terminal.capabilities, ready.currency if ready else "")
        whole = replace(
            payment_request(without, register_id, terminal_id, possible_duplicate=False),
            content_hash=k.content_hash(request),
        )
        return legs_of(request, whole, amounts, leg_id=leg_id), terminal

    def refuse_late(self, delivery: Delivery, request: Guarded) -> None:
        """Refuse something new that nobody may wait for any more, or that would not be finished.

        Raises:
            RequestError: `stale_command`, `command_expired`, `clock_skew` or `bridge_draining`.
        """
        doubtful = self._clock_is_doubtful()
        now = self._now()
        refuse_unfresh(request, delivery, self.epoch, now, clock_is_doubtful=doubtful)
        if self.draining:
            raise RequestError("bridge_draining", "the bridge is about to stop; try again soon")

    async def _known_or_fresh(
        self,
        delivery: Delivery,
        register_id: str,
        request: k.PaymentStart | k.GiftCardLoad | k.AnyFollowUp,
    ) -> bool:
        """Say whether the journal knows the payment; refuse a new one that nobody waits for.

        Raises:
            RequestError: `stale_command`, `command_expired`, `clock_skew` or `bridge_draining`;
                `not_allowed` when the payment is another register's.
        """
        account = self._ledger.payments.get(request.payment_id)
        if account is not None:
            refuse_foreign(account.payment.request, register_id)
            return True
        try:
            self.refuse_late(delivery, request)
        except RequestError:
            # A payment that exists is only read, and reading is always fresh.
            if not await self._is_stored(register_id, request.payment_id):
                raise
            return True
        return False

    async def _is_stored(self, register_id: str, payment_id: str) -> bool:
        """Say whether the journal has the payment; raises `not_allowed` for another register's."""
        account = await self._ledger.payments.find(payment_id)
        if account is not None:
            refuse_foreign(account.payment.request, register_id)
        return account is not None

    async def _begin(
        self,
        request: k.PaymentStart | k.GiftCardLoad | k.AnyFollowUp,
        takers: Mapping[str, Taker],
        wanted: p.PaymentRequest,
        *,
        known: bool,
        warnings: tuple[k.SaleWarning, ...] = (),
    ) -> k.Response:
        if known:
            account, duplicate = await self._ledger.accept(wanted)
        else:
            queue = isinstance(request, k.PaymentStart) and request.when_busy == "queue"
            wait_seconds = self._seconds_to_begin(request, wanted)
            account, duplicate = await self._accept(
                takers, wanted, queue=queue, wait_seconds=wait_seconds
            )
        if duplicate:
            refuse_foreign(account.payment.request, wanted.register_id)
            await self._replies.show_again(account.payment_id)
        position = self._waiting.positions().get(account.payment_id)
        result = None
        if position or warnings:
            result = k.StartResult(queue_position=position or None, warnings=warnings)
        return self._replies.about(request, account, "accepted", duplicate=duplicate, result=result)

    async def _accept(
        self,
        takers: Mapping[str, Taker],
        wanted: p.PaymentRequest,
        *,
        queue: bool,
        wait_seconds: float,
    ) -> tuple[PaymentRecord, bool]:
        """Claim a terminal and store the payment; give the terminal back if it was refused."""
        await self._ledger.check(wanted)  # a sale in doubt says more than a busy terminal
        try:
            name, started = self._waiting.claim(
                takers, wanted, queue=queue, wait_seconds=wait_seconds
            )
        except RequestError:
            # A payment the journal knows is answered from there, whatever the terminal does.
            known = await self._ledger.payments.find(wanted.payment_id)
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

    def _seconds_to_begin(
        self,
        request: k.PaymentStart | k.GiftCardLoad | k.AnyFollowUp,
        wanted: p.PaymentRequest,
    ) -> float:
        """Return how long a terminal that is still being looked at may take to be ready."""
        if request.expires_at is None:
            return wanted.deadline_seconds
        left = (request.expires_at - self._now()).total_seconds()
        return min(max(left, 0.0), wanted.deadline_seconds)

    def _looks_repeated(self, request: k.PaymentStart, takers: Mapping[str, Taker]) -> bool:
        """True for the same amount on the same terminal within 90 s, when no sale says more."""
        if request.sale_id or request.gift_card is not None:
            return False
        since = k.format_time(self._now() - REPEATED_WITHIN)
        newest = self._ledger.payments.newest_first()
        recent = takewhile(lambda one: one.created_at >= since, newest)
        return any(
            account.payment.request.terminal_id in takers
            and account.payment.request.amount == request.amounts.requested
            and account.payment.status in {p.Status.APPROVED, *p.MAYBE_CHARGED}
            for account in recent
        )


def _used_before(text: str) -> RequestError:
    return RequestError("idempotency_conflict", text, path="payment_id")
