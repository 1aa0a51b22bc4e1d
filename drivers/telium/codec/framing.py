"""Concert E+ on a serial line: bytes to signals and frames, and back. Pure, knows no meaning.

Either side opens with ENQ, sends one frame and closes with EOT; every step is acknowledged:

    ENQ (05) -> <- ACK (06)        +-----+-----------------------------+-----+-----+
    frame    -> <- ACK or NAK      | STX | body: 25, 34 or 80 printable | ETX | LRC |
    EOT (04) ->                    | 02  | ASCII characters             | 03  |     |
                                   +-----+-----------------------------+-----+-----+

LRC is the exclusive or of the body and ETX; it is below 80, so that a 7E1 line carries it too.
Source: pyTeliumManager 2.4.2 and pypostelium 0.0.5, which agree; seen on the wire with both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

STX, ETX = 0x02, 0x03
BODY_BYTES_MAX = 80  # the long answer, the longest body there is

_SIGNAL_OR_STX = re.compile(rb"[\x02\x04\x05\x06\x15]")
_NOT_TEXT = re.compile(rb"[^\x20-\x7e]")


class Signal(Enum):
    """A single byte that steers the line."""

    EOT = b"\x04"
    ENQ = b"\x05"
    ACK = b"\x06"
    NAK = b"\x15"


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """A whole frame whose LRC is right. It may hold a card number, so `repr` hides the body."""

    body: bytes

    def __repr__(self) -> str:
        return f"Frame({len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that began like a frame and is none; the peer may be asked to repeat it."""


Item = Signal | Frame | Damage

_SIGNALS = {signal.value[0]: signal for signal in Signal}


def lrc(body: bytes) -> int:
    """Return the check byte of a body: the exclusive or of its bytes and ETX."""
    check = ETX
    for byte in body:
        check ^= byte
    return check


def encode_frame(body: bytes) -> bytes:
    """Return the frame around `body`.

    Raises:
        ValueError: The body is too long or holds anything but printable ASCII.
    """
    if not 0 < len(body) <= BODY_BYTES_MAX or _NOT_TEXT.search(body):
        raise ValueError("a body is 1 to 80 printable ASCII characters")
    return b"\x02" + body + bytes([ETX, lrc(body)])


class FrameReader:
    """Cuts a stream into signals and frames, however it is split.

    Between frames anything but a signal is noise and skipped. Inside a frame a control character
    other than ETX is damage, never a signal: acknowledging a flipped bit would tell the terminal
    that its answer arrived.
    """

    def __init__(self) -> None:
        self._frame = bytearray()  # what came since STX, STX included

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._frame)

    def reset(self) -> None:
        """Forget a frame that has begun."""
        self._frame.clear()

    def receive(self, data: bytes) -> list[Item]:
        """Return what became complete with `data`, in order."""
        items: list[Item] = []
        position = 0
        while position < len(data):
            if self._frame:
                position = self._inside(data, position, items)
                continue
            found = _SIGNAL_OR_STX.search(data, position)
            if found is None:
                break
            position = found.end()
            byte = data[position - 1]
            if byte == STX:
                self._frame.append(STX)
            else:
                items.append(_SIGNALS[byte])
        return items

    def _inside(self, data: bytes, position: int, items: list[Item]) -> int:
        """Read on in a frame from `position`; return where the rest of `data` begins."""
        frame = self._frame
        if frame[-1] == ETX:
            body = bytes(frame[1:-1])
            frame.clear()
            items.append(Frame(body) if data[position] == lrc(body) else Damage())
            return position + 1
        found = _NOT_TEXT.search(data, position)
        end = found.start() if found else len(data)
        room = BODY_BYTES_MAX + 1 - len(frame)
        if end - position > room:
            frame.clear()
            items.append(Damage())
            return position + room + 1
        frame += data[position:end]
        if found is None:
            return end
        if data[end] == ETX and len(frame) > 1:
            frame.append(ETX)
        else:
            frame.clear()
            items.append(Damage())
            if data[end] == STX:
                frame.append(STX)
        return end + 1
