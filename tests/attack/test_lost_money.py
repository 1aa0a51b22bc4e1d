"""Ways to lose captured money on its way to the books, or evidence on its way to a person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.store.payment_store import SETTLED_IN_MEMORY_MAX
from drivers.contract import Approved, Baseline, Declined, Money, Unclear
from tests.support.till import EUR, Till, after, approval, goods, open_till, pay


async def at_once(till: Till, *wanted: p.PaymentRequest) -> None:
    """Have all approved while the disk writes the first of them."""
    till.journal.held = asyncio.Event()
    tasks = [asyncio.ensure_future(till.approve(one)) for one in wanted]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    till.journal.held.set()
    await asyncio.gather(*tasks)
    till.journal.held = None


async def test_two_cards_that_pay_a_sale_at_once_cover_it(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        one = pay(1, 6000, sale=goods(10_000))
        two = pay(2, 4000, terminal_id="counter-2", approved_by="anna")
        for wanted in (one, two):
            await till.ledger.accept(wanted, p.Started(Baseline("")))
        await at_once(till, one, two)
        assert till.booked_minor() == 10_000


async def test_a_refund_that_crosses_the_last_card_of_its_sale_is_in_the_books(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        one = pay(1, 6000, sale=goods(10_000))
        two = pay(2, 4000, terminal_id="counter-2")
        refund = after(one, 3, p.PaymentType.REFUND, 6000)
        await till.done(one)
        for wanted in (two, refund):
            await till.ledger.accept(wanted, p.Started(Baseline("")))
        await at_once(till, two, refund)
        # Either both are told, or the sale waits with what is left of it.
        rest = sum(
            till.payment(w).refundable_minor
            for w in (one, two)
            if till.payment(w).recording is p.Recording.PENDING
            and till.ledger.payments.purchase_of(w.payment_id) is None
        )
        assert till.booked_minor() + rest == 4000


async def test_a_refund_accepted_while_its_sale_is_forgotten_still_finds_it(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(0, 5000, "S0", type=p.PaymentType.PREAUTH)  # settled at once: nothing to book
        await till.done(sale)
        await till.ledger.retire(sale.payment_id)
        others = [pay(n, 5000, f"S{n}") for n in range(1, SETTLED_IN_MEMORY_MAX + 1)]
        others = [replace(one, type=p.PaymentType.PREAUTH) for one in others]
        for begin in range(0, len(others), 100):
            await asyncio.gather(*(till.done(one) for one in others[begin : begin + 100]))
        for one in others[:-1]:
            await till.ledger.retire(one.payment_id)
        capture = after(sale, 5001, p.PaymentType.CAPTURE, 5000)
        till.journal.held = held = asyncio.Event()
        accepting = asyncio.ensure_future(till.ledger.accept(capture, p.Started(Baseline(""))))
        await asyncio.sleep(0)
        till.journal.held = None
        await till.ledger.retire(others[-1].payment_id)  # the one too many: the oldest goes
        held.set()
        await accepting
        await till.approve(capture)
        again = await till.ledger.payments.find_original(sale.payment_id)
        assert again is not None
        assert again.payment.funds is p.Funds.CAPTURED


async def test_a_refund_of_all_but_a_part_of_the_tip_does_not_stop_the_books(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000, tip=Money(500, EUR), lines_later=True)
        await till.done(sale)
        await till.done(after(sale, 2, p.PaymentType.REFUND, 4800))
        await till.ledger.give_up_waiting(sale.payment_id)
        assert till.booked_minor() == 200


async def test_evidence_about_a_payment_that_was_put_away_is_shown_again(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        await till.ledger.accept(sale, p.Started(Baseline("")))
        await till.ledger.apply(sale.payment_id, Unclear("link_lost"))
        await till.ledger.apply(sale.payment_id, p.Resolved("not_charged", "anna"))
        await till.ledger.apply(sale.payment_id, p.Acknowledged(1))
        await till.ledger.retire(sale.payment_id)
        account = await till.ledger.apply(sale.payment_id, Approved(approval(sale)))
        assert account.live
        again = (await till.reborn()).payments.get(sale.payment_id)
        assert again is not None
        assert again.live
        assert again.payment.discrepancies


async def test_a_payment_contradicted_while_it_is_put_away_stays(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        await till.ledger.accept(sale, p.Started(Baseline("")))
        await till.ledger.apply(sale.payment_id, Declined("05"))
        await till.ledger.apply(sale.payment_id, Approved(approval(sale)))
        await till.ledger.retire(sale.payment_id)
        account = till.ledger.payments.get(sale.payment_id)
        assert account is not None
        assert account.live


@pytest.mark.parametrize(
    ("kind", "funds", "of_original"),
    [
        (p.PaymentType.REFUND, p.Funds.RETURNED, p.Funds.REFUNDED),
        (p.PaymentType.VOID, p.Funds.VOIDED, p.Funds.VOIDED),
        (p.PaymentType.TIP_ADJUST, p.Funds.CAPTURED, p.Funds.CAPTURED),
        (p.PaymentType.CAPTURE, p.Funds.CAPTURED, p.Funds.CAPTURED),
        (p.PaymentType.INCREMENT, p.Funds.HELD, p.Funds.HELD),
    ],
)
async def test_a_follow_up_booked_by_a_person_is_what_it_is_and_its_original_knows(
    tmp_path: Path, kind: p.PaymentType, funds: p.Funds, of_original: p.Funds
) -> None:
    async with open_till(tmp_path) as till:
        holds = kind in {p.PaymentType.CAPTURE, p.PaymentType.INCREMENT}
        start = pay(1, 5000, type=p.PaymentType.PREAUTH if holds else p.PaymentType.SALE)
        await till.done(start)
        change = after(start, 2, kind, 5000)
        await till.ledger.accept(change, p.Started(Baseline("")))
        await till.ledger.apply(change.payment_id, Declined("05"))
        await till.ledger.apply(change.payment_id, Approved(approval(change)))
        await till.ledger.apply(change.payment_id, p.Decided("book", "anna"))
        assert till.payment(change).funds is funds
        told = till.payment(start)
        assert told.funds is of_original
        assert told.refunded_minor == (5000 if kind is p.PaymentType.REFUND else 0)
        assert told.used_minor == (5000 if kind is p.PaymentType.CAPTURE else 0)
        assert told.added_minor == (5000 if kind is p.PaymentType.INCREMENT else 0)
        assert told.tip_minor == (5000 if kind is p.PaymentType.TIP_ADJUST else 0)
        again = await till.reborn()
        known = again.payments.get(change.payment_id)
        assert known is None or known.payment.funds is funds
        booked = {p.PaymentType.CAPTURE: 5000, p.PaymentType.TIP_ADJUST: 5000}
        given = {p.PaymentType.REFUND, p.PaymentType.VOID}
        expected = 0 if kind in given else booked.get(kind, 0)
        assert till.booked_minor() == expected


async def test_a_hold_booked_by_a_person_is_held_and_not_captured(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=p.PaymentType.PREAUTH)
        await till.ledger.accept(hold, p.Started(Baseline("")))
        await till.ledger.apply(hold.payment_id, Declined("05"))
        await till.ledger.apply(hold.payment_id, Approved(approval(hold)))
        await till.ledger.apply(hold.payment_id, p.Decided("book", "anna"))
        assert till.payment(hold).held_minor == 5000
        assert till.booked_minor() == 0


async def test_a_refund_in_doubt_that_a_person_confirms_counts_against_its_sale(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        await till.done(sale)
        refund = after(sale, 2, p.PaymentType.REFUND, 3000)
        await till.ledger.accept(refund, p.Started(Baseline("")))
        await till.reborn()
        await till.ledger.apply(refund.payment_id, p.Resolved("approved", "anna", "123456"))
        assert till.payment(sale).refunded_minor == 3000
        again = after(sale, 3, p.PaymentType.REFUND, 2001)
        assert await till.refused(again) == "refund_exceeds_captured"
        assert till.booked_minor() == 2000
