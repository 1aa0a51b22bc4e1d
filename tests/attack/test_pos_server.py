"""Payments at the POS server's terminals, under every fault and crash, against what really was.

The server's ledger has the truth: whatever the bridge says of a payment must be so there, and a
payment of which nobody can know is in doubt, never denied.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from bridge.money import payment as p
from simulators.back_office.faults import ANY_OPERATION, NAMED, Effect
from simulators.back_office.graphql import TerminalTrait
from tests.support.office import play
from tests.support.pos_server_counter import CAPTURE, CONTINUE, START, PosServerCounter

REST_SECONDS = 400.0  # longer than any late effect and any doubt that clears up
STEPS = (START, CONTINUE, CAPTURE)
# A server that answers and then loses what it did lies to everybody; the rest are of one operation.
FAULTS = sorted(
    name
    for name, fault in NAMED.items()
    if fault.effect is not Effect.LOST and fault.operation == ANY_OPERATION
)
NO = {p.Status.DECLINED, p.Status.CANCELED, p.Status.FAILED}


def judge(counter: PosServerCounter, names: list[str]) -> None:
    """Compare what was said of each payment with what really happened to its money."""
    for name in names:
        said = counter.payment(name)
        real = [
            line["effect"].removeprefix("terminal_payment_")
            for line in counter.office.state.ledger
            if line.get("refNo") == name
        ]
        story = f"{name} is {said.status.value} ({said.denial or said.doubt}), really {real}"
        assert real.count("started") <= 1, story
        taken = real.count("taken") + real.count("captured")
        assert taken <= 1, story
        assert real.count("asked_after_end") == 0 or said.resolved_by != "bridge", story
        if said.status in NO and said.resolved_by != "operator":
            assert not taken, story
            assert "held" not in real, story
        if said.status is p.Status.APPROVED and said.resolved_by != "operator":
            assert taken == 1, story
            assert said.approval is not None, story
            assert said.approval.amount == said.request.amount, story


@pytest.mark.parametrize("trait", ["plain", "findable"])
@pytest.mark.parametrize("step", STEPS)
def test_no_fault_at_any_step_turns_unknown_into_no_or_yes(
    tmp_path: Path, step: str, trait: TerminalTrait
) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        counter.office.api.terminal_payments = trait
        await counter.begin()
        names = []
        # What is not found is looked for again and again, so some faults must do there.
        for fault in FAULTS if trait == "plain" else FAULTS[::4]:
            counter.play(outcome="authorize", continuations=2, capture_continuations=1)
            counter.fault(fault, step)
            names.append(await counter.start("12.50", sale_id=fault))
            await counter.end_of(names[-1])
            await asyncio.sleep(REST_SECONDS)
            counter.office.faults.clear()
            for one in counter.office.state.terminals.payments.values():
                counter.office.state.terminals.leave(one.id)
            counter.office.state.terminals.plays.clear()
        judge(counter, names)
        await counter.end()

    play(main)


class Storm:
    """One afternoon at a counter where everything may go wrong, by a seed."""

    def __init__(self, counter: PosServerCounter, seed: int) -> None:
        self.counter = counter
        self.chance = random.Random(seed)
        self.names: list[str] = []

    async def pass_(self) -> None:
        """Begin payments, and have faults, crashes and cancels meet them."""
        for number in range(4):
            await self._plan()
            said: dict[str, Any] = {"sale_id": f"S{number}", "deadline_s": 30}
            try:
                self.names.append(await self.counter.start("12.50", **said))
            except AssertionError:
                continue  # refused: nothing was begun
            for _ in range(self.chance.randrange(3)):
                await self._disturb(self.names[-1])
            await asyncio.sleep(self.chance.choice((1.0, 20.0, 200.0)))
        self.counter.office.faults.clear()
        if self.counter.office.away:
            self.counter.office.control({"do": "back"})
        await asyncio.sleep(REST_SECONDS)

    async def _plan(self) -> None:
        chance = self.chance
        outcomes = ("approve", "authorize", "decline", "cancel", "error_before", "error_after")
        self.counter.play(
            outcome=chance.choice(outcomes),
            continuations=chance.choice((0, 1, 3, 30)),
            capture_continuations=chance.choice((0, 2)),
            wait_seconds=chance.choice((0, 1, 7)),
        )
        if chance.random() < 0.7:
            step = chance.choice(STEPS)
            after = chance.randrange(3) if step == CONTINUE else 0
            times = chance.choice((1, 1, 3))
            self.counter.fault(chance.choice(FAULTS), step, after=after, times=times)

    async def _disturb(self, name: str) -> None:
        await asyncio.sleep(self.chance.choice((0.0, 0.05, 0.5, 2.0, 15.0)))
        match self.chance.randrange(4):
            case 0 | 1:
                await self.counter.kill_and_restart()
            case 2:
                await self.counter.ask("payment/cancel", payment_id=name)
            case 3:
                self.counter.office.control({"do": "away", "seconds": 8})


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_nothing_is_taken_twice_and_nothing_taken_is_denied(
    tmp_path: Path, seed: int
) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        if seed % 2:
            counter.office.api.terminal_payments = "findable"
        await counter.begin()
        storm = Storm(counter, seed)
        await storm.pass_()
        judge(counter, storm.names)
        await counter.end()

    play(main)
