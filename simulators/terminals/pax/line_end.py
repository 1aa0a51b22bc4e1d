"""The terminal's end of a POSLINK line: frames, ACK, NAK, EOT, HTTP, and how they are spoiled.

It decides nothing about payments. A client may acknowledge with the two letters `36`, leave out
its ACK, or hang up early: the sheet lists what independent clients do.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
from collections.abc import Callable
from dataclasses import dataclass

from drivers.pax.codec.framing import (
    ACK,
    ACK_BYTE,
    EOT_BYTE,
    NAK,
    NAK_BYTE,
    FrameReceiver,
    encode_frame,
)
from simulators.terminals.shared.cable import Line

ACKNOWLEDGE_SECONDS = 3.0
TRANSMISSIONS_MAX = 3
ODD_ACK = b"36"  # one public client writes the hex digits of its ACK wrongly as text
HTTP_START = b"G"  # of GET; a frame, ACK and noise ahead of one begin otherwise
HTTP_BYTES_MAX = 8192


@dataclass(slots=True)
class Spoiler:
    """What goes wrong with the next frames; every field counts down or is used once."""

    noise: int = 0  # random bytes before the next frame
    garbage: int = 0  # random bytes instead of it, every time it is repeated
    duplicate: bool = False
    lost_ack: bool = False
    refuse_frames: int = 0
    damage: int = 0  # answers with a wrong LRC
    trickle_seconds: float | None = None


class PaxTalk:
    """One line to one register, from its first byte to its end."""

    def __init__(
        self, line: Line, rng: random.Random, spoiler: Spoiler, on_payload: PayloadTaker
    ) -> None:
        self._line = line
        self._rng = rng
        self._spoiler = spoiler
        self._on_payload = on_payload
        self._receiver = FrameReceiver()
        self._http = False
        self._heard = False
        self._request = b""
        self._verdict: asyncio.Future[bool] | None = None
        self._silent_until = 0.0
        self.open = True

    async def attend(self) -> None:
        """Hear the line until it is lost."""
        try:
            while data := await self._line.read():
                if asyncio.get_running_loop().time() < self._silent_until:
                    continue
                self._hear(data)
        finally:
            self.open = False
            self._line.close()
            self._decide(taken=False)

    def keep_silent(self, seconds: float) -> None:
        """Neither hear nor speak for a while."""
        self._silent_until = asyncio.get_running_loop().time() + seconds

    def hang_up(self) -> None:
        """Close the line from this end."""
        self._line.close()

    def end(self) -> None:
        """Say that the exchange is over."""
        if not self._http:
            self._write(EOT_BYTE)

    async def answer(self, payload: bytes) -> bool:
        """Send an answer until it is acknowledged; False when it never was."""
        frame = encode_frame(payload)
        if self._http:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(frame)}\r\nConnection: close\r\n\r\n"
            self._write(head.encode() + frame)
            self.hang_up()
            return True
        for _ in range(TRANSMISSIONS_MAX):
            if not self.open:
                return False
            verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._verdict = verdict
            await self._send(frame)
            try:
                async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                    if await verdict:
                        return True
            except TimeoutError:
                pass
            finally:
                if self._verdict is verdict:  # the answer to a cancel may go out meanwhile
                    self._verdict = None
        return False

    async def _send(self, frame: bytes) -> None:
        spoiler = self._spoiler
        if spoiler.garbage:
            self._write(self._rng.randbytes(spoiler.garbage))
            spoiler.garbage = 0
            return
        if spoiler.damage:
            spoiler.damage -= 1
            frame = frame[:-1] + bytes([frame[-1] ^ 0x40])
        if spoiler.noise:
            frame = self._rng.randbytes(spoiler.noise) + frame
            spoiler.noise = 0
        if spoiler.duplicate:
            spoiler.duplicate = False
            frame += frame
        pause, spoiler.trickle_seconds = spoiler.trickle_seconds, None
        if pause is None:
            self._write(frame)
            return
        for position in range(len(frame)):
            self._write(frame[position : position + 1])
            await asyncio.sleep(pause)

    def _hear(self, data: bytes) -> None:
        if self._http or (not self._heard and data.startswith(HTTP_START)):
            self._hear_http(data)
            return
        self._heard = True
        if self._verdict is not None and data == ODD_ACK:
            self._decide(taken=True)
            return
        for item in self._receiver.feed(data):
            if item == ACK:
                self._decide(taken=True)
            elif item == NAK:
                self._decide(taken=False)
            elif isinstance(item, bytes):
                self._take_frame(item)

    def _take_frame(self, payload: bytes) -> None:
        spoiler = self._spoiler
        if not payload or spoiler.refuse_frames:
            spoiler.refuse_frames = max(spoiler.refuse_frames - 1, 0)
            self._write(NAK_BYTE)
            return
        if spoiler.lost_ack:
            spoiler.lost_ack = False
        else:
            self._write(ACK_BYTE)
        self._on_payload(self, payload)

    def _hear_http(self, data: bytes) -> None:
        self._http = True
        self._request = (self._request + data)[:HTTP_BYTES_MAX]
        if b"\r\n\r\n" not in self._request:
            return
        query = self._request.split(b" ", 2)[1].partition(b"?")[2]
        try:
            frame = base64.b64decode(query, validate=True)
        except binascii.Error:
            frame = b""
        found = FrameReceiver().feed(frame)
        payload = found[0] if found and isinstance(found[0], bytes) else b""
        if payload:
            self._on_payload(self, payload)
        else:
            self._write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self.hang_up()

    def _decide(self, *, taken: bool) -> None:
        if self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(taken)

    def _write(self, data: bytes) -> None:
        if self.open and asyncio.get_running_loop().time() >= self._silent_until:
            self._line.write(data)


PayloadTaker = Callable[[PaxTalk, bytes], None]
