"""Carries split payments on: begins the next leg, and ends every hold.

`split_payment.py` decides what comes next.

A plan is found again after a restart by what its payments carry. Legs that had not begun by then
never do: their shopper may have left.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.split_payment import BeginLeg, Done, EndHold, Wait, next_step

_LOGGER = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # how often open plans are looked at: a shopper waits between two legs
LOOK_LATER_SECONDS = 2.0  # once nobody waits for the next leg: what is open then takes minutes
# A hold whose end failed with proof is tried again, later and later; each try is a payment of its
# own, so their number is bounded: with these, for some thirty hours.
RETRY_SECONDS_MIN = 5.0
RETRY_SECONDS_MAX = 900.0
ATTEMPTS_MAX = 128
HOLD_IS_GONE = "authorization_expired"  # the one refusal that trying again cannot cure


class SplitPayments:
    """The plans that are not done. `run` acts; everything else only notes."""

    def __init__(self, ledger: Ledger, give_back: Callable[[str, str], None]) -> None:
        """Carry on the plans of `ledger`; `give_back(terminal_id, payment_id)` frees a terminal."""
        self._ledger = ledger
        self._give_back = give_back
        self._open: dict[str, p.Plan] = {}
        self._keys: dict[str, str] = {}  # plan -> sale
        self._legs: dict[str, dict[str, p.PaymentRequest]] = {}  # wanted ones, by plan and id
        self._retry_at: dict[str, float] = {}  # by plan
        self._beyond_help: set[str] = set()  # holds that only a person can still end
        self._news = asyncio.Event()

    def carry(self, legs: Sequence[p.PaymentRequest]) -> None:
        """Carry on a plan whose first leg was accepted."""
        plan = legs[0].plan
        assert plan is not None, "a leg names its plan"
        self._legs[plan.plan_id] = {one.payment_id: one for one in legs}
        self._keep(legs[0])

    def is_wanted(self, plan_id: str) -> bool:
        """Say whether further parts of a plan will begin."""
        return plan_id in self._legs

    @property
    def beyond_help(self) -> frozenset[str]:
        """The holds that only a person can still end."""
        return frozenset(self._beyond_help)

    def warnings(self) -> list[str]:
        """Return what a person should know of holds that could not be ended, in words."""
        found = [
            f"the gift card hold of payment {name} cannot be ended: look it up in the back office"
            for name in sorted(self._beyond_help)
            if (account := self._ledger.payments.get(name)) is None or account.payment.held_minor
        ]
        return found + [
            f"a gift card hold of plan {name} could not be ended yet; it is tried again"
            for name in sorted(self._retry_at)
        ]

    def recover(self) -> None:
        """Find the plans that were not done when the service died; the ledger has recovered."""
        for account in self._ledger.payments.in_memory():
            if account.payment.request.plan is not None:
                self._keep(account.payment.request)

    async def cancel(self, plan_id: str, reason: str = "cashier") -> None:
        """Begin no further leg, and ask the one that is open to stop.

        Raises:
            JournalError: It could not be stored.
        """
        self._give_up(plan_id)
        plan = self._open.get(plan_id)
        for leg in plan.legs if plan else ():
            account = self._ledger.payments.get(leg.payment_id)
            if account is not None and not account.payment.is_final:
                await self._ledger.apply(leg.payment_id, p.CancelAsked(reason))

    async def run(self) -> None:
        """Carry on for ever. Canceled at any point, the plan is found again by `recover`.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        while True:
            self._news.clear()
            for plan_id in tuple(self._open):
                await self._carry_on(self._open[plan_id])
            if not self._open:
                await self._news.wait()
            elif not self._legs:
                await self._rest()
            await asyncio.sleep(LOOK_SECONDS)

    async def _rest(self) -> None:
        """Wait a while, or until a new plan is carried."""
        try:
            async with asyncio.timeout(LOOK_LATER_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass

    def _keep(self, request: p.PaymentRequest) -> None:
        assert request.plan is not None, "a leg names its plan"
        self._open[request.plan.plan_id] = request.plan
        self._keys[request.plan.plan_id] = request.sale_key
        self._news.set()

    def _give_up(self, plan_id: str) -> None:
        """Forget the legs that have not begun; a card's terminal is free again."""
        for leg in self._legs.pop(plan_id, {}).values():
            at_terminal = leg.method is not p.Method.OFFICE_GIFT_CARD
            if at_terminal and leg.payment_id not in self._ledger.payments:
                self._give_back(leg.terminal_id, leg.payment_id)
        self._ledger.payments.something_changed.set()  # the plan's document says so

    async def _carry_on(self, plan: p.Plan) -> None:
        """Take the steps that can be taken now."""
        now = asyncio.get_running_loop().time()
        if now < self._retry_at.get(plan.plan_id, now):
            return
        while True:
            payments = {
                one.payment_id: one.payment
                for one in self._ledger.payments.of_sale(self._keys[plan.plan_id])
                if one.payment.request.plan == plan
            }
            wanted = plan.plan_id in self._legs
            step = next_step(plan, payments, is_wanted=wanted, beyond_help=self._beyond_help)
            match step:
                case Wait():
                    if any(one.doubt is not None for one in payments.values()):
                        # It takes minutes, or a person; nobody waits for the next leg that long.
                        self._give_up(plan.plan_id)
                    return
                case BeginLeg(leg):
                    await self._begin(plan, self._legs[plan.plan_id][leg.payment_id])
                case EndHold(hold, how, attempt):
                    if how == "void":
                        self._give_up(plan.plan_id)
                    if not await self._end(plan, hold, how, attempt, payments):
                        return
                case Done():
                    self._give_up(plan.plan_id)
                    for known in (self._open, self._keys, self._retry_at):
                        known.pop(plan.plan_id, None)
                    return

    async def _begin(self, plan: p.Plan, leg: p.PaymentRequest) -> None:
        try:
            await self._ledger.accept(leg)
        except RequestError as error:
            _LOGGER.warning("plan=%s cannot go on code=%s", plan.plan_id, error.code)
            self._give_up(plan.plan_id)

    async def _end(
        self,
        plan: p.Plan,
        hold: p.Payment,
        how: str,
        attempt: int,
        payments: dict[str, p.Payment],
    ) -> bool:
        """Begin to end a hold, or leave it to a person; False when that must wait."""
        name = ending_id(plan.plan_id, hold.request.payment_id, attempt)
        before = payments.get(ending_id(plan.plan_id, hold.request.payment_id, attempt - 1))
        if before is not None:
            code = before.denial.code if before.denial is not None else ""
            if code == HOLD_IS_GONE or attempt >= ATTEMPTS_MAX:
                self._leave_to_a_person(hold, code)
                return True
            if plan.plan_id not in self._retry_at:
                delay = min(RETRY_SECONDS_MIN * 2.0 ** min(attempt, 16), RETRY_SECONDS_MAX)
                self._retry_at[plan.plan_id] = asyncio.get_running_loop().time() + delay
                _LOGGER.warning("%s of hold=%s failed code=%s", how, hold.request.payment_id, code)
                self._ledger.payments.something_changed.set()  # health says so
                return False
            del self._retry_at[plan.plan_id]
        assert hold.approval is not None, "what is held was approved"
        request = replace(
            hold.request,
            payment_id=name,
            type=p.PaymentType(how),
            amount=hold.approval.amount,
            content_hash=f"{how} {hold.request.payment_id}",
            sale=None,
            original_payment_id=hold.request.payment_id,
            original=hold.approval,
            original_sale_key=hold.request.sale_key,
            cancel_when_register_lost=False,
        )
        try:
            await self._ledger.accept(request)
        except RequestError as error:
            self._leave_to_a_person(hold, error.code)
        return True

    def _leave_to_a_person(self, hold: p.Payment, code: str) -> None:
        """Give a hold up; the next start tries once more."""
        name = hold.request.payment_id
        _LOGGER.error("hold=%s stays (%s): look it up in the back office", name, code)
        self._beyond_help.add(name)
        self._ledger.payments.something_changed.set()  # the plan's document says so


def ending_id(plan_id: str, hold_id: str, attempt: int) -> str:
    """Return the id of the payment that ends a hold of a plan."""
    return str(uuid.uuid5(uuid.UUID(plan_id), f"end {hold_id} {attempt}"))
