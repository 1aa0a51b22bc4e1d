"""Ways to have one sale's card charged a second time, or one hold captured twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.money import payment as p
from drivers.contract import Approval, Approved, Baseline, Declined, Money, Unclear
from tests.support.till import EUR, after, approval, goods, open_till, pay


async def test_a_sale_with_a_tip_is_paid_although_the_tip_is_not_the_sale_s(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        first = pay(1, 5000, tip=Money(500, EUR))
        await till.done(first)
        again = pay(2, 5000, tip=Money(500, EUR))
        assert await till.refused(again) == "sale_already_paid"


@pytest.mark.parametrize("is_in_doubt", [False, True])
async def test_no_new_charge_while_a_hold_of_the_sale_may_be_being_captured(
    tmp_path: Path, is_in_doubt: bool
) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=p.PaymentType.PREAUTH)
        await till.done(hold)
        capture = after(hold, 2, p.PaymentType.CAPTURE, 5000)
        await till.ledger.accept(capture, p.Started(Baseline("")))
        if is_in_doubt:
            await till.ledger.apply(capture.payment_id, Unclear("link_lost"))
        assert await till.refused(pay(3, 5000)) == "payment_in_doubt"


async def test_no_new_charge_when_a_payment_said_to_have_failed_took_money(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        first = pay(1, 5000)
        await till.ledger.accept(first, p.Started(Baseline("")))
        await till.ledger.apply(first.payment_id, Unclear("link_lost"))
        await till.ledger.apply(first.payment_id, p.Resolved("not_charged", "anna"))
        await till.ledger.apply(first.payment_id, Approved(approval(first)))
        assert await till.refused(pay(2, 5000)) == "payment_in_doubt"
        await till.ledger.apply(first.payment_id, p.Decided("noted", "anna"))
        assert await till.refused(pay(3, 5000)) == ""


async def test_a_decline_that_nothing_contradicts_lets_the_next_card_pay(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        first = pay(1, 5000)
        await till.ledger.accept(first, p.Started(Baseline("")))
        await till.ledger.apply(first.payment_id, Declined("05"))
        assert await till.refused(pay(2, 5000)) == ""


async def test_a_raised_hold_is_captured_by_its_first_payment_only(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 10_000, type=p.PaymentType.PREAUTH)
        await till.done(hold)
        raised = after(hold, 2, p.PaymentType.INCREMENT, 5000)
        await till.done(raised)
        await till.done(after(hold, 3, p.PaymentType.CAPTURE, 15_000))
        assert await till.refused(after(raised, 4, p.PaymentType.CAPTURE, 5000)) == "not_allowed"


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (p.PaymentType.INCREMENT, p.PaymentType.INCREMENT),
        (p.PaymentType.INCREMENT, p.PaymentType.VOID),
        (p.PaymentType.TIP_ADJUST, p.PaymentType.VOID),
        (p.PaymentType.TIP_ADJUST, p.PaymentType.TIP_ADJUST),
    ],
)
async def test_what_only_changes_a_payment_has_no_follow_ups_of_its_own(
    tmp_path: Path, first: p.PaymentType, kind: p.PaymentType
) -> None:
    async with open_till(tmp_path) as till:
        raises = first is p.PaymentType.INCREMENT
        start = pay(1, 10_000, type=p.PaymentType.PREAUTH if raises else p.PaymentType.SALE)
        await till.done(start)
        change = after(start, 2, first, 500)
        await till.done(change)
        assert await till.refused(after(change, 3, kind, 500)) == "not_allowed"


async def test_no_second_refund_when_one_said_to_have_failed_gave_money_back(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        await till.done(sale)
        refund = after(sale, 2, p.PaymentType.REFUND, 5000)
        await till.ledger.accept(refund, p.Started(Baseline("")))
        await till.ledger.apply(refund.payment_id, Declined("05"))
        await till.ledger.apply(refund.payment_id, Approved(approval(refund)))
        again = after(sale, 3, p.PaymentType.REFUND, 5000)
        assert await till.refused(again) == "refund_exceeds_captured"


async def test_no_second_capture_when_one_said_to_have_failed_took_money(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=p.PaymentType.PREAUTH)
        await till.done(hold)
        capture = after(hold, 2, p.PaymentType.CAPTURE, 5000)
        await till.ledger.accept(capture, p.Started(Baseline("")))
        await till.ledger.apply(capture.payment_id, Declined("05"))
        await till.ledger.apply(capture.payment_id, Approved(approval(capture)))
        again = after(hold, 3, p.PaymentType.CAPTURE, 5000)
        assert await till.refused(again) == "capture_exceeds_authorized"


async def test_a_batch_that_was_closed_stays_closed_for_a_payment_that_changes_later(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        account = await till.done(sale)
        assert account.status is p.Status.APPROVED
        await till.ledger.batches.close("counter-1", Money(5000, EUR))
        await till.ledger.apply(sale.payment_id, p.Acknowledged(1))
        assert await till.refused(after(sale, 2, p.PaymentType.VOID, 5000)) == "void_not_possible"
        assert await till.ledger.batches.payments_of("counter-1") == []


async def test_goods_of_a_covered_sale_are_told_to_the_books_once(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        one = pay(1, 5000, sale=goods(5000))
        two = pay(2, 5000, terminal_id="counter-2", approved_by="anna")
        await till.done(one)
        await till.done(two)
        assert till.booked_minor() == 10_000


async def test_a_card_is_not_asked_for_more_than_its_sale_costs(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        assert await till.refused(pay(1, 6000, sale=goods(5000))) == "invalid_request"


async def test_a_second_card_is_not_asked_for_more_than_is_left_of_the_sale(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 6000, sale=goods(10_000)))
        assert await till.refused(pay(2, 6000)) == "invalid_request"


async def test_money_of_another_currency_is_shown_to_a_person(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        sale = pay(1, 5000)
        await till.ledger.accept(sale, p.Started(Baseline("")))
        said = Approved(Approval(Money(5000, "USD"), fingerprint="T1/1"))
        await till.ledger.apply(sale.payment_id, said)
        assert till.payment(sale).discrepancies


@pytest.mark.parametrize("same_content", [True, False])
async def test_a_payment_of_another_register_is_neither_repeated_nor_told(
    tmp_path: Path, same_content: bool
) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000))
        foreign = pay(1, 5000 if same_content else 6000, register_id="till-2")
        assert await till.refused(foreign) == "not_allowed"
