"""Captured and specified ZVT frames, parsed as their sources say."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from drivers.contract import MaskedPan, ProtocolError
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.fields import (
    Tlv,
    decode_bcd,
    decode_tlv,
    decode_tlv_length,
    decode_tlv_tag,
    decode_var_length,
    find_tlv,
    is_constructed,
)
from drivers.zvt.codec.framing import (
    LinkTimers,
    SerialLink,
    TcpLink,
    apdu_header,
    encode_serial,
    split_apdu,
)
from tests.protocol.vectors import Vector, load_vectors

VECTORS = load_vectors("zvt.json")
APDUS = [v for v in VECTORS if v.layer in ("apdu", "apdu-opaque") and v.valid]
ASSERTED = [v for v in APDUS if v.asserted]
TECHNOLOGIES = {"NFC": b"\x02", "Chip": b"\x01"}
CHECKS = {"none": b"\x00", "offline encrypted PIN": b"\x03"}
COPIES = {"merchant": 1, "cardholder": 2, "administration": 3}

Reader = Callable[[m.StatusInformation], object]
STATUS_READERS: dict[str, Reader] = {
    "additional_text": lambda s: s.text,
    "result_code": lambda s: s.result,
    "terminal_id": lambda s: int(s.terminal_id),
    "amount_cents": lambda s: s.amount,
    "card_name": lambda s: s.card_name,
    "card_type": lambda s: s.card_type,
    "currency": lambda s: s.currency,
    "trace": lambda s: int(s.trace),
    "turnover_no": lambda s: int(s.turnover),
    "card_seq": lambda s: int(s.sequence_number),
    "expiry_month": lambda s: int(s.expiry[2:]),
    "expiry_year": lambda s: int(s.expiry[:2]),
    "date_month": lambda s: int(s.date[:2]),
    "date_day": lambda s: int(s.date[2:]),
    "time": lambda s: f"{s.time[:2]}:{s.time[2:4]}:{s.time[4:]}",
    "pan_masked": lambda s: s.pan.text if s.pan else "",
}


def by_name(vector: Vector) -> str:
    return vector.name


def tree(objects: tuple[Tlv, ...]) -> list[list[object]]:
    return [
        [
            f"{o.tag:02x}" if o.tag < 0x100 else f"{o.tag:04x}",
            o.value.hex() if isinstance(o.value, bytes) else tree(o.value),
        ]
        for o in objects
    ]


def received(link: SerialLink | TcpLink, pieces: list[bytes]) -> list[bytes]:
    apdus: list[bytes] = []
    for piece in pieces:
        apdus += link.receive(piece, 0.0).apdus
    return apdus


def every_way(data: bytes, seed: int) -> list[list[bytes]]:
    cut = random.Random(seed).randrange(len(data) + 1)
    return [[data], [data[i : i + 1] for i in range(len(data))], [data[:cut], data[cut:]]]


@pytest.mark.parametrize("vector", APDUS, ids=by_name)
def test_a_valid_message_is_known_and_whole_in_any_split(vector: Vector) -> None:
    assert not isinstance(decode(vector.data), m.Unknown)
    for pieces in every_way(vector.data, seed=len(vector.data)):
        assert received(TcpLink(LinkTimers()), pieces) == [vector.data]
        assert received(TcpLink(LinkTimers()), [*pieces, b"\x80\x00"]) == [vector.data]
    framed = encode_serial(vector.data)
    for pieces in every_way(framed, seed=len(framed)):
        assert received(SerialLink(LinkTimers()), pieces) == [vector.data]


@pytest.mark.parametrize("vector", APDUS, ids=by_name)
def test_a_message_survives_the_way_back(vector: Vector) -> None:
    answer_to = 0x0501 if vector.asserted.get("answer_to") == "0501" else 0
    message = decode(vector.data, "cp437", answer_to)
    assert not isinstance(message, m.Unknown)
    assert decode(encode(message, "cp437"), "cp437", answer_to) == message


@pytest.mark.parametrize(
    "vector", [v for v in APDUS if "bmps" in v.derived or "text_hex" in v.derived], ids=by_name
)
def test_fields_are_what_an_independent_decoder_read(vector: Vector) -> None:
    message = decode(vector.data, "cp437")
    assert not isinstance(message, m.Unknown)
    assert f"{split_apdu(vector.data)[0]:04x}" == vector.derived["ctl"]
    if isinstance(message, m.PrintLine):
        assert message.attribute == vector.derived["attribute"]
        assert message.text.encode("cp437").hex() == vector.derived["text_hex"]
        return
    derived = dict(vector.derived["bmps"])
    match message:
        case m.StatusInformation():
            expected = {
                "04": None if message.amount is None else f"{message.amount:012d}",
                "0b": message.trace or None,
                "0c": message.time or None,
                "0d": message.date or None,
                "27": None if message.result is None else f"{message.result:02x}",
                "29": message.terminal_id or None,
                "37": message.original_trace or None,
                "49": None if message.currency is None else f"{message.currency:04d}",
                "87": message.receipt or None,
                "88": message.turnover or None,
                "06": None if message.tlv is None else tree(message.tlv),
            }
            for bmp, value in expected.items():
                assert value == derived.get(bmp), bmp
            assert not message.rest
        case m.PrintBlock():
            texts = next(value for tag, value in derived["06"] if tag == "25")
            assert len(message.lines) == sum(tag == "07" for tag, _ in texts)
        case m.Completion() | m.Authorization() | m.Reply() | m.IntermediateStatus():
            if "06" in derived:
                assert message.tlv is not None
                assert tree(message.tlv) == derived["06"]
        case m.Registration():
            assert message.password == vector.derived["password"]
            assert message.config == vector.derived["config"]
            assert message.currency == int(vector.derived["cc"])
        case _:
            pytest.fail(f"nothing compared {type(message).__name__}")


@pytest.mark.parametrize("vector", [v for v in ASSERTED if v.data[:2] == b"\x04\x0f"], ids=by_name)
def test_status_information_says_what_its_source_asserts(vector: Vector) -> None:
    status = decode(vector.data)
    assert isinstance(status, m.StatusInformation)
    for key, expected in vector.asserted.items():
        if key in STATUS_READERS:
            assert STATUS_READERS[key](status) == expected, key
    if "card_technology" in vector.asserted:
        expected = TECHNOLOGIES[vector.asserted["card_technology"]]
        assert find_tlv(status.tlv, 0x1F12) == expected
    if "cardholder_auth" in vector.asserted:
        assert find_tlv(status.tlv, 0x1F10) == CHECKS[vector.asserted["cardholder_auth"]]
    if "application_id" in vector.asserted:
        aid = find_tlv(status.tlv, 0x43)
        assert aid is not None
        assert aid.hex().upper() == vector.asserted["application_id"]


@pytest.mark.parametrize(
    "vector", [v for v in ASSERTED if "receipt_type" in v.asserted], ids=by_name
)
def test_receipt_blocks_read_as_their_source_asserts(vector: Vector) -> None:
    block = decode(vector.data, vector.asserted.get("charset", "auto"))
    assert isinstance(block, m.PrintBlock)
    text = "\n".join(line for _, line in block.lines)
    assert block.receipt_type == COPIES[vector.asserted["receipt_type"]]
    assert text.startswith(vector.asserted.get("starts_with", ""))
    assert vector.asserted.get("contains", "") in text


def test_a_block_names_its_own_character_set() -> None:
    vector = next(v for v in VECTORS if v.name == "print_block_of_the_merchant_names_its_charset")
    block = decode(vector.data, "cp437")
    assert isinstance(block, m.PrintBlock)
    assert "HÄNDLERBELEG" in "\n".join(line for _, line in block.lines)


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.fragments], ids=by_name)
def test_only_the_last_fragment_completes_a_message(vector: Vector) -> None:
    link = TcpLink(LinkTimers())
    *earlier, last = vector.fragments
    assert received(link, list(earlier)) == []
    assert received(link, [last]) == [vector.data]


@pytest.mark.parametrize("vector", [v for v in VECTORS if not v.valid], ids=by_name)
def test_an_invalid_message_is_never_a_success(vector: Vector) -> None:
    for pieces in every_way(vector.data, seed=1):
        for apdu in received(TcpLink(LinkTimers()), pieces):
            message = decode(apdu)
            assert not (isinstance(message, m.StatusInformation) and message.result == 0)
            assert not isinstance(message, m.Completion)
            assert not (isinstance(message, m.Reply) and message.positive)
    if vector.layer == "apdu":
        with pytest.raises(ProtocolError):
            decode(vector.data)


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.layer == "serial"], ids=by_name)
def test_serial_frames_byte_for_byte(vector: Vector) -> None:
    assert encode_serial(vector.apdu) == vector.data
    for pieces in every_way(vector.data, seed=2):
        link = SerialLink(LinkTimers())
        assert received(link, pieces) == [vector.apdu]
        assert link.wake_at is None


def test_the_small_parts_read_as_their_sources_assert() -> None:
    checked = 0
    for vector in VECTORS:
        asserted = vector.asserted
        match vector.layer:
            case "apdu-header":
                header = apdu_header(vector.data)
                if asserted.get("header", "") is None:
                    assert header is None
                else:
                    assert header is not None
                    assert f"{header[0]:04x}" == asserted["ctl"]
                    assert header[2] == asserted["data_len"]
            case "lllvar" | "llvar" as kind:
                width = 3 if kind == "lllvar" else 2
                assert decode_var_length(vector.data, 0, width) == asserted["length"]
            case "bcd":
                assert decode_bcd(vector.data) == asserted["amount_cents"]
            case "tlv-length":
                assert decode_tlv_length(vector.data, 0) == (asserted["length"], asserted["bytes"])
            case "tlv-tag":
                tag, end = decode_tlv_tag(vector.data, 0)
                assert (f"{tag:02X}", end) == (asserted["tag"], len(vector.data))
                assert is_constructed(tag) == (asserted["type"] == "constructed")
            case _:
                continue
        checked += 1
    assert checked >= 15


@pytest.mark.parametrize("vector", VECTORS, ids=by_name)
def test_garbage_behind_any_vector_never_raises_anything_but_protocol_errors(
    vector: Vector,
) -> None:
    for end in range(len(vector.data)):
        try:
            decode(vector.data[:end])
            decode_tlv(vector.data[:end])
        except ProtocolError:
            continue


def test_no_vector_shows_a_card_number() -> None:
    for vector in APDUS:
        message = decode(vector.data)
        if isinstance(message, m.StatusInformation) and message.pan:
            assert message.pan == MaskedPan.of(message.pan.text)
