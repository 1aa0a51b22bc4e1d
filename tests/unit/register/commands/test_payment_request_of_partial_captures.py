"""A driver says what the capture of a part of a hold does to the rest, and is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.register.commands.payment_request import refuse_unsupported_follow_up
from drivers import contract as c

CAN = c.Capabilities(frozenset({"capture"}), "last_transaction", "any_time")
PART = p.PaymentRequest(
    payment_id="p2",
    register_id="till-1",
    terminal_id="counter-1",
    type=p.PaymentType.CAPTURE,
    amount=c.Money(6000, "EUR"),
    content_hash="hash",
    original_payment_id="p1",
    original=c.Approval(c.Money(10000, "EUR"), "f"),
    is_last=False,
)


def test_a_driver_that_says_nothing_releases_the_rest() -> None:
    assert CAN.partial_capture == "releases_rest"
    with pytest.raises(RequestError) as refusal:
        refuse_unsupported_follow_up(PART, CAN, elsewhere=False)
    assert refusal.value.code == "operation_not_supported"
    refuse_unsupported_follow_up(replace(PART, is_last=True), CAN, elsewhere=False)


def test_another_part_may_follow_where_the_rest_stays_held() -> None:
    refuse_unsupported_follow_up(PART, replace(CAN, partial_capture="keeps_rest"), elsewhere=False)
