"""One terminal: keeps its line, holds one conversation at a time, asks after what is in doubt.

The station performs the ledger's live actions and reports what the terminal says as events. It
decides nothing about money; here stands what comes next at the terminal, and when.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bridge.errors import RequestError
from bridge.log import about
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.live_actions import Work
from bridge.terminal.connection import TerminalConnection
from bridge.terminal.conversation import Keep, Line
from bridge.terminal.frame_trace import FrameTrace
from bridge.terminal.health_check import Probing
from bridge.terminal.in_doubt import PaymentsInDoubt
from bridge.terminal.lease import Lease
from bridge.terminal.payment_runner import PaymentRunner
from bridge.terminal.status import StationSettings, StationState, TerminalStatus
from drivers import contract as c

OPERATIONS_WAITING_MAX = 10  # one register asks at a time; more is a register that hammers
DUE_SOON_SECONDS = 3_600.0  # with nothing to do the station still looks up once an hour


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An operation that moves no money; `name` is unique, its result is found under it."""

    name: str
    operation: c.TerminalOperation
    keep: Keep | None


class Station:
    """The conversation holder of one terminal. `run` acts; everything else only looks or asks."""

    def __init__(
        self,
        settings: StationSettings,
        driver: c.Driver,
        driver_settings: Any,
        *,
        open_line: Callable[[], Awaitable[Line]],
        ledger: Ledger,
        changed: asyncio.Event,
        now: Callable[[], str],
    ) -> None:
        """Serve the terminal that `open_line` reaches; `changed` is set when the state changes."""
        name = settings.terminal_id
        self.driver = driver
        self.capabilities = driver.capabilities(driver_settings)
        if self.capabilities.one_talk_per_line and settings.persistent:
            # What one conversation left in a line would be the answer to the next one.
            settings = replace(settings, persistent=False)
        self.settings = settings
        self._ledger = ledger
        self._changed = changed
        self._queue = ledger.work(name)
        self._status = TerminalStatus(name, changed=changed, now=now)
        self.frames = FrameTrace(now)  # for support: masked, in memory only
        self._doubts = PaymentsInDoubt(
            ledger, name, self.capabilities, persistent=settings.persistent
        )
        self._lease = Lease(name, ledger, self._status, self._doubts, changed=changed)
        self.connection = TerminalConnection(
            settings,
            driver,
            driver_settings,
            open_line=self.frames.opener(open_line),
            ledger=ledger,
            status=self._status,
        )
        self._probing = Probing(settings, ledger, self.connection, self._status)
        self._runner = PaymentRunner(
            settings,
            self.capabilities,
            ledger,
            connection=self.connection,
            status=self._status,
            lease=self._lease,
            doubts=self._doubts,
            probing=self._probing,
        )
        self._operations: deque[_Waiting] = deque()
        self._in_operation = False
        self.operation_results: dict[str, c.FinalEvent] = {}  # fetched, and removed, by who asked

    # --- asked by the desk, never waiting

    @property
    def state(self) -> StationState:
        """How the terminal is now."""
        return self._status.state

    def claim(self, payment_id: str, register_id: str) -> p.Started | None:
        """Keep the terminal for one new payment.

        Returns the send marker when the payment may start without a further question to the
        terminal, so that it can be stored together with the request; else None.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        in_operation = self._in_operation or bool(self._operations)
        self._lease.take(payment_id, register_id, in_operation=in_operation)
        if self.connection.must_probe or self._doubts.open() or self._doubts.unchecked():
            return None
        return p.Started(self.connection.baseline)

    def release(self, payment_id: str) -> None:
        """Give the terminal back, or the place in line: the payment was refused after all."""
        self._lease.give_back(payment_id)
        self._queue.wake()

    def line_up(self, payment_id: str) -> None:
        """Have one new payment wait until the terminal is free for it.

        Raises:
            RequestError: `queue_full`.
        """
        self._lease.line_up(payment_id)

    @property
    def in_line(self) -> tuple[str, ...]:
        """The payments that wait for the terminal; the first is next."""
        return self._lease.in_line

    def begin_operation(
        self, name: str, operation: c.TerminalOperation, keep: Keep | None = None
    ) -> None:
        """Do something that moves no money, once the terminal is idle; see `operation_results`.

        `keep` stores the answer, before the terminal hears that we have it.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        mine = self.settings.terminal_id
        if len(self._operations) >= OPERATIONS_WAITING_MAX:
            raise RequestError("terminal_busy", f"{mine} has too much to do", terminal_id=mine)
        if self._doubts.forbid(operation):
            raise RequestError(
                "terminal_busy",
                f"{mine} has a payment in doubt; its memory must stay as it is",
                terminal_id=mine,
            )
        if not self._is_wanted(operation):
            self._lease.refuse_unfit()
        self._operations.append(_Waiting(name, operation, keep))
        self._queue.wake()

    def _is_wanted(self, operation: c.TerminalOperation) -> bool:
        """Say whether the terminal takes no payment before it gets this, or waits to be read."""
        match operation:
            case c.EndOfDay():
                return self.state.wants == "reconcile"
            case c.Diagnose():
                return self.state.wants == "diagnose"
            case _:
                return False

    def drop_operation(self, name: str) -> bool:
        """Forget one that has not begun; False when it runs or is done."""
        waiting = next((one for one in self._operations if one.name == name), None)
        if waiting is not None:
            self._operations.remove(waiting)
        return waiting is not None

    def ask_for_probe(self) -> int:
        """Have the terminal probed soon; done when `state.probes` exceeds the returned number."""
        self.connection.probe_at = 0.0
        self.connection.reopen_at = 0.0
        self._queue.wake()
        return self.state.probes

    # --- acting

    async def run(self) -> None:
        """Serve the terminal for ever. Canceling closes the line.

        Raises:
            JournalError: Nothing can be stored any more; the terminal got no acknowledgement.
        """
        try:
            while True:
                await self._turn()
        finally:
            self.connection.drop()

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        await self._doubts.age(now)
        if self._may_open() and now >= self.connection.reopen_at:
            await self.connection.open()
        work = self._queue.take_due(loop.time(), self._may_begin)
        if work is not None:
            with about(work.payment_id):
                await self._do(work)
        elif self._operations and not self._lease.taken_by:
            await self._run_operation(self._operations.popleft())
        elif now >= self.connection.probe_at and self._may_probe():
            await self._probing.probe()
        else:
            await self.connection.listen(self._next_at(loop.time()))
            return
        self.connection.rest()

    def _may_open(self) -> bool:
        return self.settings.persistent and not self.connection.is_open

    def _may_begin(self, work: Work) -> bool:
        """Say whether a payment's turn has come: nobody has claimed the terminal before it.

        While an earlier payment is being asked about, the terminal's memory must stay as it is.
        """
        if not isinstance(work.action, p.StartOnTerminal):
            return True
        if self._lease.taken_by:
            return self._lease.taken_by == work.payment_id
        return not self._doubts.blocking()

    def _may_probe(self) -> bool:
        """True when a probe would disturb nothing and could reach somebody."""
        reachable = self.connection.is_open or not self.settings.persistent
        return reachable and not self._doubts.unsettled

    def _next_at(self, now: float) -> float:
        """Return when there is something to do next, in seconds of the loop's clock."""
        times = [now + DUE_SOON_SECONDS, *self._doubts.ends()]
        if self._operations and not self._lease.taken_by:
            times.append(now)
        due_at = self._queue.next_due(self._may_begin)
        if due_at is not None:
            times.append(due_at)
        if self._may_open():
            times.append(self.connection.reopen_at)
        if self._may_probe():
            times.append(self.connection.probe_at)
        return min(times)

    async def _do(self, work: Work) -> None:
        if self._ledger.payments.get(work.payment_id) is None:
            return
        match work.action:
            case p.StartOnTerminal():
                await self._runner.start(work.payment_id)
            case p.AskTerminal():
                await self._runner.ask(work.payment_id)
            case p.StopOnTerminal():
                pass  # its conversation is over; whatever it came to is in the ledger

    async def _reaches_for(self, operation: c.TerminalOperation) -> bool:
        """Open the line if there is none; say whether there is one."""
        if isinstance(operation, c.EndOfDay) and operation.close:
            await self._runner.check_answers()  # a batch that is closed shows nothing any more
        if isinstance(operation, c.EndOfDay):
            await self._probing.look()
        return await self.connection.reach()

    async def _run_operation(self, waiting: _Waiting) -> None:
        operation = waiting.operation
        text = "the terminal cannot be reached"
        final: c.FinalEvent = c.Failed("not_begun", text, "terminal_offline")
        if self._doubts.forbid(operation):  # of a payment that ran when it was accepted
            text = "a payment is in doubt; the terminal's memory must stay as it is"
            final = c.Failed("not_begun", text, "terminal_busy")
        elif await self._reaches_for(operation):
            self._in_operation = True
            self._status.show(activity="busy")
            if isinstance(operation, c.EndOfDay) and operation.close:
                await self._ledger.batches.begin_close(self.settings.terminal_id, waiting.name)
            final = await self.connection.converse(operation, keep=waiting.keep)
            self._in_operation = False
            self._status.show(activity="idle")
        if isinstance(final, c.Unclear):
            self.connection.give_up()
        # What the terminal remembers last may be another thing now.
        self.connection.baseline_is_fresh = False
        self.connection.probe_at = asyncio.get_running_loop().time()
        self.operation_results[waiting.name] = final
        self._changed.set()
