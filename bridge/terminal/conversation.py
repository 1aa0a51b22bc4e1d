"""One conversation with a terminal: bytes to the driver, events to the ledger, and back.

The order is the point: what the driver reports is on disk before the terminal is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridge.errors import JournalError, LineError
from bridge.log import SHOWN_BYTES_MAX, shown_bytes
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.live_actions import WorkQueue
from bridge.terminal.text_sanitizer import storable
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

# A silence that was reported as a doubt: so long is listened on before the line is given up and the
# terminal is asked on a new one. A bank that was only slow answers within it.
LISTEN_SECONDS = 30.0
LISTEN_SECONDS_MAX = 60.0  # for one that goes on talking and says nothing: a person waits
SILENT = "terminal_silent"

MONEY_EVENTS = (
    c.Offered,
    c.Approved,
    c.Declined,
    c.Canceled,
    c.Failed,
    c.Unclear,
    c.StillRunning,
)


class Line(Protocol):
    """A line to a terminal, as `transport.py` opens it."""

    async def read(self) -> bytes:
        """Return the next bytes, b"" when the line is lost. Canceling loses nothing."""

    def write(self, data: bytes) -> None:
        """Send without blocking; a broken line is told by `read`."""

    def close(self) -> None:
        """Let go of the device or socket. May be called twice."""


Keep = Callable[[c.FinalEvent], Awaitable[None]]


@dataclass(slots=True)
class Conversation:
    """One conversation. Used once.

    `deadline_at`, `stage_ends_at` and `stop_at` are in seconds of the loop's clock: when the
    shopper has had time enough for all of it and for one stage, and when a terminal that was asked
    to stop has had time enough to say so. `silent_seconds` is how long a terminal may say nothing
    in a stage before the cashier is told that the outcome is in doubt: nothing is stopped by it.
    """

    ledger: Ledger
    queue: WorkQueue
    line: Line  # replaced when the dialogue asks for a new one; closed by the maker of this
    open_line: Callable[[], Awaitable[Line]]
    payment_id: str  # "" for a conversation that is about no payment
    cancel_deadline_seconds: float | None  # None: it can only be stopped at the terminal itself
    stage_seconds: Mapping[c.Stage, float] = field(default_factory=dict)
    silent_seconds: Mapping[c.Stage, float] = field(default_factory=dict)
    deadline_at: float | None = None
    stage_ends_at: float | None = None
    stop_at: float | None = None
    keep: Keep | None = None  # stores the last word, before the terminal hears that we have it
    line_lost: bool = False
    final: c.FinalEvent | None = field(default=None, init=False)
    _stage: c.Stage | None = field(default=None, init=False)
    _silent_at: float | None = field(default=None, init=False)
    _listen_until: float | None = field(default=None, init=False)  # the silence was reported
    _tail: bytes = field(default=b"", init=False)  # the latest bytes of the terminal

    async def hold(self, dialogue: c.Dialogue, operation: c.Operation) -> c.FinalEvent:
        """Hold the conversation to its end and return its last word.

        Raises:
            JournalError: An event could not be stored. What could be refused was refused.
        """
        loop = asyncio.get_running_loop()
        step = dialogue.begin(operation, loop.time())
        while True:
            if step.new_line and not await self._changed_line():
                step = dialogue.line_lost(loop.time())
            if step.send:
                self.line.write(step.send)
            if step.events:
                step = await self._store(dialogue, step)
                continue
            if step.wake_at is None:
                return self.final or c.Unclear("no_result")
            step = await self._next(dialogue, step.wake_at)
            if self._overdue(loop.time()):
                reason = "cancel_unanswered" if self._listen_until is None else SILENT
                await self._apply(c.Unclear(reason))
                self.line_lost = True  # a late answer must not reach the next conversation
                return self.final or c.Unclear(reason)

    async def _changed_line(self) -> bool:
        """Let go of the line and open another; False when there is none."""
        self.line.close()
        try:
            self.line = await self.open_line()
        except LineError as error:
            _LOGGER.warning("no new line to the terminal reason=%s text=%s", error.reason, error)
            self.line_lost = True
            return False
        self.line_lost = False
        return True

    async def _next(self, dialogue: c.Dialogue, wake_at: float) -> c.Step:
        """Wait for bytes, for `wake_at`, or for somebody who wants to stop."""
        loop = asyncio.get_running_loop()
        while True:
            if self.queue.take_for(self.payment_id, p.StopOnTerminal):
                self._expect_no_more()
                if self.cancel_deadline_seconds is not None:
                    self.stop_at = loop.time() + self.cancel_deadline_seconds
                return dialogue.cancel(loop.time())
            bounds = [wake_at]
            if self.final is None:
                ends = (self.deadline_at, self.stage_ends_at, self.stop_at, self._silent_at)
                bounds += [at for at in ends if at is not None]
            try:
                async with self.queue.pause(min(bounds)):
                    data = await self.line.read()
            except TimeoutError:
                now = loop.time()
                if self._overdue(now):
                    return c.Step(wake_at=wake_at)
                if now >= wake_at:
                    return dialogue.timeout(now)
                if self._silent_at is not None and now >= self._silent_at:
                    await self._tell_silence(now)
                elif self._too_late(now):
                    self._expect_no_more()
                    await self.ledger.apply(self.payment_id, p.CancelAsked("timeout"))
                continue
            if data:
                self._heard(loop.time())
                self._tail = (self._tail + data)[-SHOWN_BYTES_MAX:]
                return dialogue.receive(data, loop.time())
            self.line_lost = True
            return dialogue.line_lost(loop.time())

    def _too_late(self, now: float) -> bool:
        return any(at is not None and now >= at for at in (self.deadline_at, self.stage_ends_at))

    def _expect_no_more(self) -> None:
        """Ask to stop once only; what follows has `stop_at`."""
        self.deadline_at = self.stage_ends_at = self._silent_at = None
        self.stage_seconds = self.silent_seconds = {}

    def _heard(self, now: float) -> None:
        """Note that the terminal said something."""
        if self._listen_until is not None:
            self.stop_at = min(now + LISTEN_SECONDS, self._listen_until)
            return
        seconds = self.silent_seconds.get(self._stage) if self._stage is not None else None
        self._silent_at = None if seconds is None else now + seconds

    async def _tell_silence(self, now: float) -> None:
        """Tell that the outcome is in doubt, and listen on: the answer may still come."""
        self._expect_no_more()
        self.stop_at = now + LISTEN_SECONDS
        self._listen_until = now + LISTEN_SECONDS_MAX
        _LOGGER.warning("the terminal fell silent in stage=%s", self._stage)
        await self.ledger.apply(self.payment_id, c.Unclear(SILENT))

    def _enter(self, stage: c.Stage) -> None:
        """Note a stage; one that is told again goes on, and its time with it."""
        if stage is not self._stage:
            self._stage = stage
            seconds = self.stage_seconds.get(stage)
            now = asyncio.get_running_loop().time()
            self.stage_ends_at = None if seconds is None else now + seconds
            self._heard(now)

    def _overdue(self, now: float) -> bool:
        return self.stop_at is not None and now >= self.stop_at and self.final is None

    async def _store(self, dialogue: c.Dialogue, step: c.Step) -> c.Step:
        loop = asyncio.get_running_loop()
        try:
            for event in step.events:
                await self._apply(storable(event))
        except p.IllegalEvent as error:
            # Somebody settled the payment meanwhile: an offer that nobody wants is taken back.
            _LOGGER.warning("refused what the terminal said: %s", error)
            return dialogue.not_committed(loop.time())
        except JournalError:
            refusal = dialogue.not_committed(loop.time())
            if refusal.send:
                self.line.write(refusal.send)
            raise
        return dialogue.committed(loop.time())

    async def _apply(self, event: c.TerminalEvent) -> None:
        if isinstance(event, c.Progress):
            self._enter(event.stage)
        if isinstance(event, c.Unclear):
            _LOGGER.warning(
                "the outcome is unclear reason=%s text=%s last bytes=%s",
                event.reason,
                event.text or "none",
                shown_bytes(self._tail) if self._tail else "none",
            )
        if self.payment_id:
            # Nobody waits for the disk: that it took the command only ever helps to say yes. A
            # handle is another matter: what it takes up must not be lost.
            if isinstance(event, (c.Progress, c.Receipt, c.Taken)):
                waits = isinstance(event, c.Taken) and event.handle != ""
                await self.ledger.apply(self.payment_id, event, wait=waits)
            elif isinstance(event, MONEY_EVENTS):
                await self.ledger.apply(self.payment_id, event)
                _LOGGER.info("terminal said %s", type(event).__name__)
        if not isinstance(event, (c.Progress, c.Receipt, c.Taken, c.Offered)):
            if self.keep is not None:
                await self.keep(event)
            self.final = event
