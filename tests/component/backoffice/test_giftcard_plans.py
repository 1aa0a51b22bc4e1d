"""A split payment ends with everything taken once, or nothing at all. Virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from bridge.money import payment as p
from bridge.money.background.split_payments import SplitPayments
from bridge.money.payment import Funds, Status, leg_id
from bridge.money.purchase import SaleDetails, SaleLine
from drivers.contract import Approval, Approved, Canceled, Card, Declined, Money, Unclear
from simulators.back_office.records import TransStatus
from tests.component.backoffice.test_giftcards import InStore, in_store
from tests.support.gift_card_store import PIN, Store
from tests.unit.backoffice.gift_cards.requests import CARD, gift_request

__all__ = ["in_store"]  # the fixture

PLAN_ID = "018f6f0e-8a44-7c1b-9a3e-aaaaaaaaaaaa"
SECOND = p.GiftCardCode("PHYSICAL", "6396210000008888")
EUR = "EUR"
PLAN = p.Plan(
    PLAN_ID,
    (
        p.PlanLeg(leg_id(PLAN_ID, 1), "gift_card", Money(2000, EUR)),
        p.PlanLeg(leg_id(PLAN_ID, 2), "gift_card", Money(1000, EUR)),
        p.PlanLeg(leg_id(PLAN_ID, 3), "card", Money(1790, EUR)),
    ),
)
LINE = SaleLine(1, "A", "1", "each", "47.90", 4790)
SALE = SaleDetails(Money(4790, EUR), (LINE,))
FIRST_ID, SECOND_ID, CARD_ID = (leg.payment_id for leg in PLAN.legs)


def legs(plan: p.Plan = PLAN) -> tuple[p.PaymentRequest, ...]:
    cards = (CARD, SECOND)
    return tuple(
        gift_request(
            number,
            leg.amount.minor,
            payment_id=leg.payment_id,
            type=p.PaymentType.SALE if leg.method == "card" else p.PaymentType.PREAUTH,
            terminal_id="counter-1" if leg.method == "card" else p.GIFT_CARDS,
            gift_card=None if leg.method == "card" else cards[number],
            sale_id="S1",
            sale=SALE if number == 0 else None,
            plan=plan,
        )
        for number, leg in enumerate(plan.legs)
    )


class Till:
    """A store with a plan, and a terminal that does what it is told."""

    def __init__(self, store: Store, outcome: str = "approved") -> None:
        self.store = store
        self.outcome = outcome
        self.given_back: list[str] = []
        self.plans: SplitPayments
        self.plans_type: type[SplitPayments] = SplitPayments  # a planted bug is a subclass
        if len(store.state.gift_cards) == 1:
            store.state.gift_card_add(code=SECOND.code, pin=PIN, balance=Decimal(10))

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        async with self.store.alive():
            self.plans = self.plans_type(
                self.store.ledger, lambda _, name: self.given_back.append(name)
            )
            self.plans.recover()
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(one) for one in (self.plans.run(), self._terminal())]
            try:
                yield
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _terminal(self) -> None:
        """Charge whatever comes, once."""
        queue = self.store.ledger.work("counter-1")
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.05)
            work = queue.take_due(loop.time())
            if work is None or not isinstance(work.action, p.StartOnTerminal):
                continue
            name = work.payment_id
            await self.store.ledger.apply(name, p.Started(None))
            await asyncio.sleep(1.0)
            answers: dict[str, p.Event] = {
                "approved": Approved(Approval(Money(1790, EUR), "T/1", card=Card("visa", "Visa"))),
                "declined": Declined("05"),
                "canceled": Canceled("cashier"),
                "unclear": Unclear("link_lost"),
            }
            await self.store.ledger.apply(name, answers[self.outcome])

    async def start(self, plan: p.Plan = PLAN) -> None:
        wanted = legs(plan)
        for one in wanted:
            if one.gift_card is not None:
                self.store.cards.keep_pin(one.payment_id, PIN)
        await self.store.ledger.accept(wanted[0])
        self.plans.carry(wanted)

    @property
    def balances(self) -> list[Decimal]:
        return [card.balance for card in self.store.state.gift_cards.values()]

    @property
    def is_charged(self) -> bool:
        account = self.store.ledger.payments.get(CARD_ID)
        return account is not None and account.payment.captured.minor == 1790

    def check(self) -> None:
        """Everything was taken once and is one purchase, or nothing was and nothing is held."""
        states = [one.status for one in self.store.state.transactions.values()]
        if self.is_charged:
            assert self.balances == [30, 0]
            assert states.count(TransStatus.COMPLETED) == 2
            (purchase,) = self.store.ledger.payments.open_purchases()
            content = purchase.purchase.content
            assert content.pay_amount == Money(4790, EUR)
            return
        assert self.balances == [50, 10]
        assert set(states) <= {TransStatus.CANCELLED}
        assert self.store.ledger.payments.open_purchases() == []

    def is_parked(self) -> bool:
        """True when a person was asked about something that only a person can know."""
        return any(
            one.payment.doubt is not None and one.payment.doubt.needs_operator
            for one in self.store.ledger.payments.unfinished()
        )


def test_gift_cards_are_held_then_the_card_pays_then_they_are_captured(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        till = Till(store)
        store.world.wire.delay_seconds = 0.2
        async with till.alive():
            await till.start()
            await asyncio.sleep(1.2)
            assert till.balances[0] == 30
            assert store.asked("gift_card_trans_captured") == 0, "the card has not paid yet"
            await asyncio.sleep(20.0)
            till.check()
            assert store.payment(FIRST_ID).funds is Funds.CAPTURED
            assert till.given_back == []

    in_store(main)


@pytest.mark.parametrize("outcome", ["declined", "canceled"])
def test_nothing_stays_held_when_the_card_does_not_pay(in_store: InStore, outcome: str) -> None:
    async def main(store: Store) -> None:
        till = Till(store, outcome)
        async with till.alive():
            await till.start()
            await asyncio.sleep(20.0)
            till.check()
            assert store.payment(FIRST_ID).funds is Funds.VOIDED

    in_store(main)


def test_a_gift_card_that_is_refused_releases_the_others_and_asks_no_card(
    in_store: InStore,
) -> None:
    async def main(store: Store) -> None:
        till = Till(store)
        async with till.alive():
            wanted = legs()
            store.cards.keep_pin(FIRST_ID, PIN)
            await store.ledger.accept(wanted[0])
            till.plans.carry(wanted)  # the second PIN is missing
            await asyncio.sleep(20.0)
            assert store.ledger.payments.get(CARD_ID) is None
            assert till.given_back == [CARD_ID], "the terminal is free again"
            till.check()

    in_store(main)


def test_a_hold_in_doubt_gives_the_terminal_back_and_asks_no_card(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        till = Till(store)
        store.fault("drop_before_apply", "giftcardTransAdd", after=1)
        async with till.alive():
            await till.start()
            await asyncio.sleep(10.0)
            assert store.payment(SECOND_ID).status is Status.IN_DOUBT
            assert till.given_back == [CARD_ID]
            await asyncio.sleep(200.0)
            assert store.ledger.payments.get(CARD_ID) is None
            till.check()

    in_store(main)


def test_a_card_in_doubt_keeps_the_holds_until_it_is_known(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        till = Till(store, "unclear")
        async with till.alive():
            await till.start()
            await asyncio.sleep(60.0)
            assert till.balances == [30, 0]
        async with till.alive():
            await asyncio.sleep(60.0)
            assert till.balances == [30, 0]
            approval = Approval(Money(1790, EUR), "T/1", card=Card("visa"))
            await store.ledger.apply(CARD_ID, Approved(approval))
            await asyncio.sleep(20.0)
            till.check()

    in_store(main)


def test_a_cancel_before_the_card_pays_releases_everything(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        till = Till(store)
        store.fault("slow", "giftcardTransAdd")
        async with till.alive():
            await till.start()
            await asyncio.sleep(1.0)
            await till.plans.cancel(PLAN_ID)
            await asyncio.sleep(30.0)
            assert not till.is_charged
            assert till.given_back == [CARD_ID]
            till.check()

    in_store(main)


def test_two_gift_cards_pay_without_a_card(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        till = Till(store)
        async with till.alive():
            await till.start(p.Plan(PLAN_ID, PLAN.legs[:2]))
            await asyncio.sleep(20.0)
            assert till.balances == [30, 0]
            assert [one.status.value for one in store.state.transactions.values()] == [
                "COMPLETED",
                "COMPLETED",
            ]

    in_store(main)


@pytest.mark.parametrize("outcome", ["approved", "declined"])
@pytest.mark.parametrize("tenths", range(1, 50, 3))
def test_a_plan_whose_process_dies_at_any_moment_ends_whole_or_not_at_all(
    in_store: InStore, tenths: int, outcome: str
) -> None:
    async def main(store: Store) -> None:
        till = Till(store, outcome)
        store.world.wire.delay_seconds = 0.25
        async with till.alive():
            await till.start()
            await asyncio.sleep(tenths / 10)
        await asyncio.sleep(2.0)
        async with till.alive():
            await asyncio.sleep(400.0)
            account = store.ledger.payments.get(CARD_ID)
            if account is not None and account.payment.status is Status.IN_DOUBT:
                said = Approved(Approval(Money(1790, EUR), "T/1", card=Card("visa")))
                await store.ledger.apply(CARD_ID, said if outcome == "approved" else Declined("05"))
                await asyncio.sleep(400.0)
            if not till.is_parked():
                till.check()
            for name in (FIRST_ID, SECOND_ID):
                assert len(store.amounts(name, TransStatus.COMPLETED)) <= 1

    in_store(main)


def test_a_hold_that_cannot_be_ended_is_named_for_a_person(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        till = Till(store, "unclear")
        async with till.alive():
            await till.start()
            await asyncio.sleep(30.0)
            assert till.plans.warnings() == []
            store.state.transactions.clear()  # the server let the holds go
            await store.ledger.apply(CARD_ID, Declined("05"))
            await asyncio.sleep(60.0)
            said = till.plans.warnings()
            assert len(said) == 2
            assert all(name in "".join(said) for name in (FIRST_ID, SECOND_ID))
            assert all("cannot be ended" in one for one in said)

    in_store(main)
