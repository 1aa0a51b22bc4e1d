"""A scripted ZVT terminal for conformance runs: pure, no time, no cards."""

from __future__ import annotations

from typing import Literal

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.framing import Link, LinkTimers, SerialLink, TcpLink
from drivers.zvt.codec.sequence import OFFER, following, sequence_of

MONEY_COMMANDS = frozenset((0x0601, 0x060C, 0x0622, 0x0623, 0x0624, 0x0625, 0x0626, 0x0630, 0x0631))
YES = bytes.fromhex("800000")
NOT_READY = bytes.fromhex("84a000")
STOP = 0x06B0
NO_RECEIPT = bytes.fromhex("87ffff")  # in 06 23: a question, no order
UNKNOWN = bytes.fromhex("848300")

Transport = Literal["serial", "tcp"]


def new_link(transport: Transport) -> Link:
    return SerialLink(LinkTimers()) if transport == "serial" else TcpLink(LinkTimers())


def control_of(apdu: bytes) -> int:
    return int.from_bytes(apdu[:2], "big")


class ScriptedTerminal:
    """Answers commands by `script`: control field to (reply, what it says as the leader)."""

    def __init__(self, transport: Transport, script: dict[str, tuple[str, list[str]]]) -> None:
        self.booked = False
        self._link = new_link(transport)
        self._script = {
            int(control, 16): (bytes.fromhex(reply), [bytes.fromhex(said) for said in says])
            for control, (reply, says) in script.items()
        }
        self._to_say: list[bytes] = []
        self._said = b""
        self._running = 0

    def receive(self, data: bytes) -> bytes:
        step = self._link.receive(data, 0.0)
        return step.send + b"".join(self._answer(apdu) for apdu in step.apdus)

    def _answer(self, apdu: bytes) -> bytes:
        control = control_of(apdu)
        if control >> 8 in (0x80, 0x84):
            accepted = control in (0x8000, 0x8400)
            moves_money = self._running in MONEY_COMMANDS or self._running == STOP
            if moves_money and control_of(self._said) == 0x040F and b"\x27\x00" in self._said:
                self.booked = accepted
                if not accepted:
                    self._to_say = [bytes.fromhex("061e016c")]
            return self._say_next()
        reply, says = self._script.get(control, (UNKNOWN, []))
        if self._said and control == STOP:
            self._to_say = list(says) or self._to_say
            return self._send(reply, apdu)
        if self._said:
            return self._send(NOT_READY, apdu)
        self._running, self._to_say = control, list(says)
        return self._send(reply, apdu) + self._say_next()

    def _say_next(self) -> bytes:
        self._said = self._to_say.pop(0) if self._to_say else b""
        return self._send(self._said) if self._said else b""

    def _send(self, apdu: bytes, command: bytes = b"") -> bytes:
        """Send a reply to `command`, or a message without one."""
        return self._link.send(apdu, 0.0)


class NumberedTerminal(ScriptedTerminal):
    """The same with message sequence ids from its registration on."""

    _number: int | None = None

    def _send(self, apdu: bytes, command: bytes = b"") -> bytes:
        number = sequence_of(command)
        if command and self._number is not None and number is not None:
            self._number = max(self._number, number)
        elif not command and self._running == m.Registration.CONTROL:
            number = self._number = OFFER
        elif not command and self._number is not None:
            number = self._number = following(self._number)
        if number is None or (command and self._running == m.Registration.CONTROL):
            return super()._send(apdu)
        message = decode(apdu, "cp437", self._running)
        assert not isinstance(message, m.Unknown)
        return super()._send(encode(message, "cp437", number))


def count_money_commands(transport: Transport, written: bytes) -> int:
    """Count them; a frame that the serial link repeats counts once."""
    apdus = new_link(transport).receive(written, 0.0).apdus
    return sum(control_of(apdu) in MONEY_COMMANDS and NO_RECEIPT not in apdu for apdu in apdus)
