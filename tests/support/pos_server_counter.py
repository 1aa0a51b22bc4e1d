"""A till at a terminal that the POS server drives, in virtual time: real desk, station and journal.

The office is the simulated one behind HTTP; its ledger has the truth.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.assembly import Parts
from bridge.money import payment as p
from bridge.money.store.journal import Journal
from bridge.register import api as k
from bridge.register.mqtt.messages import Delivery
from simulators.back_office.faults import fault_named
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.support.commands import start_fields
from tests.support.office import ENDPOINT, World
from tests.support.virtual_store import Json, QueueBus, VirtualStore, office_table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TERMINAL = "lane-1"
LOOK_SECONDS = 0.05
REST_SECONDS_MAX = 1_800.0
START, CONTINUE, CAPTURE = (f"terminalPayment.{step}" for step in ("start", "continue", "capture"))


class PosServerCounter:
    """One register, one such terminal; the bridge can be killed and started again."""

    def __init__(
        self,
        folder: Path,
        *,
        booked: str | None = None,
        office: Json | None = None,
        **settings: object,
    ) -> None:
        self.world = World(folder)
        self.office = self.world.office
        self.office._authenticate = {"good": "paybridge"}.get
        self.office.permissions["paybridge"] = ALL_PERMISSIONS
        self.office.api.terminal_payments = "plain"
        told: dict[str, Any] = {"deadline_seconds": 10.0, **(office or {})}
        if booked is not None:
            told["pos_server_payments_booked"] = booked
        table: Json = {"kind": "pos_server", "probe_seconds": 3600.0}
        table["settings"] = {"terminal": "Lane 1", "currency": "EUR", **settings}
        self._store = VirtualStore(
            folder=folder,
            now=lambda: NOON + timedelta(seconds=asyncio.get_running_loop().time()),
            devices={},
            bus=lambda: self.bus,
            office=self.world.wire,
            sections={
                "back_office": office_table(ENDPOINT, **told),
                "terminals": {TERMINAL: table},
            },
        )
        self.bus = QueueBus()
        self.parts: Parts
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._numbers = 0

    # --- lives

    async def begin(self) -> None:
        self.bus = QueueBus()
        self._stack = AsyncExitStack()
        self.parts = await self._stack.enter_async_context(self._store.built())
        loop = asyncio.get_running_loop()
        assert self.parts.gift_cards is not None
        parts: tuple[Any, ...] = (
            *self.parts.stations.values(),
            *self.parts.pos_server,
            *(self.parts.desk, self.parts.desk.late_answers, self.parts.gift_cards),
        )
        self._tasks = [loop.create_task(one.run()) for one in parts]
        await self.until(lambda: self.state.availability != "unknown", "a first look")

    async def end(self) -> None:
        """Die: nothing is finished."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def swap_journal(self, journal: type[Journal]) -> None:
        """Have the next commits go by another journal's ways, as one that dies."""
        self.parts.journal.__class__ = journal

    async def kill_and_restart(self) -> None:
        await self.end()
        await asyncio.sleep(2.0)
        await self.begin()

    async def until(self, check: Any, what: str) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + REST_SECONDS_MAX
        while not check():
            for task in self._tasks:
                if task.done():
                    task.result()
                    raise AssertionError("a part of the bridge has ended")
            assert loop.time() < until, f"waited for {what} in vain"
            await asyncio.sleep(LOOK_SECONDS)

    # --- the world

    def play(self, **how: object) -> None:
        """Say how the next payment goes at the terminal."""
        self.office.state.terminals.plan(how)

    def fault(self, name: str, operation: str, **settings: object) -> None:
        self.office.faults.add(fault_named(name, operation=operation, **settings))

    def effects(self, what: str) -> list[Json]:
        """Return what really happened at the server, of one kind."""
        name = f"terminal_payment_{what}"
        return [line for line in self.office.state.ledger if line["effect"] == name]

    # --- the till

    async def ask(self, operation: str, **fields: Any) -> Json:
        self._numbers += 1
        name = f"r{self._numbers}"
        topic = f"{k.topics.DEFAULT_BASE}/registers/till-1/request/{operation}"
        payload = json.dumps({"request_id": name, **fields}).encode()
        self.bus.queue.put_nowait(Delivery(topic, payload))
        found: list[Json] = []

        def is_answered() -> bool:
            bodies = [json.loads(one.payload) for one in self.parts.desk.outbox.responses]
            found.extend(one for one in bodies if one["request_id"] == name)
            return bool(found)

        await self.until(is_answered, f"an answer to {operation}")
        return found[0]

    def new_id(self) -> str:
        self._numbers += 1
        return f"018f6f0e-8a44-7c1b-9a3e-{self._numbers:012d}"

    async def start(self, amount: str = "12.50", **fields: Any) -> str:
        said = start_fields(self.new_id(), amount, terminal_id=TERMINAL, **fields)
        answer = await self.ask("payment/start", **said)
        assert answer["status"] == "accepted", answer
        return str(said["payment_id"])

    async def follow(self, operation: str, original: str, amount: str = "") -> Json:
        fields: Json = {"payment_id": self.new_id(), "original_payment_id": original}
        if amount:
            fields["amounts"] = {"currency": "EUR", "requested_amount": amount}
        answer = await self.ask(f"payment/{operation}", **fields)
        return {**answer, "payment_id": fields["payment_id"]}

    # --- what is known

    @property
    def state(self) -> Any:
        return self.parts.stations[TERMINAL].state

    def payment(self, name: str) -> p.Payment:
        account = self.parts.ledger.payments.get(name)
        assert account is not None, f"the journal knows no {name}"
        return account.payment

    async def end_of(self, name: str) -> p.Payment:
        """Wait until it is final, or a person is called."""

        def is_settled() -> bool:
            payment = self.payment(name)
            return payment.is_final or (payment.doubt is not None and payment.doubt.needs_operator)

        await self.until(is_settled, f"an end of {name}")
        return self.payment(name)

    async def pay(self, amount: str = "12.50", **fields: Any) -> p.Payment:
        return await self.end_of(await self.start(amount, **fields))
