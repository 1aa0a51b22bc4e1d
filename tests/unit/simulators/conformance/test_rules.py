"""Each rule for live registers, kept and broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.register.api import Topics
from simulators.conformance.findings import Finding, Verdict
from simulators.conformance.rules import RULES, judge
from simulators.conformance.transcript import Heard, Transcript

NOW = datetime(2026, 3, 2, 9, 13, 41, tzinfo=UTC)
TILL = "paybridge/v1/registers/till-1"
ONE = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d71"
TWO = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d72"
THREE = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d73"


def heard(topic: str, content: dict[str, Any], **more: Any) -> Heard:
    return Heard(f"{TILL}/{topic}", json.dumps(content).encode(), NOW, "scenario", **more)


def start(payment_id: str = ONE, *, amount: str = "12.50", **fields: Any) -> dict[str, Any]:
    return {
        "request_id": f"r-{payment_id}",
        "payment_id": payment_id,
        "sale_id": "S-1",
        "expires_at": "2026-03-02T09:13:56Z",
        "amounts": {"currency": "EUR", "requested_amount": amount},
        **fields,
    }


def asked(content: dict[str, Any], **more: Any) -> Heard:
    return heard("request/payment/start", content, **more)


def answered(payment_id: str, code: str = "", moved: str = "no") -> Heard:
    error = {"code": code, "money_moved": moved} if code else None
    content = {"payment_id": payment_id, "status": "error" if code else "accepted", "error": error}
    return heard("response/payment/start", {"payment_status": None, **content})


def document(
    payment_id: str, rev: int, status: str, result: str | None = None, remaining: str | None = None
) -> Heard:
    final = status in {"approved", "declined", "canceled", "failed"}
    content = {"rev": rev, "status": status, "final": final, "result": result}
    return heard(f"payments/{payment_id}", content | {"amounts": {"remaining_amount": remaining}})


def acknowledged(payment_id: str, rev: int) -> Heard:
    content = {"request_id": f"a-{payment_id}-{rev}", "payment_id": payment_id, "rev": rev}
    return heard("request/payment/acknowledge", content)


def judged(*messages: Heard) -> list[Finding]:
    return judge(Transcript(list(messages), "till-1", Topics()))


def faults(*messages: Heard) -> list[str]:
    return [one.text for one in judged(*messages) if one.verdict is Verdict.WRONG]


GOOD = (
    heard("state", {"state": "online"}, retained=True),
    asked(start()),
    asked(start(expires_at="2026-03-02T09:13:59Z")),  # no answer yet: the same again
    answered(ONE),
    document(ONE, 2, "in_progress"),
    document(ONE, 3, "in_doubt"),
    document(ONE, 4, "approved", "partial", "7.50"),
    acknowledged(ONE, 4),
    asked(start(TWO, amount="7.50")),  # the rest, with another card
    document(TWO, 2, "approved", "success", "0.00"),
    acknowledged(TWO, 2),
)


def test_a_good_register_is_right_in_everything() -> None:
    found = judged(*GOOD)
    assert [one.text for one in found] == list(RULES.values())
    assert {one.verdict for one in found} == {Verdict.RIGHT}


def test_what_was_not_seen_is_not_called_right() -> None:
    assert {one.verdict for one in judged()} == {Verdict.NOT_SHOWN}


def test_another_register_is_not_judged() -> None:
    theirs = Heard("paybridge/v1/registers/till-2/request/payment/start", b"{", NOW, retained=True)
    assert faults(theirs) == []


@pytest.mark.parametrize(
    ("between", "words"),
    [
        ((), "unanswered"),
        ((answered(ONE),), "running"),
        ((document(ONE, 2, "in_progress"),), "running"),
        ((document(ONE, 2, "in_doubt"),), "in doubt"),
        ((document(ONE, 2, "approved", "success"),), "paid"),
        ((document(ONE, 3, "in_doubt"), document(ONE, 2, "failed")), "in doubt"),
        ((answered(ONE, "payment_in_doubt", "unknown"),), "running"),
    ],
)
def test_a_second_id_for_a_sale_that_may_be_charged_is_wrong(
    between: tuple[Heard, ...], words: str
) -> None:
    said = faults(asked(start(ONE)), *between, asked(start(TWO)))
    assert said == [f"a second payment_id for 12.50 while the first payment was {words}"]


@pytest.mark.parametrize(
    "between",
    [
        document(ONE, 2, "declined", "failure"),
        document(ONE, 2, "failed", "failure"),
        document(ONE, 2, "approved", "partial"),
        answered(ONE, "terminal_offline"),
    ],
)
def test_a_second_id_is_right_once_the_first_charged_nothing_or_a_part(between: Heard) -> None:
    assert faults(asked(start(ONE)), between, asked(start(TWO))) == []


@pytest.mark.parametrize(("amount", "wrong"), [("7.50", False), ("2.00", False), ("12.50", True)])
def test_after_a_part_payment_no_more_than_the_rest_may_be_asked_for(
    amount: str, wrong: bool
) -> None:
    said = faults(
        asked(start(ONE)),
        document(ONE, 2, "approved", "partial", "7.50"),
        asked(start(TWO, amount=amount)),
    )
    text = f"asked for {amount} although the part payment left 7.50"
    assert said == ([text] if wrong else [])


def test_the_newest_part_payment_says_what_the_sale_still_needs() -> None:
    said = faults(
        asked(start(ONE)),
        document(ONE, 2, "approved", "partial", "7.50"),
        asked(start(TWO, amount="7.50")),
        document(TWO, 2, "approved", "partial", "2.50"),
        asked(start(THREE, amount="7.50")),
    )
    assert said == ["asked for 7.50 although the part payment left 2.50"]


def test_sales_without_a_number_are_told_by_their_amount() -> None:
    first, second = start(ONE, sale_id=None), start(TWO, sale_id=None)
    other = start(TWO, sale_id=None, amount="9.00")
    assert len(faults(asked(first), asked(second))) == 1
    assert faults(asked(first), asked(other)) == []


def test_one_id_for_two_payments_is_wrong() -> None:
    again = start(ONE, amount="9.00")
    (said,) = faults(asked(start(ONE)), answered(ONE), asked(again))
    assert "other content" in said


@pytest.mark.parametrize(
    ("fields", "more", "wrong"),
    [
        ({}, {}, ""),
        ({"expires_at": None}, {}, "without expires_at"),
        ({"expires_at": None}, {"expiry_seconds": 15}, ""),
        ({"expires_at": None}, {"expiry_seconds": 3600}, "without expires_at"),
        ({"expires_at": None, "bridge_epoch": "e1"}, {}, ""),
        ({"expires_at": "2026-03-02T10:13:41Z"}, {}, "may wait 3600 s"),
    ],
)
def test_a_start_needs_a_guard(fields: dict[str, Any], more: dict[str, Any], wrong: str) -> None:
    said = faults(asked(start(**fields), **more))
    assert [wrong in one for one in said] == ([True] if wrong else [])


def test_a_refund_needs_a_guard_too() -> None:
    fields = {"request_id": "r", "payment_id": TWO, "original_payment_id": ONE}
    amounts = {"currency": "EUR", "requested_amount": "5.00"}
    (said,) = faults(heard("request/payment/refund", fields | {"amounts": amounts}))
    assert said.startswith("payment/refund without expires_at")


def test_retained_and_careless_commands_are_wrong() -> None:
    assert faults(asked(start(), retained=True)) == ["payment/start was retained"]
    assert faults(asked(start(), qos=0)) == ["payment/start came with QoS 0"]


def test_commands_that_the_bridge_refuses_are_wrong_and_name_the_field() -> None:
    (said,) = faults(asked(start(tip_amuont="1.00")))
    assert said.startswith("payment/start: invalid_request (tip_amuont)")
    (said,) = faults(heard("request/payment/stop", {"request_id": "r"}))
    assert said.startswith("payment/stop: unknown_operation")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (document(ONE, 2, "in_progress"), "running"),
        (document(ONE, 2, "in_doubt"), "in doubt"),
    ],
)
def test_acknowledging_what_is_not_final_is_wrong(message: Heard, words: str) -> None:
    said = faults(asked(start()), message, acknowledged(ONE, 2))
    assert said == [f"acknowledged revision 2 of a payment that was {words}"]


def test_acknowledging_a_revision_before_the_end_is_wrong() -> None:
    said = faults(
        asked(start()),
        document(ONE, 2, "in_progress"),
        document(ONE, 3, "failed"),
        acknowledged(ONE, 2),
    )
    assert len(said) == 1


def test_one_request_id_for_two_commands_is_wrong() -> None:
    status = heard("request/payment/status", {"request_id": f"r-{ONE}", "payment_id": ONE})
    (said,) = faults(asked(start()), status)
    assert "payment/start and payment/status" in said


def test_a_card_number_is_wrong_and_those_of_goods_and_gift_cards_are_not() -> None:
    assert len(faults(asked(start(metadata={"card": "4242424242424242"})))) == 1
    line = {
        "item_id": 1, "ean_upc": "4006381333931", "quantity": "1",
        "unit_price": "12.50", "item_amount": "12.50",
    }  # fmt: skip
    goods = {"total_amount": "12.50", "lines": [line | {"product_code": "4242424242424242"}]}
    assert faults(asked(start(sale=goods))) == []
    gift = {"stored_value_id": "4242424242424242"}
    assert faults(asked(start(method="gift_card", gift_card=gift))) == []
