"""What an answer of the POS server proves: whose payment it is, and where its money is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.backoffice.api.terminal_payments import Kind, ShownPayment
from bridge.backoffice.terminal_payments.evidence import Held, Wanted, judge_payment
from bridge.backoffice.terminal_payments.settings import PosServerSettings
from drivers import contract as c

NAME = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
SETTINGS = PosServerSettings("Lane 1", "EUR")
SALE = Wanted(c.Money(1250, "EUR"), NAME, Kind.SALE)
HOLD = replace(SALE, kind=Kind.AUTHORIZATION, holds=True)
LATER = replace(SALE, kind=Kind.AUTHORIZATION)
CAPTURE = replace(SALE, captures=True)
SHOWN = ShownPayment("TP1", "CAPTURED", "12.50", "EUR", NAME, "Lane 1")


@pytest.mark.parametrize(
    ("wanted", "status", "kind"),
    [
        *((SALE, word, c.Approved) for word in ("", "APPROVED", "captured", "Completed", "Sale")),
        (SALE, "AUTHORIZED", Held),
        (SALE, "Pre-Authorized", Held),
        *((LATER, word, Held) for word in ("", "APPROVED", "AUTHORIZED")),
        (LATER, "CAPTURED", c.Approved),
        *((HOLD, word, c.Approved) for word in ("", "APPROVED", "AUTHORIZED")),
        (HOLD, "CAPTURED", c.Unclear),
        *((CAPTURE, word, c.Approved) for word in ("", "APPROVED", "CAPTURED")),
        (CAPTURE, "AUTHORIZED", c.Unclear),
        (CAPTURE, "DECLINED", c.Unclear),
        (SALE, "DECLINED", c.Declined),
        *((SALE, word, c.Unclear) for word in ("PENDING", "VOIDED", "?", "UNKNOWN", "ERROR")),
        (HOLD, "PENDING", c.Unclear),
    ],
)
def test_a_status_says_where_the_money_is(wanted: Wanted, status: str, kind: type) -> None:
    verdict = judge_payment(replace(SHOWN, status=status), wanted, SETTINGS)
    assert isinstance(verdict, kind)


def test_a_site_tells_its_processors_words() -> None:
    settings = replace(SETTINGS, taken_statuses=("Sale-Closed",), held_statuses=("RESERVED",))
    for status, kind in (("sale closed", c.Approved), ("Reserved", Held), ("OPEN", c.Unclear)):
        shown = replace(SHOWN, status=status)
        assert isinstance(judge_payment(shown, SALE, settings), kind)
        assert isinstance(judge_payment(shown, SALE, SETTINGS), c.Unclear)


@pytest.mark.parametrize(
    "other",
    [
        replace(SHOWN, reference="somebody-else"),
        replace(SHOWN, terminal="Lane 2"),
        replace(SHOWN, reference="", amount="12.51"),
        replace(SHOWN, reference="", currency="USD"),
        replace(SHOWN, amount=""),
        replace(SHOWN, amount="12.505"),
        replace(SHOWN, amount="-12.50"),
        replace(SHOWN, currency="XXX"),
    ],
)
def test_a_strangers_payment_is_never_told_as_ours(other: ShownPayment) -> None:
    assert isinstance(judge_payment(other, SALE, SETTINGS), c.Unclear)


def test_a_captured_payment_may_bear_the_reference_that_it_was_begun_with() -> None:
    wanted = replace(CAPTURE, payment_id="TP1")
    begun = replace(SHOWN, reference="the-hold")
    assert isinstance(judge_payment(begun, wanted, SETTINGS), c.Approved)
    other = replace(begun, payment_id="TP2")
    assert isinstance(judge_payment(other, wanted, SETTINGS), c.Unclear)


def test_a_payment_with_our_reference_is_ours_whatever_was_taken() -> None:
    verdict = judge_payment(replace(SHOWN, amount="11"), SALE, SETTINGS)
    assert isinstance(verdict, c.Approved)
    assert verdict.approval.amount == c.Money(1100, "EUR")
    verdict = judge_payment(replace(SHOWN, currency="usd"), SALE, SETTINGS)
    assert isinstance(verdict, c.Approved)
    assert verdict.approval.amount == c.Money(1250, "USD")


def test_a_payment_that_tells_little_is_ours_when_nothing_speaks_against_it() -> None:
    bare = ShownPayment("TP1", amount="12.5")
    assert isinstance(judge_payment(bare, SALE, SETTINGS), c.Approved)


def test_no_card_number_is_shown_wherever_the_server_writes_it() -> None:
    pan = "4111111111111111"
    shown = replace(
        SHOWN, card_number=pan, approval_code=pan, card_brand=f"visa {pan}", status=f"PAID {pan}"
    )
    assert pan not in repr(judge_payment(shown, SALE, SETTINGS))
    shown = replace(shown, status="CAPTURED", payment_id=pan)
    verdict = judge_payment(shown, SALE, SETTINGS)
    assert isinstance(verdict, c.Approved)
    assert pan not in repr(verdict)
    assert verdict.approval.card.masked_pan == c.MaskedPan.of(pan)


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminal": " "},
        {"currency": "EURO"},
        {"total_seconds": 5.0},
        {"after_stop_seconds": 0.0},
        {"taken_statuses": ("DECLINED",)},
        {"taken_statuses": ("OPEN",), "held_statuses": ("OPEN",)},
        {"taken_statuses": ("Authorized",)},
        {"held_statuses": ("captured",)},
        {"declined_codes": ("APPROVED",)},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PosServerSettings(**{"terminal": "Lane 1", "currency": "EUR", **wrong})  # type: ignore[arg-type]
