"""A cash register that talks to the bridge over MQTT, for demonstrations and tests.

It does what the contract asks of a register: it names the payment before it sends anything and
writes that name to its own file first; it sends the same request again while no response comes;
it believes documents, not messages; and after its own power cut it asks what became of the
payments that were open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from simulators.register.broker_address import Broker
from simulators.register.open_payments import Document, Ledger, new_payment_id

_LOGGER = logging.getLogger(__name__)

RESEND_SECONDS: Final = 3.0  # the contract: no response by then, the same request again
ATTEMPTS_MAX: Final = 20  # a minute of silence; then a person should look
GUARD_SECONDS: Final = 15  # how long a start may wait before it must not start any more
RECONNECT_SECONDS: Final = 0.5
FRESH_AGAIN: Final = {"stale_command", "command_expired", "retained_command"}


class NoAnswerError(Exception):
    """The bridge did not respond; what became of the request is not known."""


class Register:
    """One till. `run` keeps it connected; the other methods are what a cashier does.

    Args:
        broker: Where the broker is.
        register_id: As the broker's access list knows it.
        base: The contract's base topic.
        ledger: File for the payments that are open, None to forget them.
        resend_seconds: How long to wait for a response.
    """

    def __init__(
        self,
        broker: Broker,
        register_id: str,
        *,
        base: str = "paybridge/v1",
        ledger: Path | None = None,
        resend_seconds: float = RESEND_SECONDS,
    ) -> None:
        self.register_id = register_id
        self.documents: dict[str, Document] = {}
        self.bridge: Document = {}
        self.connected = asyncio.Event()
        self.ledger = Ledger(ledger)
        self._broker = broker
        self._base = base
        self._prefix = f"{base}/registers/{register_id}"
        self._resend_seconds = resend_seconds
        self._client: aiomqtt.Client | None = None
        self._responses: dict[str, asyncio.Future[Document]] = {}
        self._watchers: set[asyncio.Queue[tuple[str, Document]]] = set()
        self._asked = 0

    async def run(self) -> None:
        """Stay connected until cancelled."""
        trouble = ""
        while True:
            try:
                async with self._connection() as client:
                    await self._listen(client)
            except aiomqtt.MqttError as error:
                if str(error) != trouble:
                    _LOGGER.warning("register=%s no broker: %s", self.register_id, error)
                trouble = str(error)
                await asyncio.sleep(RECONNECT_SECONDS)
            finally:
                self._client = None
                self.connected.clear()

    async def pay(
        self, amount: str, *, currency: str = "EUR", payment_id: str | None = None, **fields: Any
    ) -> Document:
        """Start a payment; return the response. Its outcome is in `documents`.

        Raises:
            NoAnswerError: The payment may have started; it stays open in the ledger.
        """
        request = {
            "payment_id": payment_id or new_payment_id(),
            "type": "sale",
            "method": "card",
            "amounts": {"currency": currency, "requested_amount": amount},
            **fields,
        }
        self.ledger.opened(request["payment_id"], request)
        response = await self.ask("payment/start", request, guarded=True)
        if response["status"] == "error" and response["error"]["money_moved"] == "no":
            self.ledger.closed(request["payment_id"], response)
        return {**response, "payment_id": request["payment_id"]}

    async def cancel(self, payment_id: str) -> Document:
        """Ask for a payment to be stopped."""
        return await self.ask("payment/cancel", {"payment_id": payment_id})

    async def answer(self, prompt_id: str, *, confirmed: bool) -> Document:
        """Answer a question to the cashier; unanswered, it answers itself in time."""
        fields = {"prompt_id": prompt_id, "answer": {"confirmed": confirmed}}
        return await self.ask("prompt/answer", fields)

    async def status(self, payment_id: str, *, refresh: bool = False) -> Document:
        """Have a payment's document published again."""
        return await self.ask("payment/status", {"payment_id": payment_id, "refresh": refresh})

    async def list_payments(self, *, only_open: bool | None = None, limit: int = 50) -> Document:
        """List this register's payments."""
        return await self.ask("payment/list", {"filter": {"open": only_open}, "limit": limit})

    async def acknowledge(self, payment_id: str) -> Document:
        """Say that the document we have is kept."""
        document = self.documents[payment_id]
        self.ledger.closed(payment_id, document)
        return await self.ask(
            "payment/acknowledge", {"payment_id": payment_id, "rev": document["rev"]}
        )

    async def recover(self) -> list[Document]:
        """After a power cut: ask about every payment that was open; return the responses.

        A payment that the bridge has never heard of moved no money and is closed; it is not
        started again, for the shopper may have left.
        """
        responses = []
        for payment_id in tuple(self.ledger.open):
            response = await self.status(payment_id, refresh=True)
            responses.append(response)
            error = response.get("error") or {}
            if error.get("code") == "payment_not_found":
                self.ledger.closed(payment_id, response)
        return responses

    async def final(self, payment_id: str) -> Document:
        """Wait for the payment's final document, however long that takes."""
        async for _ in self.watch():
            document = self.documents.get(payment_id)
            if document is not None and document["final"]:
                return document
        raise AssertionError("a watch does not end")

    async def watch(self) -> AsyncIterator[tuple[str, Document]]:
        """Yield topic and content of all that is published for this register, for ever.

        It begins with the documents that are known already.
        """
        queue: asyncio.Queue[tuple[str, Document]] = asyncio.Queue()
        for payment_id, document in self.documents.items():
            queue.put_nowait((f"{self._prefix}/payments/{payment_id}", document))
        self._watchers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    async def ask(self, operation: str, fields: Document, *, guarded: bool = False) -> Document:
        """Send a request until its response comes; return the response.

        Args:
            operation: E.g. `payment/cancel`.
            fields: What belongs to the command; the envelope is added.
            guarded: Whether the command must not start late.

        Raises:
            NoAnswerError: No response to `ATTEMPTS_MAX` sendings.
        """
        self._asked += 1
        request_id = f"{self.register_id}-{os.getpid()}-{self._asked}"
        for _ in range(ATTEMPTS_MAX):
            response = await self._send_once(
                operation, {**self._guards(guarded), **fields}, request_id
            )
            if response is None:
                continue
            code = (response.get("error") or {}).get("code")
            if code not in FRESH_AGAIN:
                return response
            await asyncio.sleep(RECONNECT_SECONDS)  # for the bridge's new state to arrive
        raise NoAnswerError(f"no response to {operation} after {ATTEMPTS_MAX} attempts")

    def _guards(self, guarded: bool) -> Document:
        now = datetime.now(UTC)
        guards: Document = {"sent_at": _time_text(now)}
        if guarded:
            guards["expires_at"] = _time_text(now + timedelta(seconds=GUARD_SECONDS))
            if epoch := self.bridge.get("epoch"):
                guards["bridge_epoch"] = epoch
        return guards

    async def _send_once(
        self, operation: str, fields: Document, request_id: str
    ) -> Document | None:
        waiting: asyncio.Future[Document] = asyncio.get_running_loop().create_future()
        self._responses[request_id] = waiting
        try:
            async with asyncio.timeout(self._resend_seconds):
                await self.connected.wait()
                assert self._client is not None
                await self._client.publish(
                    f"{self._prefix}/request/{operation}",
                    json.dumps({"request_id": request_id, **fields}),
                    qos=1,
                    properties=self._properties(request_id),
                )
                return await waiting
        except (TimeoutError, aiomqtt.MqttError):
            return None
        finally:
            self._responses.pop(request_id, None)

    def _properties(self, request_id: str) -> Properties | None:
        if not self._broker.mqtt5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        properties.CorrelationData = request_id.encode()
        properties.MessageExpiryInterval = GUARD_SECONDS
        return properties

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiomqtt.Client]:
        state = f"{self._prefix}/state"
        version = aiomqtt.ProtocolVersion.V5 if self._broker.mqtt5 else aiomqtt.ProtocolVersion.V311
        async with aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            identifier=f"register-{self.register_id}-{os.getpid()}",
            protocol=version,
            tls_context=self._broker.tls,
            will=aiomqtt.Will(state, json.dumps({"state": "offline"}), qos=1, retain=True),
        ) as client:
            for below in ("bridge", "terminals", f"registers/{self.register_id}"):
                await client.subscribe(f"{self._base}/{below}/#", qos=1)
            online = {"state": "online", "software": "paybridge simulator"}
            await client.publish(state, json.dumps(online), qos=1, retain=True)
            yield client

    async def _listen(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.connected.set()
        async for message in client.messages:
            payload = message.payload
            if not payload:
                continue  # an emptied topic: the document was taken away
            try:
                content = json.loads(payload)
            except ValueError:
                continue  # not of this contract
            if isinstance(content, dict):
                self._take(str(message.topic), content)

    def _take(self, topic: str, content: Document) -> None:
        match topic.removeprefix(self._base + "/").split("/"):
            case ["bridge", "state"]:
                self.bridge = content
            case ["registers", _, "response", *_]:
                waiting = self._responses.get(content.get("request_id", ""))
                if waiting is not None and not waiting.done():
                    waiting.set_result(content)
            case ["registers", _, "payments", payment_id]:
                if content.get("rev", 0) <= self.documents.get(payment_id, {}).get("rev", 0):
                    return  # delivered again, or late
                self.documents[payment_id] = content
            case ["registers", _, "request" | "state", *_] | ["bridge", "fence", *_]:
                return
        for queue in self._watchers:
            queue.put_nowait((topic, content))


def _time_text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
