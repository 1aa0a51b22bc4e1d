"""Which payments cover which sale, and the record's own state machine."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from bridge.money import purchase as s
from drivers.contract import Money

LINE = s.SaleLine(1, "4006381333931", "2", "each", "3.95", 790)
DETAILS = s.SaleDetails(Money(790, "EUR"), (LINE,))
CONTENT = s.PurchaseContent(
    "S012-p1", "S012", "2026-03-02T09:14:02", Money(790, "EUR"), DETAILS, 0, "VISA"
)
DUE = s.PurchaseDue(CONTENT, "till-1/S1", ("p1",))

STATES = {
    state.value: s.Purchase(CONTENT, "till-1/S1", ("p1",), state) for state in s.PurchaseState
}
EVENTS: dict[str, s.PurchaseEvent] = {
    "PurchaseDue": DUE,
    "Sending": s.Sending(),
    "Recorded": s.Recorded("P-1"),
    "NotApplied": s.NotApplied("away"),
    "Unproven": s.Unproven("time out"),
    "Refused": s.Refused("VALIDATION", "no such sku", "lineItems.0.sku"),
    "Answered booked": s.Answered("anna", "P-1"),
    "Answered send_again": s.Answered("anna", send_again=True),
    "Mended": s.Mended("anna", "wrong store", store_code="S021"),
    "PurchaseRestarted": s.PurchaseRestarted(),
}
# Columns: pending, sending, recorded, unconfirmed, rejected. "x" is refused as a bug.
P, S, R, U, J = ("pending", "sending", "recorded", "unconfirmed", "rejected")
LAW = {
    "PurchaseDue": ("x", "x", "x", "x", "x"),
    "Sending": (S, "x", "x", "x", "x"),
    "Recorded": ("x", R, "x", R, "x"),
    "NotApplied": ("x", P, "x", "x", "x"),
    "Unproven": ("x", U, "x", "x", "x"),
    "Refused": ("x", J, "x", "x", "x"),
    "Answered booked": ("x", "x", "x", R, R),
    "Answered send_again": ("x", "x", "x", P, P),
    "Mended": ("x", "x", "x", "x", P),
    "PurchaseRestarted": (P, U, R, U, J),
}


def test_a_mended_purchase_keeps_its_transaction_id_and_all_that_was_not_mended() -> None:
    member = s.Purchase(
        replace(CONTENT, sale=replace(DETAILS, member_id="M1")),
        *("till-1/S1", ("p1",), s.PurchaseState.REJECTED),
        error="VALIDATION: no such store",
    )
    mend = s.Mended("anna", "moved", "S021", ((1, "4006381333948"), (9, "no such line")))
    after = s.advance_purchase(member, mend)
    (line,) = after.content.sale.lines
    assert (after.content.transaction_id, after.content.store_code) == ("S012-p1", "S021")
    assert line == replace(LINE, sku="4006381333948")
    assert (after.content.sale.member_id, after.mended_by, after.error) == ("M1", "anna", "")
    without = s.advance_purchase(member, s.Mended("anna", "left us", member_id=""))
    assert without.content == replace(CONTENT, sale=DETAILS)


def test_what_a_person_answered_about_a_booking_a_person_can_correct() -> None:
    lost = s.Purchase(CONTENT, "till-1/S1", ("p1",), s.PurchaseState.UNCONFIRMED)
    wrong = s.advance_purchase(lost, s.Answered("anna", "P-9"))
    right = s.advance_purchase(wrong, s.Answered("bert", "P-1", checked="found"))
    assert (right.state, right.record_id, right.answered_by) == (
        s.PurchaseState.RECORDED,
        "P-1",
        "bert",
    )
    again = s.advance_purchase(right, s.Answered("anna", send_again=True))
    assert (again.state, again.record_id) == (s.PurchaseState.PENDING, "")


def test_what_the_back_office_acknowledged_no_person_corrects() -> None:
    recorded = s.Purchase(CONTENT, "till-1/S1", ("p1",), s.PurchaseState.RECORDED, record_id="P-1")
    with pytest.raises(s.IllegalPurchaseEvent):
        s.advance_purchase(recorded, s.Answered("anna", send_again=True))


@pytest.mark.parametrize(("state", "event"), list(itertools.product(STATES, EVENTS)), ids=str)
def test_every_pair_of_state_and_event_is_decided(state: str, event: str) -> None:
    law = LAW[event][list(STATES).index(state)]
    if law == "x":
        with pytest.raises(s.IllegalPurchaseEvent):
            s.advance_purchase(STATES[state], EVENTS[event])
        return
    assert s.advance_purchase(STATES[state], EVENTS[event]).state.value == law


def test_what_was_being_sent_when_we_died_is_never_sent_again_by_itself() -> None:
    sending = s.advance_purchase(s.open_purchase(DUE), s.Sending())
    after = s.advance_purchase(sending, s.PurchaseRestarted())
    assert after.state is s.PurchaseState.UNCONFIRMED
    with pytest.raises(s.IllegalPurchaseEvent):
        s.advance_purchase(after, s.Sending())


def payment(payment_id: str, minor: int, tip: int = 0, surcharge: int = 0) -> s.CapturedPayment:
    amount = Money(minor, "EUR")
    return s.CapturedPayment(payment_id, amount, tip, surcharge, "VISA", "2026-03-02T09:14:02")


def test_a_sale_is_due_when_its_payments_reach_the_total() -> None:
    first, rest = payment("p1", 500), payment("p2", 290)
    assert s.settle("k", DETAILS, [first], store_code="S", summary_sku="X") is None
    due = s.settle("k", DETAILS, [first, rest], store_code="S", summary_sku="X")
    assert due is not None
    assert due.payment_ids == ("p1", "p2")
    assert due.content.pay_amount == Money(790, "EUR")
    assert due.content.transaction_id == "S-p1"


def test_tips_and_surcharges_do_not_pay_the_sale() -> None:
    almost = payment("p1", 790, tip=100)
    assert s.settle("k", DETAILS, [almost], store_code="S", summary_sku="X") is None
    enough = payment("p1", 920, tip=100, surcharge=30)
    due = s.settle("k", DETAILS, [enough], store_code="S", summary_sku="X")
    assert due is not None
    assert (due.content.pay_amount.minor, due.content.tip_minor) == (790, 100)


def test_a_sale_without_lines_is_recorded_as_one_line() -> None:
    due = s.settle("k", None, [payment("p1", 1250)], store_code="S", summary_sku="CARD")
    assert due is not None
    (line,) = due.content.sale.lines
    assert (line.sku, line.item_amount_minor) == ("CARD", 1250)
    assert due.content.sale.adds_up


@pytest.mark.parametrize(
    ("total", "tax", "discount", "adds_up"),
    [
        (790, 0, 0, True),
        (790, 126, 0, True),
        (916, 126, 0, True),
        (690, 0, 100, True),
        (791, 0, 0, False),
        (789, 0, 0, False),
        (790, 0, 100, False),
    ],
)
def test_lines_discount_and_tax_make_the_total(
    total: int, tax: int, discount: int, adds_up: bool
) -> None:
    details = s.SaleDetails(
        Money(total, "EUR"), (LINE,), tax_minor=tax, sale_discount_minor=discount
    )
    assert details.adds_up is adds_up


def test_goods_that_come_back_are_subtracted() -> None:
    back = s.SaleLine(2, "X", "1", "each", "2.00", 200, is_refund=True)
    assert s.SaleDetails(Money(590, "EUR"), (LINE, back)).adds_up


def test_what_the_back_office_proved_is_not_sent_again_on_a_repeated_answer() -> None:
    """A person, or a script, that did not hear repeats the order to send it again."""
    again = s.Answered("anna", send_again=True)
    purchase = s.advance_purchase(
        s.advance_purchase(s.open_purchase(DUE), s.Sending()), s.Unproven("time out")
    )
    for event in (again, s.Sending(), s.Recorded("P2")):
        purchase = s.advance_purchase(purchase, event)
    assert (purchase.state, purchase.record_id) == (s.PurchaseState.RECORDED, "P2")
    with pytest.raises(s.IllegalPurchaseEvent):
        s.advance_purchase(purchase, again)
