"""Concert E+ and Caisse-AP as text and bytes: worked frames, round trips, garbage."""

from __future__ import annotations

import contextlib
import itertools
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import MaskedPan, ProtocolError
from drivers.telium.codec import caisse_ap
from drivers.telium.codec import messages as m
from drivers.telium.codec.dump import masked_text
from drivers.telium.codec.framing import Damage, Frame, FrameReader, Item, Signal, encode_frame
from drivers.telium.codec.reference import attempt_reference

# Seen on a wire between pyTeliumManager 2.4.2, pypostelium 0.0.5 and a terminal that answers them.
WORKED_REQUEST = bytes.fromhex(
    "02303130303030313235303131303937382020202020202020202041303130423031300301"
)
WORKED_REFUSAL = bytes.fromhex("02303137303030303432363031393738202020202020202020200332")

DIGITS = st.text("0123456789", min_size=2, max_size=2)
LETTER = st.sampled_from(string.digits + string.ascii_uppercase)
CURRENCIES = st.text("0123456789", min_size=3, max_size=3)
PRIVATE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=10, max_size=10)
AMOUNTS = st.integers(0, m.AMOUNT_MINOR_MAX)
REQUESTS = st.builds(
    m.Request, DIGITS, AMOUNTS, CURRENCIES, PRIVATE, LETTER, LETTER, *[st.booleans()] * 3
)
CARDS = st.none() | st.text("0123456789", min_size=12, max_size=19).map(MaskedPan.of)
SHORT = st.builds(m.ConcertAnswer, DIGITS, LETTER, AMOUNTS, LETTER, CURRENCIES, PRIVATE)
LONG = st.builds(
    m.ConcertAnswer, DIGITS, LETTER, AMOUNTS, LETTER, CURRENCIES, PRIVATE, st.just(True), CARDS
)
NAMES = st.text(string.ascii_uppercase, min_size=2, max_size=2)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
# Bytes that mean something come up more often than by pure chance.
NOISE = st.binary(max_size=120) | st.lists(
    st.sampled_from([b"\x02", b"\x03", b"\x04", b"\x05", b"\x06", b"\x15", b"0", WORKED_REFUSAL])
).map(b"".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def items(parts: list[bytes]) -> list[Item]:
    reader = FrameReader()
    return [item for part in parts for item in reader.receive(part)]


def test_the_worked_request_asks_for_twelve_fifty() -> None:
    [frame] = items([WORKED_REQUEST])
    assert isinstance(frame, Frame)
    assert m.decode_request(frame.body) == m.Request("01", 1250, "978", long_answer=True)


def test_the_worked_refusal_is_about_forty_two_sixty() -> None:
    [frame] = items([WORKED_REFUSAL])
    assert isinstance(frame, Frame)
    assert m.decode_answer(frame.body) == m.ConcertAnswer("01", "7", 4260, "1", "978", " " * 10)


def test_a_frame_between_signals_is_found() -> None:
    data = b"\x05" + WORKED_REFUSAL + b"\x04"
    assert items([data]) == [Signal.ENQ, Frame(WORKED_REFUSAL[1:-2]), Signal.EOT]


def test_a_check_byte_that_looks_like_a_signal_is_none() -> None:
    body = next(
        body
        for number in range(1000)
        if encode_frame(body := f"{number:08d}".encode())[-1:] == Signal.ENQ.value
    )
    assert items([encode_frame(body)]) == [Frame(body)]


@pytest.mark.parametrize("signal", list(Signal))
def test_a_signal_inside_a_frame_is_damage(signal: Signal) -> None:
    broken = WORKED_REFUSAL[:9] + signal.value + WORKED_REFUSAL[10:-1]
    assert items([broken])[0] == Damage()
    assert Signal.ACK not in items([broken])[1:]


def test_a_frame_that_begins_in_another_one_is_read() -> None:
    assert items([WORKED_REFUSAL[:9] + WORKED_REFUSAL]) == [Damage(), Frame(WORKED_REFUSAL[1:-2])]


def test_a_frame_without_an_end_is_damage_and_takes_no_memory() -> None:
    reader = FrameReader()
    assert reader.receive(b"\x02" + b"1" * 10_000) == [Damage()]
    assert not reader.inside


@given(REQUESTS)
def test_a_request_survives_the_way_there_and_back(request: m.Request) -> None:
    assert m.decode_request(m.encode(request)) == request


@given(SHORT | LONG)
def test_an_answer_survives_the_way_there_and_back(answer: m.ConcertAnswer) -> None:
    assert m.decode_answer(m.encode(answer)) == answer


@given(REQUESTS | SHORT | LONG)
def test_every_byte_fits_a_line_of_seven_bits(message: m.Message) -> None:
    assert max(encode_frame(m.encode(message))) < 0x80


@pytest.mark.parametrize(
    ("report", "last4"),
    [
        ("4711690463168807", "8807"),
        ("4711 6904 6316 8807", "8807"),
        ("471169######8807  VISA", "8807"),
        ("4711690463168807 2712", "8807"),
        ("CB 4711690463168807", None),
        ("", None),
    ],
)
def test_the_card_number_of_a_report_is_masked_as_it_is_read(
    report: str, last4: str | None
) -> None:
    body = m.encode(m.ConcertAnswer("01", "0", 1250, "1", "978", " " * 10, is_long=True), report)
    answer = m.decode_answer(body)
    assert (answer.card.last4 if answer.card else None) == last4
    assert "690463" not in repr(answer)
    assert "690463" not in repr(Frame(body))


def test_a_field_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        m.encode(m.Request("01", m.AMOUNT_MINOR_MAX + 1, "978"))
    with pytest.raises(ValueError, match="does not fit"):
        m.encode(m.Request("01", 1250, "978", private="TOO LONG A REFERENCE"))


@settings(max_examples=300)
@given(NOISE, st.lists(st.integers(0, 500), max_size=5))
def test_any_bytes_are_cut_into_the_same_items_in_any_split(data: bytes, cuts: list[int]) -> None:
    whole = items([data])
    assert items(pieces(data, cuts)) == whole
    assert items([data[i : i + 1] for i in range(len(data))]) == whole


@given(st.binary(max_size=100))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for decode in (m.decode_answer, m.decode_request):
        with contextlib.suppress(ProtocolError):
            decode(body)


@given(st.dictionaries(NAMES, VALUES, max_size=12))
def test_tags_survive_the_way_there_and_back(tags: dict[str, str]) -> None:
    assert caisse_ap.decode_tags(caisse_ap.encode_tags(tags.items())) == (tags, b"")


@given(st.binary(max_size=200))
def test_any_text_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        tags, _ = caisse_ap.decode_tags(data)
        caisse_ap.decode_answer(tags)


def test_a_tag_with_two_values_is_not_believed() -> None:
    with pytest.raises(ProtocolError):
        caisse_ap.decode_tags(b"AE00201AE00210")
    assert caisse_ap.decode_tags(b"AE00210AE00210") == ({"AE": "10"}, b"")


def test_an_endless_text_is_refused() -> None:
    with pytest.raises(ProtocolError):
        caisse_ap.decode_tags(b"CZ004" * caisse_ap.MESSAGE_BYTES_MAX)


@given(st.binary(max_size=120), st.text("0123456789", min_size=13, max_size=19))
def test_no_dump_shows_a_card_number_wherever_it_stands(noise: bytes, number: str) -> None:
    assert number not in masked_text(noise + number.encode() + noise)


def test_references_are_ten_characters_and_differ() -> None:
    payments = [f"018f6f0e-8a44-7c1b-9a3e-{number:012x}" for number in range(5000)]
    references = {attempt_reference(payment) for payment in payments}
    assert len(references) == len(payments)
    assert all(len(r) == 10 and r.isalnum() and r.upper() == r for r in references)
    assert attempt_reference(payments[7]) == attempt_reference(payments[7])
