"""A ZVT terminal that thinks about nothing: the least a peer on a serial line must say.

For measurements only: it approves everything at once, prints nothing and keeps no books, so that
what is measured is the bridge and not the terminal. The real simulator is
`simulators.terminals.zvt`.
"""

from __future__ import annotations

import time
from datetime import datetime

from drivers.zvt.codec import apdu as codec
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.framing import LinkTimers, SerialLink, encode_apdu, split_apdu
from simulators.terminals.shared.serial_port import PtyLine

TERMINAL_ID = "29001006"
POSITIVE = encode_apdu(0x8000)


class InstantTerminal:
    """One payment after the other; remembers when the bridge's first byte came and ours ended."""

    def __init__(self, line: PtyLine) -> None:
        self._line = line
        self._link = SerialLink(LinkTimers())
        self._queue: list[bytes] = []
        self._receipt = 1
        self._amount = 100
        self.first_read = 0.0
        self.completed = 0.0
        self._awaits_reply = False  # a fair terminal goes on only after `80 00`

    async def serve(self) -> None:
        """Answer until the line is gone."""
        while data := await self._line.read():
            now = time.perf_counter()
            if not self.first_read:
                self.first_read = now
            step = self._link.receive(data, now)
            if step.send:
                self._line.write(step.send)
            for apdu in step.apdus:
                self._awaits_reply = False  # whatever it is, it comes after our last word
                self._answer(apdu)
            self._speak()

    def _answer(self, apdu: bytes) -> None:
        control, data = split_apdu(apdu)
        if control == 0x0601:
            self._receipt = self._receipt % 9999 + 1
            self._amount = int(data[data.index(0x04) + 1 :][:6].hex())
            self._queue = [POSITIVE, self._status(), codec.encode(m.Completion())]
        elif control == 0x0620:
            self._queue = [POSITIVE, self._status(), codec.encode(m.Completion())]
        elif control == 0x0600:
            ready = m.Completion(status=0, terminal_id=TERMINAL_ID, currency=978)
            self._queue = [POSITIVE, codec.encode(ready)]
        elif control == 0x0501:
            self._queue = [POSITIVE, encode_apdu(0x060F, b"\x00")]

    def _speak(self) -> None:
        """Say the next thing, as soon as the link is free; a command waits for its reply."""
        while self._queue and self._link.settled and not self._awaits_reply:
            apdu = self._queue.pop(0)
            now = time.perf_counter()
            if apdu[:2] == b"\x06\x0f":
                self.completed = now
            self._line.write(self._link.send(apdu, now))
            if apdu != POSITIVE:
                self._awaits_reply = True
                return

    def _status(self) -> bytes:
        moment = datetime(2026, 11, 23, 12, 0, self._receipt % 60)  # noqa: DTZ001 - its own clock
        return codec.encode(
            m.StatusInformation(
                result=0,
                amount=self._amount,
                trace=f"{self._receipt:06d}",
                time=moment.strftime("%H%M%S"),
                date=moment.strftime("%m%d"),
                terminal_id=TERMINAL_ID,
                approval_code="123456",
                currency=978,
                receipt=f"{self._receipt:04d}",
                card_type=5,
                card_name="girocard",
            )
        )
