"""The wire to the registers: one MQTT connection, kept for ever. It decides nothing about money.

Each connection is a fresh `Link`: what was not acknowledged on the last one comes again from the
broker, what was not published is published again by the caller's journal.

    CONNECT ── CONNACK ── SUBSCRIBE ── SUBACK ── `Connected` queued ── PUBLISH fence ── …
                  └─ deliveries kept by the session: `live=False` until our own fence comes back
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from bridge.errors import BusError
from bridge.register.api import Topics
from bridge.register.mqtt.connection import Link, Lost, Subscription
from bridge.register.mqtt.messages import Away, Connected, Delivery, MqttSettings, Protocol
from bridge.register.mqtt.properties import RECEIVE_MAX

_LOGGER = logging.getLogger(__name__)

TICK_SECONDS: Final = 2.0  # how often the keep-alive is looked at
QUEUE_MAX: Final = 200  # for 3.1.1 brokers, which know no receive maximum
BACKOFF_SECONDS_MIN: Final = 0.2  # a restarted mosquitto listens again after 0.1 s
BACKOFF_SECONDS_MAX: Final = 10.0  # as long as a clerk waits before calling somebody
STABLE_SECONDS: Final = 10.0  # a connection that lived this long was a good one
CONNECT_SECONDS_MAX: Final = 10.0  # TCP, TLS, CONNACK and SUBACK together
SHORT_LIVED_MAX: Final = 3  # connections in a row; brokers hang up on a double without a word
_SESSION_TAKEN: Final = (
    "the broker hangs up again and again, as when somebody else connects as client {!r}; "
    "every bridge needs its own client id"
)
FENCE_SECONDS_MAX: Final = 10.0  # then somebody should know that our marker does not come back


class Mqtt:
    """The registers' bus. One task runs `run`, one consumer calls `next`; the rest is free.

    Args:
        settings: Where the broker is.
        base_topic: The contract's base, e.g. `paybridge/v1`.
        will: Payload that the broker publishes on the bridge's state when we die.
        new_epoch: Makes the name of each new connection.
        rng: Chance for the back-off.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        base_topic: str,
        will: bytes,
        new_epoch: Callable[[], str],
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._topics = Topics(base_topic)
        self._will = will
        self._new_epoch = new_epoch
        self._rng = rng
        self._queue: asyncio.Queue[Connected | Delivery] = asyncio.Queue()  # bounded by `_receive`
        self._early: list[Delivery] = []  # came before the connection was handed out
        self._link: Link | None = None
        self._links_made = 0
        self._links_welcomed = 0
        self._protocol: Protocol = "3.1.1" if settings.protocol == "3.1.1" else "5.0"
        self._away = Away("starting", "no connection was tried yet")

    @property
    def connected(self) -> bool:
        """Whether `publish` has somebody to talk to."""
        return self._link is not None

    @property
    def protocol(self) -> Protocol | None:
        """What is spoken now, None while there is no connection."""
        return self._protocol if self._link is not None else None

    @property
    def away(self) -> Away | None:
        """Why there is no connection, None while there is one."""
        return None if self._link is not None else self._away

    async def run(self) -> None:
        """Connect, and connect again, for ever; cancel to stop.

        When cancelled it says goodbye, and the broker then keeps the will to itself: publish the
        bridge's last state before.
        """
        loop = asyncio.get_running_loop()
        failures = short_lived = 0
        while True:
            began = loop.time()
            links = self._links_welcomed
            try:
                await self._hold_connection()
            except Lost as lost:
                away = lost.away
            stable = loop.time() - began >= STABLE_SECONDS
            failures = 1 if stable else failures + 1
            short_lived = 0 if stable else short_lived + self._links_welcomed - links
            if short_lived >= SHORT_LIVED_MAX and away.code == "lost":
                away = Away("session_taken", _SESSION_TAKEN.format(self._settings.client_id))
            self._tell(away)
            backoff = min(BACKOFF_SECONDS_MIN * 2 ** min(failures - 1, 10), BACKOFF_SECONDS_MAX)
            await asyncio.sleep(backoff * self._rng.uniform(0.5, 1.0))
            # A new connection would only bring again what still waits here.
            while self._queue.qsize() > RECEIVE_MAX:  # noqa: ASYNC110 - rare, and never in a hurry
                await asyncio.sleep(BACKOFF_SECONDS_MIN)

    async def next(self) -> Connected | Delivery:
        """Return what comes next, in order. Cancelled, it leaves everything in the queue."""
        return await self._queue.get()

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that `delivery` is safe with us. Harmless when repeated.

        After the connection broke this does nothing: the broker delivers it once more, as a
        duplicate, and the journal knows it.
        """
        link = self._link
        if link is not None and link.number == delivery.connection:
            link.acknowledge(delivery.packet_id)

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
        """Return when the broker has the message (qos 1) or the socket has it (qos 0).

        Publishes do not wait for each other and stay in order. Cancelled, the message may be
        sent or not.

        Args:
            topic: Without wildcards.
            payload: At most what the broker takes; empty and retained, it clears the topic.
            retain: Keep it for later subscribers.
            qos: 0 or 1.
            expiry_seconds: How long the broker keeps it; nothing in MQTT 3.1.1.
            correlation: MQTT 5 Correlation Data; nothing in MQTT 3.1.1.

        Raises:
            BusError: There is no connection, it broke, or the broker refused the message.
        """
        link = self._link
        if link is None:
            raise BusError(self._away.text)
        await link.publish(
            topic,
            payload,
            retain=retain,
            qos=qos,
            expiry_seconds=expiry_seconds,
            correlation=correlation,
        )

    async def _hold_connection(self) -> None:
        """Connect and stay until the connection breaks.

        Raises:
            Lost: Always, but for cancellation.
        """
        self._links_made += 1
        fence = self._topics.fence(self._settings.client_id)
        link = Link(self._links_made, self._settings, self._protocol, fence, self._receive)
        self._early.clear()
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                session_present = await link.open(self._topics.bridge_state, self._will)
                await link.subscribe(
                    Subscription(self._topics.all_requests),
                    Subscription(self._topics.all_register_states, retained=True),
                    Subscription(fence),
                )
            self._welcome(link, session_present)
            await self._watch(link)
        except TimeoutError:
            raise Lost("unreachable", f"{self._settings.address} does not answer") from None
        except Lost as lost:
            if self._settings.protocol == "auto" and lost.away.code == "wrong_protocol":
                self._protocol = "3.1.1" if link.protocol == "5.0" else "5.0"
                _LOGGER.info(
                    "broker does not speak MQTT %s, next: %s", link.protocol, self._protocol
                )
            raise
        finally:
            self._link = None
            link.close()

    def _welcome(self, link: Link, session_present: bool) -> None:
        """Hand out the connection; everything of it stands behind its `Connected`."""
        epoch = self._new_epoch()
        self._link = link
        self._links_welcomed += 1
        self._queue.put_nowait(Connected(epoch, link.protocol, session_present))
        for delivery in self._early:
            self._queue.put_nowait(delivery)
        self._early.clear()
        link.raise_fence(epoch)
        _LOGGER.info(
            "broker connected address=%s protocol=%s session=%s epoch=%s",
            self._settings.address,
            link.protocol,
            "kept" if session_present else "new",
            epoch,
        )

    async def _watch(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        fence_due: float | None = loop.time() + FENCE_SECONDS_MAX
        while not link.broken.is_set():
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await link.broken.wait()
            except TimeoutError:
                link.tick()
            if link.overfull and self._queue.empty():
                # Only a new connection makes the broker send again what had no room.
                link.lose("flooded", f"more than {QUEUE_MAX} messages came at once")
            if fence_due is not None and not link.live and loop.time() >= fence_due:
                fence_due = None
                _LOGGER.warning(
                    "broker does not return our marker topic=%s, so commands without expires_at "
                    "or bridge_epoch are refused; check its access list",
                    self._topics.fence(self._settings.client_id),
                )
        raise Lost(link.away.code, link.away.text)

    def _receive(self, link: Link, delivery: Delivery) -> None:
        """Queue one message, or leave it with the broker when there are too many."""
        if self._queue.qsize() + len(self._early) >= QUEUE_MAX:
            link.overfull = True
        elif link is self._link:
            self._queue.put_nowait(delivery)
        else:
            self._early.append(delivery)

    def _tell(self, away: Away) -> None:
        """Log a new reason once: an error where a person must act, a warning else."""
        if away != self._away:
            person = away.code in {"login_refused", "untrusted", "tls_files", "session_taken"}
            level = logging.ERROR if person else logging.WARNING
            _LOGGER.log(level, "broker away reason=%s %s", away.code, away.text)
        self._away = away
