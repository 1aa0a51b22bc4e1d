"""Fields and messages: round trips, tolerance, and no card number anywhere."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import MaskedPan, ProtocolError
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.fields import (
    Tlv,
    decode_bcd,
    decode_bmps,
    decode_text,
    decode_tlv,
    encode_bcd,
    encode_bmp,
    encode_text,
    encode_tlv,
    mask_text,
)
from drivers.zvt.codec.sequence import sequence_of, sequence_tlv

PAN = "4111111111111111"
PAN_BCD = bytes.fromhex(PAN)

# --- hypothesis: what a terminal or a register can mean

amounts = st.none() | st.integers(0, 10**12 - 1)
byte = st.none() | st.integers(0, 255)
currencies = st.none() | st.integers(0, 9999)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.just("") | st.text("0123456789", min_size=count, max_size=count)


def ascii_text(size: int) -> st.SearchStrategy[str]:
    return st.text("ABCabcdefgh -.", max_size=size).map(str.strip)


primitive_tags = st.sampled_from([0x07, 0x09, 0x14, 0x43, 0x1F07, 0x1F2B, 0x1F8000])
leaves = st.builds(Tlv, primitive_tags, st.binary(max_size=140))
objects = st.recursive(
    leaves,
    lambda inner: st.builds(
        Tlv, st.sampled_from([0x25, 0x24, 0x2F, 0xE4]), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=6,
)
containers = st.none() | st.lists(objects, max_size=3).map(tuple)
pans = st.none() | st.text("*0123456789", min_size=4, max_size=19).map(MaskedPan.of)

status_informations = st.builds(
    m.StatusInformation,
    result=byte,
    amount=amounts,
    trace=digits(6),
    time=digits(6),
    date=digits(4),
    expiry=digits(4),
    sequence_number=digits(4),
    payment_type=byte,
    pan=pans,
    terminal_id=digits(8),
    merchant_id=ascii_text(15),
    original_trace=digits(6),
    approval_code=ascii_text(8),
    text=ascii_text(80),
    totals=st.binary(max_size=53),
    currency=currencies,
    receipt=digits(4),
    turnover=digits(6),
    card_type=byte,
    card_name=ascii_text(20),
    operator_card_type=byte,
    host_code=byte,
    full_date=digits(6),
    tlv=containers,
)
commands: list[type[Any]] = [
    *(m.Authorization, m.PreAuthorization, m.PartialReversal, m.BookTotal),
    *(m.CancelPreAuthorization, m.Tip, m.Diagnosis, m.SelfTest),
]
with_password: list[type[Any]] = [m.Reversal, m.Refund, m.RepeatReceipt, m.EndOfDay, m.Totals]
command_fields: dict[str, st.SearchStrategy[Any]] = {
    "service": byte,
    "amount": amounts,
    "currency": currencies,
    "payment_type": byte,
    "receipt": digits(4) | st.just("ffff"),
    "trace": digits(6),
    "approval_code": ascii_text(8),
    "tlv": containers,
}
messages: st.SearchStrategy[Any] = st.one_of(
    status_informations,
    *(st.builds(kind, **command_fields) for kind in commands),
    *(st.builds(kind, st.just("123456"), **command_fields) for kind in with_password),
    st.builds(
        m.Registration,
        st.just("000000"),
        st.integers(0, 255),
        st.integers(0, 9999),
        byte,
        containers,
    ),
    st.builds(m.ReadCard, st.integers(0, 255), byte, byte, containers),
    st.builds(
        m.DisplayText, st.lists(ascii_text(20), max_size=8).map(tuple), byte, byte, containers
    ),
    st.builds(m.Reply, st.none() | st.integers(0, 255), amounts, containers),
    st.builds(m.Completion, byte, digits(6), byte, digits(8), currencies, digits(6), containers),
    st.builds(m.Abort, st.integers(0, 255), st.none(), digits(4), ascii_text(20), containers),
    st.builds(m.SetClock, digits(6), digits(6)),
    st.builds(m.PrintLine, ascii_text(40), st.integers(0, 0xFE), st.just(0), byte),
    st.builds(
        m.PrintBlock,
        st.lists(st.tuples(st.integers(0, 0x7F), ascii_text(40)), max_size=5).map(tuple),
        byte,
        byte,
        st.just(0xFF) | st.none(),
        st.booleans(),
    ),
)


@given(messages)
def test_decode_undoes_encode(message: Any) -> None:
    assert decode(encode(message, "cp437"), "cp437") == message


@given(messages, st.integers(0, 999_999))
def test_every_message_can_carry_a_sequence_id(message: Any, number: int) -> None:
    apdu = encode(message, "cp437", number)
    assert sequence_of(apdu) == number
    carried = decode(apdu, "cp437")
    assert not isinstance(carried, m.Unknown)
    assert carried.tlv is not None
    assert carried.tlv[-1] == sequence_tlv(number)
    assert replace(carried, tlv=message.tlv) == message


@given(st.builds(m.StatusReport, st.integers(0, 0xEF), ascii_text(12), containers))
def test_the_odd_completion_of_a_status_enquiry_survives(report: m.StatusReport) -> None:
    assert decode(encode(report), "cp437", answer_to=0x0501) == report


@given(st.lists(objects, max_size=4).map(tuple))
def test_tlv_survives(these: tuple[Tlv, ...]) -> None:
    assert decode_tlv(encode_tlv(these)) == these


@given(st.integers(0, 10**12 - 1))
def test_amounts_survive(amount: int) -> None:
    assert decode_bcd(encode_bcd(amount, 6)) == amount


@given(st.binary(max_size=300))
def test_garbage_raises_protocol_errors_only(data: bytes) -> None:
    for control in (b"\x04\x0f", b"\x06\x0f", b"\x06\x1e", b"\x06\xd3", b"\x06\xd1", b"\x04\xff"):
        length = (
            bytes([len(data)]) if len(data) < 255 else b"\xff" + len(data).to_bytes(2, "little")
        )
        decode(control + length + data, "auto")
        decode(control + length + data, "utf-8", answer_to=0x0501)
    with contextlib.suppress(ProtocolError):
        decode(data)


# --- tolerance


def test_an_unknown_field_keeps_what_stood_before_it() -> None:
    status = decode(bytes.fromhex("040f0b 2700 0400000000 2040 ee 01"))
    assert isinstance(status, m.StatusInformation)
    assert (status.result, status.amount, status.rest.hex()) == (0, 2040, "ee01")


def test_a_field_told_twice_ends_what_is_believed() -> None:
    status = decode(bytes.fromhex("040f04 2705 2700"))
    assert isinstance(status, m.StatusInformation)
    assert (status.result, status.rest.hex()) == (5, "2700")


def test_an_amount_that_is_no_number_is_no_amount() -> None:
    status = decode(bytes.fromhex("040f09 2700 04 00000000 20ee"))
    assert isinstance(status, m.StatusInformation)
    assert status.amount is None
    assert status.others == ((0x04, bytes.fromhex("0000000020ee")),)


def test_a_container_that_does_not_parse_is_kept_raw() -> None:
    status = decode(bytes.fromhex("040f07 2700 06 03 2405 00"))
    assert isinstance(status, m.StatusInformation)
    assert status.tlv is None
    assert status.others == ((0x06, bytes.fromhex("240500")),)


def test_vendor_tags_that_look_constructed_hold_raw_bytes() -> None:
    (vendor,) = decode_tlv(bytes.fromhex("ff40 03 010203"))
    assert vendor == Tlv(0xFF40, b"\x01\x02\x03")


@pytest.mark.parametrize(
    ("data", "status", "version"),
    [
        ("0b f0f0f7 322e31342e3135 00", 0, "2.14.15"),
        ("01 dc", 0xDC, ""),
        ("01 f0", 0xF0, ""),
        ("03 f0f0f0", None, ""),
        ("00", None, ""),
    ],
)
def test_status_reports(data: str, status: int | None, version: str) -> None:
    report = decode(bytes.fromhex("060f" + data), answer_to=0x0501)
    assert isinstance(report, m.StatusReport)
    assert (report.status, report.version) == (status, version)


@pytest.mark.parametrize(
    ("data", "minutes"), [("01 0a", None), ("02 0a 15", 15), ("0709 06 04 1f070102", None)]
)
def test_intermediate_status_with_and_without_a_timeout(data: str, minutes: int | None) -> None:
    data = data.replace("0709", "07 09")
    status = decode(bytes.fromhex("04ff" + data))
    assert isinstance(status, m.IntermediateStatus)
    assert status.timeout_minutes == minutes
    assert (status.tlv is not None) == ("1f07" in data)


def test_card_complete_appends_the_receipt_type_to_a_line() -> None:
    line = decode(bytes.fromhex("06d10b 00 42656c6567 0604 1f0701 02".replace("0b", "0c")))
    assert line == m.PrintLine("Beleg", 0, 0, 2)


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("auto", b"Gr\x81\xe1e", "Grüße"),
        ("auto", b"Gr\xfc\xdfe", "Grüße"),
        ("cp437", b"\x9c", "£"),
        ("iso8859-15", b"\xa4", "€"),
        ("utf-8", b"\xc3\xa4\xff", "ä\ufffd"),
        ("seven_bit", b"[\\]{|}~", "ÄÖÜäöüß"),
    ],
)
def test_character_sets(charset: str, data: bytes, text: str) -> None:
    assert decode_text(data, charset) == text
    if "\ufffd" not in text and charset != "auto":
        assert encode_text(text, charset) == data


# --- no card number anywhere

TRACK_2 = bytes.fromhex(PAN + "d2512101123456789f")
CARRIERS = {
    "22": encode_bmp(0x22, PAN_BCD),
    "23": encode_bmp(0x23, TRACK_2),
    "24": encode_bmp(0x24, bytes.fromhex("01" + PAN + "d0000f")),
    "2d": encode_bmp(0x2D, f"B{PAN}^DOE/J^2512101".encode()),
    "a7": encode_bmp(0xA7, PAN_BCD),
    "text": encode_bmp(0x3C, f"Karte {PAN}".encode()),
    "unknown": b"\xee" + PAN_BCD,
    "unknown_text": b"\xee" + PAN.encode(),
    "tlv": encode_bmp(0x06, encode_tlv([Tlv(0x24, (Tlv(0x07, PAN.encode()),))])),
}


@pytest.mark.parametrize("carrier", [CARRIERS[name] for name in CARRIERS if name != "tlv"])
def test_no_card_number_leaves_the_codec(carrier: bytes) -> None:
    data = b"\x27\x00" + carrier
    apdu = b"\x04\x0f" + bytes([len(data)]) + data
    for digits_of_card in (PAN, PAN.encode().hex()):
        assert digits_of_card not in repr(decode(apdu))


@pytest.mark.parametrize("name", ["22", "23", "24", "2d"])
def test_a_card_number_is_read_masked_from_every_field(name: str) -> None:
    data = CARRIERS[name]
    status = decode(b"\x04\x0f" + bytes([len(data)]) + data)
    assert isinstance(status, m.StatusInformation)
    assert status.pan == MaskedPan("************1111")


def test_a_verification_code_is_not_kept_at_all() -> None:
    status = decode(bytes.fromhex("040f05 2700 3a123f"))
    assert "123f" not in repr(status)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Karte: {PAN}", "Karte: ************1111"),
        ("4111 1111 1111 1111", "**** **** **** 1111"),
        ("3782 822463 10005", "**** ****** *0005"),
        ("GEN.NR.:611804", "GEN.NR.:611804"),
        ("Beleg 4111111111111112", "Beleg 4111111111111112"),
        ("19.10.2021        13:30:04", "19.10.2021        13:30:04"),
    ],
)
def test_receipt_text_hides_card_numbers_and_nothing_else(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_every_field_number_is_cut_to_its_length() -> None:
    fields, rest = decode_bmps(bytes.fromhex("0b000470 49 0978 22f0f2ee12 06 81 01 00 04 00"))
    assert {k: v.hex() for k, v in fields.items()} == {
        0x0B: "000470",
        0x49: "0978",
        0x22: "ee12",
        0x06: "00",
    }
    assert rest.hex() == "0400"
