"""The terminal's end of the conversation: whole APDUs over whatever line is plugged in.

It sends, waits for replies, and lets the scenario spoil single frames. It decides nothing about
payments. Links come from the codec, which both ends share.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from drivers.zvt.codec.framing import (
    ACK,
    ACK_BYTE,
    DLE,
    ETX,
    NAK,
    NAK_BYTE,
    STX,
    Link,
    LinkStep,
    LinkTimers,
    SerialLink,
    TcpLink,
    is_reply,
)
from drivers.zvt.codec.sequence import sequence_of
from simulators.terminals.shared.cable import Line

_MARKS = frozenset((DLE, STX, ETX, ACK, NAK))


class NoReply(Exception):
    """The register did not reply in time, or the line to it is lost."""


@dataclass(slots=True)
class Spoiler:
    """What goes wrong with the next frames; every field counts down or is used once."""

    noise: int = 0  # random bytes before the next frame
    garbage: int = 0  # random bytes instead of it
    duplicate: bool = False
    lost_ack: bool = False
    refuse_frames: int = 0
    trickle_seconds: float | None = None
    glue: bool = False


class LineEnd:
    """APDUs to and from the register.

    On a serial line the conversation survives a replug; on TCP each connection is one of its own,
    and `session` distinguishes them.
    """

    def __init__(
        self,
        kind: Literal["serial", "tcp"],
        timers: LinkTimers,
        rng: random.Random,
        on_command: Callable[[bytes], None],
    ) -> None:
        self.kind = kind
        self.spoiler = Spoiler()
        self.session = 0
        self._timers = timers
        self._rng = rng
        self._on_command = on_command
        self._line: Line | None = None
        self._link = self._new_link()
        self._alarm: asyncio.TimerHandle | None = None
        self._reply: asyncio.Future[bytes] | None = None
        self._number: int | None = None  # the message sequence id that the reply must carry
        self._owed = 0  # replies to earlier messages that did not come in time
        self._overdue: asyncio.TimerHandle | None = None
        self._silent_until = 0.0
        self._held = b""

    @property
    def connected(self) -> bool:
        """Whether a line is there."""
        return self._line is not None

    @property
    def waits_for_reply(self) -> bool:
        """Whether a message is out whose reply did not come yet."""
        return self._reply is not None and not self._reply.done()

    async def attend(self, line: Line) -> None:
        """Take over `line` and hear it until it is lost."""
        self._line = line
        if self.kind == "tcp":
            self.session += 1
            self._link = self._new_link()
            self._owed = 0
        loop = asyncio.get_running_loop()
        try:
            while data := await line.read():
                silent = self._silent_until - loop.time()
                if silent > 0 and self.kind == "serial":
                    continue
                if silent > 0:
                    await asyncio.sleep(silent)
                self._hear(data)
        finally:
            line.close()
            self._line = None
            if self.kind == "tcp":
                self._fail_reply("the connection is lost")

    def hang_up(self) -> None:
        """Close the line from this end."""
        if self._line is not None:
            self._line.close()

    def keep_silent(self, seconds: float) -> None:
        """Neither hear nor speak for a while; on TCP what comes is heard afterwards."""
        self._owed = 0
        self._silent_until = asyncio.get_running_loop().time() + seconds

    def forget(self) -> None:
        """Lose the conversation, as a power cut does."""
        self.start_afresh()
        self._fail_reply("the power is gone")

    def start_afresh(self) -> None:
        """Forget the last frame, so that the same one is heard as a new command, not a repeat."""
        self._owed = 0
        self._link = self._new_link()
        self._set_alarm()

    def send(self, apdu: bytes) -> None:
        """Send a reply, or a command whose reply nobody waits for."""
        self._write(self._frame(apdu))

    async def ask(self, apdu: bytes, timeout_seconds: float, number: int | None = None) -> bytes:
        """Send a command and return the register's reply, that with `number` if it has one.

        Raises:
            NoReply: None came in time, the repeats are used up or the connection is lost.
        """
        loop = asyncio.get_running_loop()
        if self.kind == "tcp" and self._line is None:
            raise NoReply("there is no connection")
        self._reply = loop.create_future()
        self._number = number
        try:
            await self._write_command(self._frame(apdu), self._reply)
            self._overdue = loop.call_later(timeout_seconds, self._on_overdue, timeout_seconds)
            return await self._reply
        finally:
            if self._overdue is not None:
                self._overdue.cancel()
                self._overdue = None
            self._reply = None

    async def _write_command(self, frame: bytes, reply: asyncio.Future[bytes]) -> None:
        pause, self.spoiler.trickle_seconds = self.spoiler.trickle_seconds, None
        if pause is None:
            self._write(frame)
            return
        for position in range(len(frame)):
            self._write(frame[position : position + 1])
            await asyncio.sleep(pause)
            if reply.done():
                break

    def _frame(self, apdu: bytes) -> bytes:
        spoiler = self.spoiler
        frame = self._link.send(apdu, asyncio.get_running_loop().time())
        self._set_alarm()
        if spoiler.garbage:
            frame = self._rng.randbytes(spoiler.garbage)
            spoiler.garbage = 0
            return frame
        if spoiler.duplicate:
            spoiler.duplicate = False
            frame += frame
        if spoiler.noise:
            frame = self._rng.randbytes(spoiler.noise) + frame
            spoiler.noise = 0
        return frame

    def _on_overdue(self, timeout_seconds: float) -> None:
        # T3 begins when the link has delivered: repeats of the frame come first.
        if self._line is not None and not self._link.settled:
            self._overdue = asyncio.get_running_loop().call_later(
                timeout_seconds, self._on_overdue, timeout_seconds
            )
        else:
            self._owed += 1
            self._fail_reply("the register is silent")

    def _hear(self, data: bytes) -> None:
        spoiler = self.spoiler
        if spoiler.refuse_frames:
            data = _with_a_wrong_bit(data)
        step = self._link.receive(data, asyncio.get_running_loop().time())
        if spoiler.lost_ack and step.apdus and step.send.startswith(ACK_BYTE):
            spoiler.lost_ack = False
            step = LinkStep(step.send[1:], step.apdus, step.broken)
        self._take(step)

    def _take(self, step: LinkStep) -> None:
        if self.spoiler.refuse_frames and NAK_BYTE in step.send:
            self.spoiler.refuse_frames -= 1
        self._write(step.send)
        self._set_alarm()
        for apdu in step.apdus:
            if not is_reply(apdu):
                self._owed = 0
                self._on_command(apdu)
            elif self._is_due(apdu) and self._reply is not None and not self._reply.done():
                self._reply.set_result(apdu)
        if step.broken:
            self.start_afresh()
            self._fail_reply("the link gave up")

    def _is_due(self, reply: bytes) -> bool:
        """Say whether a reply is that to the message that waits, by its number or by its turn.

        Without numbers the order tells: a line keeps it, and a register replies to each message.
        """
        if self._number is not None:
            return sequence_of(reply) == self._number
        if self._owed:
            self._owed -= 1
            return False
        return True

    def _on_alarm(self) -> None:
        self._alarm = None
        self._take(self._link.timeout(asyncio.get_running_loop().time()))

    def _set_alarm(self) -> None:
        wake_at = self._link.wake_at
        if self._alarm is not None:
            if wake_at is not None and self._alarm.when() == wake_at:
                return
            self._alarm.cancel()
            self._alarm = None
        if wake_at is not None:
            self._alarm = asyncio.get_running_loop().call_at(wake_at, self._on_alarm)

    def _fail_reply(self, why: str) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(NoReply(why))

    def _write(self, data: bytes) -> None:
        if not data or self._line is None:
            return
        if self.spoiler.glue:
            self.spoiler.glue = False
            self._held = data
            return
        if asyncio.get_running_loop().time() >= self._silent_until:
            data = self._held + data
            self._held = b""
            self._line.write(data)

    def _new_link(self) -> Link:
        return SerialLink(self._timers) if self.kind == "serial" else TcpLink(self._timers)


def _with_a_wrong_bit(data: bytes) -> bytes:
    """Return `data` with one byte of a frame's inside changed, so that its CRC is wrong.

    Frame marks and acknowledgements stay: the frame must be seen to end, and be refused.
    """
    for position, byte in enumerate(data):
        after_mark = data[position - 1] == DLE if position else byte in _MARKS
        if byte not in _MARKS and not after_mark and byte ^ 1 != DLE:
            return data[:position] + bytes([byte ^ 1]) + data[position + 1 :]
    return data
