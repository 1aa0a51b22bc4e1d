"""The sums of a payment's document: what is held, taken, tipped and still needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge.money import payment as p
from bridge.money.payment.machine import advance
from bridge.money.store.records import HistoryLine, PaymentRecord
from bridge.register import api as k
from bridge.register.publishing.payment_document import payment_document
from drivers.contract import Approval, Approved, Money
from tests.unit.money.payment.test_machine import EUR, REQUEST, STATES

AT = "2026-11-23T12:00:00.000Z"


def amounts(payment: p.Payment, remaining: Money | None = None) -> k.PaymentAmounts:
    line = HistoryLine(payment.status.value, "", AT)
    account = PaymentRecord(payment, 3, 3, AT, AT, (line,))
    document = payment_document(
        account, remaining=remaining, purchase=None, terminal_name="counter-1", topics=k.Topics()
    )
    return document.amounts


def test_a_hold_counts_what_raised_it_as_authorized() -> None:
    hold = replace(STATES["in_progress"], request=replace(REQUEST, type=p.PaymentType.PREAUTH))
    held, _ = advance(hold, Approved(Approval(Money(4790, EUR), "T1/1")))
    raised, _ = advance(held, p.FollowedUp(p.PaymentType.INCREMENT, "p2", Money(1000, EUR)))
    assert amounts(raised).authorized_amount == "57.90"
    whole, _ = advance(raised, p.FollowedUp(p.PaymentType.CAPTURE, "p3", Money(5790, EUR)))
    sums = amounts(whole)
    assert (sums.captured_amount, sums.authorized_amount) == ("57.90", "57.90")


def test_each_part_that_the_terminal_named_has_its_own_field() -> None:
    parts: dict[str, Any] = {
        "tip": Money(100, EUR),
        "surcharge": Money(20, EUR),
        "fee": Money(3, EUR),
        "cash_back": Money(2000, EUR),
    }
    approval = Approval(Money(6913, EUR), "T1/1", **parts)
    payment, _ = advance(STATES["in_progress"], Approved(approval))
    sums = amounts(payment)
    assert payment.discrepancies == ()
    assert (sums.tip_amount, sums.surcharge_amount) == ("1.00", "0.20")
    assert (sums.total_fees_amount, sums.cash_back_amount) == ("0.03", "20.00")
    assert payment.goods_minor == 4790


def test_where_there_is_no_sale_nothing_is_said_to_be_needed() -> None:
    payment, _ = advance(STATES["in_progress"], Approved(Approval(Money(4790, EUR), "T1/1")))
    assert amounts(payment).remaining_amount is None
    assert amounts(payment, Money(0, EUR)).remaining_amount == "0.00"


def test_a_tip_that_was_added_afterwards_shows_on_its_payment() -> None:
    parts: dict[str, Any] = {"tip": Money(100, EUR)}
    approval = Approval(Money(4890, EUR), "T1/1", **parts)
    payment, _ = advance(STATES["in_progress"], Approved(approval))
    tipped, _ = advance(payment, p.FollowedUp(p.PaymentType.TIP_ADJUST, "p2", Money(300, EUR)))
    sums = amounts(tipped)
    assert (sums.tip_amount, sums.captured_amount) == ("4.00", "51.90")
    assert sums.authorized_amount == "51.90"
