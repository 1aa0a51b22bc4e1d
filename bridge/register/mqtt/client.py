"""The wire to the registers: one MQTT connection, kept for ever. It decides nothing about money.

Each connection is a fresh `BrokerConnection`: what was not acknowledged on the last one comes again
from the broker, what was not published is published again by the caller's journal.

    (asks on a connection of its own whether another bridge serves: `authority.py`)
    CONNECT ── CONNACK ── SUBSCRIBE ── SUBACK ── `Connected` queued ── PUBLISH fence ── …
                  └─ deliveries kept by the session: `live=False` until our own fence comes back
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from typing import Final

from bridge.errors import BusError, MessageRefused
from bridge.register.api.topics import PaymentTopic, Topics
from bridge.register.mqtt.authority import (
    HOLDER_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    Authority,
    Other,
    Word,
    decode_record,
    decode_word,
    encode_record,
)
from bridge.register.mqtt.connection import BrokerConnection, Lost, Subscription, Will
from bridge.register.mqtt.inbox import HELD_MAX, Inbox
from bridge.register.mqtt.messages import (
    Away,
    Connected,
    Delivery,
    Excess,
    MqttSettings,
    Protocol,
)
from bridge.register.mqtt.properties import RECEIVE_MAX

_LOGGER = logging.getLogger(__name__)

TICK_SECONDS: Final = 2.0  # how often the keep-alive is looked at
BACKOFF_SECONDS_MIN: Final = 0.2  # a restarted mosquitto listens again after 0.1 s
BACKOFF_SECONDS_MAX: Final = 10.0  # as long as a cashier waits before calling somebody
STABLE_SECONDS: Final = 10.0  # a connection that lived this long was a good one
CONNECT_SECONDS_MAX: Final = 10.0  # TCP, TLS, CONNACK and SUBACK together
SHORT_LIVED_MAX: Final = 3  # connections in a row; brokers hang up on a double without a word
_SESSION_TAKEN: Final = (
    "{}; it does so again and again, as when somebody else connects with the client id {!r}. Only "
    "one bridge may serve a base topic: stop the other program"
)
MARK_SECONDS_MAX: Final = 3.0  # until a word of ours is back; else the access list swallows it
LOOK_SECONDS: Final = 30.0  # how often one that stands behind asks whether the other is alive
SHOWN_PAYMENTS_MAX: Final = 20_000  # retained documents that are looked at once, at the start
FENCE_SECONDS_MAX: Final = 10.0  # then somebody should know that our marker does not come back


class Mqtt:
    """The registers' bus. One task runs `run`, one consumer calls `next`; the rest is free.

    Args:
        settings: Where the broker is.
        base_topic: The contract's base, e.g. `paybridge/v1`.
        will: Payload that the broker publishes on the bridge's state when we die.
        new_epoch: Makes the name of each new connection.
        rng: Chance for the back-off.
        authority: Who serves the base topic; None serves without asking anybody.
        new_nonce: Names an ask, so that its answers are known; of use with `authority` only.
        changed: Called when health has something new to say of who serves.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        base_topic: str,
        will: bytes,
        new_epoch: Callable[[], str],
        rng: random.Random,
        authority: Authority | None = None,
        new_nonce: Callable[[], str] = lambda: "",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._topics = Topics(base_topic)
        self._will = will
        self._new_epoch = new_epoch
        self._rng = rng
        self._inbox = Inbox(self._topics)
        self._link: BrokerConnection | None = None
        self._links_made = 0
        self._links_welcomed = 0
        self._protocol: Protocol = "3.1.1" if settings.protocol == "3.1.1" else "5.0"
        self._away = Away("starting", "no connection was tried yet")
        self._authority = authority
        self._new_nonce = new_nonce
        self._changed = changed
        self._shown: dict[str, None] | None = {}  # payments whose documents are retained
        self._documents: asyncio.Future[tuple[str, ...]] | None = None
        self._look = asyncio.Event()  # somebody wants the others asked now
        self._looked: asyncio.Future[bool] | None = None
        self._record: Other | None = None  # whose the base topic is, as the broker retains it
        self._marked = asyncio.Event()
        self._mark_nonce = ""

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

    @property
    def authority(self) -> Authority | None:
        """Who serves the base topic, as far as this bridge knows."""
        return self._authority

    async def retained_documents(self) -> tuple[str, ...]:
        """Return the payments whose documents the broker retained when we first served."""
        if self._documents is None:
            self._documents = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._documents)

    async def is_other_alive(self) -> bool:
        """Ask the bridge behind which this one stands; False: it did not answer in time.

        Raises:
            BusError: There is no connection to ask on, or this bridge does not stand behind.
        """
        if self._authority is None or self._away.code != "standing_by":
            raise BusError(self._away.text if self._link is None else "this bridge serves")
        if self._looked is None or self._looked.done():
            self._looked = asyncio.get_running_loop().create_future()
        self._look.set()
        return await self._looked

    def take_over(self) -> None:
        """Serve the base topic from now on; a person said so, and the other one is silent."""
        assert self._authority is not None, "there is somebody to take over from"
        self._authority.take()
        self._look.set()

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
            if short_lived >= SHORT_LIVED_MAX and away.code == "lost" and not away.stated:
                text = _SESSION_TAKEN.format(away.text, self._settings.client_id)
                away = Away("session_taken", text)
            self._tell(away)
            backoff = min(BACKOFF_SECONDS_MIN * 2 ** min(failures - 1, 10), BACKOFF_SECONDS_MAX)
            await asyncio.sleep(backoff * self._rng.uniform(0.5, 1.0))
            # A new connection would only bring again what still waits here.
            while len(self._inbox) > RECEIVE_MAX:  # noqa: ASYNC110 - rare, and never in a hurry
                await asyncio.sleep(BACKOFF_SECONDS_MIN)

    async def next(self) -> Connected | Delivery | Excess:
        """Return what is next in turn; see `Inbox`. Cancelled, it leaves everything there."""
        return await self._inbox.next()

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
        asking: BrokerConnection | None = None
        link: BrokerConnection | None = None
        topics, authority = self._topics, self._authority
        try:
            if authority is not None:
                asking = self._asking_link(authority)
                await self._ask(asking, authority)
            self._links_made += 1
            fence = topics.fence(self._settings.client_id)
            link = BrokerConnection(
                self._links_made, self._settings, self._protocol, fence, self._receive
            )
            self._inbox.prepare()
            also = []
            if authority is not None:
                also = [Subscription(topics.authority_words), Subscription(topics.bridge_state)]
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                session_present = await link.open(Will(topics.bridge_state, self._will))
                await link.subscribe(
                    Subscription(topics.all_requests),
                    Subscription(topics.all_register_states, retained=True),
                    Subscription(fence),
                    *also,
                )
                if asking is not None and authority is not None:
                    await self._hold_record(link, authority)
                    asking.close()
                    self._tell_documents()
            self._welcome(link, session_present)
            await self._watch(link)
        except TimeoutError:
            raise Lost("unreachable", f"{self._settings.address} does not answer") from None
        except Lost as lost:
            if self._settings.protocol == "auto" and lost.away.code == "wrong_protocol":
                spoken = self._protocol
                self._protocol = "3.1.1" if spoken == "5.0" else "5.0"
                _LOGGER.info("broker does not speak MQTT %s, next: %s", spoken, self._protocol)
            raise
        finally:
            self._link = None
            for one in (asking, link):
                if one is not None:
                    one.close()

    def _tell_documents(self) -> None:
        """Hand out what was retained; our record stands by now, so whoever wants may begin anew."""
        if self._shown is None:
            return
        if self._documents is None:
            self._documents = asyncio.get_running_loop().create_future()
        if not self._documents.done():
            self._documents.set_result(tuple(self._shown))
        self._shown = None  # from now on every document is our own

    def _asking_link(self, authority: Authority) -> BrokerConnection:
        """Return a connection that only asks: no will, and no session that takes commands."""
        name = f"{self._settings.client_id}-asks-{authority.me.instance_id[:8]}"
        return BrokerConnection(0, self._settings, self._protocol, "", self._listen, client_id=name)

    async def _ask(self, link: BrokerConnection, authority: Authority) -> None:
        """Return once we may serve; until then stay here, and serve nothing.

        Raises:
            Lost: The connection broke, or the broker refuses it.
        """
        topics = self._topics
        self._record = None
        documents = [] if self._shown is None else [Subscription(topics.all_payments, True)]
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            await link.open(None)
            await link.subscribe(
                Subscription(topics.authority_holder, retained=True),
                Subscription(topics.authority_words),
                *documents,
            )
        is_heard = await self._mark(link, authority)
        while True:
            may_serve = authority.consider(self._record)
            await self._speak(link, authority.ask(self._new_nonce()))
            patience = HOLDER_PATIENCE_SECONDS if authority.holds else PATIENCE_SECONDS
            await self._wait(link, patience)
            if may_serve and authority.standing == "asking":
                break
            self._tell_behind(authority)
            if self._looked is not None and not self._looked.done():
                self._looked.set_result(authority.answered)
            await self._wait(link, LOOK_SECONDS if authority.behind else PATIENCE_SECONDS, True)
        if not is_heard:
            _LOGGER.error(
                "broker does not return our words topic=%s: another bridge below %s would not be "
                "heard; let the bridge read and write %s/bridge/#",
                topics.authority_words,
                topics.base,
                topics.base,
            )
        authority.serve()

    async def _mark(self, link: BrokerConnection, authority: Authority) -> bool:
        """Wait until a word of ours is back; what was retained has come before it."""
        nonce = self._new_nonce()
        self._marked = asyncio.Event()
        self._mark_nonce = nonce
        await self._speak(link, authority.mark(nonce))
        try:
            async with asyncio.timeout(MARK_SECONDS_MAX):
                await self._marked.wait()
        except TimeoutError:
            if link.broken.is_set():
                raise Lost(link.away.code, link.away.text, stated=link.away.stated) from None
            return False
        return True

    async def _speak(self, link: BrokerConnection, word: Word) -> None:
        try:
            await link.publish(
                self._topics.authority_words,
                word.encode(),
                retain=False,
                qos=1,
                expiry_seconds=None,
                correlation=None,
            )
        except MessageRefused as error:
            _LOGGER.debug("word refused: %s", error)  # said once by `_ask`: nothing comes back
        except BusError:
            raise Lost(link.away.code, link.away.text, stated=link.away.stated) from None

    async def _wait(
        self, link: BrokerConnection, seconds: float, for_a_person: bool = False
    ) -> None:
        """Listen so long, or until a person wants the others asked; keep the connection alive."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not link.broken.is_set() and loop.time() < until:
            if for_a_person and self._look.is_set():
                self._look.clear()
                return
            waiting = self._look if for_a_person else link.broken
            try:
                async with asyncio.timeout_at(min(until, loop.time() + TICK_SECONDS)):
                    await waiting.wait()
            except TimeoutError:
                link.tick()
        if link.broken.is_set():
            raise Lost(link.away.code, link.away.text, stated=link.away.stated)

    async def _hold_record(self, link: BrokerConnection, authority: Authority) -> None:
        """Leave the record that says whose base topic this is, before the first command."""
        try:
            await link.publish(
                self._topics.authority_holder,
                encode_record(authority.me),
                retain=True,
                qos=1,
                expiry_seconds=None,
                correlation=None,
            )
        except MessageRefused as error:
            _LOGGER.warning("topic=%s left out: %s", self._topics.authority_holder, error)
        except BusError:
            raise Lost(link.away.code, link.away.text, stated=link.away.stated) from None

    def _listen(self, link: BrokerConnection, delivery: Delivery) -> None:
        """Hear what comes on the connection that asks."""
        link.acknowledge(delivery.packet_id)
        if delivery.topic == self._topics.authority_holder:
            self._record = decode_record(delivery.payload)
        elif delivery.topic == self._topics.authority_words:
            self._hear(link, delivery.payload)
        elif self._shown is not None and delivery.payload:
            topic = self._topics.parse(delivery.topic)
            if (
                isinstance(topic, PaymentTopic)
                and len(self._shown) < SHOWN_PAYMENTS_MAX
                and is_document_of(delivery.payload, topic.payment_id)
            ):
                self._shown[topic.payment_id] = None

    def _hear(self, link: BrokerConnection, payload: bytes) -> None:
        word, authority = decode_word(payload), self._authority
        if word is None or authority is None:
            return
        if word.kind == "mark":
            if word.nonce == self._mark_nonce:
                self._marked.set()
            return
        served, rival = authority.standing == "serving", authority.rival
        answer = authority.hear(word)
        if answer is not None:
            link.say(self._topics.authority_words, answer.encode())
        if authority.rival != rival:
            self._changed()
            _LOGGER.error(
                "another bridge %s wants to serve %s, too; it stands by. Give it a base topic of "
                "its own, or stop it: another client_id is not enough",
                authority.rival,
                self._topics.base,
            )
        if served and authority.standing != "serving":
            self._tell_behind(authority)
            link.lose(self._away.code, self._away.text)

    def _tell_behind(self, authority: Authority) -> None:
        other = authority.behind or authority.ahead
        how = "answers" if authority.answered else "does not answer now"
        text = (
            f"{self._topics.base} belongs to another bridge, {other}, which {how}; this one "
            "serves nothing. Give it a base topic of its own, or stop the other one for good and "
            "run `paybridge take-over`"
        )
        if authority.behind is None:
            text = f"another bridge, {other}, began at the same time and goes first; asking again"
        self._tell(Away("standing_by", text))

    def _welcome(self, link: BrokerConnection, session_present: bool) -> None:
        """Hand out the connection; everything of it stands behind its `Connected`."""
        epoch = self._new_epoch()
        self._link = link
        self._links_welcomed += 1
        self._inbox.open(Connected(epoch, link.protocol, session_present))
        link.raise_fence(epoch)
        _LOGGER.info(
            "broker connected address=%s protocol=%s session=%s epoch=%s",
            self._settings.address,
            link.protocol,
            "kept" if session_present else "new",
            epoch,
        )

    async def _watch(self, link: BrokerConnection) -> None:
        loop = asyncio.get_running_loop()
        fence_due: float | None = loop.time() + FENCE_SECONDS_MAX
        while not link.broken.is_set():
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await link.broken.wait()
            except TimeoutError:
                link.tick()
            if link.overfull and not len(self._inbox):
                # Only a new connection makes the broker send again what had no room.
                link.lose("flooded", f"more than {HELD_MAX} messages came at once")
            if fence_due is not None and not link.live and loop.time() >= fence_due:
                fence_due = None
                _LOGGER.warning(
                    "broker does not return our marker topic=%s, so commands without expires_at "
                    "or bridge_epoch are refused; check its access list",
                    self._topics.fence(self._settings.client_id),
                )
        raise Lost(link.away.code, link.away.text, stated=link.away.stated)

    def _receive(self, link: BrokerConnection, delivery: Delivery) -> None:
        """Have one message wait its turn, or leave it with the broker when there are too many."""
        if self._authority is not None and delivery.topic == self._topics.authority_words:
            link.acknowledge(delivery.packet_id)
            self._hear(link, delivery.payload)
        elif self._inbox.is_full:
            link.overfull = True
        else:
            superseded = self._inbox.put(delivery)
            if superseded is not None and superseded.connection == link.number:
                link.acknowledge(superseded.packet_id)

    def _tell(self, away: Away) -> None:
        """Log a new reason once: an error where a person must act, a warning else."""
        if away != self._away:
            person = away.code in {
                "login_refused",
                "untrusted",
                "tls_files",
                "session_taken",
                "standing_by",
            }
            level = logging.ERROR if person else logging.WARNING
            _LOGGER.log(level, "broker away reason=%s %s", away.code, away.text)
        self._away = away


def is_document_of(payload: bytes, payment_id: str) -> bool:
    """Say whether this is a payment's document as we publish it, and not something else there."""
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(data, dict)
        and data.get("payment_id") == payment_id
        and isinstance(data.get("rev"), int)
        and isinstance(data.get("status"), str)
    )
