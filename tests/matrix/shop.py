"""A whole shop in one process on virtual time: real bridge, ZVT terminal, faulty back office.

Commands go in as a register's bytes, and nothing is looked at but what a register, a shopper and
a bookkeeper could look at.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from operator import is_
from pathlib import Path
from typing import Any

from bridge.assembly import Parts
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.gift_cards.payment_method import GiftCards
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.backoffice.purchase_recorder import Recorder
from bridge.money import payment as p
from bridge.money.background.split_payments import SplitPayments
from bridge.money.ledger import Ledger
from bridge.money.store.journal import Journal
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from bridge.register.commands.router import Desk
from bridge.register.mqtt.messages import Delivery
from simulators.back_office.faults import Fault, fault_named
from simulators.back_office.records import CodeType, TransType
from simulators.back_office.resolvers import TILL_PERMISSIONS
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import MemoryPort
from simulators.terminals.shared.shopper import Plan, Scenario
from simulators.terminals.zvt import ZvtTerminal
from tests.simulation.loop import WorldLoop
from tests.support.office import BEGIN, ENDPOINT, World
from tests.support.virtual_store import EPOCH, Device, Json, QueueBus, VirtualStore, office_table

TERMINAL, REGISTER = "counter-1", "till-1"
GIFT, PIN = "6396210000004711", "1234"
SECOND_GIFT = "6396210000008888"
DEADLINE_SECONDS = 10.0
ANSWER_SECONDS = 3.0  # what the contract promises for a response
# Longer than a late effect, twice the quiet time, an aged doubt and the recorder's back-off.
SETTLED_SECONDS = 900.0
TOPICS = k.Topics()


class Shop:
    """What outlives the bridge's process: the journal, the terminal, the back office, the cards."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.world.office._authenticate = {"good": "paybridge"}.get
        self.office = self.world.office
        self.office.permissions["paybridge"] = TILL_PERMISSIONS | {"CreateGiftCard"}
        self.state = self.world.office.state
        self.initial: dict[str, Decimal] = {}
        for code, balance in ((GIFT, "50.00"), (SECOND_GIFT, "10.00")):
            self.issue(code, balance)
        self.port = MemoryPort(random.Random(1), kind="tcp")
        instant = Plan(seconds_to_card=0.3, seconds_to_pin=0, seconds_to_remove=0)
        self.scenario = Scenario(otherwise=instant)
        self.terminal = ZvtTerminal(
            clock=self.now, rng=random.Random(2), kind="tcp", scenario=self.scenario
        )
        self.activates = self.store_credit = True
        self.holds = True  # False: a server that is known to offer none
        self.known_names: ApiNames | None = None  # where nobody may read the schema
        self._planted: dict[str, type] = {}  # parts with a bug, by what they are in the place of
        self.journal_type: type[Journal] = Journal  # one that dies is a subclass
        self.is_armed = True  # the faults may come
        self._kept: tuple[Fault, ...] = ()
        self._folder = folder
        self.asked: list[str] = []  # payment ids, in order
        self._requests = 0
        self.ledger: Ledger
        self.desk: Desk
        self.bus: QueueBus
        self.cards: GiftCards
        self.parts: Parts
        self.plans: SplitPayments

    # --- arranging

    def issue(self, code: str, balance: str, kind: CodeType = CodeType.PHYSICAL) -> str:
        """Give a shopper a card, and return the back office's id of it."""
        pin = PIN if kind is CodeType.PHYSICAL else None
        card = self.state.gift_card_add(
            code=code, pin=pin, balance=Decimal(balance), code_type=kind
        )
        self.initial[card.id] = card.balance
        return card.id

    def plant(self, mutant: type[GiftCardSteps | SplitPayments | Recorder]) -> None:
        """Put a part with a bug in the place of the real one."""
        (real,) = {GiftCardSteps, SplitPayments, Recorder} & set(mutant.__mro__)
        self._planted[real.__name__] = mutant

    def fault(self, name: str, operation: str, **settings: object) -> None:
        self.office.faults.add(fault_named(name, operation=operation, **settings))

    def disarm(self) -> None:
        """Keep the faults for later."""
        self._kept = self.office.faults.pending()
        self.is_armed = False
        self.office.faults.clear()

    def arm(self) -> None:
        """Let the faults come now."""
        self.is_armed = True
        for fault in self._kept:
            self.office.faults.add(fault)

    def spend_elsewhere(self, amount: str, code: str = GIFT) -> None:
        """Let another till use a card."""
        self.state.gift_card_trans_add(
            code=code, pin=PIN, trans_type=TransType.USE, amount=-Decimal(amount), source_id="other"
        )

    def card_declines(self) -> None:
        self.terminal.shopper.change(
            Scenario(otherwise=Plan(outcome="decline", seconds_to_card=0.3))
        )

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=asyncio.get_running_loop().time())

    # --- living

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Have the terminal under power within the block, and the bridge alive."""
        async with self.powered(), self.alive():
            yield

    @asynccontextmanager
    async def powered(self) -> AsyncIterator[None]:
        """Have the terminal under power within the block."""
        serving = asyncio.get_running_loop().create_task(self.terminal.run(self.port))
        try:
            yield
        finally:
            await _end([serving])

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Have the bridge alive within the block; its end is the process's death."""
        async with self._store().alive(self._works) as parts:
            self.ledger, self.desk, self.parts = parts.ledger, parts.desk, parts
            self.plans = parts.plans
            await asyncio.sleep(1.0)  # the terminal is registered
            yield

    def _works(self, parts: Parts) -> list[Coroutine[Any, Any, None]]:
        assert parts.recorder is not None
        assert parts.gift_cards is not None
        self.cards = parts.gift_cards
        station = parts.stations[TERMINAL]
        running = (station, self.cards, parts.plans, parts.desk, parts.recorder)
        return [one.run() for one in running]

    def _store(self) -> VirtualStore:
        self.bus = QueueBus()
        names = self.known_names
        if names is not None or not self.holds:
            self.office.api.introspection = False
            names = names or ApiNames(authorize_flag="")
        table = office_table(
            ENDPOINT,
            names,
            deadline_seconds=DEADLINE_SECONDS,
            gift_card_activation=self.activates,
            store_credit=self.store_credit,
        )
        return VirtualStore(
            folder=self._folder,
            now=self.now,
            devices={TERMINAL: Device(self.port)},
            bus=lambda: self.bus,
            office=self.world.wire,
            sections={"back_office": table},
            journal=self.journal_type,
            planted=self._planted,
        )

    # --- a register

    async def ask(self, operation: str, fields: Json, register: str = REGISTER) -> Json:
        """Send a command and return its response."""
        self._requests += 1
        name = f"r-{self._requests}"
        body = {"request_id": name, "bridge_epoch": EPOCH, **fields}
        topic = f"{TOPICS.register(register)}/request/{operation}"
        self.bus.queue.put_nowait(Delivery(topic, json.dumps(body).encode()))
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
            for one in self.desk.outbox.responses:
                answer: Json = json.loads(one.payload)
                if answer.get("request_id") == name:
                    self.desk.outbox.responses.remove(one.register_id, partial(is_, one))
                    self._note(answer)
                    return answer
        raise AssertionError(f"no response to {operation}")

    def _note(self, answer: Json) -> None:
        if answer["status"] != "accepted":
            return
        legs = (answer.get("result") or {}).get("legs") or []
        names = [leg["payment_id"] for leg in legs] or [answer["payment_id"]]
        self.asked += [name for name in names if name not in self.asked]

    async def begin(self, operation: str, fields: Json) -> str:
        """Send a command that must be accepted, and return its payment's id."""
        fields = {"payment_id": new_id(), **fields}
        answer = await self.ask(operation, fields)
        assert answer["status"] == "accepted", answer
        return str(fields["payment_id"])

    def payment(self, name: str) -> p.Payment:
        account = self.ledger.payments.get(name)
        assert account is not None, "an accepted payment stays in memory for a while"
        return account.payment

    def accounts(self) -> list[PaymentRecord]:
        """Return every payment there is."""
        return list(self.ledger.payments.in_memory())


def new_id() -> str:
    return str(uuid.uuid4())


def euros(amount: str) -> Json:
    return {"currency": "EUR", "requested_amount": amount}


def gift(code: str = GIFT, pin: str = PIN) -> Json:
    return {"stored_value_id": code, "pin": pin}


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def in_shop(folder: Path, main: Callable[[Shop], Awaitable[None]]) -> None:
    """Play `main` in a shop of its own."""

    async def inside() -> None:
        await main(Shop(folder))

    run_virtual(inside, loop=WorldLoop(0, instant_executor=True))
