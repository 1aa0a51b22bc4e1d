"""What cashiers are told: nothing untrue, and no button that says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from bridge.money import payment as p
from bridge.money.background.signature_reversals import REASON
from bridge.money.payment.signature import Signature
from bridge.money.wording import fitted
from bridge.register import api as k
from bridge.register.api.buttons import BUTTONS, PROMPT
from bridge.register.publishing.clerk_display import Means, amount_text, display_of, means_of
from bridge.register.publishing.refusals import CARD_REFUSED, NOT_DONE
from drivers import amounts
from drivers import contract as c
from tests.unit.money.payment.test_machine import APPROVAL, REQUEST, STATES
from tests.unit.register.api.mqtt_document import CASES

LEFT = c.Money(2790, "EUR")


PAID = replace(STATES["approved"], signature=None)


TOO_LATE = replace(PAID, cancel_asked="cashier")


def shown(payment: p.Payment, **more: Any) -> k.Display:
    return display_of(payment, remaining=LEFT, terminal_name="Counter 1", **more)


def ids(payment: p.Payment, **more: Any) -> list[str]:
    return [one.id for one in shown(payment, **more).buttons]


def of_type(payment: p.Payment, kind: p.PaymentType, *, at: str = "counter-1") -> p.Payment:
    original = "018f6f0e-1c20-7d3b-8a11-5e6f70819203" if kind in p.FOLLOW_UPS else ""
    request = replace(
        payment.request, type=kind, terminal_id=at, original_payment_id=original, plan=None
    )
    return replace(payment, request=request)


def refused(code: str, status: str, kind: p.PaymentType, at: str, text: str = "") -> p.Payment:
    payment = replace(STATES[status], denial=p.Denial(code, text))
    return of_type(payment, kind, at=at)


def every_display() -> Iterator[tuple[p.Payment, k.Display]]:
    """Yield whatever can be shown: each case of the guide, as each type, at each place."""
    for payment, kind, at in product(CASES.values(), p.PaymentType, ("counter-1", p.GIFT_CARDS)):
        mine = of_type(payment, kind, at=at)
        for means in (Means(), Means("at_terminal_only", void=False, refund=False)):
            yield mine, shown(mine, means=means)
    for code, status in product(k.ERRORS, ("declined", "failed", "canceled")):
        for kind in p.PaymentType:
            payment = refused(code, status, kind, "counter-1")
            yield payment, shown(payment)


@pytest.mark.parametrize("code", sorted(set(k.ERRORS) - CARD_REFUSED))
def test_a_technical_refusal_never_asks_for_another_card(code: str) -> None:
    for status, kind, at in product(
        ("declined", "failed"), p.PaymentType, ("counter-1", p.GIFT_CARDS)
    ):
        said = " ".join(shown(refused(code, status, kind, at)).lines)
        assert "another card" not in said, (code, status, kind, at, said)


@pytest.mark.parametrize("code", sorted(CARD_REFUSED))
def test_a_card_that_was_refused_makes_way_for_another(code: str) -> None:
    for kind in (p.PaymentType.SALE, p.PaymentType.PREAUTH):
        lines = shown(refused(code, "declined", kind, "counter-1", "insufficient funds")).lines
        assert lines == ("Card declined", "Not charged – ask for another card")
    for kind in set(p.PaymentType) - {p.PaymentType.SALE, p.PaymentType.PREAUTH}:
        said = " ".join(shown(refused(code, "declined", kind, "counter-1")).lines)
        assert "another card" not in said


def test_every_refusal_says_what_was_not_done() -> None:
    for code, status, kind in product(k.ERRORS, ("declined", "failed", "canceled"), p.PaymentType):
        said = " ".join(shown(refused(code, status, kind, "counter-1")).lines).lower()
        assert NOT_DONE[kind] in said, (code, status, kind)


@pytest.mark.parametrize(
    ("code", "at", "first"),
    [
        ("host_unreachable", "counter-1", "Bank not reached – not charged"),
        ("host_unreachable", p.GIFT_CARDS, "Back office not reached – not charged"),
        ("wrong_pin", p.GIFT_CARDS, "Wrong PIN – not charged"),
        ("gift_card_insufficient", p.GIFT_CARDS, "Not enough on the card – not charged"),
        ("terminal_fault", "counter-1", "Terminal fault – not charged"),
    ],
)
def test_a_technical_refusal_says_what_is_wrong(code: str, at: str, first: str) -> None:
    assert shown(refused(code, "failed", p.PaymentType.SALE, at)).lines[0] == first


@pytest.mark.parametrize("status", ["declined", "canceled", "failed"])
def test_evidence_of_money_takes_the_place_of_a_refusal(status: str) -> None:
    odd = p.Discrepancy(f"approved_after_{status}", "money moved", APPROVAL)
    contradicted = replace(STATES[status], discrepancies=(odd,))
    assert shown(contradicted).code == "discrepancy"
    assert ids(contradicted) == ["call_supervisor"]
    booked = replace(contradicted, decided_by="anna", funds=p.Funds.CAPTURED, approval=APPROVAL)
    assert shown(booked).lines[0] == "Paid after all: 47,90 €"
    assert "retry" not in ids(booked)


def test_a_contradiction_that_was_decided_calls_nobody_any_more() -> None:
    odd = p.Discrepancy("second_approval", "money moved again", APPROVAL)
    assert shown(replace(PAID, discrepancies=(odd,))).code == "discrepancy"
    assert shown(replace(PAID, discrepancies=(odd,), decided_by="anna")).code == "approved"


def test_a_doubt_about_a_refund_says_do_not_refund_again() -> None:
    doubt = of_type(STATES["in_doubt"], p.PaymentType.REFUND)
    assert shown(doubt).lines[0] == "Do not refund again"


def button_name(button_id: str) -> str:
    verb, *rest = button_id.split(":")
    return f"answer:{PROMPT}:{rest[-1]}" if verb == "answer" and len(rest) > 1 else button_id


def test_every_button_is_in_the_published_contract() -> None:
    found = {button_name(one.id) for _, display in every_display() for one in display.buttons}
    assert found <= set(BUTTONS)
    assert set(BUTTONS) <= found, "a button that is published and never shown"


def test_who_is_asked_to_void_has_a_button_for_it() -> None:
    for _, display in every_display():
        names = {one.id for one in display.buttons}
        assert ("Void it?" in display.lines) == ("void" in names)
        assert ("Refund it?" in display.lines) <= ("refund" in names)


def test_no_void_is_offered_where_none_can_work() -> None:
    assert ids(TOO_LATE) == ["void", "keep"]
    assert ids(TOO_LATE, means=Means(void=False)) == ["refund", "keep"]
    assert ids(TOO_LATE, means=Means(void=False, refund=False)) == ["keep"]
    for kind in set(p.PaymentType) - {p.PaymentType.SALE, p.PaymentType.CAPTURE}:
        assert "void" not in ids(of_type(TOO_LATE, kind)) or kind is p.PaymentType.PREAUTH
    assert ids(of_type(TOO_LATE, p.PaymentType.SALE, at=p.GIFT_CARDS)) == ["refund", "keep"]


def test_no_cancel_is_offered_that_the_terminal_cannot_be_told() -> None:
    waiting = replace(STATES["in_progress"], stage=c.Stage.WAITING_FOR_CARD)
    pin = replace(STATES["in_progress"], stage=c.Stage.ENTERING_PIN)
    assert ids(waiting) == ids(pin) == ["cancel"]
    assert ids(waiting, means=Means("until_card")) == ["cancel"]
    assert ids(pin, means=Means("until_card")) == []
    assert ids(waiting, means=Means("at_terminal_only")) == []
    concluding = of_type(
        replace(waiting, concluding="capture"), p.PaymentType.SALE, at="gift-cards"
    )
    assert ids(concluding) == []


def test_nothing_is_offered_again_that_is_refused_again() -> None:
    assert ids(refused("capture_card", "declined", p.PaymentType.SALE, "counter-1")) == [
        "pay_otherwise"
    ]
    void = refused("void_not_possible", "failed", p.PaymentType.VOID, "counter-1")
    assert ids(void) == ["call_supervisor"]
    again = refused("host_timeout", "failed", p.PaymentType.REFUND, "counter-1")
    assert ids(again) == ["retry"]


def test_what_the_bridge_does_by_itself_nobody_is_asked_to_repeat() -> None:
    void = refused("host_timeout", "failed", p.PaymentType.VOID, "counter-1")
    request = replace(void.request, content_hash=f"{REASON} {void.request.original_payment_id}")
    assert ids(replace(void, request=request)) == ["call_supervisor"]


def test_a_part_payment_of_a_sale_that_is_paid_by_now_asks_for_nothing() -> None:
    part = replace(PAID, approval=replace(APPROVAL, amount=c.Money(500, "EUR")))
    assert ids(part) == ["pay_otherwise"]
    paid = display_of(part, remaining=c.Money(0, "EUR"), terminal_name="Counter 1")
    assert [one.id for one in paid.buttons] == ["receipt"]


def test_still_charged_after_a_refused_signature_offers_the_refund() -> None:
    charged = replace(PAID, signature=Signature.NOT_REVERSED)
    assert ids(charged) == ["refund", "call_supervisor"]
    assert ids(charged, means=Means(refund=False)) == ["call_supervisor"]


def test_a_terminal_says_by_its_capabilities_what_can_be_asked() -> None:
    can = c.Capabilities(
        operations=frozenset({"sale", "void"}), cancel="until_card", status_query="none"
    )
    assert means_of(can) == Means("until_card", void=True, refund=False)


@pytest.mark.parametrize("characters", range(1, 60))
def test_text_is_never_cut_inside_a_word(characters: int) -> None:
    text = "communication error with the authorization host of the acquirer"
    cut = fitted(text, characters)
    words = text.split()
    assert cut.rstrip("…").split() == words[: len(cut.rstrip("…").split())]
    assert len(cut) <= characters or cut == "communication…"
    assert fitted(text, len(text)) == text


def test_a_refusals_own_words_end_with_a_word() -> None:
    text = "merchant profile invalid, software update required at once"
    lines = shown(refused("terminal_maintenance", "failed", p.PaymentType.SALE, "t", text)).lines
    assert lines[1] == "merchant profile invalid, software…"


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (1_250, "KWD", "1 KWD 250 fils"),
        (1_250_000, "KWD", "1250 KWD"),
        (5, "TND", "0 TND 5 millimes"),
        (1_250, "JPY", "1250 ¥"),
        (125_000, "EUR", "1250,00 €"),
    ],
)
def test_no_amount_reads_as_a_thousand_times_as_much(minor: int, currency: str, said: str) -> None:
    assert amount_text(c.Money(minor, currency)) == said
    assert "1.250" not in amounts.amount_text(c.Money(minor, currency))


def test_the_displays_in_dinars_show_no_mark_before_three_digits() -> None:
    dinars = c.Money(1_250, "KWD")
    approval = replace(APPROVAL, amount=dinars)
    paid = replace(PAID, request=replace(REQUEST, amount=dinars), approval=approval)
    assert shown(paid).lines[0] == "Paid 1 KWD 250 fils"
