"""A shop in memory for tests: a PAX terminal, and a till that holds one conversation at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar

from drivers.contract import (
    Baseline,
    FinalEvent,
    Inquire,
    Money,
    MoneyOperation,
    Operation,
    Pay,
    Probe,
    StillRunning,
    TerminalEvent,
    TerminalReady,
    Unclear,
)
from drivers.pax import DRIVER, PaxSettings
from simulators.loop import VirtualLoop, run_virtual
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.cable import CableEnd, MemoryPort, Wire
from simulators.terminals.shared.shopper import Mischief, MischiefKind, Place, Plan, Scenario

Kind = Literal["serial", "tcp"]
Value = TypeVar("Value")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", Money(1250, "USD"))
VISA = Plan(brand="visa")
CARELESS = Plan()
HTTP = PaxSettings(transport="http")
READS_MAX = 10_000  # a conversation that is not over by then never ends
QUESTIONS_MAX = 40


class Shop:
    """A terminal on a port in memory, and the till."""

    def __init__(
        self,
        *plans: Plan,
        kind: Kind = "tcp",
        profile: PaxProfile | None = None,
        wire: Wire | None = None,
        settings: PaxSettings | None = None,
        without_card: Plan = CARELESS,
        seed: int = 0,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.kind: Kind = kind
        self.settings = settings or PaxSettings()
        self.port = MemoryPort(random.Random(f"wire{seed}"), wire, kind=kind)
        self.sent: list[bytes] = []
        self.terminal = PaxTerminal(
            clock=lambda: NOON + timedelta(seconds=loop.time()),
            rng=random.Random(f"terminal{seed}"),
            scenario=Scenario(payments=plans, otherwise=VISA, without_card=without_card),
            profile=profile,
        )

    async def open(self) -> CableEnd:
        for _ in range(READS_MAX):
            try:
                return self.port.open()
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0.5)
        raise AssertionError("the terminal never came back")

    async def say(
        self, operation: Operation, *, cancel_after: float | None = None
    ) -> list[TerminalEvent]:
        """Hold one conversation on a new line and return everything the dialogue told."""
        line = await self.open()
        loop = asyncio.get_running_loop()
        cancel_at = None if cancel_after is None else loop.time() + cancel_after
        dialogue = DRIVER.dialogue(self.settings, self.kind)
        events: list[TerminalEvent] = []
        step = dialogue.begin(operation, loop.time())
        for _ in range(READS_MAX):
            if step.new_line:
                line.close()
                line = await self.open()
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
            until = step.wake_at if cancel_at is None else min(step.wake_at, cancel_at)
            try:
                async with asyncio.timeout_at(until):
                    data = await line.read()
            except TimeoutError:
                if cancel_at is not None and loop.time() >= cancel_at:
                    cancel_at = None
                    step = dialogue.cancel(loop.time())
                else:
                    step = dialogue.timeout(loop.time())
            else:
                now = loop.time()
                step = dialogue.receive(data, now) if data else dialogue.line_lost(now)
        raise AssertionError("the conversation does not end")

    async def result(
        self, operation: Operation = PAY, *, cancel_after: float | None = None
    ) -> FinalEvent:
        """Hold one conversation and return its final event."""
        return (await self.say(operation, cancel_after=cancel_after))[-1]  # type: ignore[return-value]  # the last is final

    async def baseline(self) -> Baseline | None:
        ready = await self.result(Probe())
        return ready.baseline if isinstance(ready, TerminalReady) else None

    async def settle(
        self, operation: MoneyOperation = PAY, baseline: Baseline | None = None
    ) -> FinalEvent:
        """Perform, and ask until it is known or hopeless."""
        final = await self.result(operation)
        for _ in range(QUESTIONS_MAX):
            if not isinstance(final, Unclear | StillRunning) or final == BATCH_UNKNOWN:
                return final
            await asyncio.sleep(5)
            final = await self.result(Inquire(operation, baseline))
        return final

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.terminal.ledger.entries]

    def taken(self) -> int:
        return self.terminal.ledger.taken_minor("USD")


BATCH_UNKNOWN = Unclear(
    "batch_unknown", "no record of it, but the batch may have been closed since"
)


def in_shop(
    story: Callable[[Shop], Awaitable[Value]],
    *plans: Plan,
    kind: Kind = "tcp",
    profile: PaxProfile | None = None,
    wire: Wire | None = None,
    settings: PaxSettings | None = None,
    without_card: Plan = CARELESS,
    seed: int = 0,
) -> Value:
    """Run `story` in a new shop, in virtual time."""

    async def main() -> Value:
        shop = Shop(
            *plans,
            kind=kind,
            profile=profile,
            wire=wire,
            settings=settings,
            without_card=without_card,
            seed=seed,
        )
        serving = asyncio.ensure_future(shop.terminal.run(shop.port))
        try:
            return await story(shop)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    return run_virtual(main, loop=VirtualLoop(seed))


def mischief(kind: MischiefKind, at: Place, **facts: float) -> Plan:
    """Return a plan with one misfortune."""
    return Plan(
        brand="visa", mischief=(Mischief.model_validate({"kind": kind, "at": at, **facts}),)
    )
