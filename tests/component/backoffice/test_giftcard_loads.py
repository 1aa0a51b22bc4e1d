"""A gift card is filled with captured money, once, or not at all. Virtual time."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from bridge.money import payment as p
from bridge.money.payment import Funds, Status
from drivers.contract import Approval, Approved, Declined, Money, Unclear
from simulators.back_office.records import TransStatus
from tests.component.backoffice.test_giftcards import InStore, in_store
from tests.support.gift_card_store import Store
from tests.unit.backoffice.gift_cards.requests import gift_request

__all__ = ["in_store"]  # the fixture

LOAD = gift_request(
    2, 3000, type=p.PaymentType.LOAD, sale_id="S1", deadline_seconds=60, content_hash="load"
)
NAME = LOAD.payment_id
CARD_SALE = gift_request(1, 3000, terminal_id="counter-1", sale_id="S1", gift_card=None)


async def charge(store: Store, minor: int = 3000, number: int = 1) -> None:
    """A card pays for the sale."""
    sale = gift_request(number, minor, terminal_id="counter-1", sale_id="S1", gift_card=None)
    await store.ledger.accept(sale, p.Started(None))
    said = Approved(Approval(Money(minor, "EUR"), f"T/{number}"))
    await store.ledger.apply(sale.payment_id, said)


def check(store: Store, load: p.Payment, *, paid: bool) -> None:
    """Compare the balance with what the register is told."""
    filled = store.amounts(NAME, TransStatus.COMPLETED)
    assert store.balance == 50 + sum(filled)
    assert filled in ([], [Decimal(30)])
    match load.status:
        case Status.APPROVED:
            assert (load.funds, filled, paid) == (Funds.LOADED, [Decimal(30)], True)
        case Status.DECLINED | Status.CANCELED | Status.FAILED:
            assert filled == []
        case _:
            assert load.doubt is not None
            assert load.doubt.needs_operator


def test_a_card_is_filled_once_its_sale_is_paid(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(LOAD)
            waiting = await store.settled(NAME, 5.0)
            assert waiting.status is Status.IN_PROGRESS
            assert store.balance == 50, "set aside, not on the card"
            await charge(store)
            load = await store.settled(NAME, 5.0)
            assert load.status is Status.APPROVED
            check(store, load, paid=True)
            purchase = store.ledger.payments.purchase_of(CARD_SALE.payment_id)
            assert purchase is not None
            assert purchase.purchase.content.pay_amount == Money(3000, "EUR"), "the money once"

    in_store(main)


@pytest.mark.parametrize("outcome", ["declined", "nothing", "half"])
def test_a_load_whose_sale_is_not_paid_is_given_up(in_store: InStore, outcome: str) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(LOAD)
            await asyncio.sleep(5.0)
            if outcome == "declined":
                await store.ledger.accept(CARD_SALE, p.Started(None))
                await store.ledger.apply(CARD_SALE.payment_id, Declined("05"))
            if outcome == "half":
                await charge(store, 1500)
            load = await store.settled(NAME, 70.0)
            assert load.status is Status.CANCELED
            assert store.amounts(NAME, TransStatus.CANCELLED) == [Decimal(30)]
            check(store, load, paid=False)

    in_store(main)


def test_a_load_is_canceled_while_it_waits(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(LOAD)
            await asyncio.sleep(5.0)
            await store.ledger.apply(NAME, p.CancelAsked("cashier"))
            load = await store.settled(NAME, 5.0)
            assert load.status is Status.CANCELED
            await charge(store)
            check(store, await store.settled(NAME, 5.0), paid=True)

    in_store(main)


def test_one_payment_fills_one_card_only(in_store: InStore) -> None:
    async def main(store: Store) -> None:
        second = gift_request(3, 3000, type=p.PaymentType.LOAD, sale_id="S1", deadline_seconds=60)
        async with store.alive():
            await store.ask(LOAD)
            await store.ask(second)
            await asyncio.sleep(5.0)
            await charge(store)
            await asyncio.sleep(100.0)
            states = [store.payment(one.payment_id).status for one in (LOAD, second)]
            assert sorted(one.value for one in states) == ["approved", "canceled"]
            assert store.balance == 80

    in_store(main)


@pytest.mark.parametrize("paid", ["before", "after", "in_doubt", "never"])
def test_a_process_that_dies_leaves_no_load_open(in_store: InStore, paid: str) -> None:
    async def main(store: Store) -> None:
        async with store.alive():
            await store.ask(LOAD)
            await asyncio.sleep(5.0)
            if paid == "before":
                await charge(store)
            if paid in {"after", "in_doubt"}:
                await store.ledger.accept(CARD_SALE, p.Started(None))
        async with store.alive():
            if paid in {"after", "in_doubt"}:
                await asyncio.sleep(100.0)
                assert store.payment(NAME).status is Status.IN_DOUBT, "nobody knows yet"
                await store.ledger.apply(CARD_SALE.payment_id, Unclear("link_lost"))
            if paid == "after":
                said = Approved(Approval(Money(3000, "EUR"), "T/1"))
                await store.ledger.apply(CARD_SALE.payment_id, said)
            load = await store.settled(NAME)
            if paid == "in_doubt":
                assert load.status is Status.IN_DOUBT
                assert store.balance == 50
                return
            was_paid = paid in {"before", "after"}
            assert load.status is (Status.APPROVED if was_paid else Status.CANCELED)
            check(store, load, paid=was_paid)

    in_store(main)
