"""What came from the broker and is not done yet: a line for each register, served in turn.

Nothing here is acknowledged yet, and acknowledgements leave in the order of arrival (MQTT 5.0,
section 4.6). So no message of one register can be left with the broker without those of all others
behind it: what a register sends beyond its line is handed on at its turn, too, as `Excess`, to be
refused and acknowledged. It keeps its place, so that a refusal never overtakes a command that came
before it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from bridge.register.api.topics import BridgeTopic, RegisterStateTopic, RequestTopic, Topics
from bridge.register.lines import Lines
from bridge.register.mqtt.messages import EXCESS_BYTES_MAX, Connected, Delivery, Excess

# Commands of one register that wait. One that has as many payments open as terminals can hold asks
# about all of them at once after a restart, and that fits; a person types none of them.
LINE_MAX: Final = 32
LINES_MAX: Final = 100  # registers with something waiting; a store has a dozen
# One message as large as the broker may send, or a line full of sales with a trolley each.
LINE_BYTES_MAX: Final = 1024 * 1024
BYTES_MAX: Final = 16 * 1024 * 1024  # in all lines; the unit allows 256 MiB, 60 of which are used
# Refusals in one turn: their costs are shared, and they take as long as one command.
EXCESS_TOGETHER_MAX: Final = 16
# A broker that keeps to `RECEIVE_MAX` sends no more than that. mosquitto 2.0.11 does not (2 582
# were seen), and MQTT 3.1.1 knows no such limit.
HELD_MAX: Final = 5_000


@dataclass(slots=True)
class _Waiting:
    """One message in its line."""

    delivery: Delivery
    line: str
    excess: bool = False
    superseded: bool = False  # a newer one says the same thing better


@dataclass(slots=True)
class _Era:
    """What came over one connection."""

    opening: Connected | None = None
    is_open: bool = True  # else nothing of it may be done yet
    lines: Lines[_Waiting] = field(default_factory=lambda: Lines(LINES_MAX))


class Inbox:
    """Messages that wait to be done. One consumer calls `next`."""

    def __init__(self, topics: Topics) -> None:
        """Know whose a message is by its topic."""
        self._topics = topics
        self._eras: deque[_Era] = deque([_Era()])
        self._states: dict[str, _Waiting] = {}  # the newest that waits, by topic
        self._bytes: dict[str, int] = {}  # held, by line
        self._held_bytes = 0
        self._came = asyncio.Event()

    def __len__(self) -> int:
        """Return how many messages wait."""
        return sum(len(era.lines) for era in self._eras)

    @property
    def held_bytes(self) -> int:
        """How many bytes of payload wait."""
        return self._held_bytes

    @property
    def is_full(self) -> bool:
        """True when not even a refusal has room: the broker does not keep to its limit."""
        return len(self) >= HELD_MAX

    def prepare(self) -> None:
        """Keep what comes from now on apart: it belongs to a connection that is not open yet."""
        if not self._eras[-1].is_open:  # the one before was lost before it was open
            for one in self._eras.pop().lines:
                self._forget(one)
        self._eras.append(_Era(is_open=False))

    def open(self, connection: Connected) -> None:
        """Begin a connection: what is put from now on belongs to it, and is done after the rest.

        So does what was put since `prepare`.
        """
        if self._eras[-1].is_open:
            self._eras.append(_Era())
        self._eras[-1].opening = connection
        self._eras[-1].is_open = True
        self._came.set()

    def put(self, delivery: Delivery) -> Delivery | None:
        """Have a message wait; return one that it takes the place of, to be acknowledged.

        Of what a register, or the bridge, says of itself only the newest counts.
        """
        lines = self._eras[-1].lines
        topic = self._topics.parse(delivery.topic)
        owner = topic.register_id if isinstance(topic, (RequestTopic, RegisterStateTopic)) else ""
        line = lines.name_for(owner)
        waiting = _Waiting(delivery, line)
        size = len(delivery.payload)
        is_long = size > EXCESS_BYTES_MAX
        # Short ones always find room in all: others' long ones must not keep a payment away.
        waiting.excess = (is_long and self._held_bytes + size > BYTES_MAX) or (
            (is_long or isinstance(topic, RequestTopic))
            and self._bytes.get(line, 0) + size > LINE_BYTES_MAX
        )
        if isinstance(topic, RequestTopic) and lines.length(owner) >= LINE_MAX:
            waiting.excess = True
        if waiting.excess and is_long:
            waiting.delivery = replace(delivery, payload=delivery.payload[:EXCESS_BYTES_MAX])
        self._count(waiting, 1)
        lines.put(owner, waiting)
        self._came.set()
        if not isinstance(topic, (RegisterStateTopic, BridgeTopic)):
            return None
        older = self._states.get(delivery.topic)
        self._states[delivery.topic] = waiting
        if older is None:
            return None
        older.superseded = True
        superseded = older.delivery
        self._count(older, -1)
        older.delivery = replace(superseded, payload=b"")
        return superseded

    async def next(self) -> Connected | Delivery | Excess:
        """Return what is next in turn. Cancelled, it leaves everything where it is."""
        while True:
            found = self._take()
            if found is not None:
                return found
            self._came.clear()
            await self._came.wait()

    def _take(self) -> Connected | Delivery | Excess | None:
        while True:
            era = self._eras[0]
            if not era.is_open:
                return None
            if era.opening is not None:
                opening, era.opening = era.opening, None
                return opening
            taken = era.lines.take(_refused_together, EXCESS_TOGETHER_MAX)
            if not taken:
                if len(self._eras) == 1:
                    return None
                self._eras.popleft()
                continue
            for one in taken:
                self._forget(one)
            first = taken[0]
            if first.superseded:
                continue
            if first.excess:
                return Excess(tuple(one.delivery for one in taken))
            return first.delivery

    def _forget(self, waiting: _Waiting) -> None:
        self._count(waiting, -1)
        if self._states.get(waiting.delivery.topic) is waiting:
            del self._states[waiting.delivery.topic]

    def _count(self, waiting: _Waiting, sign: int) -> None:
        size = sign * len(waiting.delivery.payload)
        self._held_bytes += size
        held = self._bytes.get(waiting.line, 0) + size
        if held:
            self._bytes[waiting.line] = held
        else:
            self._bytes.pop(waiting.line, None)


def _refused_together(first: _Waiting, other: _Waiting) -> bool:
    return first.excess and other.excess
