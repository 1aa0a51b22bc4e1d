"""No whole card number reaches an event, whatever field of an answer a terminal writes it in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import contract as c
from drivers.contract import CARD_DIGITS_MAX, CARD_DIGITS_MIN, mask_cards
from drivers.pax import PaxSettings
from drivers.telium import CaisseApSettings, TeliumSettings
from drivers.telium.codec.caisse_ap import encode_tags
from drivers.telium.codec.dump import masked_text
from drivers.telium.codec.framing import encode_frame
from drivers.telium.codec.reference import attempt_reference
from drivers.telium.conversation.caisse_ap import CaisseApDialogue
from drivers.telium.conversation.concert import TeliumDialogue
from tests.protocol.pax_talks import (
    ABSENT,
    PAY,
    PAYMENT,
    READY,
    REF,
    SEEN,
    STOPPED,
    USD10,
    WITNESS,
    converse,
    gift_result,
    record,
    result,
)

PAN = "4242424242424242"
WAYS = (
    "{}",
    "CARD {} OK",
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "000{}",
    ";{}=27121010000012345678?",
)
GIFT = PaxSettings(gift=True)


def shows(pan: str, said: object) -> bool:
    return pan in str(said).replace(" ", "").replace("-", "")


# --- the mask


def check_digit(digits: str) -> str:
    doubled = (int(digit) * (2 - i % 2) for i, digit in enumerate(reversed(digits)))
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    length = draw(st.integers(CARD_DIGITS_MIN, CARD_DIGITS_MAX)) - 1
    first = draw(st.sampled_from("123456789"))
    rest = draw(st.text("0123456789", min_size=length - 1, max_size=length - 1))
    return first + rest + check_digit(first + rest)


NOT_DIGITS = st.text(st.characters(codec="latin-1", exclude_categories=["Nd"]), max_size=8)


@given(card_numbers(), NOT_DIGITS, NOT_DIGITS, st.sampled_from(["", " ", "-"]), st.integers(1, 6))
def test_a_card_number_is_masked_in_any_text(
    number: str, before: str, after: str, between: str, size: int
) -> None:
    groups = [number[at : at + size] for at in range(0, len(number), size)]
    text = before + between.join(groups) + after
    shown = mask_cards(text)
    assert not shows(number, shown)
    assert len(shown) == len(text)
    assert sum(one in "0123456789" for one in shown) <= 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "APPROVAL 123456",
        "700000000001",  # a retrieval reference has twelve digits
        "20261123073400",  # a moment, even where its last digit would fit
        "20261123073407",
        "A0000000031010",
        "4242424242424241",  # no card: its check digit is wrong
        "1/ABCDEFGH12345678/20261123120000",
    ],
)
def test_what_is_no_card_number_stays(text: str) -> None:
    assert mask_cards(text) == text


def test_more_digits_than_any_card_has_are_masked() -> None:
    assert mask_cards("9" * 20) == "*" * 16 + "9999"


# --- PAX


def spoiled(answer: str) -> Iterator[str]:
    """Return the answer with a card number in each of its fields, one after the other."""
    fields = answer.split("|")
    for number in range(3, len(fields)):
        parts = fields[number].split("^")
        for part in range(len(parts) + 1):
            for way in WAYS:
                changed = [*parts, *([""] if part == len(parts) else [])]
                changed[part] = way.format(PAN)
                yield "|".join([*fields[:number], "^".join(changed), *fields[number + 1 :]])


TALKS: dict[str, tuple[c.Operation, dict[str, str | list[str]], str]] = {
    "sale": (PAY, {}, "T00"),
    "declined": (PAY, {}, "T00"),
    "gift": (c.Pay(PAYMENT, USD10, gift=True), {}, "T06"),
    "balance": (c.ReadBalance(), {}, "T06"),
    "record": (c.Inquire(PAY, SEEN), {}, "R02"),
    "refused_report": (c.Inquire(PAY, SEEN), {"A14": STOPPED}, "R02"),
    "witness": (c.Inquire(PAY, SEEN), {f"R02 {REF}": ABSENT, "A14": STOPPED}, "R02"),
    "last": (c.ReadLast(), {}, "R02"),
    "probe": (c.Probe(), {"R02": WITNESS}, "A00"),
    "probe_refused": (c.Probe(), {"R02": WITNESS}, "A00"),
    "end_of_day": (c.EndOfDay(), {}, "B00"),
    "totals": (c.EndOfDay(close=False), {}, "R00"),
}
ANSWERS = {
    "sale": result(),
    "declined": "0|T01|1.35|000100|DECLINE|05^DECLINED^^^17^1|01|1000|4242|5^REF",
    "gift": gift_result(),
    "balance": gift_result("23", "0^^^^^^2500", "BALANCE"),
    "record": record(),
    "refused_report": "0|R03|1.35|100027|UNSUPPORTED",
    "witness": WITNESS,
    "last": record(total="1"),
    "probe": READY,
    "probe_refused": "0|A01|1.35|100003|BUSY",
    "end_of_day": "0|B01|1.35|000000|OK|00^CLOSED^^^^7|1=0|1000=0|20261123220000|T1|M1",
    "totals": "0|R01|1.35|000000|OK|00|1=1000",
}


@pytest.mark.parametrize("serial", [False, True])
@pytest.mark.parametrize("name", TALKS)
def test_pax_shows_no_card_number(name: str, serial: bool) -> None:
    operation, script, command = TALKS[name]
    for answer in spoiled(ANSWERS[name]):
        full = {"A00": READY, **script, command: answer}
        told, _ = converse(operation, full, serial=serial, settings=GIFT)
        assert told
        assert not shows(PAN, told), answer


# --- Telium


@pytest.mark.parametrize("echoed", ["echoed", "free"])
@pytest.mark.parametrize("report", ["", *WAYS])
def test_concert_shows_no_card_number(report: str, echoed: str) -> None:
    settings = TeliumSettings(answer="long", private_field=echoed)  # type: ignore[arg-type]  # one of two
    pay = c.Pay(PAYMENT, c.Money(1250, "EUR"))
    for result_code in "0179":
        shown = f"{report.format(PAN):<55}"
        body = f"01{result_code}000012501{shown}978{attempt_reference(PAYMENT)}".encode()
        dialogue = TeliumDialogue(settings)
        told = list(dialogue.begin(pay, 0.0).events)
        for data in (b"\x06", b"\x06", b"\x05", encode_frame(body), b"\x04"):
            told += dialogue.receive(data, 1.0).events
            told += dialogue.committed(1.0).events
        assert isinstance(told[-1], c.FinalEvent)
        assert not shows(PAN, told)


DONE = {
    "CZ": "0300",
    "CJ": "012345678901",
    "CA": "01",
    "CB": "000000001250",
    "CD": "0",
    "CE": "978",
    "AE": "10",
    "AF": "01",
    "CC": "001",
    "CI": "1",
    "AC": "123456",
    "AA": "497010######0013",
    "AI": "A0000000421010",
    "CF": "private",
    "CG": "6424242",
    "ZZ": "unknown",
}


@pytest.mark.parametrize("tag", DONE)
@pytest.mark.parametrize("status", ["10", "01", "11"])
def test_caisse_ap_shows_no_card_number(tag: str, status: str) -> None:
    for way in WAYS:
        tags = {**DONE, "AE": status, "AF": "04", tag: way.format(PAN)}
        data = encode_tags(tags.items())
        dialogue = CaisseApDialogue(CaisseApSettings())
        dialogue.begin(c.Pay(PAYMENT, c.Money(1250, "EUR")), 0.0)
        told = [*dialogue.receive(data, 1.0).events, *dialogue.line_lost(2.0).events]
        assert told
        assert not shows(PAN, told), data
        assert not shows(PAN, masked_text(data)), data
