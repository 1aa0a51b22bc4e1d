"""A shop in memory for tests: a French terminal, and a till that holds one conversation a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from drivers.contract import (
    Dialogue,
    FinalEvent,
    Inquire,
    Money,
    MoneyOperation,
    Operation,
    Pay,
    Progress,
    TerminalEvent,
)
from drivers.telium import (
    CAISSE_AP_DRIVER,
    DRIVER,
    CaisseApSettings,
    TeliumSettings,
)
from simulators.loop import VirtualLoop, run_virtual
from simulators.terminals.shared.cable import CableEnd, MemoryPort, Wire
from simulators.terminals.shared.shopper import (
    BUILT_IN,
    Mischief,
    MischiefKind,
    Place,
    Plan,
    Scenario,
)
from simulators.terminals.telium.program import PROFILES, CaisseApTerminal, Profile, TeliumTerminal

Kind = Literal["serial", "tcp"]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", Money(1250, "EUR"))
INSTANT = BUILT_IN["instant"].otherwise
READS_MAX = 10_000  # a conversation that is not over by then never ends


class Shop:
    """A terminal on a port in memory, and the till."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        kind: Kind = "serial",
        profile: Profile = PROFILES["default"],
        wire: Wire | None = None,
        settings: TeliumSettings | None = None,
        seed: int = 0,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.kind = kind
        self.settings = settings or TeliumSettings()
        self.port = MemoryPort(random.Random(f"wire{seed}"), wire, kind=kind)
        self.sent: list[bytes] = []
        terminal_type = TeliumTerminal if kind == "serial" else CaisseApTerminal
        self.terminal = terminal_type(
            clock=lambda: NOON + timedelta(seconds=loop.time()),
            rng=random.Random(f"terminal{seed}"),
            scenario=scenario or BUILT_IN["instant"],
            profile=profile,
        )

    def dialogue(self) -> Dialogue:
        if self.kind == "serial":
            return DRIVER.dialogue(self.settings, "serial")
        return CAISSE_AP_DRIVER.dialogue(CaisseApSettings(), "tcp")

    async def open(self) -> CableEnd:
        for _ in range(READS_MAX):
            try:
                return self.port.open()
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0.5)
        raise AssertionError("the terminal never came back")

    async def say(self, operation: Operation, line: CableEnd | None = None) -> list[TerminalEvent]:
        """Hold one conversation and return everything the dialogue told."""
        line = line or await self.open()
        loop = asyncio.get_running_loop()
        dialogue = self.dialogue()
        events: list[TerminalEvent] = []
        step = dialogue.begin(operation, loop.time())
        for _ in range(READS_MAX):
            if step.send:
                self.sent.append(step.send)
                line.write(step.send)
            if step.events:
                events += step.events
                step = dialogue.committed(loop.time())
                continue
            if step.wake_at is None:
                line.close()
                return events
            try:
                async with asyncio.timeout_at(step.wake_at):
                    data = await line.read()
            except TimeoutError:
                step = dialogue.timeout(loop.time())
            else:
                now = loop.time()
                step = dialogue.receive(data, now) if data else dialogue.line_lost(now)
        raise AssertionError("the conversation does not end")

    async def result(self, operation: Operation = PAY) -> FinalEvent:
        """Hold one conversation and return its only final event."""
        finals = [event for event in await self.say(operation) if not isinstance(event, Progress)]
        assert len(finals) == 1
        return finals[0]  # type: ignore[return-value]  # all that is not progress is final here

    async def ask(self, about: MoneyOperation = PAY) -> FinalEvent:
        """Ask what became of a payment."""
        return await self.result(Inquire(about, None))

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.terminal.ledger.entries]


def visit(shop_of: Callable[[], Shop], customer: Callable[[Shop], Awaitable[Any]]) -> Any:
    """Run `customer` in a shop, in virtual time, and return what it returns."""

    async def main() -> Any:
        shop = shop_of()
        task = asyncio.create_task(shop.terminal.run(shop.port))
        await asyncio.sleep(0)
        try:
            return await customer(shop)
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    return run_virtual(main)


def one(
    kind: MischiefKind, at: Place = "status", seconds: float = 3.0, count: int = 20
) -> Scenario:
    """Return a scenario whose shoppers approve at once while one thing goes wrong."""
    mischief = Mischief(kind=kind, at=at, seconds=seconds, count=count)
    plan = INSTANT.model_copy(update={"mischief": (mischief,)})
    return Scenario(speed=0, payments=(plan,), otherwise=INSTANT)


def shopper(**plan: Any) -> Scenario:
    """Return a scenario whose shoppers do as `plan` says, without a delay."""
    return Scenario(speed=0, otherwise=Plan(**plan))


__all__ = ["INSTANT", "PAY", "Shop", "VirtualLoop", "one", "shopper", "visit"]
