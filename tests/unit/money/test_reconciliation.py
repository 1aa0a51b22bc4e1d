"""A batch compared to the cent: terminal, journal, back office."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.money import payment as p
from bridge.money.reconciliation import compare
from bridge.money.store.records import PaymentRecord
from drivers.contract import Approval, Money
from tests.unit.money.payment.test_machine import REQUEST

TYPE, FUNDS, RECORDING = p.PaymentType, p.Funds, p.Recording


def account(
    name: str,
    kind: p.PaymentType,
    minor: int,
    funds: p.Funds,
    recording: p.Recording = RECORDING.RECORDED,
    **more: object,
) -> PaymentRecord:
    amount = Money(minor, "EUR")
    payment = p.Payment(
        replace(REQUEST, payment_id=name, type=kind, amount=amount),
        p.Status.APPROVED,
        funds,
        recording,
        approval=Approval(amount, name),
    )
    return PaymentRecord(replace(payment, **more), 1, 1, "", "", ())  # type: ignore[arg-type]


SALE = account("a", TYPE.SALE, 5000, FUNDS.CAPTURED)


def tip_on(name: str, original: str, minor: int) -> PaymentRecord:
    """Return a tip that was added to a payment of the batch."""
    tip = account(name, TYPE.TIP_ADJUST, minor, FUNDS.CAPTURED, RECORDING.NOT_REQUIRED)
    request = replace(tip.payment.request, original_payment_id=original)
    return replace(tip, payment=replace(tip.payment, request=request))


def test_a_void_takes_its_payments_tip_back_too() -> None:
    sale = account("s", TYPE.SALE, 2000, FUNDS.VOIDED, tip_minor=300)
    void = account("v", TYPE.VOID, 2300, FUNDS.VOIDED)
    found = compare(0, [sale, tip_on("t", "s", 300), void], books=True)
    assert (found.terminal_minor, found.journal_minor, found.recorded_minor) == (0, 0, 0)
    assert (found.status, found.differences) == ("matched", ())


def test_a_void_takes_no_other_payments_tip_back() -> None:
    voided = account("s", TYPE.SALE, 2000, FUNDS.VOIDED)
    batch = [SALE, tip_on("t", "a", 300), voided, account("v", TYPE.VOID, 2000, FUNDS.VOIDED)]
    assert compare(5300, batch, books=True).status == "matched"


def test_a_refund_that_gives_the_tip_back_leaves_nothing() -> None:
    sale = account("s", TYPE.SALE, 2000, FUNDS.REFUNDED, refunded_minor=2300)
    refund = account("r", TYPE.REFUND, 2300, FUNDS.RETURNED)
    assert compare(0, [sale, tip_on("t", "s", 300), refund], books=True).status == "matched"


def test_parts_of_a_raised_hold_count_what_was_captured_and_no_more() -> None:
    hold = account("h", TYPE.PREAUTH, 5000, FUNDS.HELD, RECORDING.NOT_REQUIRED, added_minor=1000)
    raised = account("i", TYPE.INCREMENT, 1000, FUNDS.HELD, RECORDING.NOT_REQUIRED)
    first = account("c", TYPE.CAPTURE, 2000, FUNDS.CAPTURED)
    voided = account("d", TYPE.CAPTURE, 1500, FUNDS.VOIDED)
    assert compare(2000, [hold, raised, first, voided], books=True).journal_minor == 2000


def test_money_that_a_person_had_booked_counts_whatever_was_told_first() -> None:
    declined = p.Status.DECLINED
    late = account("x", TYPE.SALE, 700, FUNDS.CAPTURED, status=declined)
    back = account("y", TYPE.REFUND, 200, FUNDS.RETURNED, status=declined)
    assert compare(500, [late, back], books=True).journal_minor == 500


def test_a_day_without_trouble_matches() -> None:
    partly = account("b", TYPE.SALE, 3000, FUNDS.PARTIALLY_REFUNDED, refunded_minor=1000)
    refund = account("c", TYPE.REFUND, 1000, FUNDS.RETURNED)
    hold = account("d", TYPE.PREAUTH, 9000, FUNDS.CAPTURED, RECORDING.NOT_REQUIRED)
    capture = account("e", TYPE.CAPTURE, 6000, FUNDS.CAPTURED)
    tip = tip_on("f", "a", 300)
    voided = account("g", TYPE.SALE, 700, FUNDS.VOIDED)
    void = account("h", TYPE.VOID, 700, FUNDS.VOIDED)
    batch = [SALE, partly, refund, hold, capture, tip, voided, void]
    found = compare(13300, batch, books=True, tips=True)
    assert (found.journal_minor, found.recorded_minor) == (13300, 13300)
    assert found.status == "matched"


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        (account("x", TYPE.SALE, 100, FUNDS.CAPTURED, RECORDING.PENDING), "not_booked"),
        (account("x", TYPE.SALE, 100, FUNDS.CAPTURED, RECORDING.REJECTED), "not_booked"),
        (account("x", TYPE.SALE, 100, FUNDS.CAPTURED, RECORDING.UNCONFIRMED), "booking_unconf"),
        (
            account(
                "x",
                TYPE.SALE,
                100,
                FUNDS.CAPTURED,
                discrepancies=(p.Discrepancy("second_approval", ""),),
            ),
            "discrepancy",
        ),
        (
            account(
                "x",
                TYPE.SALE,
                100,
                FUNDS.UNKNOWN,
                RECORDING.NOT_REQUIRED,
                status=p.Status.IN_DOUBT,
                doubt=p.Doubt("link_lost"),
            ),
            "in_doubt",
        ),
    ],
)
def test_whatever_is_open_is_listed_by_payment(odd: PaymentRecord, kind: str) -> None:
    found = compare(5100, [SALE, odd], books=True)
    assert found.status == "different"
    (difference,) = found.differences
    assert (difference.payment_id, difference.minor) == ("x", 100)
    assert difference.kind.startswith(kind)


def test_a_cent_more_at_the_terminal_is_different() -> None:
    assert compare(5001, [SALE], books=True).status == "different"


def test_books_that_somebody_else_keeps_are_not_compared() -> None:
    found = compare(5000, [account("a", TYPE.SALE, 5000, FUNDS.CAPTURED)], books=False)
    assert (found.recorded_minor, found.status) == (None, "matched")


def test_recorded_leaves_out_what_the_books_were_never_told() -> None:
    tip = tip_on("f", "a", 300)
    without = compare(5300, [SALE, tip], books=True)
    assert (without.recorded_minor, without.status) == (5000, "matched"), "tips are not recorded"
    assert compare(5300, [SALE, tip], books=True, tips=True).recorded_minor == 5300


def test_a_sale_that_was_recorded_with_what_a_refund_had_left_is_equal() -> None:
    sale = account("s", TYPE.SALE, 3000, FUNDS.PARTIALLY_REFUNDED, refunded_minor=1000)
    refund = account("r", TYPE.REFUND, 1000, FUNDS.RETURNED, RECORDING.NOT_REQUIRED)
    request = replace(refund.payment.request, original_payment_id="s")
    refund = replace(refund, payment=replace(refund.payment, request=request))
    found = compare(2000, [sale, refund], books=True)
    assert (found.journal_minor, found.recorded_minor, found.status) == (2000, 2000, "matched")


def test_money_that_came_and_went_before_its_sale_was_recorded_is_in_no_column() -> None:
    sale = account("s", TYPE.SALE, 3000, FUNDS.REFUNDED, RECORDING.NOT_REQUIRED)
    refund = account("r", TYPE.REFUND, 3000, FUNDS.RETURNED, RECORDING.NOT_REQUIRED)
    request = replace(refund.payment.request, original_payment_id="s")
    refund = replace(refund, payment=replace(refund.payment, request=request))
    found = compare(0, [sale, refund], books=True)
    assert (found.journal_minor, found.recorded_minor, found.status) == (0, 0, "matched")
