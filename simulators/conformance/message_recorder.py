"""Listens to everything below the base topic, and can say what the broker might say twice."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from bridge.errors import BusError
from bridge.register.api import Topics
from simulators.conformance.transcript import Heard, Transcript

SWEEP_SECONDS = 1.0  # retained messages come at once after a subscription

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and as whom the bridge and the recorder go there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    mqtt5: bool = True

    def client(self) -> aiomqtt.Client:
        """Return a client that is not connected yet."""
        return aiomqtt.Client(
            self.host,
            self.port,
            username=self.username,
            password=self.password,
            tls_context=ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None,
            protocol=aiomqtt.ProtocolVersion.V5 if self.mqtt5 else aiomqtt.ProtocolVersion.V311,
        )


class MessageRecorder:
    """One connection for the whole run. `run` listens; the rest looks at what was heard."""

    def __init__(self, address: BrokerAddress, register_id: str, topics: Topics) -> None:
        self.transcript = Transcript([], register_id, topics)
        self.scenario = ""
        self._address = address
        self._topics = topics
        self._news = asyncio.Event()
        self._client: aiomqtt.Client | None = None

    async def run(self) -> None:
        """Listen until canceled.

        Raises:
            BusError: There is no such broker, or it went away.
        """
        try:
            async with self._address.client() as client:
                await self._subscribe(client, f"{self._topics.base}/#")
                self._client = client
                self._news.set()
                async for message in client.messages:
                    self._hear(message)
        except aiomqtt.MqttError as error:
            where = f"{self._address.host}:{self._address.port}"
            raise BusError(f"no broker at {where}: {error}") from error

    async def connected(self) -> None:
        """Wait until everything is being heard."""
        while self._client is None:
            self._news.clear()
            await self._news.wait()

    async def until(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """Return what `look` finds, asked after every message; None when time is up."""
        try:
            async with asyncio.timeout(seconds):
                while (found := look()) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return found

    async def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish something in the bridge's place."""
        assert self._client is not None, "connected first"
        await self._client.publish(topic, payload, qos=1, retain=retain)

    async def sweep(self) -> None:
        """Hear which commands the broker has kept; some brokers tell only a new subscriber.

        Called when the register is at rest: what comes now was retained.
        """
        kept = f"{self._topics.register(self.transcript.register_id)}/request/#"
        async with self._address.client() as client:
            await self._subscribe(client, kept)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    async for message in client.messages:
                        self._hear(message, kept=True)
            except TimeoutError:
                return

    async def _subscribe(self, client: aiomqtt.Client, topic: str) -> None:
        if self._address.mqtt5:
            await client.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=True))
        else:
            await client.subscribe(topic, qos=1)

    def _hear(self, message: aiomqtt.Message, *, kept: bool = False) -> None:
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self.transcript.heard.append(
            Heard(
                str(message.topic),
                bytes(message.payload),
                datetime.now(UTC),
                self.scenario,
                bool(message.retain) or kept,
                message.qos,
                expiry,
            )
        )
        self._news.set()
