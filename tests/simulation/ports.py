"""The bridge's ways out of its process: each obeys `Alive`, so that the dead do nothing more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpcore
import httpx

from bridge.backoffice.login.session import LoginStatus
from bridge.backoffice.login.token_file import Storage
from bridge.errors import BackOfficeUnavailable, BusError, LineError, LoginRequired
from bridge.register.api.topics import Topics
from bridge.register.mqtt.acknowledgements import Acknowledgements
from bridge.register.mqtt.inbox import Inbox
from bridge.register.mqtt.messages import Away, Connected, Delivery, Excess
from drivers import contract as c
from simulators.broker import Broker, BrokerLink, Delivered, Lost, Message
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from tests.simulation.makes import Make
from tests.simulation.office import Office

RECONNECT_SECONDS = (0.2, 3.0)


@dataclass(slots=True)
class Alive:
    """Whether the process lives. Everything that leaves it asks here first."""

    yes: bool = True

    async def or_for_ever_silent(self) -> None:
        """Return at once for the living; never for the dead."""
        if not self.yes:
            await asyncio.get_running_loop().create_future()


class BridgeBus:
    """The broker as the desk and the publisher want it: connects again by itself."""

    def __init__(
        self,
        broker: Broker,
        alive: Alive,
        rng: random.Random,
        acknowledged: Callable[[Delivery], None],
        delivered: Callable[[Delivery], None],
        *,
        refused: Callable[[Delivery], None] = lambda _: None,
    ) -> None:
        self._broker = broker
        self._alive = alive
        self._rng = rng
        self._acknowledged = acknowledged
        self._delivered = delivered
        self._refused = refused  # handed over as too much
        self._inbox = Inbox(Topics())
        self._acknowledgements = Acknowledgements()  # of this connection
        self._link: BrokerLink | None = None
        self._lost = asyncio.Event()
        self.epochs: dict[int, str] = {}  # by the broker's number of the connection

    @property
    def connected(self) -> bool:
        return self._link is not None

    @property
    def protocol(self) -> Literal["5.0", "3.1.1"] | None:
        return self._broker.protocol if self._link is not None else None

    async def run(self) -> None:
        """Connect, and connect again."""
        while True:
            self._lost = asyncio.Event()
            try:
                link = self._broker.connect(self._hear, self._lost.set)
            except Lost:
                await asyncio.sleep(self._rng.uniform(*RECONNECT_SECONDS))
                continue
            self._link = link
            epoch = f"e{self._rng.getrandbits(40):010x}"
            self.epochs[link.number] = epoch
            self._acknowledgements = Acknowledgements()
            self._inbox.open(Connected(epoch, self._broker.protocol, link.session_present))
            await self._lost.wait()
            self._link = None
            await asyncio.sleep(self._rng.uniform(*RECONNECT_SECONDS))

    async def next(self) -> Connected | Delivery | Excess:
        await self._alive.or_for_ever_silent()
        got = await self._inbox.next()
        match got:
            case Delivery():
                self._delivered(got)
            case Excess(deliveries):
                for one in deliveries:
                    self._refused(one)
            case Connected():
                pass
        return got

    def acknowledge(self, delivery: Delivery) -> None:
        if not self._alive.yes:
            return
        self._acknowledged(delivery)
        self._acknowledge(delivery)

    def _acknowledge(self, delivery: Delivery) -> None:
        link = self._link
        if link is not None and link.number == delivery.connection:
            for packet_id in self._acknowledgements.done(delivery.packet_id):
                link.acknowledge(packet_id)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_seconds: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        await self._alive.or_for_ever_silent()
        link = self._link
        if link is None:
            raise BusError("the broker is away")
        try:
            await link.publish(Message(topic, payload, retain, correlation=correlation))
        except Lost as error:
            raise BusError(str(error)) from error

    @property
    def away(self) -> Away | None:
        return None if self._link is not None else Away("lost", "the broker is away")

    authority = None  # nobody else serves here

    async def retained_documents(self) -> tuple[str, ...]:
        return ()

    async def is_other_alive(self) -> bool:
        raise BusError("this bridge serves alone")

    def take_over(self) -> None:
        """There is nobody to take over from."""

    def die(self) -> None:
        """Lose the connection as a dead process does."""
        if self._link is not None:
            self._link.lose()

    def _hear(self, delivered: Delivered) -> None:
        if not self._alive.yes:
            return
        message = delivered.message
        self._acknowledgements.arrived(delivered.packet_id)
        superseded = self._inbox.put(
            Delivery(
                topic=message.topic,
                payload=message.payload,
                retained=delivered.retained,
                live=delivered.live,
                expiry_seconds=delivered.expiry_seconds,
                response_topic=message.response_topic,
                correlation=message.correlation,
                duplicate=delivered.duplicate,
                connection=delivered.connection,
                packet_id=delivered.packet_id,
            )
        )
        if superseded is not None:
            self._acknowledge(superseded)


class WatchedLine:
    """The near end of a terminal's cable; tells when an order about money leaves."""

    def __init__(
        self, end: CableEnd, alive: Alive, make: Make, ordered: Callable[[], None]
    ) -> None:
        self._end = end
        self._alive = alive
        self._make = make
        self._ordered = ordered

    async def read(self) -> bytes:
        await self._alive.or_for_ever_silent()
        return await self._end.read()

    def write(self, data: bytes) -> None:
        if self._alive.yes:
            if self._make.is_order(data):
                self._ordered()
            self._end.write(data)

    def close(self) -> None:
        self._end.close()


class WatchedDialogue:
    """The real dialogue; tells what it was begun for, and what it is told to be on disk."""

    def __init__(
        self,
        dialogue: c.Dialogue,
        began: Callable[[c.Operation], None],
        relied_on: Callable[[tuple[c.TerminalEvent, ...]], None],
    ) -> None:
        self._real = dialogue
        self._began = began
        self._relied_on = relied_on
        self._events: tuple[c.TerminalEvent, ...] = ()

    def begin(self, operation: c.Operation, now: float) -> c.Step:
        self._began(operation)
        return self._seen(self._real.begin(operation, now))

    def receive(self, data: bytes, now: float) -> c.Step:
        return self._seen(self._real.receive(data, now))

    def timeout(self, now: float) -> c.Step:
        return self._seen(self._real.timeout(now))

    def line_lost(self, now: float) -> c.Step:
        return self._seen(self._real.line_lost(now))

    def committed(self, now: float) -> c.Step:
        self._relied_on(self._events)
        return self._seen(self._real.committed(now))

    def not_committed(self, now: float) -> c.Step:
        return self._seen(self._real.not_committed(now))

    def cancel(self, now: float) -> c.Step:
        return self._seen(self._real.cancel(now))

    def _seen(self, step: c.Step) -> c.Step:
        self._events = step.events
        return step


class WatchedTerminal:
    """A terminal as one process reaches it: the real driver, and a cable that is watched."""

    def __init__(
        self,
        make: Make,
        port: MemoryPort,
        alive: Alive,
        rng: random.Random,
        *,
        on_order: Callable[[c.MoneyOperation, int], None],
        on_begin: Callable[[c.Operation], None],
        on_reliance: Callable[[str, tuple[c.TerminalEvent, ...]], None],
    ) -> None:
        self.api = make.driver.api
        self.name = make.driver.name
        self.version = make.driver.version
        self.settings = make.driver.settings
        self.serial_defaults = make.driver.serial_defaults
        self._make = make
        self._port = port
        self._alive = alive
        self._rng = rng
        self._on_order = on_order
        self._on_begin = on_begin
        self._on_reliance = on_reliance
        self._operation: c.Operation | None = None
        self._conversation = 0
        self._told = 0  # the conversation whose order was noted; a link repeats its frames
        self._line: WatchedLine | None = None

    def capabilities(self, settings: Any) -> c.Capabilities:
        return self._make.driver.capabilities(settings)

    def dialogue(self, settings: Any, transport: Literal["serial", "tcp"]) -> c.Dialogue:
        real = self._make.driver.dialogue(settings, transport)
        return WatchedDialogue(real, self._begin, self._relied_on)

    async def open_line(self) -> WatchedLine:
        """Open the port, which takes a moment.

        Raises:
            LineError: It is not there.
        """
        await self._alive.or_for_ever_silent()
        await asyncio.sleep(self._rng.uniform(0.001, 0.05))
        await self._alive.or_for_ever_silent()
        try:
            end = self._port.open()
        except FileNotFoundError as error:
            raise LineError("not_found", "the cable is unplugged") from error
        except ConnectionRefusedError as error:
            raise LineError("refused", "the terminal is off the network") from error
        self._line = WatchedLine(end, self._alive, self._make, self._ordered)
        return self._line

    def die(self) -> None:
        """Let go of the line as a dead process does."""
        if self._line is not None:
            self._line.close()

    def _begin(self, operation: c.Operation) -> None:
        self._operation = operation
        self._conversation += 1
        self._on_begin(operation)

    def _relied_on(self, events: tuple[c.TerminalEvent, ...]) -> None:
        operation = self._operation
        about = operation.about if isinstance(operation, c.Inquire) else operation
        if isinstance(about, c.MoneyOperation) and self._alive.yes:
            self._on_reliance(about.reference, events)

    def _ordered(self) -> None:
        if self._told != self._conversation and isinstance(self._operation, c.MoneyOperation):
            self._told = self._conversation
            self._on_order(self._operation, self._conversation)


class OfficeDoor(httpx.AsyncBaseTransport):
    """Carries requests to the simulated back office, and tells how far each got, as httpx does."""

    def __init__(self, office: Office, alive: Alive, rng: random.Random) -> None:
        self._office = office
        self._alive = alive
        self._rng = rng

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._alive.or_for_ever_silent()
        trace = request.extensions["trace"]
        await trace("connection.connect_tcp.started", {"host": request.url.host, "port": 443})
        await asyncio.sleep(self._rng.uniform(0.005, 0.05))
        await self._alive.or_for_ever_silent()
        if self._office.away:
            raise httpx.ConnectError("connection refused")
        wire = httpcore.Request(request.method, str(request.url))
        await trace("http11.send_request_headers.started", {"request": wire})
        body = await request.aread()
        answer = await self._office.answer(body, request.headers["authorization"])
        if answer is None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response")
        stream = httpx.ByteStream(answer.body)  # read once, as from a socket
        return httpx.Response(answer.status, headers=answer.headers, stream=stream)


class TokenPocket:
    """The login of one process: what the office's provider lets it have."""

    def __init__(self, office: Office, alive: Alive) -> None:
        self._office = office
        self._alive = alive
        self._token = ""

    status = LoginStatus(True, "till", "", None, "", Storage.PLAIN)

    async def run(self) -> None:
        """There is nothing to renew."""

    async def access_token(self) -> str:
        await self._alive.or_for_ever_silent()
        if self._office.login_needed:
            raise LoginRequired("nobody is logged in")
        if not self._token:
            if self._office.away:
                raise BackOfficeUnavailable("the provider does not answer")
            self._token = self._office.new_token()
        return self._token

    async def reject(self, token: str) -> None:
        if token == self._token:
            self._token = ""
