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
from bridge.terminal.connection import Link
from bridge.terminal.conversation import Keep, Line
from bridge.terminal.health_check import Probing
from bridge.terminal.in_doubt import Doubts
from bridge.terminal.lease import Claims
from bridge.terminal.payment_runner import Cashier
from bridge.terminal.status import Condition, StationSettings, StationState
from drivers import contract as c

ERRANDS_WAITING_MAX = 10  # one register asks at a time; more is a register that hammers
DUE_SOON_SECONDS = 3_600.0  # with nothing to do the station still looks up once an hour


@dataclass(frozen=True, slots=True)
class _Errand:
    """An operation that moves no money; `name` is unique, its result is found under it."""

    name: str
    operation: c.Errand
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
        self._condition = Condition(name, changed=changed, now=now)
        self._doubts = Doubts(ledger, name, self.capabilities, persistent=settings.persistent)
        self._claims = Claims(name, ledger, self._condition, self._doubts, changed=changed)
        self.link = Link(
            settings,
            driver,
            driver_settings,
            open_line=open_line,
            ledger=ledger,
            condition=self._condition,
        )
        self._probing = Probing(settings, ledger, self.link, self._condition)
        self._cashier = Cashier(
            settings,
            self.capabilities,
            ledger,
            link=self.link,
            condition=self._condition,
            claims=self._claims,
            doubts=self._doubts,
            probing=self._probing,
        )
        self._errands: deque[_Errand] = deque()
        self._on_errand = False
        self.errand_results: dict[str, c.FinalEvent] = {}  # fetched, and removed, by who asked

    # --- asked by the desk, never waiting

    @property
    def state(self) -> StationState:
        """How the terminal is now."""
        return self._condition.state

    def claim(self, payment_id: str, register_id: str) -> p.Started | None:
        """Keep the terminal for one new payment.

        Returns the send marker when the payment may start without a further question to the
        terminal, so that it can be stored together with the request; else None.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        on_errand = self._on_errand or bool(self._errands)
        self._claims.take(payment_id, register_id, on_errand=on_errand)
        if self.link.must_probe or self._doubts.open() or self._doubts.unchecked():
            return None
        return p.Started(self.link.baseline)

    def release(self, payment_id: str) -> None:
        """Give the terminal back, or the place in line: the payment was refused after all."""
        self._claims.give_back(payment_id)
        self._queue.wake()

    def line_up(self, payment_id: str) -> None:
        """Have one new payment wait until the terminal is free for it.

        Raises:
            RequestError: `queue_full`.
        """
        self._claims.line_up(payment_id)

    @property
    def in_line(self) -> tuple[str, ...]:
        """The payments that wait for the terminal; the first is next."""
        return self._claims.in_line

    def begin_errand(self, name: str, operation: c.Errand, keep: Keep | None = None) -> None:
        """Do something that moves no money, once the terminal is idle; see `errand_results`.

        `keep` stores the answer, before the terminal hears that we have it.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        mine = self.settings.terminal_id
        if len(self._errands) >= ERRANDS_WAITING_MAX:
            raise RequestError("terminal_busy", f"{mine} has too much to do", terminal_id=mine)
        if self._doubts.forbid(operation):
            raise RequestError(
                "terminal_busy",
                f"{mine} has a payment in doubt; its memory must stay as it is",
                terminal_id=mine,
            )
        self._claims.refuse_unfit()
        self._errands.append(_Errand(name, operation, keep))
        self._queue.wake()

    def drop_errand(self, name: str) -> bool:
        """Forget an errand that has not begun; False when it runs or is done."""
        waiting = next((one for one in self._errands if one.name == name), None)
        if waiting is not None:
            self._errands.remove(waiting)
        return waiting is not None

    def ask_for_probe(self) -> int:
        """Have the terminal probed soon; done when `state.probes` exceeds the returned number."""
        self.link.probe_at = 0.0
        self.link.reopen_at = 0.0
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
            self.link.drop()

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        await self._doubts.age(now)
        if self._may_open() and now >= self.link.reopen_at:
            await self.link.open()
        work = self._queue.take_due(loop.time(), self._may_begin)
        if work is not None:
            with about(work.payment_id):
                await self._do(work)
        elif self._errands and not self._claims.taken_by:
            await self._run_errand(self._errands.popleft())
        elif now >= self.link.probe_at and self._may_probe():
            await self._probing.probe()
        else:
            await self.link.listen(self._next_at(loop.time()))
            return
        self.link.rest()

    def _may_open(self) -> bool:
        return self.settings.persistent and not self.link.is_open

    def _may_begin(self, work: Work) -> bool:
        """Say whether a payment's turn has come: nobody has claimed the terminal before it.

        While an earlier payment is being asked about, the terminal's memory must stay as it is.
        """
        if not isinstance(work.action, p.StartOnTerminal):
            return True
        if self._claims.taken_by:
            return self._claims.taken_by == work.payment_id
        return not self._doubts.blocking()

    def _may_probe(self) -> bool:
        """True when a probe would disturb nothing and could reach somebody."""
        reachable = self.link.is_open or not self.settings.persistent
        return reachable and not self._doubts.unsettled

    def _next_at(self, now: float) -> float:
        """Return when there is something to do next, in seconds of the loop's clock."""
        times = [now + DUE_SOON_SECONDS, *self._doubts.ends()]
        if self._errands and not self._claims.taken_by:
            times.append(now)
        due_at = self._queue.next_due(self._may_begin)
        if due_at is not None:
            times.append(due_at)
        if self._may_open():
            times.append(self.link.reopen_at)
        if self._may_probe():
            times.append(self.link.probe_at)
        return min(times)

    async def _do(self, work: Work) -> None:
        if self._ledger.payments.get(work.payment_id) is None:
            return
        match work.action:
            case p.StartOnTerminal():
                await self._cashier.start(work.payment_id)
            case p.AskTerminal():
                await self._cashier.ask(work.payment_id)
            case p.StopOnTerminal():
                pass  # its conversation is over; whatever it came to is in the ledger

    async def _reaches_for(self, operation: c.Errand) -> bool:
        """Open the line if there is none; say whether there is one."""
        if isinstance(operation, c.EndOfDay) and operation.close:
            await self._cashier.check_answers()  # a batch that is closed tells nothing any more
        if isinstance(operation, c.EndOfDay):
            await self._probing.look()
        return await self.link.reach()

    async def _run_errand(self, errand: _Errand) -> None:
        operation = errand.operation
        text = "the terminal cannot be reached"
        final: c.FinalEvent = c.Failed("not_begun", text, "terminal_offline")
        if self._doubts.forbid(operation):  # of a payment that ran when it was accepted
            text = "a payment is in doubt; the terminal's memory must stay as it is"
            final = c.Failed("not_begun", text, "terminal_busy")
        elif await self._reaches_for(operation):
            self._on_errand = True
            self._condition.show(activity="busy")
            if isinstance(operation, c.EndOfDay) and operation.close:
                await self._ledger.batches.begin_close(self.settings.terminal_id, errand.name)
            final = await self.link.converse(operation, keep=errand.keep)
            self._on_errand = False
            self._condition.show(activity="idle")
        if isinstance(final, c.Unclear):
            self.link.give_up()
        # What the terminal remembers last may be another thing now.
        self.link.baseline_is_fresh = False
        self.link.probe_at = asyncio.get_running_loop().time()
        self.errand_results[errand.name] = final
        self._changed.set()
