"""The driver against the simulated terminal: what it says must be what the ledger says.

The terminal is written from the same sheet by other hands; a misunderstanding shows as a quarrel.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import pytest

from drivers import contract as c
from drivers.zvt import DRIVER, ZvtSettings
from drivers.zvt.settings import ProfileName
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import CableEnd, MemoryPort, Wire
from simulators.terminals.shared.shopper import Mischief, MischiefKind, Place, Plan, Scenario
from simulators.terminals.zvt import PROFILES, ZvtTerminal
from simulators.terminals.zvt.profile import Profile

Transport = Literal["serial", "tcp"]
Numbers = tuple[
    Literal["together", "apart"],
    Literal["none", "missing", "old", "skips"],
    Literal["reply", "status", "end"],
]
OPENING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SEED = 7
SECOND_SALE = 3  # registrations: the first sale, the probe, the second sale
PRICE = c.Money(2040, "EUR")
INQUIRIES_MAX = 40
SECONDS_BETWEEN = 5.0
SETTLED_AFTER_SECONDS = 400.0  # longer than any timer of the terminal
NOISY = Wire(
    chunk_bytes_max=9,
    delay_seconds=(0.0, 0.02),
    flip=0.01,
    drop=0.01,
    duplicate=0.01,
    insert=0.01,
)
CALM = Wire(chunk_bytes_max=5, delay_seconds=(0.0, 0.02))


@dataclass
class Desk:
    """The smallest station: opens the line, holds one conversation, drops the line in doubt."""

    port: MemoryPort
    settings: ZvtSettings
    transport: Transport
    line: CableEnd | None = None

    async def ask(
        self, operation: c.Operation, cancel_after: float | None = None
    ) -> list[c.TerminalEvent]:
        loop = asyncio.get_running_loop()
        cancel_at = None if cancel_after is None else loop.time() + cancel_after
        dialogue = DRIVER.dialogue(self.settings, self.transport)
        line = await self._open()
        events: list[c.TerminalEvent] = []
        step = dialogue.begin(operation, loop.time())
        while True:
            line.write(step.send)
            if step.events:
                events += step.events
                step = dialogue.committed(loop.time())
                continue
            if step.wake_at is None:
                break
            wake_at = step.wake_at
            if cancel_at is not None and loop.time() >= cancel_at:
                cancel_at, step = None, dialogue.cancel(loop.time())
                continue
            try:
                async with asyncio.timeout_at(min(wake_at, cancel_at or wake_at)):
                    data = await line.read()
            except TimeoutError:
                step = dialogue.timeout(loop.time())
                continue
            if data:
                step = dialogue.receive(data, loop.time())
            else:
                step, self.line = dialogue.line_lost(loop.time()), None
        if isinstance(events[-1], c.Unclear) and self.line is not None:
            self.line.close()
            self.line = None
        return events

    async def _open(self) -> CableEnd:
        while self.line is None:
            try:
                self.line = self.port.open()
            except OSError:
                await asyncio.sleep(0.5)
        return self.line


@dataclass(frozen=True)
class Story:
    plan: Plan
    transport: Transport
    profile: ProfileName
    wire: Wire
    cancel_after: float | None
    numbers: Numbers | None = None

    @property
    def terminal_profile(self) -> Profile:
        known = PROFILES[self.profile]
        if self.numbers is None:
            return known
        counts, fault, where = self.numbers
        return replace(
            known,
            sequences=True,
            sequence_counts=counts,
            sequence_fault=fault,
            sequence_fault_in=where,
            sequence_fault_at=SECOND_SALE,
        )

    async def happen(self) -> tuple[c.TerminalEvent, int]:
        return await sell(self)


async def sell(story: Story) -> tuple[c.TerminalEvent, int]:
    """Sell twice, the second time by the plan; return the verdict and what the ledger took."""
    rng = random.Random(SEED)
    port = MemoryPort(rng, story.wire, kind=story.transport)
    loop = asyncio.get_running_loop()
    terminal = ZvtTerminal(
        clock=lambda: OPENING + timedelta(seconds=loop.time()),
        rng=rng,
        kind=story.transport,
        scenario=Scenario(payments=(Plan(), story.plan)),
        profile=story.terminal_profile,
    )
    settings = ZvtSettings(
        profile=story.profile,
        sequence_ids=story.numbers is not None,
        keypad_stays_locked=True,  # nobody types here: what is new is ours
    )
    desk = Desk(port, settings, story.transport)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(port))
        await asyncio.sleep(0.1)
        await desk.ask(c.Pay("first", PRICE))
        ready = await until_ready(desk)
        taken = terminal.ledger.taken_minor()
        order = c.Pay("second", PRICE)
        events = await desk.ask(order, story.cancel_after)
        for _ in range(INQUIRIES_MAX):
            if not isinstance(events[-1], (c.Unclear, c.StillRunning)):
                break
            offers = [e.approval for e in events if isinstance(e, c.Offered)]
            await asyncio.sleep(SECONDS_BETWEEN)
            offer = offers[-1] if offers else None
            events = events[:-1] + await desk.ask(c.Inquire(order, ready.baseline, offer))
        await asyncio.sleep(SETTLED_AFTER_SECONDS)
        running.cancel()
    return events[-1], terminal.ledger.taken_minor() - taken


async def until_ready(desk: Desk) -> c.TerminalReady:
    while True:
        told = (await desk.ask(c.Probe()))[-1]
        if isinstance(told, c.TerminalReady):
            return told
        await asyncio.sleep(SECONDS_BETWEEN)


def plan_of(kind: MischiefKind, place: Place, chance: random.Random) -> Plan:
    trouble = Mischief(
        kind=kind,
        at=place,
        seconds=chance.choice([1.0, 7.0, 60.0]),
        count=chance.choice([1, 3, 20]),
        forget=kind == "die" and chance.random() < 0.3,
    )
    return Plan(
        outcome=chance.choice(["approve", "approve", "approve", "decline", "cancel"]),
        abort=chance.choice(["obey", "refuse", "ignore", "approve_anyway"]),
        mischief=(trouble,),
    )


def agree(verdict: c.TerminalEvent, taken_minor: int) -> bool:
    match verdict:
        case c.Approved(approval):
            return taken_minor == approval.amount.minor
        case c.Declined() | c.Canceled() | c.Failed():
            return taken_minor == 0
        case _:
            return True


@pytest.mark.parametrize("transport", ["serial", "tcp"])
def test_numbered_conversations_tell_the_truth_though_the_terminal_counts_wrongly(
    transport: Transport,
) -> None:
    quarrels: list[str] = []
    approvals = 0
    for kind in get_args(MischiefKind):
        for place in random.Random(kind).sample(get_args(Place), 2):
            chance = random.Random(f"{kind}{place}{transport}")
            numbers: Numbers = (
                chance.choice(["together", "apart"]),
                chance.choice(["none", "none", "missing", "old", "skips"]),
                chance.choice(["reply", "status", "end"]),
            )
            plan = plan_of(kind, place, chance)
            cancel_after = chance.choice([None, None, 1.0, 3.0])
            story = Story(plan, transport, "default", CALM, cancel_after, numbers)
            verdict, taken = run_virtual(story.happen, seed=SEED)
            approvals += isinstance(verdict, c.Approved)
            if not agree(verdict, taken):
                quarrels.append(f"{numbers} {kind} at {place}: said {verdict}, took {taken}")
    assert quarrels == []
    assert approvals > 0


@pytest.mark.parametrize(
    ("transport", "profile", "wire"),
    [
        ("serial", "default", CALM),
        ("serial", "feig", NOISY),
        ("tcp", "default", CALM),
        ("tcp", "global_payments", CALM),
    ],
    ids=["serial", "serial_noisy", "tcp", "tcp_no_repeat"],
)
def test_every_verdict_is_what_the_terminals_ledger_says(
    transport: Transport, profile: ProfileName, wire: Wire
) -> None:
    quarrels: list[str] = []
    doubts = 0
    for kind in get_args(MischiefKind):
        for place in get_args(Place):
            chance = random.Random(f"{kind}{place}{profile}")
            plan = plan_of(kind, place, chance)
            cancel_after = chance.choice([None, None, 1.0, 3.0])
            story = Story(plan, transport, profile, wire, cancel_after)
            verdict, taken = run_virtual(story.happen, seed=SEED)
            if not agree(verdict, taken):
                quarrels.append(f"{kind} at {place}: said {verdict}, took {taken}")
            may_stay = plan.mischief[0].forget or profile == "global_payments"
            doubts += isinstance(verdict, c.Unclear) and not may_stay
    assert quarrels == []
    if wire is CALM:
        assert doubts == 0


async def ask_around() -> tuple[c.TerminalEvent, ...]:
    """Ask a terminal for its last transaction before and after a payment, and test its line."""
    rng = random.Random(SEED)
    port = MemoryPort(rng, CALM, kind="serial")
    terminal = ZvtTerminal(
        clock=lambda: OPENING, rng=rng, scenario=Scenario(payments=(Plan(),)), kind="serial"
    )
    desk = Desk(port, ZvtSettings(), "serial")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(port))
        await asyncio.sleep(0.1)
        orders = (c.Probe(), c.ReadLast(), c.Pay("first", PRICE), c.ReadLast(), c.Diagnose())
        said = [(await desk.ask(order))[-1] for order in orders]
        running.cancel()
    return tuple(said)


def test_the_terminal_tells_its_last_transaction_and_its_health() -> None:
    ready, before, paid, after, diagnosis = run_virtual(ask_around, seed=SEED)
    assert isinstance(ready, c.TerminalReady)
    assert isinstance(before, c.LastTransaction)
    assert before.approval is None
    assert isinstance(paid, c.Approved)
    assert isinstance(after, c.LastTransaction)
    assert after.approval is not None
    assert after.approval.fingerprint == paid.approval.fingerprint
    assert isinstance(diagnosis, c.Diagnosis)
    assert diagnosis.passed
    assert diagnosis.facts["terminal_id"] == ready.terminal_id


async def capture_in_doubt(place: Place) -> tuple[c.TerminalEvent, list[str]]:
    """Lose the line in a capture, at a terminal whose last transaction is not readable."""
    rng = random.Random(SEED)
    port = MemoryPort(rng, CALM, kind="tcp")
    cut = Plan(mischief=(Mischief(kind="unplug", at=place, seconds=20),))
    terminal = ZvtTerminal(
        clock=lambda: OPENING,
        rng=rng,
        scenario=Scenario(otherwise=Plan(), without_card=cut),
        kind="tcp",
    )
    desk = Desk(port, ZvtSettings(repeat_receipt_usable=False), "tcp")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(port))
        await asyncio.sleep(0.1)
        held = (await desk.ask(c.Authorize("hold", c.Money(10000, "EUR"))))[-1]
        assert isinstance(held, c.Approved)
        order = c.Capture("capture", c.Money(9000, "EUR"), held.approval)
        if place == "command":
            verdict: c.TerminalEvent = c.Unclear("link_lost")  # it never reached the terminal
        else:
            verdict = (await desk.ask(order))[-1]
        for _ in range(INQUIRIES_MAX):
            if not isinstance(verdict, (c.Unclear, c.StillRunning)):
                break
            terminal.shopper.scenario = Scenario()
            await asyncio.sleep(SECONDS_BETWEEN)
            verdict = (await desk.ask(c.Inquire(order, None)))[-1]
        running.cancel()
    return verdict, [entry.kind for entry in terminal.ledger.entries]


def test_a_capture_that_did_not_arrive_is_told_by_the_open_hold() -> None:
    verdict, kinds = run_virtual(lambda: capture_in_doubt("command"), seed=SEED)
    assert isinstance(verdict, c.Failed)
    assert verdict.code == "not_executed"
    assert "captured" not in kinds


def test_a_capture_that_was_booked_is_not_called_undone() -> None:
    verdict, kinds = run_virtual(lambda: capture_in_doubt("status"), seed=SEED)
    assert not isinstance(verdict, c.Failed)
    assert "captured" in kinds


async def raise_and_capture() -> tuple[c.TerminalEvent, list[str]]:
    """Hold 100.00, raise it by 20.00, capture all of it by the newest number."""
    rng = random.Random(SEED)
    port = MemoryPort(rng, CALM, kind="tcp")
    terminal = ZvtTerminal(
        clock=lambda: OPENING, rng=rng, scenario=Scenario(otherwise=Plan()), kind="tcp"
    )
    desk = Desk(port, ZvtSettings(), "tcp")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(port))
        await asyncio.sleep(0.1)
        held = (await desk.ask(c.Authorize("hold", c.Money(10000, "EUR"))))[-1]
        assert isinstance(held, c.Approved)
        order = c.Authorize("raise", c.Money(2000, "EUR"), held.approval)
        raised = (await desk.ask(order))[-1]
        assert isinstance(raised, c.Approved)
        assert raised.approval.amount == c.Money(2000, "EUR")
        whole = replace(raised.approval, amount=c.Money(12000, "EUR"))
        captured = (await desk.ask(c.Capture("capture", c.Money(12000, "EUR"), whole)))[-1]
        running.cancel()
    return captured, [entry.kind for entry in terminal.ledger.entries]


def test_a_raised_hold_is_captured_whole_by_its_newest_number() -> None:
    captured, kinds = run_virtual(raise_and_capture, seed=SEED)
    assert isinstance(captured, c.Approved)
    assert captured.approval.amount == c.Money(12000, "EUR")
    assert kinds.count("captured") == 1
