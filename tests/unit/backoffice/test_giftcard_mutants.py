"""Planted bugs, each a small change of the real code, and the checks that must catch them."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bridge.backoffice import giftcard_evidence as e
from bridge.backoffice.documents import GiftCardCapture
from bridge.backoffice.giftcards import GiftCards
from bridge.money import payment as p
from bridge.money.plans import Plans
from drivers import contract as c
from simulators.backoffice_records import TransType
from tests.unit.backoffice.giftcard_store import CODE, PIN, Store
from tests.unit.backoffice.test_giftcard_loads import LOAD
from tests.unit.backoffice.test_giftcard_loads import check as check_load
from tests.unit.backoffice.test_giftcard_plans import Till
from tests.unit.backoffice.test_giftcards import NAME, SALE, InStore, check, in_store

__all__ = ["in_store"]  # the fixture


class HoldsAgain(GiftCards):
    """A hold whose answer was lost is simply asked for again."""

    async def _judge_by_balance(self, payment: p.Payment) -> None:
        assert payment.baseline is not None
        before = e.read_before(payment.baseline.fingerprint)
        await self._hold(payment.request, before, PIN)


class SaysNo(GiftCards):
    """A hold whose answer was lost is told as a failure at once."""

    async def _judge_by_balance(self, payment: p.Payment) -> None:
        failed = c.Failed("not_applied", "no answer", "host_timeout")
        await self._ledger.apply(payment.request.payment_id, failed)


class BelievesTheAmount(GiftCards):
    """A lower balance is taken for our own use, whoever lowered it."""

    async def _ask_a_person(self, name: str, why: str) -> None:
        account = self._ledger.get(name)
        assert account is not None
        request = account.payment.request
        approval = e.approval_of(request, request.amount, "", before=Decimal(50), after=None)
        await self._ledger.apply(name, c.Approved(approval))


class ForgetsTheHold(GiftCards):
    """A capture that was refused ends the payment, and nobody releases its hold."""

    async def _conclude_by(self, name: str, how: str) -> None:
        if how == "capture":
            await super()._conclude_by(name, "capture")
            return
        await self._ledger.apply(name, c.Failed("refused", "", "not_allowed"))


class CapturesAtOnce(GiftCards):
    """A hold is captured as soon as it is there, whatever it is for."""

    async def _end_hold(self, payment: p.Payment) -> None:
        name = payment.request.payment_id
        assert payment.offer is not None
        whole = GiftCardCapture(payment.offer.fingerprint)
        await self._office.gift_card_trans_capture(whole)
        await self._ledger.apply(name, c.Approved(payment.offer))


class FillsAtOnce(GiftCards):
    """A load does not wait for its sale."""

    async def _end_load(self, payment: p.Payment) -> None:
        await self._conclude_by(payment.request.payment_id, "capture")


class ForgetsToRelease(Plans):
    """When the card declines, the gift cards stay held."""

    async def _end(self, plan: p.Plan, hold: p.Payment, how: str, *more: object) -> bool:
        if how == "void":
            self._leave_to_a_person(hold, "forgotten")
            return True
        return await super()._end(plan, hold, how, *more)  # type: ignore[arg-type]  # as they came


Mutant = type[GiftCards]


@pytest.mark.parametrize(
    ("mutant", "fault", "operation", "spent"),
    [
        (HoldsAgain, "apply_then_drop", "giftcardTransAdd", 0),
        (SaysNo, "apply_then_drop", "giftcardTransAdd", 0),
        (SaysNo, "drop_then_apply_late", "giftcardTransAdd", 0),
        (BelievesTheAmount, "drop_before_apply", "giftcardTransAdd", 20),
        (ForgetsTheHold, "not_authorized", "giftcardTransCapture", 0),
    ],
)
def test_a_bug_in_a_sale_is_caught(
    in_store: InStore, mutant: Mutant, fault: str, operation: str, spent: int
) -> None:
    async def main(store: Store) -> None:
        store.fault(fault, operation)
        store.cards_type = mutant
        async with store.alive():
            await store.ask(SALE)
            await asyncio.sleep(1.0)
            if spent:
                store.state.gift_card_trans_add(
                    code=CODE, pin=PIN, trans_type=TransType.USE, amount=Decimal(-spent)
                )
            payment = await store.settled(NAME)
            with pytest.raises(AssertionError):
                check(store, payment)

    in_store(main)


def test_a_load_that_does_not_wait_for_its_sale_is_caught(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        store.cards_type = FillsAtOnce
        async with store.alive():
            await store.ask(LOAD)
            load = await store.settled(LOAD.payment_id)
            with pytest.raises(AssertionError):
                check_load(store, load, paid=False)

    in_store(main)


@pytest.mark.parametrize(
    ("cards", "plans"), [(CapturesAtOnce, Plans), (GiftCards, ForgetsToRelease)]
)
def test_a_bug_in_a_plan_whose_card_declines_is_caught(
    in_store: InStore, cards: Mutant, plans: type[Plans]
) -> None:
    async def main(store: Store) -> None:
        store.cards_type = cards
        till = Till(store, "declined")
        till.plans_type = plans
        async with till.alive():
            await till.start()
            await asyncio.sleep(60.0)
            with pytest.raises(AssertionError):
                till.check()

    in_store(main)
