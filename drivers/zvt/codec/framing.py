"""Bytes to APDUs and back, with the link rules of both transports; pure, `now` is an argument.

Serial line (RS232 and most USB), 8N2, half duplex, every APDU is acknowledged by one raw byte:

    +-----+-----+---------------------------+-----+-----+--------+---------+
    | DLE | STX | APDU, every DLE doubled   | DLE | ETX | CRC lo | CRC hi  |      ACK = 06
    | 10  | 02  |                           | 10  | 03  |  never doubled   |      NAK = 15
    +-----+-----+---------------------------+-----+-----+--------+---------+

TCP carries bare APDUs, told apart by their length alone:

    +-------+-------+--------+------+          +-------+-------+----+----+----+------+
    | CLASS | INSTR | 00..FE | data |    or    | CLASS | INSTR | FF | lo | hi | data |
    +-------+-------+--------+------+          +-------+-------+----+----+----+------+

Both links are the same on either end, so a terminal simulator uses them as they are.
Source: PA00P016 rev 04, chapters on the RS232 and the TCP/IP transport.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from drivers.contract import ProtocolError

DLE, STX, ETX, ACK, NAK = 0x10, 0x02, 0x03, 0x06, 0x15
ACK_BYTE, NAK_BYTE = bytes([ACK]), bytes([NAK])
_START = bytes([DLE, STX])
_END = bytes([DLE, ETX])
_DOUBLED = bytes([DLE, DLE])
_DLE_BYTE = bytes([DLE])

_REPLY_CLASSES = frozenset((0x80, 0x84))
REPEATS_MAX = 2  # three transmissions in all, then the link is broken (PA00P016)
EXTENDED_LENGTH = 0xFF
HEADER_BYTES, EXTENDED_HEADER_BYTES = 3, 5
APDU_BYTES_MAX = EXTENDED_HEADER_BYTES + 0xFFFF
WAITING_APDUS_MAX = 8  # a reply, an abort and their repeats; more is a bug of the caller


@dataclass(frozen=True, slots=True)
class LinkTimers:
    """How long a link waits, in seconds."""

    byte_gap_seconds: float = 0.2  # T1: between two bytes of one serial frame
    acknowledge_seconds: float = 5.0  # T2: from the end of a serial frame to ACK or NAK
    stall_seconds: float = 5.0  # T3: for the rest of a partial APDU on TCP


@dataclass(frozen=True, slots=True)
class LinkStep:
    """What one input to a link led to: write `send`, then handle `apdus` in order.

    `broken` means that the repeats are used up or that the stream stalled: the caller must drop
    the line, and knows nothing about what the other side did.
    """

    send: bytes = b""
    apdus: tuple[bytes, ...] = ()
    broken: bool = False


class Link(Protocol):
    """Either transport, as the dialogue and the simulator see it."""

    @property
    def wake_at(self) -> float | None:
        """When `timeout` is due at the latest; None while the link waits for nothing."""

    @property
    def settled(self) -> bool:
        """Whether everything that was sent has been acknowledged by the other side's link."""

    @property
    def repeated(self) -> bool:
        """Whether a frame was sent again that the other side may have had already."""

    def send(self, apdu: bytes, now: float) -> bytes:
        """Return the bytes to write for `apdu`; b"" when it must wait for an acknowledgement."""

    def receive(self, data: bytes, now: float) -> LinkStep:
        """Take bytes in any split. Never raises."""

    def timeout(self, now: float) -> LinkStep:
        """Do what is due at `now`; nothing when it is too early."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc_kermit(data: bytes) -> int:
    """Return the CRC-16/KERMIT of `data`: reflected polynomial 8408, start 0, no final xor.

    Source: PA00P016 rev 04, RS232 transport; the document names it after XModem, the captured
    frames prove the reflected form.
    """
    crc = 0
    table = _CRC_TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


def encode_serial(apdu: bytes) -> bytes:
    """Return the serial frame around `apdu`."""
    crc = crc_kermit(apdu + bytes([ETX]))
    return _START + apdu.replace(_DLE_BYTE, _DOUBLED) + _END + crc.to_bytes(2, "little")


def encode_apdu(control: int, data: bytes = b"") -> bytes:
    """Return class and instruction (`control`, e.g. 0x0601), length and `data` as one APDU.

    Raises:
        ValueError: `data` is longer than 65535 bytes.
    """
    if len(data) < EXTENDED_LENGTH:
        return control.to_bytes(2, "big") + bytes([len(data)]) + data
    if len(data) > 0xFFFF:
        raise ValueError(f"an APDU holds at most 65535 bytes, not {len(data)}")
    length = len(data).to_bytes(2, "little")
    return control.to_bytes(2, "big") + bytes([EXTENDED_LENGTH]) + length + data


def apdu_header(data: bytes, position: int = 0) -> tuple[int, int, int] | None:
    """Return control field, offset of the data and its length; None while the header is cut."""
    if len(data) < position + HEADER_BYTES:
        return None
    control = data[position] << 8 | data[position + 1]
    length = data[position + 2]
    if length != EXTENDED_LENGTH:
        return control, position + HEADER_BYTES, length
    if len(data) < position + EXTENDED_HEADER_BYTES:
        return None
    length = data[position + 3] | data[position + 4] << 8
    return control, position + EXTENDED_HEADER_BYTES, length


def split_apdu(apdu: bytes) -> tuple[int, bytes]:
    """Return control field and data of exactly one APDU.

    Raises:
        ProtocolError: The header is cut or the length is not that of the data.
    """
    header = apdu_header(apdu)
    if header is None or header[1] + header[2] != len(apdu):
        raise ProtocolError("the length of an APDU does not fit its data")
    return header[0], apdu[header[1] :]


def is_reply(apdu: bytes) -> bool:
    """Say whether an APDU answers another one: 80 xx and 84 xx do."""
    return apdu[0] in _REPLY_CLASSES


class TcpLink:
    """Bare APDUs over a byte stream; a partial APDU that stalls longer than T3 breaks it."""

    def __init__(self, timers: LinkTimers) -> None:
        self._timers = timers
        self._buffer = b""
        self.wake_at: float | None = None

    @property
    def settled(self) -> bool:
        """TCP acknowledges below us."""
        return True

    @property
    def repeated(self) -> bool:
        """TCP repeats below us, unseen."""
        return False

    def send(self, apdu: bytes, now: float) -> bytes:
        """Return `apdu` as it is."""
        return apdu

    def receive(self, data: bytes, now: float) -> LinkStep:
        """Cut whole APDUs out of the stream, keep the rest."""
        buffer = self._buffer + data if self._buffer else data
        apdus: list[bytes] = []
        position = 0
        while (header := apdu_header(buffer, position)) is not None:
            end = header[1] + header[2]
            if len(buffer) < end:
                break
            apdus.append(buffer[position:end])
            position = end
        self._buffer = buffer[position:]
        self.wake_at = now + self._timers.stall_seconds if self._buffer else None
        return LinkStep(apdus=tuple(apdus))

    def timeout(self, now: float) -> LinkStep:
        """Break when the rest of an APDU did not come."""
        if self.wake_at is None or now < self.wake_at:
            return LinkStep()
        self.wake_at = None
        self._buffer = b""
        return LinkStep(broken=True)


class SerialLink:
    """Frames with acknowledgement, repeats and the recognition of repeated frames.

    A frame that equals the last one while nothing new was acknowledged by the other side is a
    repeat (our ACK was lost): it is acknowledged, the answer that is still unacknowledged is sent
    again, and it is not handed up. After our answer was acknowledged the same bytes are news, as
    two equal print lines are.

    The other side's reply acknowledges our command and its next command our reply, should the ACK
    byte have been lost: a command repeated after its reply would be carried out a second time.
    """

    def __init__(self, timers: LinkTimers) -> None:
        self._timers = timers
        self._receiver = _FrameReceiver()
        self._gap_at: float | None = None
        self._acknowledge_at: float | None = None
        self._unacknowledged = b""
        self._repeats = 0
        self.repeated = False
        self._waiting: deque[bytes] = deque()
        self._last_received = b""

    @property
    def wake_at(self) -> float | None:
        """The earlier of the byte gap (T1) and the missing acknowledgement (T2)."""
        if self._gap_at is None or self._acknowledge_at is None:
            return self._acknowledge_at if self._gap_at is None else self._gap_at
        return min(self._gap_at, self._acknowledge_at)

    @property
    def settled(self) -> bool:
        """Whether the other side has acknowledged everything."""
        return not self._unacknowledged and not self._waiting

    def send(self, apdu: bytes, now: float) -> bytes:
        """Frame `apdu`; it waits its turn while an earlier frame is unacknowledged."""
        frame = encode_serial(apdu)
        if self._unacknowledged:
            assert len(self._waiting) < WAITING_APDUS_MAX, "too many APDUs wait for the link"
            self._waiting.append(frame)
            return b""
        return self._transmit(frame, now)

    def receive(self, data: bytes, now: float) -> LinkStep:
        """Take bytes; answer whole frames with ACK, damaged ones with NAK."""
        send: list[bytes] = []
        apdus: list[bytes] = []
        for item in self._receiver.feed(data):
            if item == ACK_BYTE:
                send.append(self._acknowledged(now))
            elif item == NAK_BYTE:
                if self._unacknowledged:
                    again = self._repeat(now)
                    if not again:
                        return LinkStep(b"".join(send), tuple(apdus), broken=True)
                    send.append(again)
            elif not item:
                send.append(NAK_BYTE)
            elif item == self._last_received:
                send.append(ACK_BYTE)
                if self._unacknowledged:
                    self.repeated = True
                    again = self._repeat(now)
                    if not again:
                        return LinkStep(b"".join(send), tuple(apdus), broken=True)
                    send.append(again)
            else:
                send.append(ACK_BYTE)
                if self._unacknowledged and is_reply(item) != is_reply(self._unacknowledged[2:]):
                    send.append(self._acknowledged(now))
                self._last_received = item
                apdus.append(item)
        inside = self._receiver.inside
        self._gap_at = now + self._timers.byte_gap_seconds if inside else None
        return LinkStep(b"".join(send), tuple(apdus))

    def timeout(self, now: float) -> LinkStep:
        """Refuse a frame that stopped in the middle; repeat one that nobody acknowledged."""
        send = b""
        if self._gap_at is not None and now >= self._gap_at:
            self._gap_at = None
            self._receiver.reset()
            send = NAK_BYTE
        if self._acknowledge_at is not None and now >= self._acknowledge_at:
            self.repeated = True
            again = self._repeat(now)
            return LinkStep(send + again, broken=not again)
        return LinkStep(send)

    def _transmit(self, frame: bytes, now: float) -> bytes:
        self._unacknowledged = frame
        self._repeats = 0
        self._acknowledge_at = now + self._timers.acknowledge_seconds
        return frame

    def _acknowledged(self, now: float) -> bytes:
        if not self._unacknowledged:
            return b""  # a stray acknowledgement, as after noise
        self._unacknowledged = b""
        self._acknowledge_at = None
        self._last_received = b""
        return self._transmit(self._waiting.popleft(), now) if self._waiting else b""

    def _repeat(self, now: float) -> bytes:
        """Return the unacknowledged frame once more, or b"" when the repeats are used up."""
        if self._repeats >= REPEATS_MAX:
            self._unacknowledged = b""
            self._acknowledge_at = None
            self._waiting.clear()
            return b""
        self._repeats += 1
        self._acknowledge_at = now + self._timers.acknowledge_seconds
        return self._unacknowledged


class _FrameReceiver:
    """Finds frames in a serial stream; noise between them is skipped.

    `feed` yields the APDU of a good frame, b"" for a damaged one, and the link's own bytes
    `ACK_BYTE` and `NAK_BYTE`, which cannot be APDUs because those have three bytes or more.
    """

    def __init__(self) -> None:
        self._apdu = bytearray()
        self.reset()

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._state != self._hunt

    def reset(self) -> None:
        self._apdu.clear()
        self._damaged = False
        self._after_dle = False
        self._crc = b""
        self._state = self._hunt

    def feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        position = 0
        while position < len(data):
            if self._state == self._body and not self._after_dle:
                # A receipt is a kilobyte: what stands between two DLEs is taken in one piece.
                end = data.find(_DLE_BYTE, position)
                self._keep(data[position : end if end >= 0 else len(data)])
                if end < 0:
                    break
                position = end
            item = self._state(data[position])
            position += 1
            if item is not None:
                found.append(item)
        return found

    def _hunt(self, byte: int) -> bytes | None:
        if self._after_dle:
            self._after_dle = byte == DLE
            if byte == STX:
                self._state = self._body
            return None
        self._after_dle = byte == DLE
        return bytes([byte]) if byte in (ACK, NAK) else None

    def _body(self, byte: int) -> bytes | None:
        if not self._after_dle:
            assert byte == DLE, "everything else is kept by `feed`"
            self._after_dle = True
            return None
        self._after_dle = False
        if byte == DLE:
            self._keep(_DLE_BYTE)
        elif byte == ETX:
            self._state = self._tail
        elif byte == STX:  # the rest of the earlier frame is lost, a new one begins
            self._apdu.clear()
            self._damaged = False
        else:
            self._damaged = True
        return None

    def _tail(self, byte: int) -> bytes | None:
        self._crc += bytes([byte])
        if len(self._crc) < 2:
            return None
        apdu = bytes(self._apdu)
        right = crc_kermit(apdu + bytes([ETX])).to_bytes(2, "little") == self._crc
        good = right and not self._damaged and len(apdu) >= HEADER_BYTES
        self.reset()
        return apdu if good else b""

    def _keep(self, data: bytes) -> None:
        if len(self._apdu) + len(data) <= APDU_BYTES_MAX:
            self._apdu += data
        else:
            self._damaged = True
