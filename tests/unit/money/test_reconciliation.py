"""A batch compared to the cent: terminal, journal, back office."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.money import payment as p
from bridge.money.accounts import Account
from bridge.money.reconciliation import compare
from drivers.contract import Approval, Money
from tests.unit.money.test_payment import REQUEST

TYPE, FUNDS, RECORDING = p.PaymentType, p.Funds, p.Recording


def account(
    name: str,
    kind: p.PaymentType,
    minor: int,
    funds: p.Funds,
    recording: p.Recording = RECORDING.RECORDED,
    **more: object,
) -> Account:
    amount = Money(minor, "EUR")
    payment = p.Payment(
        replace(REQUEST, payment_id=name, type=kind, amount=amount),
        p.Status.APPROVED,
        funds,
        recording,
        approval=Approval(amount, name),
    )
    return Account(replace(payment, **more), 1, 1, "", "", ())  # type: ignore[arg-type]


SALE = account("a", TYPE.SALE, 5000, FUNDS.CAPTURED)


def test_a_day_without_trouble_matches() -> None:
    partly = account("b", TYPE.SALE, 3000, FUNDS.PARTIALLY_REFUNDED, refunded_minor=1000)
    refund = account("c", TYPE.REFUND, 1000, FUNDS.RETURNED)
    hold = account("d", TYPE.PREAUTH, 9000, FUNDS.CAPTURED, RECORDING.NOT_REQUIRED)
    capture = account("e", TYPE.CAPTURE, 6000, FUNDS.CAPTURED)
    tip = account("f", TYPE.TIP_ADJUST, 300, FUNDS.CAPTURED, RECORDING.NOT_REQUIRED)
    voided = account("g", TYPE.SALE, 700, FUNDS.VOIDED)
    void = account("h", TYPE.VOID, 700, FUNDS.VOIDED)
    batch = [SALE, partly, refund, hold, capture, tip, voided, void]
    found = compare(13300, batch, books=True)
    assert (found.journal_minor, found.back_office_minor) == (13300, 13300)
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
def test_whatever_is_open_is_listed_by_payment(odd: Account, kind: str) -> None:
    found = compare(5100, [SALE, odd], books=True)
    assert found.status == "different"
    (difference,) = found.differences
    assert (difference.payment_id, difference.minor) == ("x", 100)
    assert difference.kind.startswith(kind)


def test_a_cent_more_at_the_terminal_is_different() -> None:
    assert compare(5001, [SALE], books=True).status == "different"


def test_books_that_somebody_else_keeps_are_not_compared() -> None:
    found = compare(5000, [account("a", TYPE.SALE, 5000, FUNDS.CAPTURED)], books=False)
    assert (found.back_office_minor, found.status) == (None, "matched")
