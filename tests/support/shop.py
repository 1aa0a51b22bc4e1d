"""A virtual store without a back office, as its registers see it: by what lies at the broker.

The broker is `simulators/broker.py`, the terminals are ZVT terminals on cables in memory.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from bridge.assembly import Parts
from bridge.errors import MessageRefused
from bridge.money.store.journal import Journal
from bridge.register import api as k
from bridge.register.mqtt.messages import Delivery
from bridge.register.publishing.publisher import Publisher
from bridge.terminal.station import Station
from drivers.contract import Stage
from simulators.broker import Broker, Message
from simulators.loop import VirtualLoop, run_virtual
from simulators.terminals.shared.cable import MemoryPort
from simulators.terminals.shared.shopper import Scenario
from simulators.terminals.zvt import ZvtTerminal
from tests.simulation.ports import Alive, BridgeBus
from tests.support.office import ENDPOINT, World
from tests.support.virtual_store import Device, Json, VirtualStore, office_table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOPICS = k.Topics()
SOON_SECONDS = 200.0  # a payment that waits in line takes its time

Test = Callable[["Shop"], Awaitable[None]]


class PickyBus(BridgeBus):
    """A broker whose access list forgot what begins with `prefix`; "" forgot nothing."""

    prefix = ""

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_seconds: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        if self.prefix and topic.startswith(self.prefix):
            raise MessageRefused("not authorized")
        await super().publish(
            topic, payload, retain=retain, expiry_seconds=expiry_seconds, correlation=correlation
        )


@dataclass(frozen=True, slots=True)
class Plans:
    """What a shop is like."""

    terminals: tuple[str, ...] = ("counter-1",)
    shoppers: Mapping[str, Scenario] = field(default_factory=dict)  # by terminal
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # their terminals, by pool
    terminal: Mapping[str, Any] = field(default_factory=dict)  # of each terminal's table
    stage_seconds: Mapping[Stage, float] = field(default_factory=dict)
    forgotten: str = ""  # the topics that the broker lets nobody publish
    unsigned: str = "stands"  # what nobody signed for
    records: bool = True  # False: the register's own extract records sales
    journal: type[Journal] = Journal
    sections: Mapping[str, Any] = field(default_factory=dict)  # more of the configuration
    office: Callable[[Path], World] | None = None  # a back office that answers questions
    back_office: Mapping[str, Any] = field(default_factory=dict)  # of its table
    serves_gift_cards: bool = True  # False: a test plays what becomes of their payments


class Shop:
    """The store: `ask` is a register, `document` what lies at the broker.

    Nothing is recorded while a test looks: what waits for the back office goes on waiting.
    """

    def __init__(self, folder: Path, plans: Plans) -> None:
        rng = random.Random(str(folder.name))
        self.ahead = timedelta()  # how far somebody has set the clock
        self.broker = Broker(rng, lambda topic: "/request/" in topic or topic.endswith("/state"))
        self.acknowledged: list[Delivery] = []
        self.bus = PickyBus(self.broker, Alive(), rng, self.acknowledged.append, lambda _: None)
        self.bus.prefix = plans.forgotten
        self.ports = {name: MemoryPort(random.Random(name)) for name in plans.terminals}
        self.terminals = {
            name: ZvtTerminal(
                clock=self.now,
                rng=random.Random(name),
                scenario=plans.shoppers.get(name, Scenario()),
            )
            for name in plans.terminals
        }
        stages = {stage.value: seconds for stage, seconds in plans.stage_seconds.items()}
        table = {"stage_seconds": stages, **plans.terminal}
        self.office = plans.office(folder) if plans.office else None
        table_of_office = dict(plans.back_office)
        if self.office is not None:
            table_of_office["endpoint"] = ENDPOINT
        self.store = VirtualStore(
            folder=folder,
            now=self.now,
            devices={name: Device(port, more=table) for name, port in self.ports.items()},
            bus=lambda: self.bus,
            sections={
                "site": {"unsigned": plans.unsigned},
                "pools": {name: {"terminals": members} for name, members in plans.pools.items()},
                "back_office": office_table(records=plans.records, **table_of_office),
                **plans.sections,
            },
            journal=plans.journal,
            office=self.office.wire if self.office else None,
        )
        self.parts: Parts
        self.power = asyncio.Event()  # set when the terminals are switched on
        self._responses: dict[str, Json] = {}
        self.answers: list[tuple[str, Json]] = []  # all responses, with their topics
        self._requests = 0

    def use(self, parts: Parts) -> None:
        """Take the bridge that was built."""
        self.parts = parts
        self.ledger, self.journal, self.desk = parts.ledger, parts.journal, parts.desk
        self.publisher = parts.publisher
        self.stations = cast(dict[str, Station], parts.stations)  # a test takes one away

    def new_publisher(self) -> Publisher:
        """Return a publisher that knows nothing of what was published before."""
        return Publisher(
            self.bus,
            self.ledger,
            self.desk.outbox,
            self.parts.status,
            TOPICS,
            terminal_names={},
            signatures=self.parts.reversals,
            now=self.now,
            last_seq=self.journal.last_seq(),
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

    def document(self, till: str, payment: int | str) -> Json:
        """Return the document of a payment as it lies at the broker, {} when there is none.

        `payment` is its number among the till's, or its id.
        """
        name = payment if isinstance(payment, str) else payment_id(payment)
        message = self.broker.retained.get(TOPICS.payment(till, name))
        found: Json = json.loads(message.payload) if message else {}
        return found

    async def until(self, till: str, payment: int | str, **fields: object) -> Json:
        """Wait until the document of a payment says so, and return it."""
        found: Json = {}
        try:
            async with asyncio.timeout(SOON_SECONDS):
                while True:
                    found = self.document(till, payment)
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
            self.answers.append((message.topic, response))


def payment_id(number: int) -> str:
    """Return the id of the shop's payment of that number."""
    return f"018f6f0e-8a44-7c1b-9a3e-{number:012d}"


def in_a_shop(
    folder: Path,
    test: Test,
    plans: Plans | None = None,
    *,
    switched_on: bool = True,
    quick_disk: bool = False,
) -> None:
    """Run `test` in virtual time in a shop whose terminals are ready, or switched off yet.

    `quick_disk`: no thread ever stalls, as they do now and then.
    """
    main = partial(_main, folder, test, plans or Plans(), switched_on=switched_on)
    run_virtual(main, loop=VirtualLoop(0, instant_executor=True) if quick_disk else None)


async def _main(folder: Path, test: Test, plans: Plans, *, switched_on: bool) -> None:
    shop = Shop(folder, plans)
    shop.broker.on_published = shop.hear
    if switched_on:
        shop.power.set()

    def works(parts: Parts) -> list[Coroutine[Any, Any, None]]:
        assert parts.gift_cards is not None
        register = (parts.bus, parts.desk, parts.desk.late_answers, parts.publisher)
        running = (*register, parts.reversals, parts.plans)
        stations = [one.run() for one in parts.stations.values()]
        cards = [parts.gift_cards.run()] if plans.serves_gift_cards else []
        reading = parts.reading.works() if plans.office and parts.reading else []
        return [one.run() for one in running] + stations + cards + reading

    async with asyncio.TaskGroup() as group, shop.store.alive(works) as parts:
        shop.use(parts)
        serving = [group.create_task(shop.have_terminal(name)) for name in shop.terminals]
        for port in shop.ports.values():
            await port.plug()
        async with asyncio.timeout(SOON_SECONDS):
            while switched_on and not all(  # noqa: ASYNC110 - virtual time
                one.state.can_take_payments for one in shop.stations.values()
            ):
                await asyncio.sleep(0.05)
        await test(shop)
        for task in serving:
            task.cancel()
