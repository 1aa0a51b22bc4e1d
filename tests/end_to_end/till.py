"""A cash register under a test's full control: it can also say what no register should."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.published import check_bridge
from tests.support.commands import start_fields

BASE = "paybridge/v1"
WAIT_SECONDS_MAX = 15.0
LOOK_SECONDS = 0.5  # how often somebody who waits looks whether it is worth it
RECONNECT_SECONDS = 0.05

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came from the broker."""

    topic: str
    payload: bytes
    retained: bool

    @property
    def content(self) -> Json:
        """The payload's JSON object; {} for an emptied topic."""
        found = json.loads(self.payload) if self.payload else {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Account:
    """How a till reaches its broker."""

    port: int
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class Till:
    """Hears everything below the base topic, in order, over all its connections."""

    def __init__(self, account: Account, register_id: str = "till-1") -> None:
        self.register_id = register_id
        self.heard: list[Heard] = []
        self.said: set[tuple[str, bytes]] = set()  # by this till, which may say anything
        self.prefix = f"{BASE}/registers/{register_id}"
        self.worth_waiting: Callable[[], bool] = lambda: True
        self._account = account
        self._client: aiomqtt.Client | None = None
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Till]:
        """Stay connected within the block; what the bridge said in it must be the contract's."""
        running = asyncio.create_task(self._run())
        try:
            await self.until(lambda: self._client, "the broker")
            yield self
            heard = [(one.topic, one.payload) for one in self.heard]
            check_bridge(one for one in heard if one not in self.said)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def _run(self) -> None:
        account = self._account
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1",
                    account.port,
                    username=account.user,
                    password=account.password,
                    tls_context=account.tls,
                    protocol=aiomqtt.ProtocolVersion.V5,
                ) as client:
                    for below in ("bridge/#", "terminals/#", f"registers/{self.register_id}/#"):
                        await client.subscribe(f"{BASE}/{below}", qos=1)
                    self._client = client
                    self._news.set()
                    async for message in client.messages:
                        payload = message.payload
                        assert isinstance(payload, (bytes, bytearray))
                        topic, kept = str(message.topic), bool(message.retain)
                        self.heard.append(Heard(topic, bytes(payload), kept))
                        self._news.set()
            self._client = None
            await asyncio.sleep(RECONNECT_SECONDS)

    # --- waiting

    async def until(
        self, check: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS_MAX
    ) -> T:
        """Return what `check` finds, asking it after every message; fail when time is up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (found := check()) is None:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            if loop.time() >= until or not self.worth_waiting():
                lately = [f"{one.topic} {one.payload[:300]!r}" for one in self.heard[-8:]]
                raise AssertionError("\n".join([f"waited for {what} in vain", *lately]))
        return found

    async def online(self, *, after: int = 0) -> int:
        """Wait until the service says that it is online; return how much was heard by then.

        What was heard before `after` is not it; what a service says of its terminals comes later.
        """
        topic = f"{BASE}/bridge/state"

        def found() -> int | None:
            states = [
                (position, one.content["state"])
                for position, one in enumerate(self.heard[after:], after)
                if one.topic == topic and one.payload
            ]
            return states[-1][0] if states and states[-1][1] == "online" else None

        return await self.until(found, "an online bridge")

    async def ready(self, *, after: int = 0) -> Json:
        """Wait until the terminal can take a payment; what was heard before is not it."""
        return await self.terminal(lambda d: bool(d["ready"]), after=after)

    async def terminal(self, fits: Callable[[Json], bool], *, after: int = 0) -> Json:
        """Wait for a state of the terminal that fits and is the last one known."""
        return await self.until(
            lambda: self._last(f"{BASE}/terminals/counter-1/state", after, fits),
            "a state of the terminal",
        )

    async def document(
        self,
        payment_id: str,
        fits: Callable[[Json], bool],
        what: str = "a document",
        *,
        after: int = 0,
        seconds: float = WAIT_SECONDS_MAX,
    ) -> Json:
        """Wait for a document of the payment that fits."""
        topic = f"{self.prefix}/payments/{payment_id}"
        return await self.until(
            lambda: next((d for d in self._all(topic, after) if fits(d)), None),
            f"{what} of {payment_id}",
            seconds,
        )

    async def status(self, payment_id: str, status: str, *, after: int = 0) -> Json:
        """Wait for the payment to have this status."""
        return await self.document(
            payment_id, lambda d: bool(d["status"] == status), status, after=after
        )

    async def recorded(self, payment_id: str, recording: str = "recorded") -> Json:
        """Wait until the payment's recording has this status."""
        return await self.document(
            payment_id, lambda d: bool(d["recording"]["status"] == recording), recording
        )

    def documents(self, payment_id: str) -> list[Json]:
        """Return the documents that came so far, oldest first."""
        return self._all(f"{self.prefix}/payments/{payment_id}", 0)

    def statuses(self, payment_id: str) -> list[str]:
        """Return the statuses that were shown, each once in a row."""
        shown: list[str] = []
        for document in self.documents(payment_id):
            if not shown or shown[-1] != document["status"]:
                shown.append(document["status"])
        return shown

    def _all(self, topic: str, after: int) -> list[Json]:
        return [one.content for one in self.heard[after:] if one.topic == topic and one.payload]

    def _last(self, topic: str, after: int, fits: Callable[[Json], bool]) -> Json | None:
        found = self._all(topic, after)
        return found[-1] if found and fits(found[-1]) else None

    # --- speaking

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        response_topic: str | None = None,
        expiry_seconds: int | None = None,
    ) -> None:
        """Publish anything anywhere."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        if response_topic is not None:
            properties.ResponseTopic = response_topic
        if expiry_seconds is not None:
            properties.MessageExpiryInterval = expiry_seconds
        self.said.add((topic, payload))
        client = await self.until(lambda: self._client, "the broker")
        await client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    async def send(self, operation: str, fields: Json, **options: Any) -> str:
        """Publish a command and return its request id; waits for no answer."""
        request_id = uuid.uuid4().hex[:12]
        payload = json.dumps({"request_id": request_id, **fields}).encode()
        await self.publish(f"{self.prefix}/request/{operation}", payload, **options)
        return request_id

    async def ask(self, operation: str, fields: Json, **options: Any) -> Json:
        """Publish a command and return the response."""
        return await self.response(await self.send(operation, fields, **options))

    async def response(self, request_id: str) -> Json:
        """Wait for the response to a request."""
        return await self.until(
            lambda: next(
                (
                    one.content
                    for one in self.heard
                    if one.topic.startswith(f"{self.prefix}/response/")
                    and one.content.get("request_id") == request_id
                ),
                None,
            ),
            f"a response to {request_id}",
        )

    async def start(self, amount: str = "12.00", **fields: Any) -> str:
        """Start a payment that is accepted; return its id."""
        payment_id = str(fields.pop("payment_id", None) or uuid.uuid4())
        response = await self.ask("payment/start", start_fields(payment_id, amount, **fields))
        assert response["status"] == "accepted", response
        return payment_id
