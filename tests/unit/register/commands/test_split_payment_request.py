"""A split payment is taken apart, or refused before anything is held."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.payment import leg_id
from bridge.register import api as k
from bridge.register.commands.payment_request import payment_request
from bridge.register.commands.split_payment_request import leg_amounts, legs_of, refuse_bad_plan

PLAN_ID = "018f6f0e-8a44-7c1b-9a3e-aaaaaaaaaaaa"


def gift(amount: str, code: str = "4711", **more: str) -> dict[str, Any]:
    card = {"stored_value_id": code, "pin": "1234", **more}
    return {"method": "gift_card", "gift_card": card, "amount": amount}


CARD = {"method": "card", "amount": "remaining"}


def start(*legs: dict[str, Any], **more: Any) -> k.PaymentStart:
    payload = {
        "request_id": "r",
        "payment_id": PLAN_ID,
        "amounts": {"currency": "EUR", "requested_amount": "47.90"},
        "plan": list(legs),
        **more,
    }
    request = k.decode_request("payment/start", json.dumps(payload).encode())
    assert isinstance(request, k.PaymentStart)
    return request


def legs(request: k.PaymentStart) -> tuple[p.PaymentRequest, ...]:
    refuse_bad_plan(request)
    whole = payment_request(request, "till-1", "counter-1", possible_duplicate=False)
    return legs_of(request, whole, leg_amounts(request), leg_id=leg_id)


def test_a_split_becomes_a_hold_per_gift_card_and_a_sale_for_the_rest() -> None:
    first, second, card = legs(start(gift("20.00"), gift("10.00", "4712"), CARD))
    assert [one.amount.minor for one in (first, second, card)] == [2000, 1000, 1790]
    assert [one.terminal_id for one in (first, second, card)] == [
        p.GIFT_CARDS,
        p.GIFT_CARDS,
        "counter-1",
    ]
    assert first.type is second.type is p.PaymentType.PREAUTH
    assert card.type is p.PaymentType.SALE
    assert len({one.sale_key for one in (first, second, card)}) == 1
    assert first.plan is not None
    assert first.plan == second.plan == card.plan
    assert [one.payment_id for one in first.plan.legs] == [
        one.payment_id for one in (first, second, card)
    ]


def test_the_ids_of_the_legs_are_the_same_when_the_command_is_repeated() -> None:
    once, again = (legs(start(gift("20.00"), CARD)) for _ in range(2))
    assert [one.payment_id for one in once] == [one.payment_id for one in again]
    assert once[0].content_hash == again[0].content_hash


def test_a_split_without_lines_makes_none_up() -> None:
    first, card = legs(start(gift("20.00"), CARD))
    assert (first.sale, card.sale) == (None, None), "the plan's total says when it is whole"


def test_neither_pin_nor_code_is_in_what_is_shown() -> None:
    request = start(gift("20.00", "63962100004711"), CARD)
    shown = repr((request, legs(request)))
    assert "1234" not in shown
    assert "63962100004711" not in shown


@pytest.mark.parametrize(
    ("request_", "code", "path"),
    [
        (start(gift("20.00")), "invalid_request", "plan"),
        (start(gift("20.00"), gift("20.00"), CARD), "invalid_request", "plan.1.gift_card"),
        (start(CARD, gift("20.00")), "operation_not_supported", "plan.0.method"),
        (start(gift("remaining"), CARD), "invalid_request", "plan.0.amount"),
        (start(gift("47.90"), CARD), "invalid_amount", "plan.1.amount"),
        (start(gift("50.00"), CARD), "invalid_amount", "plan.1.amount"),
        (start(gift("20.00"), gift("20.00", "2")), "invalid_request", "plan"),
        (start(gift("20.0"), CARD), "invalid_amount", "plan.0.amount"),
        (start({"method": "gift_card"}, CARD), "invalid_request", "plan.0.gift_card"),
        (start(gift("20.00"), CARD, accept_partial=True), "operation_not_supported", None),
        (start(gift("20.00"), CARD, type="preauth"), "operation_not_supported", "type"),
        (start(gift("20.00"), CARD, capture="manual"), "operation_not_supported", "capture"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_with_its_field(
    request_: k.PaymentStart, code: str, path: str | None
) -> None:
    with pytest.raises(RequestError) as caught:
        legs(request_)
    assert caught.value.code == code
    if path is not None:
        assert caught.value.path == path


def test_a_leg_with_an_unknown_method_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        start({"method": "voucher"}, CARD)
    assert caught.value.path == "plan.0.method"
