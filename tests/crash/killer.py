"""The real service, that kills itself at one labelled point of a payment.

`python -m tests.crash.killer --config FILE --at LABEL [--nth N]` runs what `paybridge run` runs,
with a fuse in each of its adapters. SIGKILL leaves no time for anything, as a power cut does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bridge import service
from bridge.adapters import Adapters, open_state
from bridge.backoffice.api.attempts import Attempt
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.documents import Purchase
from bridge.config import load
from bridge.money.store.journal import Change, Journal
from bridge.register.mqtt.client import Mqtt
from bridge.register.mqtt.messages import Connected, Delivery, Excess
from bridge.terminal.conversation import Line
from bridge.terminal.transport import SerialAddress, TcpAddress, open_line

# Marks of a ZVT frame on a serial line: DLE STX, then class and instruction.
AUTHORIZATION = b"\x10\x02\x06\x01"
ABORT = b"\x10\x02\x06\xb0"
POSITIVE = b"\x10\x02\x80\x00\x00"
RESULT = b"\x10\x02\x04\x0f"
STAGE = b"\x10\x02\x04\xff"
END = b"\x10\x02\x06\x0f"
START_TOPIC = "/request/payment/start"

LABELS = (
    "command in",
    "intent asked",
    "intent committed",
    "puback asked",
    "puback sent",
    "first byte out",
    "half frame out",
    "whole frame out",
    "link acknowledged",
    "stage in",
    "result in",
    "offer asked",
    "offer committed",
    "offer accepted",
    "end in",
    "outcome asked",
    "outcome committed",
    "result unpublished",
    "result published",
    "attempt asked",
    "attempt committed",
    "purchase answered",
    "record asked",
    "record committed",
    "doubt asked",
    "doubt committed",
    "inquiry out",
    "inquiry answered",
    "recovery asked",
    "recovery committed",
    "commit asked",  # any of them, see --nth
    "commit done",
)
EVENT_LABELS = {
    "Requested": "intent",
    "Offered": "offer",
    "Approved": "outcome",
    "Sending": "attempt",
    "Recorded": "record",
    "Unclear": "doubt",
    "Restarted": "recovery",
}


@dataclass(slots=True)
class Fuse:
    """Burns when its label is reached for the n-th time after a payment came in."""

    label: str
    left: int
    armed: bool = False
    approved: bool = False  # in this life; what earlier ones approved is published again
    asking: bool = False  # the terminal is being asked what became of a payment

    def reach(self, label: str) -> None:
        """Die here, if this is the place."""
        if label != self.label or not self.armed:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def journal_with(fuse: Fuse) -> type[Journal]:
    """Return a journal that dies before or after a commit."""

    class FusedJournal(Journal):
        def append(self, change: Change, *, urgent: bool = True) -> asyncio.Future[int]:
            kinds = {type(entry.event).__name__ for entry in change.entries}
            labels = [label for kind, label in EVENT_LABELS.items() if kind in kinds]
            fuse.armed = fuse.armed or "Requested" in kinds
            fuse.approved = fuse.approved or "Approved" in kinds
            for label in labels:
                fuse.reach(f"{label} asked")
            fuse.reach("commit asked")
            future = super().append(change, urgent=urgent)

            def done(_: object) -> None:
                for label in labels:
                    fuse.reach(f"{label} committed")
                fuse.reach("commit done")

            future.add_done_callback(done)
            return future

    return FusedJournal


def bus_with(fuse: Fuse) -> type[Mqtt]:
    """Return a bus that dies around a command's acknowledgement or a result's publishing."""

    class FusedMqtt(Mqtt):
        async def next(self) -> Connected | Delivery | Excess:
            event = await super().next()
            if isinstance(event, Delivery) and event.topic.endswith(START_TOPIC):
                fuse.armed = True
                fuse.reach("command in")
            return event

        def acknowledge(self, delivery: Delivery) -> None:
            if delivery.topic.endswith(START_TOPIC):
                fuse.reach("puback asked")
            super().acknowledge(delivery)
            if delivery.topic.endswith(START_TOPIC):
                fuse.reach("puback sent")

        async def publish(
            self,
            topic: str,
            payload: bytes,
            *,
            retain: bool = False,
            qos: int = 1,
            expiry_seconds: int | None = None,
            correlation: bytes | None = None,
        ) -> None:
            is_approved = "/payments/" in topic and b'"status":"approved"' in payload
            result = is_approved and fuse.approved
            if result:
                fuse.reach("result unpublished")
            await super().publish(
                topic,
                payload,
                retain=retain,
                qos=qos,
                expiry_seconds=expiry_seconds,
                correlation=correlation,
            )
            if result:
                fuse.reach("result published")

    return FusedMqtt


def books_with(fuse: Fuse) -> type[BackOffice]:
    """Return a back office's wire that dies with the answer in hand."""

    class FusedBackOffice(BackOffice):
        async def purchase_add(self, purchase: Purchase) -> Attempt:
            attempt = await super().purchase_add(purchase)
            fuse.reach("purchase answered")
            return attempt

    return FusedBackOffice


class FusedLine:
    """A line that dies in the middle of a frame, or with bytes that nobody has understood yet."""

    def __init__(self, line: Line, fuse: Fuse) -> None:
        self._line = line
        self._fuse = fuse
        self._sent = False

    async def read(self) -> bytes:
        """Read as the line does."""
        data = await self._line.read()
        if self._sent:
            self._fuse.reach("link acknowledged")
        if self._fuse.asking:
            self._fuse.reach("inquiry answered")
        for mark, label in ((STAGE, "stage in"), (RESULT, "result in"), (END, "end in")):
            if mark in data:
                self._fuse.reach(label)
        return data

    def write(self, data: bytes) -> None:
        """Write as the line does."""
        if AUTHORIZATION in data:
            self._sent = True
            if self._fuse.label == "first byte out":
                self._line.write(data[:1])
            elif self._fuse.label == "half frame out":
                self._line.write(data[: len(data) // 2])
            self._fuse.reach("first byte out")
            self._fuse.reach("half frame out")
        self._line.write(data)
        if AUTHORIZATION in data:
            self._fuse.reach("whole frame out")
        if self._sent and POSITIVE in data:
            self._fuse.reach("offer accepted")
        if ABORT in data:
            self._fuse.asking = True
            self._fuse.reach("inquiry out")

    def close(self) -> None:
        """Close the line."""
        self._line.close()


def adapters_with(fuse: Fuse) -> Adapters:
    """Return adapters with the fuse in each."""

    async def fused_line(address: SerialAddress | TcpAddress) -> Line:
        return FusedLine(await open_line(address), fuse)

    return Adapters(
        open_state=partial(open_state, make_journal=journal_with(fuse)),
        bus=bus_with(fuse),
        back_office=books_with(fuse),
        open_line=fused_line,
    )


def main() -> None:
    """Run until the fuse burns, or SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--at", choices=LABELS, required=True)
    parser.add_argument("--nth", type=int, default=1)
    options = parser.parse_args()
    # What recovers was begun in an earlier life; everything else begins with a command.
    fuse = Fuse(options.at, options.nth, armed=options.at.startswith("recovery"))
    asyncio.run(
        service.run(
            load(options.config),
            os.environ,
            ready=lambda: print(json.dumps({"ready": True}), flush=True),
            adapters=adapters_with(fuse),
        )
    )


if __name__ == "__main__":
    main()
