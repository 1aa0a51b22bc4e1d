"""The register's dialogues against the terminal, in worlds where much goes wrong.

Both were written from the same sheet by different hands; here they quarrel, and the terminal's
ledger is the judge: nothing may be told as paid that is not, nor as not paid that is.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Literal, get_args

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from drivers.zvt.settings import ProfileName
from simulators.loop import VirtualLoop, run_virtual
from simulators.terminals.shared.cable import CableEnd, MemoryPort, Wire
from simulators.terminals.shared.shopper import Mischief, MischiefKind, Place, Plan, Scenario
from simulators.terminals.zvt import PROFILES, ZvtTerminal
from tests.component.simulators.zvt_shop import NOON

SEEDS = range(60)
PAYMENTS = 4
PROBES_MAX = 40
INQUIRIES_MAX = 8
OPENINGS_MAX = 300
UNTIL_QUIET_SECONDS = 400.0  # the terminal's longest way to end a dialogue alone
VENDORS: tuple[ProfileName, ...] = ("default", "card_complete", "feig", "global_payments")
WIRES = {
    "serial": (
        Wire(),
        Wire(chunk_bytes_max=3, delay_seconds=(0, 0.01)),
        Wire(chunk_bytes_max=40, flip=0.002, drop=0.002, insert=0.002, duplicate=0.002),
    ),
    "tcp": (Wire(), Wire(chunk_bytes_max=5), Wire(delay_seconds=(0.001, 0.05))),
}

NotDone = c.Declined | c.Canceled | c.Failed


def drawn_plan(rng: random.Random) -> Plan:
    return Plan(
        outcome=rng.choice(("approve", "approve", "approve", "decline", "cancel", "refuse")),
        entry=rng.choice(("chip", "contactless")),
        abort=rng.choice(("obey", "refuse", "ignore", "approve_anyway")),
        mischief=tuple(
            Mischief(
                kind=rng.choice(get_args(MischiefKind)),
                at=rng.choice(get_args(Place)),
                seconds=rng.choice((0.05, 1, 3, 10, 40)),
                count=rng.choice((1, 2, 3, 20)),
            )
            for _ in range(rng.choice((0, 1, 1, 2)))
        ),
    )


class World:
    def __init__(self, seed: int) -> None:
        rng = random.Random(f"{seed}/world")
        self.rng = rng
        self.kind: Literal["serial", "tcp"] = rng.choice(("serial", "tcp"))
        vendor = rng.choice(VENDORS)
        self.settings = ZvtSettings(profile=vendor)
        self.port = MemoryPort(rng, rng.choice(WIRES[self.kind]), kind=self.kind)
        self.terminal = ZvtTerminal(
            clock=lambda: NOON + timedelta(seconds=asyncio.get_running_loop().time()),
            rng=random.Random(f"{seed}/terminal"),
            kind=self.kind,
            scenario=Scenario(payments=tuple(drawn_plan(rng) for _ in range(PAYMENTS))),
            profile=replace(
                PROFILES[vendor],
                power_loss=rng.choice(("keep", "reverse")),
                unanswered=rng.choice(("keep", "reverse", None)),
                says_after_abort=rng.random() < 0.5,
                busy_code=rng.choice((None, 0xA0, 0x9C)),
            ),
        )

    async def converse(self, operation: c.Operation) -> list[c.TerminalEvent]:
        """Run one dialogue as a station does; a tenth of the payments are canceled."""
        loop = asyncio.get_running_loop()
        line = await self._opened()
        dialogue = DRIVER.dialogue(self.settings, self.kind)
        cancel_at = float("inf")
        if isinstance(operation, c.Pay) and self.rng.random() < 0.1:
            cancel_at = loop.time() + self.rng.uniform(0, 8)
        events: list[c.TerminalEvent] = []
        step = dialogue.begin(operation, loop.time())
        while True:
            line.write(step.send)
            if step.events:
                events += step.events
                step = dialogue.committed(loop.time())
                continue
            if step.wake_at is None:
                line.close()
                return events
            try:
                async with asyncio.timeout_at(min(step.wake_at, cancel_at)):
                    data = await line.read()
            except TimeoutError:
                if loop.time() >= cancel_at:
                    cancel_at = float("inf")
                    step = dialogue.cancel(loop.time())
                else:
                    step = dialogue.timeout(loop.time())
            else:
                now = loop.time()
                step = dialogue.receive(data, now) if data else dialogue.line_lost(now)

    async def pay(self, number: int) -> c.FinalEvent:
        """Probe until ready, pay once, and ask as long as it is unclear."""
        ready = await self._ready()
        money = c.Money(self.rng.randint(1, 9999), "EUR")
        payment = c.Pay(f"payment-{number}", money, accept_partial=True)
        events = await self.converse(payment)
        offer = next((event.approval for event in events if isinstance(event, c.Offered)), None)
        answer = the_final(events)
        for _ in range(INQUIRIES_MAX):
            if not isinstance(answer, c.Unclear | c.StillRunning):
                break
            await asyncio.sleep(20)
            answer = the_final(await self.converse(c.Inquire(payment, ready.baseline, offer)))
        await asyncio.sleep(UNTIL_QUIET_SECONDS)
        return answer

    async def _ready(self) -> c.TerminalReady:
        for _ in range(PROBES_MAX):
            answer = the_final(await self.converse(c.Probe()))
            if isinstance(answer, c.TerminalReady):
                return answer
            await asyncio.sleep(5)
        raise AssertionError("the terminal never gets ready")

    async def _opened(self) -> CableEnd:
        for _ in range(OPENINGS_MAX):
            try:
                return self.port.open()
            except OSError:
                await asyncio.sleep(1)
        raise AssertionError("the line never comes back")


def the_final(events: list[c.TerminalEvent]) -> c.FinalEvent:
    (final,) = [event for event in events if isinstance(event, c.FinalEvent)]
    return final


def honest(answer: c.FinalEvent) -> c.FinalEvent:
    return answer


def unknown_is_no(answer: c.FinalEvent) -> c.FinalEvent:
    return c.Declined("05") if isinstance(answer, c.Unclear) else answer


def quarrels(
    seed: int, told: Counter[str], teller: Callable[[c.FinalEvent], c.FinalEvent] = honest
) -> list[str]:
    """Return what `teller` tells otherwise than the terminal's ledger has it."""
    world = World(seed)
    found: list[str] = []

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(world.terminal.run(world.port))
            await asyncio.sleep(0.001)
            for number in range(PAYMENTS):
                before = len(world.terminal.ledger.standing())
                answer = teller(await world.pay(number))
                stands = len(world.terminal.ledger.standing()) - before
                told[f"{type(answer).__name__} {stands}"] += 1
                wrong = (isinstance(answer, c.Approved) and stands != 1) or (
                    isinstance(answer, NotDone) and stands != 0
                )
                if wrong:
                    found.append(f"seed {seed}, payment {number}: {answer}, but {stands} stand")
            running.cancel()

    run_virtual(main, loop=VirtualLoop(seed))
    return found


def test_what_the_driver_tells_is_what_the_terminal_did() -> None:
    told: Counter[str] = Counter()
    assert [quarrel for seed in SEEDS for quarrel in quarrels(seed, told)] == []
    # The worlds are rough enough to mean something, and smooth enough to pay in.
    assert told["Approved 1"] > 60
    assert told["Unclear 0"] + told["Unclear 1"] >= 4


def test_the_judge_sees_a_driver_that_tells_unknown_as_no() -> None:
    told: Counter[str] = Counter()
    assert [quarrel for seed in SEEDS for quarrel in quarrels(seed, told, unknown_is_no)] != []
