"""The back office's memory: effects on balances as documented, and a ledger of every effect."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulators.back_office.records import ApiError, CodeType, TransStatus, TransType
from simulators.back_office.state import BackOfficeState

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

PURCHASE: dict[str, Any] = {
    "transactionId": "S1-T1-000123",
    "storeCode": "S1",
    "purchasedOn": "2026-01-02T03:04:05",
    "payAmount": Decimal("1.99"),
    "saleDiscountAmount": Decimal(0),
    "itemDiscountAmount": Decimal(0),
    "subTotal": Decimal("1.99"),
    "refundAmount": Decimal(0),
    "taxAmount": Decimal(0),
    "lineItems": [{"lineNumber": 1, "sku": "X", "extPrice": Decimal("1.99")}],
}


def new_state(**settings: Any) -> BackOfficeState:
    return BackOfficeState(clock=lambda: NOW, **settings)


def hold(
    state: BackOfficeState, amount: str, trans_type: TransType = TransType.USE
) -> tuple[str, Decimal]:
    trans, card = state.gift_card_trans_add(
        code="G1", trans_type=trans_type, amount=Decimal(amount), authorize_only=True
    )
    assert trans.status is TransStatus.AUTHORIZED
    return trans.id, card.balance


def property_of(error: pytest.ExceptionInfo[ApiError]) -> tuple[str, str | None]:
    return error.value.code, error.value.data.get("Property")


def test_the_same_purchase_twice_is_two_purchases() -> None:
    state = new_state()
    first, second = state.purchase_add(PURCHASE), state.purchase_add(PURCHASE)
    assert first.id != second.id
    assert state.purchases_of("S1-T1-000123") == (first, second)
    assert [line["effect"] for line in state.ledger] == ["purchase_added"] * 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"transactionId": " "}, "transactionId"),
        ({"storeCode": ""}, "storeCode"),
        ({"storeCode": "S9"}, "storeCode"),
        ({"lineItems": []}, "lineItems"),
        ({"lineItems": PURCHASE["lineItems"] * 2}, "lineItems.lineNumber"),
    ],
)
def test_a_bad_purchase_is_refused_by_property_and_leaves_nothing(
    change: dict[str, Any], named: str
) -> None:
    state = new_state(stores=frozenset({"S1"}))
    with pytest.raises(ApiError) as error:
        state.purchase_add(PURCHASE | change)
    assert property_of(error) == ("VALIDATION", named)
    assert (state.purchases, state.ledger) == ({}, [])


def test_the_ledger_file_holds_every_effect_and_ids_go_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    state = new_state(ledger_path=path)
    state.gift_card_add(code="G1", balance=Decimal("10.00"))
    first = state.purchase_add(PURCHASE)
    again = new_state(ledger_path=path).purchase_add(PURCHASE)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["effect"] for line in lines] == [
        "gift_card_added",
        "purchase_added",
        "purchase_added",
    ]
    assert lines[:2] == state.ledger
    assert lines[1]["payAmount"] == lines[1]["request"]["payAmount"] == "1.99"
    assert first.id != again.id == lines[2]["id"]
    assert [line["seq"] for line in lines] == [1, 2, 3]


def test_a_lost_commit_leaves_no_purchase_but_a_trace_in_the_ledger() -> None:
    state = new_state()
    with state.transaction(lose=True):
        lost = state.purchase_add(PURCHASE)
    assert state.purchases == {}
    assert [(line["effect"], line["lost"], line["id"]) for line in state.ledger] == [
        ("commit_lost", "purchase_added", lost.id)
    ]


def test_a_lost_commit_restores_a_gift_card_to_the_cent() -> None:
    state = new_state()
    card = state.gift_card_add(code="G1", balance=Decimal("10.00"))
    with state.transaction(lose=True):
        trans_id, _balance = hold(state, "-1.00")
        state.gift_card_trans_capture(trans_id)
    assert state.gift_cards == {card.id: card}
    assert state.transactions == {}


def test_a_failing_transaction_leaves_nothing_behind() -> None:
    state = new_state()

    def one_good_one_bad() -> None:
        with state.transaction():
            state.purchase_add(PURCHASE)
            state.gift_card_trans_capture("T404")

    with pytest.raises(ApiError):
        one_good_one_bad()
    assert (state.purchases, state.ledger) == ({}, [])


@pytest.mark.parametrize(
    ("trans_type", "amount", "held", "captured", "cancelled"),
    [
        (TransType.USE, "-1.00", "9.00", "9.00", "10.00"),
        (TransType.ADD, "1.00", "10.00", "11.00", "10.00"),
    ],
)
def test_authorized_funds_move_as_documented(
    trans_type: TransType, amount: str, held: str, captured: str, cancelled: str
) -> None:
    for cancel, end in ((False, captured), (True, cancelled)):
        state = new_state()
        state.gift_card_add(code="G1", balance=Decimal("10.00"))
        trans_id, balance = hold(state, amount, trans_type)
        assert balance == Decimal(held)
        trans, card = state.gift_card_trans_capture(trans_id, cancel=cancel)
        assert card.balance == Decimal(end)
        assert trans.status is (TransStatus.CANCELLED if cancel else TransStatus.COMPLETED)


def test_a_partial_capture_gives_the_rest_back() -> None:
    state = new_state()
    state.gift_card_add(code="G1", balance=Decimal("10.00"))
    trans_id, _balance = hold(state, "-5.00")
    _trans, card = state.gift_card_trans_capture(trans_id, amount=Decimal("-3.00"))
    assert card.balance == Decimal("7.00")


@pytest.mark.parametrize("amount", ["-5.01", "1.00", "0"])
def test_a_capture_beyond_the_hold_is_refused(amount: str) -> None:
    state = new_state()
    state.gift_card_add(code="G1", balance=Decimal("10.00"))
    trans_id, _balance = hold(state, "-5.00")
    with pytest.raises(ApiError) as error:
        state.gift_card_trans_capture(trans_id, amount=Decimal(amount))
    assert property_of(error) == ("VALIDATION", "amount")


def test_a_second_capture_moves_nothing() -> None:
    state = new_state()
    card = state.gift_card_add(code="G1", balance=Decimal("10.00"))
    trans_id, _balance = hold(state, "-5.00")
    state.gift_card_trans_capture(trans_id)
    for cancel in (False, True):
        with pytest.raises(ApiError) as error:
            state.gift_card_trans_capture(trans_id, cancel=cancel)
        assert error.value.code == "FUSION_ERROR"
    assert state.gift_cards[card.id].balance == Decimal("5.00")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"code": "G2"}, "code"),
        ({"pin": "0000"}, "pin"),
        ({"pin": None}, "pin"),
        ({"amount": Decimal("6.49")}, "amount"),
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("-10.01")}, "amount"),
        ({"trans_type": TransType.ADD}, "amount"),
        ({"code": "OLD"}, "code"),
        ({"code_type": CodeType.EXTERNAL}, "code"),
    ],
)
def test_a_bad_gift_card_transaction_is_refused_by_property(
    change: dict[str, Any], named: str
) -> None:
    state = new_state()
    state.gift_card_add(code="G1", pin="1234", balance=Decimal("10.00"))
    state.gift_card_add(code="OLD", balance=Decimal("10.00"), expires_on=NOW)
    before = dict(state.gift_cards)
    good: dict[str, Any] = {
        "code": "G1",
        "pin": "1234",
        "trans_type": TransType.USE,
        "amount": Decimal("-6.49"),
    }
    with pytest.raises(ApiError) as error:
        state.gift_card_trans_add(**(good | change))
    assert property_of(error) == ("VALIDATION", named)
    assert state.gift_cards == before
    assert state.gift_card_trans_add(**good)[1].balance == Decimal("3.51")


def test_a_code_is_unique_within_its_kind_only() -> None:
    state = new_state()
    state.gift_card_add(code="7", expires_on=NOW + timedelta(days=1))
    other = state.gift_card_add(code="7", code_type=CodeType.EXTERNAL)
    assert state.find_gift_card("7", CodeType.EXTERNAL) == other
    with pytest.raises(ApiError) as error:
        state.gift_card_add(code="7")
    assert property_of(error) == ("VALIDATION", "physicalCode")
    with pytest.raises(ApiError) as error:
        state.find_gift_card("7")
    assert property_of(error) == ("VALIDATION", "codeType")


def test_the_owner_of_a_card_cannot_change() -> None:
    state = new_state()
    card = state.gift_card_set_member(state.gift_card_add(code="7").id, "C1")
    with pytest.raises(ApiError):
        state.gift_card_set_member(card.id, "C2")
    assert state.gift_cards[card.id].member_id == "C1"


def test_no_code_or_pin_is_shown_by_repr() -> None:
    card = new_state().gift_card_add(code="6006491234567890", pin="4321")
    assert "6006491234567890" not in repr(card)
    assert "4321" not in repr(card)
