"""Plays a payment's operation again: its driver against the simulated terminal, in virtual time.

The driver is the real one; nothing else of the bridge takes part. What the shopper does comes from
what the journal says became of the payment, and the line is cut where it says that it broke. The
bytes are shown whole: the card is the simulator's, and no secret of a store is in a bundle.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from drivers import contract as c
from simulators.loop import run_virtual
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from simulators.terminals.shared.shopper import Plan, Scenario
from simulators.terminals.telium.program import CaisseApTerminal, TeliumTerminal
from simulators.terminals.zvt import ZvtTerminal

SECONDS_MAX = 300.0  # a conversation that lasts longer is given up
TERMINALS: dict[str, Callable[..., Any]] = {
    "zvt": ZvtTerminal,
    "pax": PaxTerminal,
    "telium": TeliumTerminal,
    "caisse_ap": CaisseApTerminal,
}
Shopper = Literal["approve", "decline", "cancel"]


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the conversation: `at` is in seconds since it began."""

    at: float
    who: Literal["register", "terminal", "driver", "line"]
    text: str


def can_play(driver: str) -> bool:
    """Say whether there is a simulated terminal for a driver."""
    return driver in TERMINALS


def play_again(
    driver: c.Driver, settings: Any, amount: c.Money, shopper: Shopper, cut_in: c.Stage | None
) -> list[Said]:
    """Return the conversation about a payment of `amount`; then what an inquiry finds, if cut."""
    return run_virtual(lambda: _play(driver, settings, amount, shopper, cut_in))


async def _play(
    driver: c.Driver, settings: Any, amount: c.Money, shopper: Shopper, cut_in: c.Stage | None
) -> list[Said]:
    loop = asyncio.get_running_loop()
    port = MemoryPort(random.Random(1))
    began = datetime.now(UTC)
    terminal = TERMINALS[driver.name](
        clock=lambda: began + timedelta(seconds=loop.time()),
        rng=random.Random(2),
        scenario=Scenario(payments=(Plan(outcome=shopper),)),
    )
    said: list[Said] = []
    async with asyncio.TaskGroup() as group:
        running = group.create_task(terminal.run(port))
        await port.plug()
        await asyncio.sleep(0.01)
        probe = _Talk(driver.dialogue(settings, "serial"), port, said)
        ready = await probe.hold(c.Probe())
        last = ready.baseline if isinstance(ready, c.TerminalReady) else None
        pay = _Talk(driver.dialogue(settings, "serial"), port, said, cut_in=cut_in)
        reference = "00000000-0000-4000-8000-000000000001"
        wish = c.Pay(reference, amount, last=last)
        final = await pay.hold(wish)
        if isinstance(final, c.Unclear):
            await asyncio.sleep(30.0)
            await port.plug()
            question = c.Inquire(wish, last, None)
            await _Talk(driver.dialogue(settings, "serial"), port, said).hold(question)
        running.cancel()
    return said


class _Talk:
    """One conversation, held as the contract says; nothing of it is stored."""

    def __init__(
        self,
        dialogue: c.Dialogue,
        port: MemoryPort,
        said: list[Said],
        *,
        cut_in: c.Stage | None = None,
    ) -> None:
        self._dialogue = dialogue
        self._port = port
        self._said = said
        self._cut_in = cut_in
        self._line: CableEnd = port.open()

    async def hold(self, operation: Any) -> object:
        """Hold it to its end and return the final event; None where there was none."""
        loop, dialogue = asyncio.get_running_loop(), self._dialogue
        self._tell("driver", f"begins: {type(operation).__name__}")
        final: object = None
        until = loop.time() + SECONDS_MAX
        step = dialogue.begin(operation, loop.time())
        while loop.time() < until:
            if step.new_line:
                self._line.close()
                self._line = self._port.open()
            if step.send:
                self._tell("register", step.send.hex(" "))
                self._line.write(step.send)
            for event in step.events:
                self._tell("driver", _words(event))
                final = event
                if isinstance(event, c.Progress) and event.stage is self._cut_in:
                    self._tell("line", "is cut here, as it was then")
                    self._port.unplug()
            if step.events:
                step = dialogue.committed(loop.time())
            elif step.wake_at is None:
                break
            else:
                step = await self._next(step.wake_at)
        self._line.close()
        return final

    async def _next(self, wake_at: float) -> c.Step:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(wake_at):
                data = await self._line.read()
        except TimeoutError:
            return self._dialogue.timeout(loop.time())
        if not data:
            return self._dialogue.line_lost(loop.time())
        self._tell("terminal", data.hex(" "))
        return self._dialogue.receive(data, loop.time())

    def _tell(self, who: Literal["register", "terminal", "driver", "line"], text: str) -> None:
        self._said.append(Said(asyncio.get_running_loop().time(), who, text))


def _words(event: object) -> str:
    match event:
        case c.Progress(stage):
            return f"stage: {stage.value.replace('_', ' ')}"
        case c.Approved(approval) | c.Offered(approval):
            return (
                f"{type(event).__name__.lower()}: {approval.amount.minor} {approval.approval_code}"
            )
        case c.Declined(code, text) | c.Failed(code, text):
            return f"{type(event).__name__.lower()}: {code} {text}".rstrip()
        case c.Unclear(reason, text):
            return f"unclear: {reason} {text}".rstrip()
        case c.Receipt(copy):
            return f"receipt for the {copy}"
        case _:
            return type(event).__name__
