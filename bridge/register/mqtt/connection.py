"""One MQTT connection: a paho client, driven from the event loop, thrown away when it breaks.

Only this module and `mqtt_options` know the MQTT library. It drives `paho` directly, not by
aiomqtt, whose shell around the same library lacks what the contract rests on: it reports a
publish that the broker refused as done, cannot tell a delivery of the last connection from one
of this connection (so a late acknowledgement could hit the wrong message), drops what does not
fit its queue, and waits in a way that swallows cancellation on Python 3.11. Here a write goes to
the socket at once, without a turn of the loop.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from bridge.errors import BusError, MessageBreaks, MessageRefused
from bridge.register.mqtt.acknowledgements import Acknowledgements
from bridge.register.mqtt.messages import Away, Delivery, MqttSettings, Protocol
from bridge.register.mqtt.properties import (
    connect_properties,
    publish_properties,
    subscribe_options,
)
from bridge.register.mqtt.tls import make_tls_context

KEEPALIVE_SECONDS: Final = 15  # the broker speaks our will 1.5 times this after a silent death
GREETING_SECONDS_MAX: Final = 3.0  # a broker that listens answers in milliseconds
PUBACK_SECONDS_MAX: Final = 10.0  # a broker that holds back an acknowledgement longer is gone
EXPIRIES_MAX: Final = 16  # different ones whose properties are kept; the publisher has one
PUBLISH_PENDING_MAX: Final = 1000  # all documents of five registers at their limit

_WIRE_ERRORS: Final = (MQTTException, OSError, ValueError, IndexError, struct.error)
_LOGIN_REFUSED: Final = {0x86, 0x87}  # MQTT 5.0, section 3.2.2.2; paho maps 3.1.1's 4 and 5
_SESSION_TAKEN_OVER: Final = 0x8E
# Why a broker ends a connection because of one message (MQTT 5.0, section 3.14.2.1): malformed,
# bad topic, too large, over a quota, bad payload, no retained ones, no such QoS.
_POISON: Final = {0x81, 0x82, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B}
# A PUBLISH beside its topic and payload: header, lengths, packet id, and the properties we send.
_PACKET_OVERHEAD_BYTES: Final = 128
_FAILURE: Final = 0x80  # reason codes from here on are failures (MQTT 5.0, section 2.4)


class Lost(Exception):
    """A connection's end, and why.

    Attributes:
        away: The reason, for callers while there is no connection.
    """

    def __init__(self, code: str, text: str, *, stated: bool = False) -> None:
        super().__init__(text)
        self.away = Away(code, text, stated)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to listen to, and whether to be sent at once what is retained there (MQTT 5)."""

    topic: str
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we die; retained."""

    topic: str
    payload: bytes


class BrokerConnection:
    """One connection: a paho client on the event loop, thrown away when it breaks."""

    def __init__(
        self,
        number: int,
        settings: MqttSettings,
        protocol: Protocol,
        fence_topic: str,
        receive: Callable[[BrokerConnection, Delivery], None],
        *,
        client_id: str = "",
    ) -> None:
        """Make one that is not open yet.

        With `client_id` it has no session that outlives it; without, it is the bridge's own, whose
        commands wait while it is away.
        """
        self.number = number
        self.protocol: Protocol = protocol
        self.live = False
        self.packet_bytes_max: int | None = None  # the broker's, from its CONNACK
        self.overfull = False  # the owner had no room for a message
        self.broken = asyncio.Event()
        self.away = Away("lost", "the connection broke")
        self._settings = settings
        self._fence_topic = fence_topic
        self._epoch = ""
        self._publishing: dict[int, asyncio.Future[None]] = {}
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Any] = self._loop.create_future()
        self._acknowledgements = Acknowledgements()
        self._watched: int | None = None  # the socket's file descriptor, while the loop reads it
        self._writing = False
        self._closed = False
        self._passing = bool(client_id)
        self._greeted = False  # the broker has accepted our CONNECT
        # Made once: the library takes 30 us for it, as long as for all the rest of a publish.
        self._plain = publish_properties(None, None) if protocol == "5.0" else None
        self._expiring: dict[int, Properties] = {}  # by how long the broker keeps the message
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or settings.client_id,
            clean_session=None if protocol == "5.0" else bool(client_id),
            protocol=(
                MQTTProtocolVersion.MQTTv5 if protocol == "5.0" else MQTTProtocolVersion.MQTTv311
            ),
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._client.max_queued_messages_set(0)
        if settings.username:
            self._client.username_pw_set(settings.username, settings.password)

    async def open(self, will: Will | None) -> bool:
        """Connect; return whether the broker kept our session.

        Raises:
            Lost: With the reason.
        """
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        address = self._settings.address
        try:
            await self._loop.run_in_executor(None, self._connect)
        except ssl.SSLError as error:
            raise Lost("untrusted", f"no trusted TLS with {address}: {error}") from error
        except socket.gaierror as error:
            raise Lost("unreachable", f"the name {self._settings.host} is not known") from error
        except (*_WIRE_ERRORS, TimeoutError) as error:
            raise Lost("unreachable", f"nothing answers at {address}: {error}") from error
        sock = self._client.socket()
        if sock is None:
            raise Lost("unreachable", f"{address} hung up at once")
        assert isinstance(sock, socket.socket)  # paho's other kind is for websockets
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every command costs 40 ms
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_socket_close = self._on_socket_close
        self._watched = sock.fileno()
        self._loop.add_reader(self._watched, self._read)
        self._flush()
        try:
            async with asyncio.timeout(GREETING_SECONDS_MAX):
                session_present: bool = await self._answer
        except TimeoutError:  # amqtt's answer to a version that it does not know
            text = f"{address} did not answer our MQTT {self.protocol} greeting"
            raise Lost("wrong_protocol", text) from None
        return session_present

    def _connect(self) -> None:
        """Connect, in a thread: names, TCP and TLS block in paho."""
        properties = None
        if self.protocol == "5.0":
            properties = connect_properties(keep_session=not self._passing)
        context = None
        if self._settings.tls is not None:
            try:
                context = make_tls_context(self._settings.tls)
            except (OSError, ValueError) as error:
                raise Lost("tls_files", f"cannot use the TLS files: {error}") from error
            self._client.tls_set_context(context)
        try:
            self._client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=KEEPALIVE_SECONDS,
                clean_start=(
                    paho.MQTT_CLEAN_START_FIRST_ONLY if properties is None else self._passing
                ),
                properties=properties,
            )
        except OSError:
            if context is not None and context.made is not None:
                context.made.close()
            raise
        if self._closed:
            self._discard()

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Subscribe to all of them, at QoS 1.

        With MQTT 5 a message that was published as retained shows it (Retain As Published), and
        retained ones come at once only where they are wanted (Retain Handling).

        Raises:
            Lost: The broker refuses one of them, or the connection broke.
        """
        self._answer = self._loop.create_future()
        if self.protocol == "5.0":
            self._client.subscribe(
                [(one.topic, subscribe_options(one.retained)) for one in subscriptions]
            )
        else:
            self._client.subscribe([(one.topic, 1) for one in subscriptions])
        self._flush()
        codes: list[ReasonCode] = await self._answer
        for one, code in zip(subscriptions, codes, strict=False):
            if code.value >= _FAILURE:
                raise Lost("refused", f"the broker refuses our subscription to {one.topic}: {code}")

    def raise_fence(self, epoch: str) -> None:
        """Publish our marker; what comes after it has come back is live."""
        self._epoch = epoch
        self._write(self._fence_topic, epoch.encode(), 1, False, None)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        qos: int,
        expiry_seconds: int | None,
        correlation: bytes | None,
    ) -> None:
        """Return when the broker has the message (qos 1) or the socket has it (qos 0).

        Raises:
            BusError: The connection broke, the broker refused or does not answer, or too many wait.
        """
        if len(self._publishing) >= PUBLISH_PENDING_MAX:
            raise BusError(f"{PUBLISH_PENDING_MAX} messages wait for the broker already")
        limit = self.packet_bytes_max
        size = len(topic.encode()) + len(payload) + len(correlation or b"") + _PACKET_OVERHEAD_BYTES
        if limit is not None and size > limit:
            raise MessageRefused(
                f"the broker takes packets of {limit} bytes at most, this one has some {size}"
            )
        properties = self._plain
        if self.protocol == "5.0" and not (expiry_seconds is None and correlation is None):
            properties = self._properties(expiry_seconds, correlation)
        packet_id = self._write(topic, payload, qos, retain, properties)
        if self.broken.is_set():
            raise BusError(self.away.text)
        if qos == 0:
            return
        done = self._publishing[packet_id] = self._loop.create_future()
        try:
            async with asyncio.timeout(PUBACK_SECONDS_MAX):
                await done
        except TimeoutError:
            text = f"the broker did not acknowledge within {PUBACK_SECONDS_MAX:.0f} s"
            self.lose("lost", text)
            raise BusError(text) from None
        finally:
            self._publishing.pop(packet_id, None)

    def _properties(self, expiry_seconds: int | None, correlation: bytes | None) -> Properties:
        """Return what goes along with a message; all documents have the same."""
        if correlation is not None:
            return publish_properties(expiry_seconds, correlation)
        assert expiry_seconds is not None, "else it is a plain message"
        made = self._expiring.get(expiry_seconds)
        if made is None:
            if len(self._expiring) >= EXPIRIES_MAX:
                self._expiring.clear()
            made = self._expiring[expiry_seconds] = publish_properties(expiry_seconds, None)
        return made

    def say(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 without waiting; for answers given from within a delivery."""
        self._write(topic, payload, 1, False, self._plain)

    def _write(
        self, topic: str, payload: bytes, qos: int, retain: bool, properties: Properties | None
    ) -> int:
        """Write the message; return the packet id that its acknowledgement will carry."""
        info = self._client.publish(topic, payload, qos, retain, properties)
        self._flush()
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.lose("lost", "the connection broke")
        return info.mid

    def acknowledge(self, packet_id: int) -> None:
        """Send PUBACK, in the order of arrival (MQTT 5.0, section 4.6).

        An acknowledgement waits for those of earlier messages.
        """
        for leaving in self._acknowledgements.done(packet_id):
            self._client.ack(leaving, 1)
        self._flush()

    def tick(self) -> None:
        """Keep the connection alive, or notice that it is not."""
        self._guard(self._client.loop_misc)

    def lose(self, code: str, text: str, *, stated: bool = False, poison: bool = False) -> None:
        """Give this connection up; the first reason stays.

        `poison`: the broker ended it because of a message; with one under way, it is that one.
        """
        if self.broken.is_set():
            return
        self.away = Away(code, text, stated)
        self.broken.set()
        if not self._answer.done():
            self._answer.set_exception(Lost(code, text, stated=stated))
        poisoned = poison and len(self._publishing) == 1
        for waiting in self._publishing.values():
            if not waiting.done():
                waiting.set_exception(MessageBreaks(text) if poisoned else BusError(text))

    def close(self) -> None:
        """Say goodbye where there is somebody to hear it, and free the socket."""
        if not self.broken.is_set() and self._watched is not None:
            self._guard(self._client.disconnect)
        self._closed = True
        self.lose("lost", "the connection was closed")
        self._answer.cancel()
        self._discard()

    def _discard(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            self._unwatch()
            sock.close()

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None

    def _read(self) -> None:
        self._guard(self._client.loop_read)
        sock = self._client.socket()
        while isinstance(sock, ssl.SSLSocket) and self._watched is not None and sock.pending():
            self._guard(self._client.loop_read)
        self._flush()

    def _flush(self) -> None:
        """Write what paho holds back, now or as soon as the socket takes it."""
        if self._client.want_write():
            self._guard(self._client.loop_write)
        wanted = self._watched is not None and self._client.want_write()
        if wanted == self._writing or self._watched is None:
            return
        self._writing = wanted
        if wanted:
            self._loop.add_writer(self._watched, self._flush)
        else:
            self._loop.remove_writer(self._watched)

    def _guard(self, call: Callable[[], object]) -> None:
        try:
            call()
        except _WIRE_ERRORS as error:
            self.lose("lost", f"the connection broke: {error}")

    def _on_connect(
        self, _client: object, _data: object, flags: Any, code: ReasonCode, properties: object
    ) -> None:
        if self._answer.done():
            return
        if code.value == 0:
            self._greeted = True
            self.packet_bytes_max = getattr(properties, "MaximumPacketSize", None)
            self._answer.set_result(bool(flags.session_present))
            return
        user = self._settings.username or "(none)"
        if code.value in _LOGIN_REFUSED:
            stated = _stated(code, properties)
            text = f"the broker refuses user {user}: {stated}; check name and password"
            away = Away("login_refused", text)
        elif code.getName() == "Unsupported protocol version":
            away = Away("wrong_protocol", f"the broker does not speak MQTT {self.protocol}")
        else:
            away = Away(
                "refused", f"the broker refuses the connection: {_stated(code, properties)}"
            )
        self.lose(away.code, away.text, stated=True)

    def _on_disconnect(
        self, _client: object, _data: object, flags: Any, code: ReasonCode, properties: object
    ) -> None:
        if (
            not self._greeted
            and not self.broken.is_set()
            and not flags.is_disconnect_packet_from_server
        ):
            # Brokers of MQTT 3.1.1 may simply hang up on a CONNECT they do not understand.
            text = f"the broker hung up on our MQTT {self.protocol} greeting"
            if self._settings.tls is None:
                text += "; a port that speaks TLS does that: then say [mqtt.tls]"
            self.lose("wrong_protocol", text)
        elif flags.is_disconnect_packet_from_server:
            kind = "session_taken" if code.value == _SESSION_TAKEN_OVER else "lost"
            self.lose(
                kind,
                f"the broker ended the connection: {_stated(code, properties)}",
                stated=True,
                poison=code.value in _POISON,
            )
        else:
            self.lose("lost", f"the connection ended: {code}")

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, codes: Any, _properties: object
    ) -> None:
        if not self._answer.done():
            self._answer.set_result(codes)

    def _on_publish(
        self, _client: object, _data: object, mid: int, code: ReasonCode, properties: object
    ) -> None:
        waiting = self._publishing.get(mid)
        if waiting is None or waiting.done():
            return
        if code.value >= _FAILURE:
            text = f"the broker refused the message: {_stated(code, properties)}"
            waiting.set_exception(MessageRefused(text))
        else:
            waiting.set_result(None)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.qos > 0:
            self._acknowledgements.arrived(message.mid)
        if message.topic == self._fence_topic:
            # One of an earlier connection may come again first.
            self.live = self.live or bytes(message.payload) == self._epoch.encode()
            self.acknowledge(message.mid)
            return
        properties = message.properties
        self._receive(
            self,
            Delivery(
                topic=message.topic,
                payload=bytes(message.payload),
                retained=message.retain,
                live=self.live,
                expiry_seconds=getattr(properties, "MessageExpiryInterval", None),
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
                duplicate=message.dup,
                connection=self.number,
                packet_id=message.mid,
            ),
        )

    def _on_socket_close(self, _client: object, _data: object, _sock: object) -> None:
        self._unwatch()


def _stated(code: ReasonCode, properties: object) -> str:
    """Return the broker's reason in its own words: the code, and its Reason String if it gave one.

    Source: MQTT 5.0, section 3.2.2.3.9.
    """
    text = getattr(properties, "ReasonString", "")
    return f"{code}: {text}" if text else str(code)
