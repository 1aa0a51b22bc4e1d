"""An MQTT broker in memory, as far as one bridge and its registers can tell. No network.

It keeps retained messages and the bridge's session, delivers what was not acknowledged again,
duplicates, delivers late, and on demand restarts with or without its memory. One session (the
bridge's) is served with acknowledgements; everybody else listens.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

TRAVEL_SECONDS = (0.001, 0.02)  # one way between a client and the broker on the shop's network
FENCE_SECONDS = (0.002, 0.05)  # until the bridge's marker is back and deliveries count as live


class Lost(Exception):
    """The connection broke; whether the broker has what was just sent is not known."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a client publishes. `expires_at` is in seconds of the loop's clock."""

    topic: str
    payload: bytes
    retain: bool = False
    expires_at: float | None = None
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message as the bridge gets it; `retained` and `live` as its MQTT wire would say."""

    message: Message
    packet_id: int
    connection: int
    live: bool
    retained: bool = False
    duplicate: bool = False
    expiry_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Misfortune:
    """How badly the broker and the network around it behave; chances from 0 to 1."""

    duplicate: float = 0.0  # a command is delivered twice
    late: float = 0.0  # a command reaches the broker only after `late_seconds`
    late_seconds: tuple[float, float] = (5.0, 90.0)
    lost_publish: float = 0.0  # the connection breaks while the bridge publishes


@dataclass(slots=True)
class _Pending:
    message: Message
    packet_id: int
    told: bool = False


@dataclass(slots=True)
class Broker:
    """The broker. `wanted` says which topics the bridge's session subscribes to."""

    rng: random.Random
    wanted: Callable[[str], bool]
    protocol: Literal["5.0", "3.1.1"] = "5.0"
    misfortune: Misfortune = field(default_factory=Misfortune)
    acknowledges_after: float = 0.0  # seconds for which it keeps a publisher waiting
    on_published: Callable[[Message], None] = lambda _message: None
    on_disorder: Callable[[str], None] = lambda _words: None  # the bridge breaks MQTT's rules
    retained: dict[str, Message] = field(default_factory=dict)
    _listeners: list[tuple[str, Callable[[Message], None]]] = field(default_factory=list)
    _pending: list[_Pending] = field(default_factory=list)
    _link: BrokerLink | None = None
    _session: bool = False
    _packets: int = 0
    _links: int = 0
    _away_until: float = 0.0

    # --- registers

    def listen(self, prefix: str, hear: Callable[[Message], None]) -> Callable[[], None]:
        """Let `hear` have what is published below `prefix`, retained first; return how to stop."""
        entry = (prefix, hear)
        self._listeners.append(entry)
        for topic, message in list(self.retained.items()):
            if topic.startswith(prefix):
                self._travel(self._tell, entry, message)
        return lambda: self._listeners.remove(entry) if entry in self._listeners else None

    def send(self, message: Message) -> None:
        """Publish as a register does: it arrives some time, perhaps twice."""
        low, high = TRAVEL_SECONDS
        if self.rng.random() < self.misfortune.late:
            low, high = self.misfortune.late_seconds
        loop = asyncio.get_running_loop()
        loop.call_later(self.rng.uniform(low, high), self._arrive, message)
        if self.rng.random() < self.misfortune.duplicate:
            loop.call_later(self.rng.uniform(low, high * 2), self._arrive, message)

    def take_at_once(self, message: Message) -> None:
        """Publish as a register beside the broker does: in order, and without any misfortune."""
        self._arrive(message)

    # --- the bridge

    def connect(self, hear: Callable[[Delivered], None], lose: Callable[[], None]) -> BrokerLink:
        """Open the bridge's connection; what waited for it comes first, and is not live.

        Raises:
            Lost: The broker is away.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            raise Lost("the broker does not answer")
        if self._link is not None:
            self._link.lose()
        self._links += 1
        link = BrokerLink(self, self._links, hear, lose, session_present=self._session)
        link.live_from = loop.time() + self.rng.uniform(*FENCE_SECONDS)
        self._link = link
        self._session = True
        for topic, message in list(self.retained.items()):
            is_command = "/request/" in topic
            if self.wanted(topic) and not (is_command and self.protocol == "5.0"):
                self._queue(message, retained=True)
        for pending in list(self._pending):
            self._deliver(pending)
        return link

    def restart(self, seconds: float, *, forget: bool) -> None:
        """Be away for `seconds`; with `forget` sessions and retained messages are gone."""
        self._away_until = asyncio.get_running_loop().time() + seconds
        if self._link is not None:
            self._link.lose()
        if forget:
            self._pending.clear()
            self.retained.clear()
            self._session = False

    def cut(self) -> None:
        """Break the bridge's connection."""
        if self._link is not None:
            self._link.lose()

    def take(self, message: Message) -> None:
        """Have `message`: keep it if it is retained, pass it on."""
        if message.retain:
            if message.payload:
                self.retained[message.topic] = message
            else:
                self.retained.pop(message.topic, None)
        self.on_published(message)
        for entry in self._listeners:
            if message.topic.startswith(entry[0]):
                self._travel(self._tell, entry, message)

    def forget(self, packet_id: int) -> None:
        """The bridge acknowledged this one."""
        self._pending = [one for one in self._pending if one.packet_id != packet_id]

    def gone(self, link: BrokerLink) -> None:
        """The connection is no more."""
        if self._link is link:
            self._link = None

    def _arrive(self, message: Message) -> None:
        if asyncio.get_running_loop().time() < self._away_until:
            return  # the register hears of no acknowledgement and sends it again by itself
        self.take(message)
        if self.wanted(message.topic):
            self._queue(message, retained=False)

    def _queue(self, message: Message, *, retained: bool) -> None:
        if not self._session or (self._link is None and retained):
            return
        self._packets += 1
        pending = _Pending(message, self._packets)
        if not retained:
            self._pending.append(pending)
        self._deliver(pending, retained=retained)

    def _deliver(self, pending: _Pending, *, retained: bool = False) -> None:
        link = self._link
        if link is None:
            return
        loop = asyncio.get_running_loop()
        left = pending.message.expires_at
        if left is not None and left <= loop.time():
            self.forget(pending.packet_id)
            return
        with_properties = self.protocol == "5.0"
        message = pending.message
        if not with_properties:
            message = replace(message, response_topic=None, correlation=None)
        delivered = Delivered(
            message=message,
            packet_id=pending.packet_id,
            connection=link.number,
            live=loop.time() >= link.live_from,
            retained=retained or (message.retain and with_properties),
            duplicate=pending.told,
            expiry_seconds=int(left - loop.time())
            if left is not None and with_properties
            else None,
        )
        pending.told = True
        link.carry(delivered)

    def _tell(self, entry: tuple[str, Callable[[Message], None]], message: Message) -> None:
        if entry in self._listeners:
            entry[1](message)

    def _travel(self, then: Callable[..., None], *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self.rng.uniform(*TRAVEL_SECONDS), then, *arguments)


class BrokerLink:
    """The bridge's end of one connection."""

    def __init__(
        self,
        broker: Broker,
        number: int,
        hear: Callable[[Delivered], None],
        lost: Callable[[], None],
        *,
        session_present: bool,
    ) -> None:
        self.number = number
        self.session_present = session_present
        self.live_from = 0.0
        self.open = True
        self._broker = broker
        self._hear = hear
        self._lost = lost
        self._arrives_at = 0.0
        self._unacknowledged: list[int] = []  # in the order of arrival

    def carry(self, delivered: Delivered) -> None:
        """Let the bridge have it, in order, if the connection holds that long."""
        loop = asyncio.get_running_loop()
        travel = self._broker.rng.uniform(*TRAVEL_SECONDS)
        # A step later than the one before: what is ready together has no order.
        self._arrives_at = max(self._arrives_at + 1e-6, loop.time() + travel)
        loop.call_at(self._arrives_at, self._hand_over, delivered)

    def acknowledge(self, packet_id: int) -> None:
        """Tell the broker; lost if the connection breaks on the way.

        Acknowledgements leave in the order of arrival (MQTT 5.0, section 4.6).
        """
        if self._unacknowledged[:1] != [packet_id]:
            self._broker.on_disorder(f"packet {packet_id} is acknowledged out of its order")
        if packet_id in self._unacknowledged:
            self._unacknowledged.remove(packet_id)
        loop = asyncio.get_running_loop()
        travel = self._broker.rng.uniform(*TRAVEL_SECONDS)
        loop.call_later(travel, self._acknowledged, packet_id)

    async def publish(self, message: Message) -> None:
        """Return once the broker has it.

        Raises:
            Lost: The connection broke; the broker may have it or not.
        """
        if not self.open:
            raise Lost("there is no connection")
        broker = self._broker
        if broker.rng.random() < broker.misfortune.lost_publish:
            if broker.rng.random() < 0.5:
                broker.take(message)
            self.lose()
            raise Lost("the connection broke while publishing")
        await asyncio.sleep(broker.rng.uniform(*TRAVEL_SECONDS) / 4)
        if not self.open:
            raise Lost("the connection broke while publishing")
        broker.take(message)
        await asyncio.sleep(broker.rng.uniform(*TRAVEL_SECONDS) / 4 + broker.acknowledges_after)
        if not self.open:
            raise Lost("the connection broke before the acknowledgement")

    def lose(self) -> None:
        """Break; what is under way is lost."""
        if self.open:
            self.open = False
            self._broker.gone(self)
            self._lost()

    def _hand_over(self, delivered: Delivered) -> None:
        if self.open:
            self._unacknowledged.append(delivered.packet_id)
            self._hear(delivered)

    def _acknowledged(self, packet_id: int) -> None:
        if self.open:
            self._broker.forget(packet_id)
