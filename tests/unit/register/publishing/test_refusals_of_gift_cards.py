"""Scanned gift card codes are read as they are meant, and a refusal says what to do about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.backoffice.api.attempts import Refused
from bridge.backoffice.gift_cards import evidence as e
from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.payment.machine import advance, open_payment
from bridge.register.api import GiftCardLoad, PaymentStart, content_hash, decode_request
from bridge.register.publishing.refusals import why_refused
from drivers import contract as c
from tests.unit.backoffice.gift_cards.requests import gift_request

CODE, PIN = "6396210000004711", "1234"
BEGIN: dict[str, Any] = {
    "request_id": "r-1",
    "payment_id": "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e",
    "method": "gift_card",
    "amounts": {"currency": "EUR", "requested_amount": "20.00"},
}


def start(code: str, pin: str = PIN) -> PaymentStart:
    card = {"stored_value_id": code, "pin": pin}
    found = decode_request("payment/start", json.dumps({**BEGIN, "gift_card": card}).encode())
    assert isinstance(found, PaymentStart)
    return found


@pytest.mark.parametrize("around", ["{}\r\n", "{}\n", " {}", "\t{} ", "{}\u00a0", "\r{}"])
def test_blanks_and_line_ends_around_a_scanned_code_are_the_scanners(around: str) -> None:
    scanned = start(around.format(CODE), around.format(PIN))
    assert scanned.gift_card is not None
    assert (scanned.gift_card.stored_value_id, scanned.gift_card.pin) == (CODE, PIN)
    assert content_hash(scanned) == content_hash(start(CODE)), "the same command, typed"


def test_a_load_trims_as_a_sale_does() -> None:
    amounts = {"currency": "EUR", "requested_amount": "20.00"}
    card = {"stored_value_id": f"{CODE}\r"}
    wanted = {**BEGIN, "sale_id": "S1", "gift_card": card, "amounts": amounts}
    del wanted["method"]
    found = decode_request("gift_card/load", json.dumps(wanted).encode())
    assert isinstance(found, GiftCardLoad)
    assert found.gift_card is not None
    assert found.gift_card.stored_value_id == CODE


@pytest.mark.parametrize("code", ["", " ", "\r\n", "x" * 65, f"{CODE}\x1d", "63\r\n96"])
def test_nothing_but_blanks_is_no_code(code: str) -> None:
    with pytest.raises(RequestError) as caught:
        start(code)
    assert caught.value.code == "invalid_request"
    assert "stored_value_id" in caught.value.path


REFUSALS = [
    Refused("VALIDATION", "", path) for path in ("pin", "amount", "code", "codeType", "id", "x", "")
]
REFUSALS += [Refused(code, "") for code in ("NOT_AUTHORIZED", "NOT_FOUND", "INVALID_REQUEST")]


@pytest.mark.parametrize("kind", list(p.PaymentType))
@pytest.mark.parametrize("refused", REFUSALS, ids=lambda one: f"{one.code}-{one.path}")
@pytest.mark.parametrize("permission", [e.ADD_PERMISSION, e.USE_PERMISSION])
def test_a_refused_gift_card_never_makes_a_clerk_ask_for_another_card(
    refused: Refused, kind: p.PaymentType, permission: str
) -> None:
    payment, _ = open_payment(p.Requested(gift_request(type=kind)))
    payment, _ = advance(payment, p.Started(c.Baseline("50.00")))
    payment, _ = advance(payment, e.refusal(refused, permission))
    lines = " ".join(why_refused(payment))
    assert "another card" not in lines, lines
    assert CODE not in lines
