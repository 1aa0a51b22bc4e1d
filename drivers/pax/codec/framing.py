"""Bytes to POSLINK payloads and back, with the link rules; pure, `now` is an argument.

The frame is the same over a serial line, USB and TCP:

    +-----+------------------------------+-----+-----+
    | STX | fields, FS between them      | ETX | LRC |     LRC: exclusive or of every byte after
    | 02  |                              | 03  |     |          STX, ETX included
    +-----+------------------------------+-----+-----+

    register   frame ─►      ◄─ ACK 06, or NAK 15: say it again
               ◄─ frame      ACK ─►, or NAK ─► when the LRC is wrong
               ◄─ EOT 04     the exchange is over; instead of a frame: the terminal gave up

The LRC may be any byte, also 02, 03, 04, 06, 15 or a blank: exactly one byte is read after ETX.
Over HTTP the frame is the query of a GET, in base64; the raw frame is the answer's body, and there
is neither ACK nor NAK nor EOT.
Source: fact sheet "PAX POSLINK", sections 2 to 4 (five public clients agree on the frame).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

STX, ETX, EOT, ENQ, ACK, NAK = 0x02, 0x03, 0x04, 0x05, 0x06, 0x15
ACK_BYTE, NAK_BYTE, EOT_BYTE = bytes([ACK]), bytes([NAK]), bytes([EOT])

PAYLOAD_BYTES_MAX = 65536  # an answer with receipt lines has 2 kB; a signature comes in packets
REPEATS_MAX = 2  # three transmissions in all, as the public clients do
DAMAGED_MAX = 3  # after three refusals of an answer the line is not worth more of them
# A NAK may be noise ahead of the real ACK. An ACK within this time proves that it was: at 9600
# baud a request takes a quarter of a second on the wire, and noise may come at its first byte.
SECOND_THOUGHTS_SECONDS = 0.5


class Sign(Enum):
    """What a link reports besides payloads."""

    ACKNOWLEDGED = "acknowledged"  # the other side has the frame
    ENDED = "ended"  # EOT
    REFUSED = "refused"  # NAK, and no repeat is left
    SILENT = "silent"  # neither ACK nor NAK, and no repeat is allowed or left
    UNREADABLE = "unreadable"  # answers came damaged too often


@dataclass(frozen=True, slots=True)
class LinkTimers:
    """How long a link waits, in seconds."""

    acknowledge_seconds: float = 3.0  # from the end of our frame to ACK or NAK
    byte_gap_seconds: float = 2.0  # between two pieces of one frame; Wi-Fi stalls that long


@dataclass(frozen=True, slots=True)
class LinkStep:
    """What one input led to: write `send`, then handle `items` in order."""

    send: bytes = b""
    items: tuple[bytes | Sign, ...] = ()


class Link(Protocol):
    """Either framing, as the dialogue sees it."""

    @property
    def wake_at(self) -> float | None:
        """When `timeout` is due at the latest; None while the link waits for nothing."""

    @property
    def acknowledged(self) -> bool:
        """Whether the other side has our last frame."""

    def send(self, payload: bytes, now: float, *, repeatable: bool) -> bytes:
        """Return the bytes to write. Only a `repeatable` frame is repeated after silence."""

    def accept(self) -> bytes:
        """Return the bytes that acknowledge a payload to the other side."""

    def renew(self) -> None:
        """Forget what had begun to come: the next payload is sent over another line."""

    def receive(self, data: bytes, now: float) -> LinkStep:
        """Take bytes in any split. Never raises."""

    def timeout(self, now: float) -> LinkStep:
        """Do what is due at `now`; nothing when it is too early."""


def lrc(data: bytes) -> int:
    """Return the exclusive or of all bytes."""
    value = 0
    for byte in data:
        value ^= byte
    return value


def encode_frame(payload: bytes) -> bytes:
    """Return the frame around `payload`.

    Raises:
        ValueError: `payload` holds STX or ETX, which no field may.
    """
    if STX in payload or ETX in payload:
        raise ValueError("a payload may hold neither STX nor ETX")
    body = payload + bytes([ETX])
    return bytes([STX]) + body + bytes([lrc(body)])


class FrameReceiver:
    """Finds frames in a stream; noise between them is skipped.

    `feed` yields the payload of a good frame (never empty), b"" for a damaged one, and the single
    bytes ACK, NAK, EOT and ENQ, when they stand between frames, as their numbers.
    """

    def __init__(self) -> None:
        self._payload = bytearray()
        self._in_body = False
        self._in_tail = False

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._in_body or self._in_tail

    def reset(self) -> None:
        """Give up the frame that has begun."""
        self._payload.clear()
        self._in_body = self._in_tail = False

    def feed(self, data: bytes) -> list[bytes | int]:
        """Take bytes in any split and return what they completed, in order."""
        found: list[bytes | int] = []
        position = 0
        while position < len(data):
            if self._in_tail:
                found.append(self._checked(data[position]))
                position += 1
            elif self._in_body:
                position = self._take_body(data, position, found)
            else:
                byte = data[position]
                position += 1
                if byte == STX:
                    self._in_body = True
                elif byte in (ACK, NAK, EOT, ENQ):
                    found.append(byte)
        return found

    def _take_body(self, data: bytes, position: int, found: list[bytes | int]) -> int:
        end = data.find(ETX, position)
        piece = data[position:] if end < 0 else data[position:end]
        restart = piece.rfind(STX)
        if restart >= 0:  # no field holds STX: the earlier frame is lost, a new one begins
            self._payload.clear()
            piece = piece[restart + 1 :]
        self._payload += piece
        if len(self._payload) > PAYLOAD_BYTES_MAX:
            self.reset()
            found.append(b"")
        elif end >= 0:
            self._in_body, self._in_tail = False, True
        return len(data) if end < 0 else end + 1

    def _checked(self, check: int) -> bytes:
        payload = bytes(self._payload)
        self.reset()
        return payload if lrc(payload) ^ ETX == check else b""


class FrameLink:
    """The register's end of a serial line, USB or TCP.

    A frame that was acknowledged is never repeated. One that was refused with NAK, and not
    acknowledged shortly after, is: the terminal says itself that it did not take it. One that
    nobody answers is repeated only if it is `repeatable`, because its ACK may be what got lost.
    A damaged answer is refused with NAK, and the answer, never the request, comes again.
    """

    def __init__(self, timers: LinkTimers) -> None:
        self._timers = timers
        self._receiver = FrameReceiver()
        self._frame = b""
        self._repeatable = False
        self._repeats = 0
        self._damaged = 0
        self._due_at: float | None = None  # ACK is missing, or a refused frame goes again
        self._refused = False
        self._gap_at: float | None = None
        self.acknowledged = True

    @property
    def wake_at(self) -> float | None:
        """The earlier of the missing ACK and the stalled frame."""
        if self._due_at is None or self._gap_at is None:
            return self._gap_at if self._due_at is None else self._due_at
        return min(self._due_at, self._gap_at)

    def send(self, payload: bytes, now: float, *, repeatable: bool) -> bytes:
        """Return the frame, and expect its ACK from now on."""
        self._frame = encode_frame(payload)
        self._repeatable = repeatable
        self._repeats = self._damaged = 0
        return self._transmit(now)

    def accept(self) -> bytes:
        """Return ACK."""
        return ACK_BYTE

    def renew(self) -> None:
        """Give up the frame that has begun."""
        self._receiver.reset()
        self._gap_at = self._due_at = None

    def receive(self, data: bytes, now: float) -> LinkStep:
        """Sort what came; refuse damaged frames."""
        send = b""
        items: list[bytes | Sign] = []
        for item in self._receiver.feed(data):
            match item:
                case int() if item == ACK:
                    if not self.acknowledged:
                        self._settle()
                        items.append(Sign.ACKNOWLEDGED)
                case int() if item == NAK:
                    if not self.acknowledged:
                        self._refused = True
                        self._due_at = now + SECOND_THOUGHTS_SECONDS
                case int():
                    if item == EOT:
                        items.append(Sign.ENDED)
                case b"":
                    send += self._refuse(items)
                case _:
                    items.append(item)
                    # An answer on its way outweighs a NAK: it may well be the answer to this frame.
                    self._refused = False
        self._gap_at = now + self._timers.byte_gap_seconds if self._receiver.inside else None
        return LinkStep(send, tuple(items))

    def timeout(self, now: float) -> LinkStep:
        """Refuse a frame that stopped in the middle; repeat what may be repeated."""
        send = b""
        items: list[bytes | Sign] = []
        if self._gap_at is not None and now >= self._gap_at:
            self._gap_at = None
            self._receiver.reset()
            send += self._refuse(items)
        if self._due_at is not None and now >= self._due_at:
            if (self._refused or self._repeatable) and self._repeats < REPEATS_MAX:
                self._repeats += 1
                send += self._transmit(now)
            else:
                items.append(Sign.REFUSED if self._refused else Sign.SILENT)
                self._due_at = None
        return LinkStep(send, tuple(items))

    def _transmit(self, now: float) -> bytes:
        self.acknowledged = False
        self._refused = False
        self._due_at = now + self._timers.acknowledge_seconds
        return self._frame

    def _settle(self) -> None:
        self.acknowledged = True
        self._refused = False
        self._due_at = None

    def _refuse(self, items: list[bytes | Sign]) -> bytes:
        self._damaged += 1
        if self._damaged >= DAMAGED_MAX:
            items.append(Sign.UNREADABLE)
            return b""
        return NAK_BYTE


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def encode_base64(data: bytes) -> bytes:
    """Return `data` in base64 with padding, on one line."""
    digits = bytearray()
    for start in range(0, len(data), 3):
        group = data[start : start + 3]
        number = int.from_bytes(group.ljust(3, b"\0"), "big")
        letters = bytes(_BASE64[number >> shift & 0x3F] for shift in (18, 12, 6, 0))
        digits += letters[: len(group) + 1].ljust(4, b"=")
    return bytes(digits)


class HttpLink:
    """The register's end of HTTP GET over a TCP line: one request, one answer.

    Header lines cannot hold STX, so the frame is found in the answer as it is in a noisy stream,
    and a terminal that leaves the header out is understood as well.
    Source: fact sheet "PAX POSLINK", section 2: base64 is not escaped; the body is the raw frame.
    """

    wake_at: float | None = None
    acknowledged = True

    def __init__(self) -> None:
        self._receiver = FrameReceiver()

    def send(self, payload: bytes, now: float, *, repeatable: bool) -> bytes:
        """Return the whole request; nothing is ever repeated."""
        query = encode_base64(encode_frame(payload))
        return b"GET /?" + query + b" HTTP/1.1\r\nHost: terminal\r\nConnection: close\r\n\r\n"

    def accept(self) -> bytes:
        """Return nothing: HTTP has no ACK."""
        return b""

    def renew(self) -> None:
        """Give up the answer that has begun."""
        self._receiver.reset()

    def receive(self, data: bytes, now: float) -> LinkStep:
        """Find the frame in the answer."""
        found = [item for item in self._receiver.feed(data) if isinstance(item, bytes)]
        return LinkStep(items=tuple(item or Sign.UNREADABLE for item in found))

    def timeout(self, now: float) -> LinkStep:
        """Do nothing: the dialogue's own deadline ends the wait."""
        return LinkStep()
