"""A store in virtual time: real ledger, stations, desk and publisher, simulated all around.

The broker is `simulators/broker.py`, the terminals are ZVT terminals on cables in memory.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bridge.clock import WallClock
from bridge.errors import LineError, MessageRefused
from bridge.money.background.signature_reversals import Reversals, SignaturePolicy
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from bridge.register import api as k
from bridge.register.commands.router import Desk, DeskSettings
from bridge.register.mqtt.messages import Delivery
from bridge.register.publishing.publisher import Publisher
from bridge.status import Facts, Identity
from bridge.terminal.station import Station
from bridge.terminal.status import StationSettings
from drivers.contract import Stage
from drivers.zvt import DRIVER, ZvtSettings
from simulators.broker import Broker, Message
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import MemoryPort
from simulators.terminals.shared.shopper import Scenario
from simulators.terminals.zvt import ZvtTerminal
from tests.simulation.ports import Alive, BridgeBus

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOPICS = k.Topics()
SOON_SECONDS = 200.0  # a payment that waits in line takes its time

Json = dict[str, Any]
Test = Callable[["Shop"], Awaitable[None]]


class Picky:
    """A broker whose access list forgot what begins with `prefix`; "" forgot nothing."""

    def __init__(self, bus: BridgeBus, prefix: str) -> None:
        self._bus = bus
        self._prefix = prefix

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_seconds: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        if self._prefix and topic.startswith(self._prefix):
            raise MessageRefused("not authorized")
        await self._bus.publish(
            topic, payload, retain=retain, expiry_seconds=expiry_seconds, correlation=correlation
        )


@dataclass(frozen=True, slots=True)
class Plans:
    """What a shop is like."""

    terminals: tuple[str, ...] = ("counter-1",)
    shoppers: Mapping[str, Scenario] = field(default_factory=dict)  # by terminal
    desk: DeskSettings = field(default_factory=lambda: DeskSettings(TOPICS))
    stage_seconds: Mapping[Stage, float] = field(default_factory=dict)
    forgotten: str = ""  # the topics that the broker lets nobody publish
    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    books: BooksPolicy = field(default_factory=lambda: BooksPolicy("S012"))
    journal: type[Journal] = Journal
    watches_clock: bool = False  # a clock that is set is noticed, as in the service


class Shop:
    """The store: `ask` is a register, `document` what lies at the broker."""

    def __init__(self, folder: Path, executor: ThreadPoolExecutor, plans: Plans) -> None:
        rng = random.Random(str(folder.name))
        self.ahead = timedelta()  # how far somebody has set the clock
        self.clock = WallClock(self.now, asyncio.get_running_loop().time)
        self.connection = open_database(folder / "journal.sqlite")
        journal = self.journal = plans.journal(self.connection, executor)
        self.ledger = Ledger(
            journal,
            books=plans.books,
            now=lambda: k.format_time(self.now()),
            local_now=lambda: self.now().strftime("%Y-%m-%dT%H:%M:%S"),
        )
        self.broker = Broker(rng, lambda topic: "/request/" in topic or topic.endswith("/state"))
        self.acknowledged: list[Delivery] = []
        self.bus = BridgeBus(self.broker, Alive(), rng, self.acknowledged.append, lambda _: None)
        self.ports = {name: MemoryPort(random.Random(name)) for name in plans.terminals}
        self.terminals = {
            name: ZvtTerminal(
                clock=self.now,
                rng=random.Random(name),
                scenario=plans.shoppers.get(name, Scenario()),
            )
            for name in plans.terminals
        }
        self.stations = {name: self._station(name, plans) for name in plans.terminals}
        self.desk = Desk(
            self.bus,
            self.ledger,
            self.stations,
            plans.desk,
            now=self.now,
            clock_is_doubtful=lambda: plans.watches_clock and bool(self.clock.implausible),
        )
        facts = Facts(
            Identity("bridge", "site", folder),
            ledger=self.ledger,
            journal=journal,
            stations=self.stations,
            names={},
            bus=self.bus,
            books=None,
            now=self.now,
        )
        self.reversals = Reversals(
            self.ledger,
            self.stations,
            plans.signatures,
            now=self.now,
            is_connected=lambda: self.bus.connected,
        )
        self.plans, self._facts, self._journal = plans, facts, journal
        self.publisher = self.new_publisher()
        self.power = asyncio.Event()  # set when the terminals are switched on
        self._responses: dict[str, Json] = {}
        self._requests = 0

    def new_publisher(self) -> Publisher:
        """Return a publisher that knows nothing of what was published before."""
        return Publisher(
            Picky(self.bus, self.plans.forgotten),
            self.ledger,
            self.desk,
            self._facts,
            TOPICS,
            terminal_names={},
            signatures=self.reversals,
            stage_seconds=dict.fromkeys(self.plans.terminals, self.plans.stage_seconds),
            now=self.now,
            last_seq=self._journal.last_seq(),
            clock_is_steady=lambda: self.clock.is_steady if self.plans.watches_clock else True,
        )

    async def have_terminal(self, name: str) -> None:
        """Run a terminal once there is power."""
        await self.power.wait()
        await self.terminals[name].run(self.ports[name])

    def now(self) -> datetime:
        """The wall clock of the store."""
        return NOON + timedelta(seconds=asyncio.get_running_loop().time()) + self.ahead

    async def ask(self, till: str, operation: str, **fields: object) -> Json:
        """Send a command as a register does, and return the response."""
        self._requests += 1
        request_id = f"r-{self._requests}"
        payload = json.dumps({"request_id": request_id, **fields}).encode()
        self.broker.send(Message(f"{TOPICS.register(till)}/request/{operation}", payload))
        async with asyncio.timeout(SOON_SECONDS):
            while request_id not in self._responses:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.01)
        return self._responses[request_id]

    async def pay(self, till: str, number: int, amount: str = "47.90", **fields: object) -> Json:
        """Send `payment/start` and return the response."""
        amounts = {"currency": "EUR", "requested_amount": amount}
        return await self.ask(
            till, "payment/start", payment_id=payment_id(number), amounts=amounts, **fields
        )

    def leave(self, till: str) -> None:
        """Have a register's connection break: the broker publishes its will."""
        will = json.dumps({"state": "offline"}).encode()
        self.broker.send(Message(TOPICS.register_state(till), will, retain=True))

    def come(self, till: str) -> None:
        """Have a register say that it is there."""
        birth = json.dumps({"state": "online"}).encode()
        self.broker.send(Message(TOPICS.register_state(till), birth, retain=True))

    def document(self, till: str, number: int) -> Json:
        """Return the document of a payment as it lies at the broker, {} when there is none."""
        message = self.broker.retained.get(TOPICS.payment(till, payment_id(number)))
        found: Json = json.loads(message.payload) if message else {}
        return found

    async def until(self, till: str, number: int, **fields: object) -> Json:
        """Wait until the document of a payment says so, and return it."""
        found: Json = {}
        try:
            async with asyncio.timeout(SOON_SECONDS):
                while True:
                    found = self.document(till, number)
                    if found and all(found[name] == value for name, value in fields.items()):
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never {fields}: {found}") from None

    def charged(self, terminal: str = "counter-1") -> list[int]:
        """Return what a terminal took and kept, in cents, in the order of its memory."""
        return [entry.amount_minor for entry in self.terminals[terminal].ledger.standing()]

    def hear(self, message: Message) -> None:
        """Have what the bridge published."""
        if "/response/" in message.topic:
            response = json.loads(message.payload)
            k.Response.model_validate_json(message.payload)
            self._responses[response["request_id"]] = response

    def _station(self, name: str, plans: Plans) -> Station:
        async def open_line() -> Any:
            try:
                return self.ports[name].open()
            except FileNotFoundError as error:
                raise LineError("not_found", "the cable is unplugged") from error

        return Station(
            StationSettings(name, "serial", name, stage_seconds=plans.stage_seconds),
            DRIVER,
            ZvtSettings(),
            open_line=open_line,
            ledger=self.ledger,
            changed=self.ledger.something_changed,
            now=lambda: k.format_time(self.now()),
        )


def payment_id(number: int) -> str:
    """Return the id of the shop's payment of that number."""
    return f"018f6f0e-8a44-7c1b-9a3e-{number:012d}"


def in_a_shop(
    folder: Path, test: Test, plans: Plans | None = None, *, switched_on: bool = True
) -> None:
    """Run `test` in virtual time in a shop whose terminals are ready, or switched off yet."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        run_virtual(
            partial(_main, folder, executor, test, plans or Plans(), switched_on=switched_on)
        )


async def _main(
    folder: Path, executor: ThreadPoolExecutor, test: Test, plans: Plans, *, switched_on: bool
) -> None:
    shop = Shop(folder, executor, plans)
    shop.broker.on_published = shop.hear
    if switched_on:
        shop.power.set()
    await shop.ledger.recover()
    async with asyncio.TaskGroup() as group:
        works = [shop.bus.run(), shop.desk.run(), shop.publisher.run(), shop.reversals.run()]
        works += [one.run() for one in shop.stations.values()]
        works += [shop.have_terminal(name) for name in shop.terminals]
        tasks = [group.create_task(work) for work in works]
        for port in shop.ports.values():
            await port.plug()
        async with asyncio.timeout(SOON_SECONDS):
            while switched_on and not all(  # noqa: ASYNC110 - virtual time
                one.state.can_take_payments for one in shop.stations.values()
            ):
                await asyncio.sleep(0.05)
        await test(shop)
        for task in tasks:
            task.cancel()
    shop.connection.close()
