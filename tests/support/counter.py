"""A counter in virtual time: a till's commands, the real desk, ledger, journal, station and driver.

Only the wire, the broker and the clock are pretended; the terminal is the simulated one of the
protocol. `KINDS` lists every driver with every transport it has.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.store.journal import Journal
from bridge.register import api as k
from bridge.register.commands.router import Desk
from bridge.register.mqtt.messages import Delivery
from bridge.terminal.station import Station
from drivers import contract as c
from drivers import pax, telium, zvt
from simulators.loop import VirtualLoop, run_virtual
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from simulators.terminals.shared.ledger import Entry, TerminalLedger, standing
from simulators.terminals.shared.shopper import Mischief, MischiefKind, Place, Plan, Scenario
from simulators.terminals.telium.program import CaisseApTerminal, TeliumTerminal
from simulators.terminals.zvt import ZvtTerminal
from simulators.terminals.zvt.profile import PROFILES
from tests.support.commands import start_fields
from tests.support.virtual_store import Device, Json, QueueBus, VirtualStore, open_cable

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
TERMINAL = "counter-1"
LOOK_SECONDS = 0.05
REST_SECONDS_MAX = 900.0  # every command has an answer within 15 minutes of peace

Terminal = ZvtTerminal | PaxTerminal | TeliumTerminal | CaisseApTerminal


@dataclass(frozen=True, slots=True)
class Kind:
    """One driver on one transport. `simulator` is what `python -m simulators terminal` takes."""

    name: str
    driver: c.Driver
    transport: Literal["serial", "tcp"]
    terminal: Callable[..., Terminal]
    simulator: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    persistent: bool = True

    @property
    def settings_value(self) -> Any:
        return self.driver.settings(**self.settings)

    @property
    def can(self) -> c.Capabilities:
        return self.driver.capabilities(self.settings_value)

    @property
    def currency(self) -> str:
        return self.can.currencies[0]


KINDS = (
    Kind("zvt-serial", zvt.DRIVER, "serial", partial(ZvtTerminal, kind="serial"), "zvt"),
    Kind("zvt-tcp", zvt.DRIVER, "tcp", partial(ZvtTerminal, kind="tcp"), "zvt"),
    Kind("pax-serial", pax.DRIVER, "serial", PaxTerminal, "pax"),
    Kind("pax-tcp", pax.DRIVER, "tcp", PaxTerminal, "pax"),
    Kind(
        "pax-http",
        pax.DRIVER,
        "tcp",
        PaxTerminal,
        "pax",
        settings={"transport": "http"},
        persistent=False,
    ),
    Kind("telium-serial", telium.DRIVER, "serial", TeliumTerminal, "telium"),
    Kind(
        "caisse_ap-tcp",
        telium.CAISSE_AP_DRIVER,
        "tcp",
        CaisseApTerminal,
        "telium",
        persistent=False,
    ),
)
# How ZVT terminals of others were seen to deviate, and what a technician sets for them.
FOREIGN_KINDS = tuple(
    Kind(
        f"zvt-{profile}" + ("" if persistent else "-on_demand"),
        zvt.DRIVER,
        "tcp",
        partial(ZvtTerminal, kind="tcp", profile=PROFILES[profile]),
        f"zvt --profile {profile}",
        settings=settings,
        persistent=persistent,
    )
    for profile, settings, persistent in (
        ("status_unknown", {}, True),
        ("status_refused", {}, True),
        ("status_as_result", {}, True),
        ("status_unanswered", {"status_enquiry_usable": False}, True),
        ("hangs_up", {"hangs_up": True}, True),
        ("forgets", {}, True),
        ("forgets", {"registers_first": True}, False),
    )
)
SHOPPER = Plan(seconds_to_card=2, seconds_at_host=1, brand="visa")


def plan(**changes: Any) -> Plan:
    return SHOPPER.model_copy(update=changes)


def trouble(kind: MischiefKind, at: Place, **facts: float) -> Plan:
    """Return a shopper who approves while one thing goes wrong."""
    mischief = Mischief.model_validate({"kind": kind, "at": at, **facts})
    return plan(mischief=(mischief,))


class Tap:
    """A line that keeps what the bridge wrote."""

    def __init__(self, end: CableEnd, counter: Counter) -> None:
        self._end = end
        self._counter = counter

    async def read(self) -> bytes:
        return await self._end.read()

    def write(self, data: bytes) -> None:
        self._counter.written += data
        self._end.write(data)

    def close(self) -> None:
        self._end.close()


class Life:
    """One life of the bridge on the journal in `folder`."""

    def __init__(self, counter: Counter) -> None:
        self.bus = QueueBus()
        self._store = VirtualStore(
            folder=counter.folder,
            now=counter.now,
            devices={TERMINAL: counter.device},
            bus=lambda: self.bus,
        )
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.ledger: Ledger
        self.journal: Journal
        self.station: Station
        self.desk: Desk

    async def begin(self) -> None:
        parts = await self._stack.enter_async_context(self._store.built())
        self.ledger, self.journal, self.desk = parts.ledger, parts.journal, parts.desk
        self.station = parts.stations[TERMINAL]
        loop = asyncio.get_running_loop()
        running = (self.station, self.desk, self.desk.late_answers)
        self._tasks = [loop.create_task(one.run()) for one in running]

    async def end(self) -> None:
        """Die: nothing is finished, the line is let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def check(self) -> None:
        """Fail if a part has ended by itself."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise AssertionError("a part of the bridge has ended")


class Counter:
    """A terminal and a bridge, which can be killed and started again."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.written = bytearray()  # by the bridge, over all lines
        self.opened = 0  # lines
        self.port = MemoryPort(random.Random("wire"), kind=kind.transport)
        connection = "persistent" if kind.persistent else "on_demand"
        self.device = Device(
            self.port,
            kind.driver,
            kind.settings,
            {"connection": connection, "probe_seconds": 3600.0},
            self.open_line,
        )
        self.terminal = kind.terminal(
            clock=self.now,
            rng=random.Random("terminal"),
            scenario=Scenario(otherwise=SHOPPER),
            ledger=TerminalLedger(),
        )
        self.life: Life
        self._numbers = 0

    # --- the world

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    async def open_line(self) -> Tap:
        end = open_cable(self.port)
        self.opened += 1
        return Tap(end, self)

    def shoppers(self, *plans: Plan) -> None:
        """Say what the next shoppers do; later ones pay."""
        self.terminal.shopper.change(Scenario(payments=plans, otherwise=SHOPPER))

    async def start_bridge(self) -> None:
        self.life = Life(self)
        await self.life.begin()

    async def kill_and_restart(self, dead_seconds: float = 2.0) -> None:
        await self.life.end()
        await asyncio.sleep(dead_seconds)
        await self.start_bridge()

    async def until(self, check: Callable[[], bool], what: str) -> None:
        """Wait in virtual time; fail when `check` stays false for 15 minutes."""
        loop = asyncio.get_running_loop()
        until = loop.time() + REST_SECONDS_MAX
        while not check():
            self.life.check()
            assert loop.time() < until, f"waited for {what} in vain"
            await asyncio.sleep(LOOK_SECONDS)

    async def ready(self) -> None:
        await self.until(lambda: self.life.station.state.can_take_payments, "the terminal")

    # --- the till

    async def ask(self, operation: str, **fields: Any) -> Json:
        """Send a command and return the response."""
        self._numbers += 1
        name = f"r{self._numbers}"
        topic = f"{k.topics.DEFAULT_BASE}/registers/till-1/request/{operation}"
        payload = json.dumps({"request_id": name, **fields}).encode()
        self.life.bus.queue.put_nowait(Delivery(topic, payload))
        found: list[Json] = []

        def answered() -> bool:
            bodies = [json.loads(one.payload) for one in self.life.desk.outbox.responses]
            found.extend(one for one in bodies if one["request_id"] == name)
            return bool(found)

        loop = asyncio.get_running_loop()
        until = loop.time() + REST_SECONDS_MAX
        while not answered():
            self.life.check()
            assert loop.time() < until, f"no answer to {operation}"
            await asyncio.sleep(LOOK_SECONDS)
        return found[0]

    def new_id(self) -> str:
        self._numbers += 1
        return f"018f6f0e-8a44-7c1b-9a3e-{self._numbers:012d}"

    def fields(self, amount: str = "20.40", **fields: Any) -> Json:
        """Return what a start of a sale says; without `amounts`, in the terminal's currency."""
        said = start_fields(self.new_id(), amount, **fields)
        if "amounts" not in fields:
            said["amounts"]["currency"] = self.kind.currency
        return said

    async def start(self, amount: str = "20.40", **fields: Any) -> str:
        """Start a payment that is accepted; return its id."""
        said = self.fields(amount, **fields)
        answer = await self.ask("payment/start", **said)
        assert answer["status"] == "accepted", answer
        return str(said["payment_id"])

    async def follow(self, operation: str, original: str, amount: str = "", **more: Any) -> Json:
        """Send an operation on an earlier payment; return the response."""
        fields: Json = {"payment_id": self.new_id(), "original_payment_id": original, **more}
        if amount:
            fields["amounts"] = {"currency": self.kind.currency, "requested_amount": amount}
        answer = await self.ask(f"payment/{operation}", **fields)
        return {**answer, "payment_id": fields["payment_id"]}

    # --- what is known

    def payment(self, payment_id: str) -> p.Payment:
        account = self.life.ledger.payments.get(payment_id)
        assert account is not None, f"the journal knows no {payment_id}"
        return account.payment

    async def end_of(self, payment_id: str) -> p.Payment:
        """Wait for the end, by the terminal's word or, where it has none, by a person's."""

        def is_settled() -> bool:
            payment = self.payment(payment_id)
            return payment.is_final or (payment.doubt is not None and payment.doubt.needs_operator)

        await self.until(is_settled, f"an end of {payment_id}")
        if not self.payment(payment_id).is_final:
            await self.until(lambda: not self.terminal.busy, "an idle terminal")
            if not self.payment(payment_id).is_final:  # nobody answered late
                await self._ask_a_person(payment_id)
        return self.payment(payment_id)

    async def _ask_a_person(self, payment_id: str) -> None:
        """Let somebody answer the doubt with the slip that the terminal printed, or its absence."""
        request = self.payment(payment_id).request
        slips = [one for one in self.movements() if one.amount_minor == request.amount.minor]
        known = sum(
            one.payment.approval is not None
            and one.payment.request.amount.minor == request.amount.minor
            for one in self.life.ledger.payments.in_memory()
        )
        paid = len(slips) > known
        answer = await self.ask(
            "payment/resolve",
            payment_id=payment_id,
            outcome="approved" if paid else "not_charged",
            approved_by="supervisor-1",
            evidence={"source": "merchant_slip", "approval_code": "123456"},
        )
        assert answer["status"] == "accepted" or self.payment(payment_id).is_final, answer

    def movements(self) -> list[Entry]:
        """Return what moved money at the terminal and was not undone."""
        return standing(self.terminal.ledger.entries)

    def taken_minor(self) -> int:
        """Return what the merchant really got, refunds deducted."""
        return self.terminal.ledger.taken_minor(self.kind.currency)

    def journal_minor(self) -> int:
        """Return what the journal says the merchant got."""
        total = 0
        for account in self.life.ledger.payments.in_memory():
            payment = account.payment
            if payment.status is not p.Status.APPROVED or payment.approval is None:
                continue
            amount = payment.approval.amount.minor
            match payment.request.type:
                case p.PaymentType.SALE | p.PaymentType.CAPTURE:
                    total += 0 if payment.funds is p.Funds.VOIDED else amount
                case p.PaymentType.TIP_ADJUST:
                    total += payment.request.amount.minor
                case p.PaymentType.REFUND:
                    total -= amount
                case _:
                    pass
        return total


Visit = Callable[[Counter], Awaitable[None]]


def at_a_counter(kind: Kind, folder: Path, visit: Visit, *, ready: bool = True) -> None:
    """Run `visit` in virtual time at a counter whose terminal is ready, or was just switched on."""

    async def main() -> None:
        counter = Counter(kind, folder)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(counter.terminal.run(counter.port))
            await counter.start_bridge()
            try:
                if ready:
                    await counter.ready()
                await visit(counter)
            finally:
                await counter.life.end()
                serving.cancel()

    run_virtual(main, loop=VirtualLoop(1, instant_executor=True))
