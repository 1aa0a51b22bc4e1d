"""Commands for a terminal that move no money: they wait for it, so their responses come later.

What an answer means to the register is in `terminal_result.py`, the end of day in
`reconciliation.py`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from bridge.errors import RequestError
from bridge.money.ledger import Ledger
from bridge.register import api as k
from bridge.register.api import terminal_commands as t
from bridge.register.commands.reconciliation import DayEnds, unknown
from bridge.register.commands.terminal_result import result_of
from bridge.register.mqtt.messages import Delivery
from bridge.register.outbox import Outbox
from drivers import contract as c

# What the longest of them may take: an end of day goes online for minutes (ZVT T4 is 180 s).
OPERATION_SECONDS_MAX = 300.0
CHECK_SECONDS_MAX = 15.0  # a terminal that is asked how it is answers within T3 of its protocol
OPERATIONS_WAITING_MAX = 50  # over all terminals and registers
OPERATIONS_OF_REGISTER_MAX = 8  # one that hammers leaves room for the others


Keep = Callable[[c.FinalEvent], Awaitable[None]]
LOOK = c.EndOfDay(close=False)
Result = k.Wire | dict[str, Any]  # the latter is a model that was stored as JSON


class State(Protocol):
    """What a station shows of its terminal."""

    @property
    def probes(self) -> int:
        """How many probes came to an end."""

    @property
    def can_take_payments(self) -> bool:
        """True when a payment could start now."""

    @property
    def problem(self) -> str:
        """A short code, "" when there is none."""

    @property
    def problem_text(self) -> str:
        """The problem in words."""


class Terminal(Protocol):
    """What is asked of a station; none of it waits."""

    @property
    def state(self) -> State:
        """How the terminal is now."""

    @property
    def capabilities(self) -> c.Capabilities:
        """What it can do."""

    @property
    def operation_results(self) -> dict[str, c.FinalEvent]:
        """What operations came to, by name."""

    def begin_operation(
        self, name: str, operation: c.TerminalOperation, keep: Keep | None = None
    ) -> None:
        """Do it once the terminal is idle; raises RequestError. `keep` stores its answer."""

    def drop_operation(self, name: str) -> bool:
        """Forget one that has not begun; False when it runs or is done."""

    def ask_for_probe(self) -> int:
        """Have it probed; done when `state.probes` exceeds the returned number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that waits for its terminal."""

    register_id: str
    delivery: Delivery
    request: k.AnyTerminalOperation

    def is_repeated_by(self, register_id: str, request: k.AnyTerminalOperation) -> bool:
        """Tell whether a register sends this very command again."""
        mine = (self.register_id, self.request.operation, self.request.request_id)
        return mine == (register_id, request.operation, request.request_id)


@dataclass(slots=True)
class _Pending:
    name: str  # unique
    terminal_id: str
    operation: c.TerminalOperation | None  # None is a probe
    until: float  # then the register has stopped waiting for the answer
    probes_before: int = 0
    looks: bool = False  # at the totals, because of an earlier end of day; then it begins
    lasting: bool = False  # its name means the same one for ever
    asked: list[Asked] = field(default_factory=list)

    @property
    def closes(self) -> bool:
        """True for an end of day."""
        return isinstance(self.operation, c.EndOfDay) and self.operation.close

    @property
    def now_called(self) -> str:
        """The name that the station has for what it does of it now."""
        return f"look {self.name}" if self.looks else self.name


@dataclass(frozen=True, slots=True)
class OperationAnswer:
    """What a waiting command is told: a result, or why there is none."""

    register_id: str
    delivery: Delivery
    request: k.AnyTerminalOperation
    result: Result | RequestError


class TerminalOperations:
    """Commands that wait for their terminal: begun by the router, answered by `late_answers.py`."""

    def __init__(self, ledger: Ledger, terminals: Mapping[str, Terminal], outbox: Outbox) -> None:
        """Wait for `terminals`; end of day compares with `ledger`, for `outbox`."""
        self._ledger = ledger
        self._terminals = terminals
        self._running: dict[str, _Pending] = {}
        self._numbers = 0
        self.draining = False  # no terminal begins anything new
        self.day_ends = DayEnds(ledger, outbox)

    def recall(self) -> None:
        """Find what was published before a restart and still is."""
        self.day_ends.recall(self._terminals)

    def begin(
        self,
        delivery: Delivery,
        register_id: str,
        request: k.AnyTerminalOperation,
        terminal_id: str,
    ) -> Result | None:
        """Start waiting for the terminal; return the answer if it is known already.

        Raises:
            RequestError: `operation_not_supported`, or what the terminal refuses.
        """
        asked = Asked(register_id, delivery, request)
        waiting = [one for pending in self._running.values() for one in pending.asked]
        if any(one.is_repeated_by(register_id, request) for one in waiting):
            return None  # a register that repeats itself gets the one answer when it is there
        mine = sum(one.register_id == register_id for one in waiting)
        if len(waiting) >= OPERATIONS_WAITING_MAX or mine >= OPERATIONS_OF_REGISTER_MAX:
            raise RequestError("terminal_busy", "too many commands are waiting")
        terminal = self._terminals[terminal_id]
        word = request.needs
        if word and word not in terminal.capabilities.operations:
            raise RequestError(
                "operation_not_supported",
                f"this terminal cannot do {word}; see its capabilities",
                path="terminal_id",
            )
        name = self._name(register_id, request, terminal_id)
        if name in self._running:  # the same end of day, asked for by another message
            self._running[name].asked.append(asked)
            return None
        operation = _operation(request)
        now = asyncio.get_running_loop().time()
        pending = _Pending(name, terminal_id, operation, now + OPERATION_SECONDS_MAX, asked=[asked])
        if isinstance(request, k.TerminalReconcile) and pending.closes:
            pending.lasting = request.operation_id is not None
            done = self.day_ends.known(terminal_id, name, lasting=pending.lasting)
            if done is not None:
                return done
        if self.draining:
            raise RequestError("bridge_draining", "the bridge is about to stop; try again soon")
        if pending.closes:
            if any(one.closes and one.terminal_id == terminal_id for one in self._running.values()):
                raise RequestError(
                    "terminal_busy", "an end of day is under way", terminal_id=terminal_id
                )
            can_look = k.TerminalTotals.needs in terminal.capabilities.operations
            pending.looks = self.day_ends.is_open(terminal_id) and can_look
        if operation is None:
            pending.until = now + CHECK_SECONDS_MAX
            pending.probes_before = terminal.ask_for_probe()
        else:
            keep = partial(self._keep, pending) if pending.closes and not pending.looks else None
            terminal.begin_operation(pending.now_called, LOOK if pending.looks else operation, keep)
        self._running[name] = pending
        if pending.closes:
            self.day_ends.under_way.add(name)
        return None

    @property
    def closing(self) -> bool:
        """True while a terminal closes its batch, or is about to."""
        return any(one.closes for one in self._running.values())

    @property
    def next_at(self) -> float | None:
        """When the first waiting command has waited too long (loop's clock), None if none waits."""
        return min((one.until for one in self._running.values() if one.asked), default=None)

    async def finished(self) -> list[OperationAnswer]:
        """Return the answers of commands whose terminal has answered, or took too long.

        Raises:
            JournalError: What became of a batch could not be noted.
        """
        now = asyncio.get_running_loop().time()
        answers: list[OperationAnswer] = []
        for pending in tuple(self._running.values()):
            terminal = self._terminals[pending.terminal_id]
            final = terminal.operation_results.pop(pending.now_called, None)
            probed = pending.operation is None and terminal.state.probes > pending.probes_before
            if final is None and not probed and now < pending.until:
                continue
            dropped = not probed and final is None and terminal.drop_operation(pending.now_called)
            result = await self._result(pending, final, dropped=dropped)
            if result is None:
                continue
            # A command that came meanwhile hears it, too: nothing is awaited from here on.
            answers += [
                OperationAnswer(o.register_id, o.delivery, o.request, result) for o in pending.asked
            ]
            pending.asked.clear()
            if pending.operation is None or final is not None or dropped:
                del self._running[pending.name]
                self.day_ends.under_way.discard(pending.name)
            else:  # it runs: nobody waits any more, but what it does to the batch must be noted
                pending.until = math.inf
        return answers

    def _name(self, register_id: str, request: k.AnyTerminalOperation, terminal_id: str) -> str:
        if isinstance(request, k.TerminalReconcile) and request.close:
            return self.day_ends.name(register_id, request, terminal_id)
        self._numbers += 1
        return str(self._numbers)

    async def _result(
        self, pending: _Pending, final: c.FinalEvent | None, *, dropped: bool
    ) -> Result | RequestError | None:
        """Return what came of it, None when it goes on."""
        terminal_id = pending.terminal_id
        if pending.operation is None:
            return self._check_result(terminal_id, pending.probes_before)
        if final is None and (dropped or not pending.closes):
            text = "the terminal was busy with something else, or did not come to an end"
            return RequestError("terminal_busy", text, terminal_id=terminal_id)
        if pending.looks and final is not None:
            return await self._go_on(pending, final)
        match final:
            case c.BatchTotals(closed=True) if pending.closes:
                stored = self.day_ends.known(terminal_id, pending.name, lasting=True)
                return stored or await self.day_ends.ended(terminal_id, pending.name, final)
            case c.BatchTotals():
                if pending.closes:
                    await self.day_ends.kept(terminal_id, pending.name, "the terminal kept it")
                return await self.day_ends.totals(terminal_id, final)
            case c.Declined() | c.Canceled() | c.Failed() if pending.closes:
                await self.day_ends.kept(terminal_id, pending.name, final.text or final.code)
                return result_of(terminal_id, final, None)
            case c.LastTransaction(approval) if approval is not None:
                newest = await self._ledger.batches.newest_of(terminal_id)
                ours = next((one for one in newest if one.payment.made(approval.fingerprint)), None)
                return result_of(terminal_id, final, ours.payment_id if ours else None)
            case _ if pending.closes or final is None:
                return unknown(terminal_id)
            case _:
                return result_of(terminal_id, final, None)

    async def _keep(self, pending: _Pending, final: c.FinalEvent) -> None:
        """Store what a terminal says of its end of day; called in its own conversation.

        Raises:
            JournalError: It could not be stored; the terminal must not hear that we have it.
        """
        match final:
            case c.BatchTotals(closed=True):
                await self.day_ends.ended(pending.terminal_id, pending.name, final)
            case c.BatchTotals():
                await self.day_ends.kept(pending.terminal_id, pending.name, "the terminal kept it")
            case c.Declined() | c.Canceled() | c.Failed():
                why = final.text or final.code
                await self.day_ends.kept(pending.terminal_id, pending.name, why)
            case _:
                pass  # not known; the next totals may show it

    async def _go_on(self, pending: _Pending, final: c.FinalEvent) -> Result | RequestError | None:
        """Begin an end of day once the totals told what came of the one before it."""
        terminal_id = pending.terminal_id
        if not isinstance(final, c.BatchTotals):
            return result_of(terminal_id, final, None)
        try:
            await self.day_ends.look(terminal_id, pending.name, final)
            done = self.day_ends.known(terminal_id, pending.name, lasting=pending.lasting)
            if done is not None or not pending.asked:
                return done or unknown(terminal_id)
            pending.looks = False
            keep = partial(self._keep, pending)
            self._terminals[terminal_id].begin_operation(pending.name, c.EndOfDay(), keep)
        except RequestError as error:
            return error
        return None

    def _check_result(self, terminal_id: str, probes_before: int) -> k.TerminalCheckResult:
        state = self._terminals[terminal_id].state
        return k.TerminalCheckResult(
            terminal_id=terminal_id,
            ready=state.can_take_payments,
            problem=state.problem or None,
            text=state.problem_text or None,
            answered=state.probes > probes_before,
        )


def _operation(request: k.AnyTerminalOperation) -> c.TerminalOperation | None:
    """Return what the terminal is asked; None is a probe."""
    match request:
        case k.TerminalCheck() | k.TerminalLogin():
            return None
        case k.TerminalTotals():
            return c.EndOfDay(close=False)
        case k.TerminalReconcile(close=close):
            return c.EndOfDay(close=close)
        case k.TerminalDisplay(lines=lines, seconds=seconds):
            return c.ShowText(lines, seconds)
        case k.TerminalDiagnose():
            return c.Diagnose()
        case t.TerminalSelfTest():
            return c.SelfTest()
        case k.TerminalLastTransaction():
            return c.ReadLast()
        case k.CardRead(deadline_s=seconds):
            return c.ReadCard(seconds)
        case k.CardBalance(deadline_s=seconds):
            return c.ReadBalance(seconds)
