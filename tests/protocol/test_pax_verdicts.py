"""What a PAX terminal's words prove of money: an amount that was approved outweighs a code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers import contract as c
from drivers.pax import PaxSettings
from drivers.pax.codec import codes
from tests.protocol.pax_talks import (
    ABSENT,
    HOLD,
    OLDER,
    PAY,
    PAYMENT,
    REF,
    SEEN,
    STOPPED,
    USD10,
    WITNESS,
    converse,
    final,
    record,
    result,
)

APPROVING = ["", "0", "00", "000", "08", "11", "85"]
# Letters are what hosts of one processor say beside an approval: a failed CVV check, for one.
OTHERS = ["AA", "N7", "05", "51", "09", "68", "94", "99", "10"]
REFUSING_RESULTS = [
    *("000100|DECLINE", "100003|HOST DENIED", "100023|USER ABORTED", "100021|ALREADY VOIDED"),
    *(f"{code}|REFUSED" for code in codes.REFUSALS),
]
VOID = c.Reverse(PAYMENT, OLDER)
IN_BATCH_ONE = replace(OLDER, batch="1")


@pytest.mark.parametrize("host", APPROVING)
def test_an_approved_amount_with_a_code_that_approves_is_paid(host: str) -> None:
    said = final(PAY, {"T00": result(host=f"{host}^SOMETHING")})
    read = final(c.Inquire(PAY, SEEN), {"R02": record(host=f"{host}^SOMETHING")})
    for event in (said, read):
        assert isinstance(event, c.Approved)
        assert event.approval.amount == USD10


@pytest.mark.parametrize("host", OTHERS)
def test_an_approved_amount_is_never_declined_whatever_the_host_code(host: str) -> None:
    said = final(PAY, {"T00": result(host=f"{host}^SOMETHING")})
    read = final(c.Inquire(PAY, SEEN), {"R02": record(host=f"{host}^SOMETHING")})
    for event in (said, read):
        assert isinstance(event, c.Unclear)
        assert event.reason == "contradiction"
        assert "10.00 USD approved" in event.text


@pytest.mark.parametrize("host", ["", "05^DECLINED", "00^APPROVAL", "N7^CVV"])
@pytest.mark.parametrize("code", REFUSING_RESULTS)
def test_a_known_no_counts_only_where_no_amount_was_approved(code: str, host: str) -> None:
    assert isinstance(final(PAY, {"T00": result(code, host)}), c.Unclear)


def test_a_part_is_approved_by_the_code_for_parts() -> None:
    part = replace(PAY, accept_partial=True)
    for code in ("000000|OK", "000002|PARTIAL"):
        for host in ("10", "00"):
            said = final(part, {"T00": result(code, f"{host}^PART", amount="400^600")})
            assert isinstance(said, c.Approved)
            assert said.approval.amount.minor == 400
    read = final(c.Inquire(part, SEEN), {"R02": record(host="10^PART", amount="400^600")})
    assert isinstance(read, c.Approved)


@pytest.mark.parametrize("host", ["09", "68", "94"])
def test_a_host_that_does_not_know_is_no_decline(host: str) -> None:
    answer = f"0|T01|1.35|000100|DECLINE|{host}^SOMETHING"
    assert isinstance(final(PAY, {"T00": answer}), c.Unclear)
    read = final(c.Inquire(PAY, SEEN), {"R02": record(host=f"{host}^X", amount="0")})
    assert isinstance(read, c.Unclear)


def test_a_record_without_an_amount_is_a_no_only_with_a_code_that_is_one() -> None:
    declined = final(c.Inquire(PAY, SEEN), {"R02": record(host="05^DECLINED", amount="")})
    assert declined == c.Declined("05", "DECLINED", "declined")
    for host in ("AA", "N7", "00", ""):
        open_one = final(c.Inquire(PAY, SEEN), {"R02": record(host=f"{host}^X", amount="")})
        assert isinstance(open_one, c.Unclear)


@pytest.mark.parametrize("host", ["91", "92", "96"])
def test_a_host_that_cannot_be_reached_says_nothing_about_the_card(host: str) -> None:
    answer = f"0|T01|1.35|000100|DECLINE|{host}^ISSUER DOWN"
    assert final(PAY, {"T00": answer}) == c.Failed(host, "ISSUER DOWN", "host_unreachable")


# --- amounts


@pytest.mark.parametrize(
    ("amount", "tip", "surcharge", "cash_back"),
    [
        ("1150^0^150", 150, None, None),
        ("1030^0^^^30", None, 30, None),
        ("3000^0^^2000", None, None, 2000),
        ("3180^0^150^2000^30", 150, 30, 2000),
        (
            "1100^0",
            None,
            None,
            None,
        ),  # nothing explains it: a discrepancy, which is not ours to say
    ],
)
def test_what_the_terminal_adds_stands_each_in_its_own_field(
    amount: str, tip: int | None, surcharge: int | None, cash_back: int | None
) -> None:
    paid = final(PAY, {"T00": result(amount=amount)})
    assert isinstance(paid, c.Approved)
    assert paid.approval.amount.minor == int(amount.split("^", maxsplit=1)[0])
    parts = (paid.approval.tip, paid.approval.surcharge, paid.approval.cash_back)
    assert [part and part.minor for part in parts] == [tip, surcharge, cash_back]


def test_a_surcharge_does_not_hide_that_a_part_was_approved() -> None:
    part = result(amount="1010^40^^^50")
    voided = result(kind="16", amount="", reference="")
    told, sent = converse(PAY, {"T00 01": part, "T00 16": voided})
    assert isinstance(told[-1], c.Declined)
    assert [command.split("|")[2] for command in sent] == ["01", "16"]
    assert "10.10 USD" in told[-1].text


def test_three_digits_after_the_point_never_read_as_a_thousand() -> None:
    dinars = c.Money(1250, "KWD")
    settings = PaxSettings(currency="KWD")
    odd = result(host="N7^CVV", amount="1250")
    event = converse(c.Pay(PAYMENT, dinars), {"T00": odd}, settings=settings)[0][-1]
    assert isinstance(event, c.Unclear)
    assert "1 KWD 250 fils" in event.text


# --- somebody else's


def test_a_duplicate_never_shows_what_was_said_to_another_payment() -> None:
    other = "00^CARD OF ANOTHER SHOPPER^654321"
    for reference in ("OTHER", ""):
        for amount in ("1000^0", "77^0", ""):
            answer = result("100011|DUP TRANSACTION", other, reference=reference, amount=amount)
            event = final(PAY, {"T00": answer})
            assert isinstance(event, c.Failed if reference else c.Unclear)
            assert "ANOTHER SHOPPER" not in event.text
            assert "654321" not in repr(event)


@pytest.mark.parametrize("amount", ["1000^0", "1150^0^150", "1030^0^^^30", "400^600", ""])
def test_a_strangers_record_that_may_be_ours_proves_no_absence(amount: str) -> None:
    script = {f"R02 {REF}": ABSENT, "R02 OLDER": WITNESS, "R02 1": record("X", amount=amount)}
    event = final(c.Inquire(PAY, SEEN), {**script, "A14": STOPPED, "R02 2": ABSENT})
    assert event == c.Unclear("look_alike", "a newer record has the same amount")


# --- what cannot be undone, and what was undone before


@pytest.mark.parametrize("text", ["NOT FOUND", "CANNOT VOID", ""])
def test_a_void_that_the_terminal_refuses_is_not_possible_at_once(text: str) -> None:
    script = {"T00": f"0|T01|1.35|100023|{text}", "R02": ABSENT}
    told, sent = converse(VOID, {**script})
    event = told[-1]
    assert isinstance(event, c.Failed)
    assert (event.code, event.reason, event.batch_closed) == ("100023", "void_not_possible", False)
    assert [command.split("|")[0] for command in sent] == ["T00", "R02"]


@pytest.mark.parametrize(
    ("first", "closed"),
    [
        (record("LATER", host="00^APPROVAL^1^2^3^2", position="0"), True),
        (record("LATER", host="00^APPROVAL^1^2^3^1", position="0"), False),
        (record("LATER", host="00^APPROVAL", position="0"), False),
        (ABSENT, False),
        ("EOT", False),
    ],
)
def test_only_a_record_of_a_later_batch_shows_that_the_batch_is_closed(
    first: str, closed: bool
) -> None:
    script = {"T00": "0|T01|1.35|100023|NOT FOUND", "R02 OLDER": ABSENT, "R02 0": first}
    event = final(c.Reverse(PAYMENT, IN_BATCH_ONE), {**script})
    assert isinstance(event, c.Failed)
    assert event.batch_closed is closed


def test_a_void_is_refused_for_sure_even_if_nothing_more_is_heard() -> None:
    for after in ("", "EOT", "0|R03|1.35|100027|UNSUPPORTED"):
        event = final(VOID, {"T00": "0|T01|1.35|100023|NOT FOUND", "R02": after})
        assert isinstance(event, c.Failed)
        assert (event.reason, event.batch_closed) == ("void_not_possible", False)


def test_what_was_voided_before_is_told_as_that() -> None:
    refused = {"T00": "0|T01|1.35|100021|ALREADY VOIDED"}
    shown = {"T00": "0|T01|1.35|100023|CANNOT VOID", "R02": record("OLDER", kind="16")}
    for script in (refused, shown):
        event = final(VOID, {**script})
        assert isinstance(event, c.Failed)
        assert (event.reason, event.batch_closed) == (c.ALREADY_REVERSED, False)
    refund = final(c.Refund(PAYMENT, USD10, OLDER), {**refused})
    assert isinstance(refund, c.Failed)
    assert refund.reason == c.ALREADY_REVERSED


def test_a_hold_that_was_captured_was_not_reversed() -> None:
    event = final(
        c.Reverse(PAYMENT, HOLD), {"T00": "0|T01|1.35|100021|ALREADY COMPLETED", "R02": ABSENT}
    )
    assert isinstance(event, c.Failed)
    assert event.reason == "void_not_possible"


@pytest.mark.parametrize(
    "operation", [c.Capture(PAYMENT, USD10, HOLD), c.Refund(PAYMENT, USD10, OLDER)]
)
def test_what_follows_a_transaction_that_is_gone_is_refused_at_once(
    operation: c.Operation,
) -> None:
    event = final(operation, {"T00": "0|T01|1.35|100023|NOT FOUND"})
    assert isinstance(event, c.Failed)
    assert event.reason == "original_not_found"


@pytest.mark.parametrize("operation", [VOID, PAY, c.Capture(PAYMENT, USD10, HOLD)])
def test_unknown_is_never_told_as_no(operation: c.Operation) -> None:
    event = final(operation, {"T00": "0|T01|1.35|100023|UNKNOWN"})
    assert isinstance(event, c.Unclear)


def test_a_void_that_nobody_answered_for_is_looked_at_by_a_person() -> None:
    """Somebody may have voided it by hand: the money is back, but no answer said that it was us."""
    script = {f"R02 {REF}": ABSENT, "R02 OLDER": record("OLDER", kind="16"), "A14": STOPPED}
    event = final(c.Inquire(VOID, None), {**script})
    assert isinstance(event, c.Approved)
    assert c.INFERRED in event.approval.extra


@pytest.mark.parametrize(("captured", "expected"), [("1000", c.Approved), ("900", c.Unclear)])
def test_a_hold_that_somebody_captured_is_ours_only_to_the_cent_and_for_a_person(
    captured: str, expected: type
) -> None:
    about = c.Capture(PAYMENT, USD10, HOLD)
    original = record("OLDER", kind="04", amount=captured)
    script = {f"R02 {REF}": ABSENT, "R02 OLDER": original, "A14": STOPPED}
    event = final(c.Inquire(about, None), {**script})
    assert isinstance(event, expected)
    if isinstance(event, c.Approved):
        assert c.INFERRED in event.approval.extra


@pytest.mark.parametrize("amount", ["50000^0", "999^0", "1^0"])
def test_another_amount_without_our_reference_is_not_taken_for_ours(amount: str) -> None:
    said = final(PAY, {"T00": result(amount=amount, reference="")})
    assert isinstance(said, c.Unclear)
    assert said.reason == "other_transaction"


@pytest.mark.parametrize("amount", ["1000^0", "1200^0^200", "400^600"])
def test_an_amount_whose_parts_make_ours_needs_no_reference(amount: str) -> None:
    said = final(replace(PAY, accept_partial=True), {"T00": result(amount=amount, reference="")})
    assert isinstance(said, c.Approved)


@pytest.mark.parametrize("amount", ["1000", "1050"])
def test_a_person_is_shown_what_a_contradicting_answer_approved(amount: str) -> None:
    odd = "N7^CVV MISMATCH^123456"
    said, _ = converse(PAY, {"T00": result(host=odd, amount=amount)})
    read, _ = converse(c.Inquire(PAY, SEEN), {"R02": record(host=odd, amount=amount)})
    for told in (said, read):
        (offered,) = [event for event in told if isinstance(event, c.Offered)]
        assert offered.approval.amount.minor == int(amount)
        assert offered.approval.approval_code == "123456"
        assert isinstance(told[-1], c.Unclear)
    again, _ = converse(c.Inquire(PAY, SEEN, offered.approval), {"R02": record(host=odd)})
    assert [type(event) for event in again] == [c.Unclear]


def test_a_record_without_an_amount_takes_back_no_approval_that_was_heard() -> None:
    heard = replace(OLDER, fingerprint=f"5/{REF}/20261123073400")
    denied = {"R02": record(host="05^DECLINED", amount="")}
    assert isinstance(final(c.Inquire(PAY, SEEN), {**denied}), c.Declined)
    assert isinstance(final(c.Inquire(PAY, SEEN, heard), {**denied}), c.Unclear)
