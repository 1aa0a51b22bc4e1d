"""A shop in memory for tests: a ZVT terminal on a port, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import Tlv
from simulators.loop import VirtualLoop, run_virtual
from simulators.terminals.shared.cable import MemoryPort, Wire
from simulators.terminals.shared.shopper import (
    BUILT_IN,
    Mischief,
    MischiefKind,
    Place,
    Plan,
    Scenario,
)
from simulators.terminals.zvt import PROFILES, ZvtTerminal
from simulators.terminals.zvt.profile import Profile
from tests.component.simulators.raw_register import RawRegister

Kind = Literal["serial", "tcp"]
PAY = m.Authorization(amount=2040, currency=978)
INSTANT = BUILT_IN["instant"].otherwise
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TWENTY_EURO_FORTY = 2040
REGISTER_WITH_RECEIPTS = m.Registration("000000", 0xBE, 978)
REGISTER_WITHOUT_RECEIPTS = m.Registration("000000", 0x3E, 978)
WITH_BLOCKS = m.Registration(
    "000000", 0xBE, 978, tlv=(Tlv(0x26, (Tlv(0x0A, bytes.fromhex("06d3")),)),)
)


class Shop:
    """A terminal on a port in memory, and the registers that come."""

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        kind: Kind = "serial",
        profile: Profile = PROFILES["default"],
        wire: Wire | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.kind = kind
        self.port = MemoryPort(random.Random("wire"), wire, kind=kind)
        self.terminal = ZvtTerminal(
            clock=lambda: NOON + timedelta(seconds=loop.time()),
            rng=random.Random("terminal"),
            kind=kind,
            scenario=scenario or BUILT_IN["instant"],
            profile=profile,
        )

    async def come(self) -> RawRegister:
        return RawRegister(self.port.open(), self.kind)

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.terminal.ledger.entries]

    def taken(self) -> int:
        return self.terminal.ledger.taken_minor()


def in_a_shop(test: Callable[[Shop], Awaitable[None]], *args: Any, **options: Any) -> None:
    """Run `test` with a terminal in virtual time."""

    async def main() -> None:
        shop = Shop(*args, **options)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(shop.terminal.run(shop.port))
            await asyncio.sleep(0.001)
            await test(shop)
            running.cancel()

    run_virtual(main, loop=VirtualLoop(1))


def one(plan: Plan) -> Scenario:
    return Scenario(payments=(plan,), otherwise=INSTANT, without_card=INSTANT, speed=1)


def plan_with(kind: MischiefKind, at: Place, **facts: Any) -> Scenario:
    return one(INSTANT.model_copy(update={"mischief": (Mischief(kind=kind, at=at, **facts),)}))


def result_of(came: list[m.Message]) -> m.StatusInformation:
    return [message for message in came if isinstance(message, m.StatusInformation)][-1]
