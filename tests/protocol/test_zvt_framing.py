"""The links: worked frames of the specification, repeats, duplicates, timers, noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import ProtocolError
from drivers.zvt.codec.framing import (
    ACK_BYTE,
    NAK_BYTE,
    LinkTimers,
    SerialLink,
    TcpLink,
    crc_kermit,
    encode_apdu,
    encode_serial,
    split_apdu,
)

TIMERS = LinkTimers()
YES = bytes.fromhex("800000")
SALE = bytes.fromhex("06010704000000001000")
STATUS = bytes.fromhex("040f022700")

# PA00P016 rev 04 framing rules; the checksum was proven on captured serial frames
WORKED = [
    ("80 00 00", "10 02 80 00 00 10 03 F5 1F"),
    ("06 0F 00", "10 02 06 0F 00 10 03 C6 33"),
    ("05 01 00", "10 02 05 01 00 10 03 10 06"),
    ("06 93 03 12 34 56", "10 02 06 93 03 12 34 56 10 03 CA A4"),
    ("06 00 06 12 34 56 BA 09 78", "10 02 06 00 06 12 34 56 BA 09 78 10 03 24 C3"),
    ("06 10 03 12 34 56", "10 02 06 10 10 03 12 34 56 10 03 15 AD"),
    (
        "06 01 0A 04 00 00 00 01 10 00 49 09 78",
        "10 02 06 01 0A 04 00 00 00 01 10 10 00 49 09 78 10 03 F2 FF",
    ),
    (
        "06 00 10 12 34 56 BE 09 78 03 01 06 06 26 04 0A 02 06 D3",
        "10 02 06 00 10 10 12 34 56 BE 09 78 03 01 06 06 26 04 0A 02 06 D3 10 03 78 B5",
    ),
]


def serial() -> SerialLink:
    return SerialLink(TIMERS)


@pytest.mark.parametrize(("apdu", "frame"), WORKED)
def test_worked_frames(apdu: str, frame: str) -> None:
    assert encode_serial(bytes.fromhex(apdu)) == bytes.fromhex(frame)
    step = serial().receive(bytes.fromhex(frame), 0.0)
    assert step.apdus == (bytes.fromhex(apdu),)
    assert step.send == ACK_BYTE


def test_the_checksum_is_kermit() -> None:
    assert crc_kermit(b"123456789") == 0x2189


def test_a_damaged_frame_is_refused_and_its_repeat_taken() -> None:
    link = serial()
    frame = bytearray(encode_serial(STATUS))
    frame[4] ^= 0x01
    step = link.receive(bytes(frame), 0.0)
    assert (step.send, step.apdus) == (NAK_BYTE, ())
    assert link.receive(encode_serial(STATUS), 0.1).apdus == (STATUS,)


def test_a_lone_escape_inside_a_frame_damages_it() -> None:
    step = serial().receive(bytes.fromhex("10 02 80 00 10 55 00 10 03 F5 1F"), 0.0)
    assert (step.send, step.apdus) == (NAK_BYTE, ())


def test_noise_before_a_frame_is_skipped() -> None:
    step = serial().receive(b"\x00\x06\x15\xff\x10\x10" + encode_serial(YES), 0.0)
    assert (step.send, step.apdus) == (ACK_BYTE, (YES,))


def test_a_frame_that_begins_anew_drops_its_first_half() -> None:
    step = serial().receive(encode_serial(STATUS)[:5] + encode_serial(YES), 0.0)
    assert step.apdus == (YES,)


def test_a_gap_inside_a_frame_is_refused() -> None:
    link = serial()
    link.receive(encode_serial(STATUS)[:5], 10.0)
    assert link.wake_at == pytest.approx(10.2)
    assert link.timeout(10.1).send == b""
    assert link.timeout(10.2).send == NAK_BYTE
    assert link.wake_at is None
    assert link.receive(encode_serial(STATUS), 11.0).apdus == (STATUS,)


def test_an_unacknowledged_frame_is_repeated_twice_and_then_the_link_is_broken() -> None:
    link = serial()
    frame = link.send(SALE, 0.0)
    assert link.wake_at == 5.0
    assert link.timeout(4.9).send == b""
    assert link.timeout(5.0).send == frame
    assert link.timeout(10.0).send == frame
    step = link.timeout(15.0)
    assert step.broken
    assert step.send == b""


def test_a_refused_frame_is_repeated_at_once_and_at_most_twice() -> None:
    link = serial()
    frame = link.send(SALE, 0.0)
    assert link.receive(NAK_BYTE, 0.1).send == frame
    assert link.receive(NAK_BYTE, 0.2).send == frame
    assert link.receive(NAK_BYTE, 0.3).broken


def test_a_second_apdu_waits_for_the_acknowledgement_of_the_first() -> None:
    link = serial()
    link.send(YES, 0.0)
    assert link.send(SALE, 0.0) == b""
    assert not link.settled
    assert link.receive(ACK_BYTE, 0.1).send == encode_serial(SALE)
    assert not link.settled
    link.receive(ACK_BYTE, 0.2)
    assert link.settled
    assert link.wake_at is None


def test_a_repeated_frame_is_acknowledged_answered_again_and_not_handed_up() -> None:
    link = serial()
    assert link.receive(encode_serial(STATUS), 0.0).apdus == (STATUS,)
    answer = link.send(YES, 0.1)
    step = link.receive(encode_serial(STATUS), 5.0)
    assert step.apdus == ()
    assert step.send == ACK_BYTE + answer


def test_a_repeat_before_the_answer_is_only_acknowledged() -> None:
    link = serial()
    link.receive(encode_serial(STATUS), 0.0)
    step = link.receive(encode_serial(STATUS), 5.0)
    assert (step.send, step.apdus) == (ACK_BYTE, ())


def test_the_same_bytes_after_an_acknowledged_answer_are_news() -> None:
    link = serial()
    line = bytes.fromhex("06d1020020")
    for now in (0.0, 1.0):
        assert link.receive(encode_serial(line), now).apdus == (line,)
        link.send(YES, now)
        link.receive(ACK_BYTE, now)


def test_a_reply_acknowledges_the_command_so_that_it_is_never_repeated() -> None:
    link = serial()
    link.send(SALE, 0.0)
    link.receive(encode_serial(YES), 0.1)
    assert link.settled
    assert link.timeout(60.0).send == b""


def test_a_stale_command_does_not_acknowledge_ours() -> None:
    link = serial()
    link.send(SALE, 0.0)
    link.receive(encode_serial(STATUS), 0.1)
    assert not link.settled


def test_tcp_cuts_by_length_alone() -> None:
    link = TcpLink(TIMERS)
    assert link.receive(YES + STATUS + SALE[:4], 0.0).apdus == (YES, STATUS)
    assert link.wake_at == 5.0
    assert link.receive(SALE[4:], 1.0).apdus == (SALE,)
    assert link.wake_at is None


def test_a_stalled_message_breaks_a_tcp_link() -> None:
    link = TcpLink(TIMERS)
    link.receive(SALE[:4], 0.0)
    assert not link.timeout(4.9).broken
    assert link.timeout(5.0).broken


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 65535])
def test_long_messages_have_a_little_endian_length(size: int) -> None:
    apdu = encode_apdu(0x06D3, bytes(size))
    assert split_apdu(apdu) == (0x06D3, bytes(size))
    assert TcpLink(TIMERS).receive(apdu, 0.0).apdus == (apdu,)


def test_a_length_that_does_not_fit_is_refused() -> None:
    for wrong in ("", "04", "040f", "040f0327", "040f002700", "040fff01"):
        with pytest.raises(ProtocolError):
            split_apdu(bytes.fromhex(wrong))
    with pytest.raises(ValueError, match="65535"):
        encode_apdu(0x0601, bytes(65536))


apdus = st.builds(encode_apdu, st.integers(0, 0xFFFF), st.binary(max_size=300))


@given(st.lists(apdus, max_size=4), st.integers(1, 20))
def test_any_messages_in_any_pieces_arrive_whole(sent: list[bytes], size: int) -> None:
    stream = b"".join(sent)
    link = TcpLink(TIMERS)
    got: list[bytes] = []
    for start in range(0, len(stream), size):
        got += link.receive(stream[start : start + size], 0.0).apdus
    assert got == sent


@given(apdus, st.integers(1, 20))
def test_any_serial_frame_arrives_whole(apdu: bytes, size: int) -> None:
    frame = encode_serial(apdu)
    link = serial()
    got: list[bytes] = []
    for start in range(0, len(frame), size):
        got += link.receive(frame[start : start + size], 0.0).apdus
    assert got == [apdu]


@given(apdus, st.integers(0), st.integers(1, 255))
def test_one_damaged_byte_is_never_taken_for_the_message(
    apdu: bytes, position: int, flip: int
) -> None:
    frame = bytearray(encode_serial(apdu))
    frame[position % len(frame)] ^= flip
    for got in serial().receive(bytes(frame), 0.0).apdus:
        assert got == apdu


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_garbage_never_raises(pieces: list[bytes]) -> None:
    for link in (serial(), TcpLink(TIMERS)):
        now = 0.0
        for piece in pieces:
            now += 0.3
            link.receive(piece, now)
            link.timeout(now + 0.25)
