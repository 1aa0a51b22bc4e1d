"""Ways to charge a sale beside what is held for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.admission import refuse_unsafe_start
from drivers.contract import Baseline, Declined, Money, Unclear
from tests.support.till import EUR, after, approval, goods, open_till, pay

PREAUTH = p.PaymentType.PREAUTH


@pytest.mark.parametrize("kind", [p.PaymentType.SALE, PREAUTH])
@pytest.mark.parametrize("lines", [None, goods(5000)])
async def test_a_sale_whose_whole_amount_is_held_is_not_charged_beside_it(
    tmp_path: Path, kind: p.PaymentType, lines: object
) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000, type=PREAUTH, sale=lines))
        assert await till.refused(pay(2, 5000, type=kind)) == "sale_already_paid"


async def test_a_person_in_charge_may_charge_beside_a_hold(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000, type=PREAUTH))
        assert await till.refused(pay(2, 5000, approved_by="anna")) == ""


async def test_a_hold_that_is_released_frees_its_sale_once_that_is_certain(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=PREAUTH)
        await till.done(hold)
        void = after(hold, 2, p.PaymentType.VOID, 5000)
        await till.ledger.accept(void, p.Started(Baseline("")))
        await till.ledger.apply(void.payment_id, Unclear("link_lost"))
        assert await till.refused(pay(3, 5000)) == "sale_already_paid", "it may be held still"
        await till.approve(void)
        assert await till.refused(pay(3, 5000)) == ""


async def test_a_hold_that_was_refused_covers_nothing(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=PREAUTH)
        await till.ledger.accept(hold, p.Started(Baseline("")))
        await till.ledger.apply(hold.payment_id, Declined("05"))
        assert await till.refused(pay(2, 5000)) == ""


async def test_beside_a_hold_of_a_part_the_rest_can_be_charged_and_no_cent_more(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 3000, type=PREAUTH, sale=goods(5000)))
        assert await till.refused(pay(2, 2001)) == "invalid_request"
        await till.done(pay(3, 2000))
        assert await till.refused(pay(4, 1)) == "sale_already_paid"


async def test_a_second_hold_is_for_the_rest_at_most(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 3000, type=PREAUTH, sale=goods(5000)))
        assert await till.refused(pay(2, 5000, type=PREAUTH)) == "invalid_request"
        assert await till.refused(pay(3, 2000, type=PREAUTH)) == ""


async def test_a_first_hold_may_be_a_deposit(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        assert await till.refused(pay(1, 9000, type=PREAUTH, sale=goods(5000))) == ""


async def test_no_new_charge_while_a_hold_is_being_raised(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 1000, type=PREAUTH, sale=goods(5000))
        await till.done(hold)
        await till.ledger.accept(after(hold, 2, p.PaymentType.INCREMENT, 3000))
        assert await till.refused(pay(3, 4000)) == "payment_in_doubt"


PART = (p.PaymentType.CAPTURE, False)
LAST = (p.PaymentType.CAPTURE, True)
VOID = (p.PaymentType.VOID, True)
RAISE = (p.PaymentType.INCREMENT, False)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (LAST, PART, "payment_in_doubt"),
        (PART, LAST, "payment_in_doubt"),
        (PART, PART, ""),
        (VOID, PART, "payment_in_doubt"),
        (VOID, RAISE, "payment_in_doubt"),
        (LAST, RAISE, "payment_in_doubt"),
        (RAISE, LAST, "payment_in_doubt"),
        (RAISE, PART, ""),
    ],
)
async def test_a_hold_is_not_used_while_it_is_ended_nor_ended_while_it_is_used(
    tmp_path: Path, first: tuple[p.PaymentType, bool], second: tuple[p.PaymentType, bool], code: str
) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=PREAUTH)
        await till.done(hold)
        await till.ledger.accept(after(hold, 2, first[0], 1000, is_last=first[1]))
        later = after(hold, 3, second[0], 1000, is_last=second[1])
        assert await till.refused(later) == code


async def test_what_a_terminal_held_less_than_asked_can_be_charged(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000, type=PREAUTH, sale=goods(5000)), 1500)
        assert await till.refused(pay(2, 3501)) == "invalid_request"
        assert await till.refused(pay(3, 3500)) == ""


async def test_a_hold_that_was_captured_counts_once(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 3000, type=PREAUTH, sale=goods(5000))
        await till.done(hold)
        await till.done(after(hold, 2, p.PaymentType.CAPTURE, 1000, is_last=False))
        assert await till.refused(pay(3, 2001)) == "invalid_request"
        await till.done(after(hold, 4, p.PaymentType.CAPTURE, 1000))
        assert await till.refused(pay(5, 3000)) == "", "the last capture gave the rest back"


async def test_a_raised_hold_covers_what_it_was_raised_to(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 3000, type=PREAUTH, sale=goods(5000))
        await till.done(hold)
        await till.done(after(hold, 2, p.PaymentType.INCREMENT, 1500))
        assert await till.refused(pay(3, 501)) == "invalid_request"
        over = after(hold, 4, p.PaymentType.CAPTURE, 4501)
        assert await till.refused(over) == "capture_exceeds_authorized"
        await till.done(after(hold, 5, p.PaymentType.CAPTURE, 4500))
        assert till.payment(hold).held_minor == 0


async def test_a_partial_release_is_no_longer_there_to_be_captured(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=PREAUTH)
        await till.done(hold)
        await till.done(after(hold, 2, p.PaymentType.INCREMENT, 1000))
        await till.done(after(hold, 3, p.PaymentType.CAPTURE, 2000, is_last=False))
        more = after(hold, 4, p.PaymentType.CAPTURE, 4001)
        assert await till.refused(more) == "capture_exceeds_authorized"
        await till.done(after(hold, 5, p.PaymentType.CAPTURE, 4000))
        again = after(hold, 6, p.PaymentType.CAPTURE, 1)
        assert await till.refused(again) == "capture_exceeds_authorized"


def plan(*minors: int) -> tuple[p.PaymentRequest, ...]:
    legs = tuple(
        p.PlanLeg(
            f"leg-{number}",
            "card" if number == len(minors) else "gift_card",
            Money(minor, EUR),
        )
        for number, minor in enumerate(minors, 1)
    )
    return tuple(
        pay(
            0,
            leg.amount.minor,
            payment_id=leg.payment_id,
            type=p.PaymentType.SALE if leg.method == "card" else PREAUTH,
            plan=p.Plan("plan", legs),
        )
        for leg in legs
    )


def held(request: p.PaymentRequest) -> p.Payment:
    return p.Payment(request, p.Status.APPROVED, p.Funds.HELD, approval=approval(request))


def code(request: p.PaymentRequest, *siblings: p.Payment) -> str:
    try:
        refuse_unsafe_start(request, siblings, [], was_given_back=False)
    except RequestError as error:
        return error.code
    return ""


def test_the_holds_of_a_plan_do_not_stand_in_the_way_of_its_other_legs() -> None:
    first, second, card = plan(2000, 2000, 1000)
    assert code(first) == ""
    assert code(second, held(first)) == ""
    assert code(card, held(first), held(second)) == ""


def test_a_plan_is_refused_whole_when_it_is_more_than_is_left_of_the_sale() -> None:
    first, *_ = plan(2000, 2000, 1001)
    other = held(pay(9, 5000, type=PREAUTH, sale=goods(10_000)))
    assert code(first, other) == "invalid_request", "before anything of it is held"
    first, *_ = plan(2000, 2000, 1000)
    assert code(first, other) == ""


def test_a_plan_is_refused_beside_a_hold_of_the_whole_sale() -> None:
    first, *_ = plan(2000, 2000, 1000)
    assert code(first, held(pay(9, 5000, type=PREAUTH))) == "sale_already_paid"


def test_nothing_is_charged_beside_a_plan_that_holds_its_whole_amount() -> None:
    first, second, _ = plan(2000, 2000, 1000)
    assert code(pay(9, 4000), held(first), held(second)) == "sale_already_paid"


async def test_a_hold_with_a_tip_covers_its_sale_without_the_tip(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        tip = Money(500, EUR)
        await till.done(pay(1, 3500, type=PREAUTH, tip=tip, sale=goods(5000)))
        assert await till.refused(pay(2, 2001)) == "invalid_request"
        assert await till.refused(pay(3, 2000)) == "", "the tip pays the staff, not the goods"


async def test_each_capture_of_a_hold_uses_it_up_further(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        hold = pay(1, 5000, type=PREAUTH, sale=goods(5000))
        await till.done(hold)
        for number, minor in ((2, 1000), (3, 2000), (4, 500)):
            await till.done(after(hold, number, p.PaymentType.CAPTURE, minor, is_last=False))
        assert (till.payment(hold).used_minor, till.payment(hold).held_minor) == (3500, 1500)
        too_much = after(hold, 5, p.PaymentType.CAPTURE, 1501, is_last=False)
        assert await till.refused(too_much) == "capture_exceeds_authorized"
        await till.done(after(hold, 6, p.PaymentType.CAPTURE, 1500))
        assert till.payment(hold).used_minor == 5000
