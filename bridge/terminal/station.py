"""One terminal: keeps its line, holds one conversation at a time, asks after what is in doubt.

The station performs the ledger's live actions and reports what the terminal says as events. It
decides nothing about money: what an event means stands in `money/payment.py`, what bytes mean in
the driver.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bridge.errors import LineError, RequestError
from bridge.log import about
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.work import Work
from bridge.terminal.talk import Line, Talk
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

# The first attempts come fast, so that a cable that was put back is used within two seconds; the
# last value repeats for ever, because a terminal may be switched on at any time.
REOPEN_DELAYS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
DOUBT_AGED_SECONDS = 90.0  # then a person is asked, as the register's contract promises
PROBE_FAILED_SECONDS = 5.0  # a terminal that answers badly is asked again soon, but not in a storm
ASK_AFTER_REPLUG_SECONDS = 5.0  # a line that flaps must not make a storm of questions
ERRANDS_WAITING_MAX = 10  # one register asks at a time; more is a register that hammers
WRONG_DEVICE = "wrong_device"  # the problem while another device stands behind the name
LINE_MAX = 10  # payments that wait for one terminal; nobody stands in a longer line
DUE_SOON_SECONDS = 3_600.0  # with nothing to do the station still looks up once an hour


@dataclass(frozen=True, slots=True)
class StationSettings:
    """What the configuration says of one terminal."""

    terminal_id: str
    transport: Literal["serial", "tcp"]
    address: str  # for people: the port or host
    persistent: bool = True  # False: the line is opened for each conversation
    probe_seconds: float = 60.0
    cancel_deadline_seconds: float = 30.0
    stage_seconds: Mapping[c.Stage, float] = field(default_factory=dict)  # then it is stopped
    expected_terminal_id: str = ""  # the acquirer's id of the device that must be behind the name
    expected_serial_number: str = ""


ErrandOperation = c.EndOfDay | c.ReadCard | c.ShowText


@dataclass(frozen=True, slots=True)
class _Errand:
    """An operation that moves no money; `name` is unique, its result is found under it."""

    name: str
    operation: ErrandOperation


@dataclass(frozen=True, slots=True)
class StationState:
    """What the station knows of its terminal now. Replaced as a whole."""

    availability: Literal["online", "offline", "unknown"] = "unknown"
    activity: Literal["idle", "busy", "maintenance"] = "idle"
    payment_id: str = ""
    register_id: str = ""
    problem: str = "starting"  # a short code; "" when it can take a payment
    problem_text: str = ""
    problem_since: str = ""  # ISO 8601 UTC
    ready: c.TerminalReady | None = None
    probes: int = 0  # how many probes came to an end
    reconnects: int = 0

    @property
    def can_take_payments(self) -> bool:
        """True when a payment could start now."""
        return self.availability == "online" and not self.problem


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
        self.settings = settings
        self.driver = driver
        self._now = now
        self.state = StationState(problem_since=now())
        self.capabilities = driver.capabilities(driver_settings)
        self._driver_settings = driver_settings
        self._open_line = open_line
        self._ledger = ledger
        self._changed = changed
        self._queue = ledger.work(settings.terminal_id)
        self._line: Line | None = None
        self._line_probed = False  # who is at the other end of this very line was asked
        self._attempts = 0
        self._reopen_at = 0.0
        self._was_gone = True  # the line was lost, not given up by us: doubts may now be settled
        self._asked_at = -ASK_AFTER_REPLUG_SECONDS
        self._probe_at = 0.0
        self._baseline: c.Baseline | None = None
        self._baseline_fresh = False
        self._claimed_by = ""
        self._in_line: dict[str, None] = {}  # payments that wait their turn, in order
        self._errands: deque[_Errand] = deque()
        self._on_errand = False
        self.errand_results: dict[str, c.FinalEvent] = {}  # fetched, and removed, by who asked
        self._doubt_since: dict[str, float] = {}
        self._unheard = ""  # the payment whose answer a terminal without memory may still hold

    # --- asked by the desk, never waiting

    def claim(self, payment_id: str, register_id: str) -> p.Started | None:
        """Keep the terminal for one new payment.

        Returns the send marker when the payment may start without a further question to the
        terminal, so that it can be stored together with the request; else None.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        name = self.settings.terminal_id
        state = self.state
        if self.in_line:
            raise RequestError(
                "terminal_busy",
                f"{len(self.in_line)} payments wait for {name}",
                terminal_id=name,
                queue_length=len(self.in_line),
            )
        if self._claimed_by:
            raise RequestError(
                "terminal_busy",
                f"{name} is taking a payment for {state.register_id}",
                register_id=state.register_id,
                terminal_id=name,
            )
        if self._errands or self._on_errand:
            raise RequestError("terminal_busy", f"{name} is doing something else", terminal_id=name)
        for doubtful, doubt in self._doubts():
            if not doubt.needs_operator:
                raise RequestError(
                    "terminal_busy",
                    f"{name} is being asked about an earlier payment",
                    payment_in_doubt=doubtful,
                    terminal_id=name,
                )
        if state.availability != "online":
            raise RequestError(
                "terminal_offline", state.problem_text or "not connected", terminal_id=name
            )
        if state.problem:
            raise RequestError("terminal_maintenance", state.problem_text, terminal_id=name)
        self._claimed_by = payment_id
        self._show(activity="busy", payment_id=payment_id, register_id=register_id)
        if self._must_probe or self._doubts():
            return None
        return p.Started(self._baseline)

    def release(self, payment_id: str) -> None:
        """Give the terminal back, or the place in line: the payment was refused after all."""
        self._leave_line(payment_id)
        if self._claimed_by == payment_id:
            self._claimed_by = ""
            self._show(activity="idle", payment_id="", register_id="")
        self._queue.wake()

    def line_up(self, payment_id: str) -> None:
        """Have one new payment wait until the terminal is free for it.

        Raises:
            RequestError: `queue_full`.
        """
        name = self.settings.terminal_id
        if len(self.in_line) >= LINE_MAX:
            raise RequestError(
                "queue_full",
                f"{LINE_MAX} payments wait for {name} already",
                terminal_id=name,
                queue_length=LINE_MAX,
            )
        self._in_line[payment_id] = None
        self._changed.set()

    @property
    def in_line(self) -> tuple[str, ...]:
        """The payments that wait for the terminal; the first is next.

        A payment that is being stored counts; one that was canceled does not.
        """
        accounts = {name: self._ledger.get(name) for name in self._in_line}
        return tuple(
            name
            for name, account in accounts.items()
            if account is None or account.payment.status is p.Status.QUEUED
        )

    def begin_errand(self, name: str, operation: ErrandOperation) -> None:
        """Do something that moves no money, once the terminal is idle; see `errand_results`.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        mine = self.settings.terminal_id
        if len(self._errands) >= ERRANDS_WAITING_MAX:
            raise RequestError("terminal_busy", f"{mine} has too much to do", terminal_id=mine)
        if self._doubts():
            raise RequestError(
                "terminal_busy",
                f"{mine} has a payment in doubt; its memory must stay as it is",
                terminal_id=mine,
            )
        if self.state.availability != "online" or self.state.problem:
            code = "terminal_offline" if self.state.availability != "online" else ""
            text = self.state.problem_text or "not connected"
            raise RequestError(code or "terminal_maintenance", text, terminal_id=mine)
        self._errands.append(_Errand(name, operation))
        self._queue.wake()

    def ask_for_probe(self) -> int:
        """Have the terminal probed soon; done when `state.probes` exceeds the returned number."""
        self._probe_at = 0.0
        self._reopen_at = 0.0
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
            self._drop_line()

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        await self._age_doubts(now)
        if self._line is None and self.settings.persistent and now >= self._reopen_at:
            await self._open()
        work = self._queue.take_due(asyncio.get_running_loop().time(), self._may_begin)
        if work is not None:
            with about(work.payment_id):
                await self._do(work)
        elif self._errands and not self._claimed_by:
            await self._run_errand(self._errands.popleft())
        elif now >= self._probe_at and self._may_probe():
            await self._probe()
        else:
            await self._idle()

    def _may_begin(self, work: Work) -> bool:
        """Say whether a payment's turn has come: nobody has claimed the terminal before it.

        While an earlier payment is being asked about, the terminal's memory must stay as it is.
        """
        if not isinstance(work.action, p.StartOnTerminal):
            return True
        if self._claimed_by:
            return self._claimed_by == work.payment_id
        return all(doubt.needs_operator for _, doubt in self._doubts())

    def _may_probe(self) -> bool:
        """True when a probe would disturb nothing and could reach somebody."""
        reachable = self._line is not None or not self.settings.persistent
        return reachable and not self._unsettled_doubts()

    def _next_at(self, now: float) -> float:
        """Return when there is something to do next, in seconds of the loop's clock."""
        times = [now + DUE_SOON_SECONDS]
        if self._errands and not self._claimed_by:
            times.append(now)
        due_at = self._queue.next_due(self._may_begin)
        if due_at is not None:
            times.append(due_at)
        if self._line is None and self.settings.persistent:
            times.append(self._reopen_at)
        if self._may_probe():
            times.append(self._probe_at)
        times += [
            self._doubt_since[name] + DOUBT_AGED_SECONDS
            for name, doubt in self._doubts()
            if name in self._doubt_since and not doubt.needs_operator
        ]
        return min(times)

    async def _idle(self) -> None:
        """Wait for work, for the next probe, or for the line to break."""
        now = asyncio.get_running_loop().time()
        until = self._next_at(now)
        try:
            async with self._queue.pause(until):
                if self._line is None:
                    await asyncio.sleep(max(until - now, 0.0))
                    return
                data = await self._line.read()
        except TimeoutError:
            return
        if not data:
            self._lost(LineError("usb_removed", "the line was lost while idle"))

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._line = await self._open_line()
        except LineError as error:
            delay = REOPEN_DELAYS_SECONDS[min(self._attempts, len(REOPEN_DELAYS_SECONDS) - 1)]
            self._attempts += 1
            self._was_gone = True
            self._reopen_at = loop.time() + delay
            self._unreachable(error)
            return
        self._attempts = 0
        self._probe_at = loop.time()
        self._baseline_fresh = False
        if self.state.availability == "offline" and self.settings.persistent:
            text = "connected, being asked how it is"
            self._show(availability="unknown", problem="connecting", problem_text=text)
        if self._was_gone:
            self._was_gone = False
            self._queue.hurry(max(loop.time(), self._asked_at + ASK_AFTER_REPLUG_SECONDS))

    def _drop_line(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
            self._line_probed = False

    def _lost(self, error: LineError) -> None:
        self._drop_line()
        self._was_gone = True
        self._baseline_fresh = False
        self._attempts = 0
        self._reopen_at = asyncio.get_running_loop().time() + REOPEN_DELAYS_SECONDS[0]
        self._show(reconnects=self.state.reconnects + 1)
        self._unreachable(error)

    def _unreachable(self, error: LineError) -> None:
        if self.state.problem != error.reason:
            _LOGGER.warning(
                "terminal=%s gone reason=%s text=%s", self.settings.terminal_id, error.reason, error
            )
        self._show(availability="offline", problem=error.reason, problem_text=str(error))

    # --- work

    async def _do(self, work: Work) -> None:
        account = self._ledger.get(work.payment_id)
        if account is None:
            return
        match work.action:
            case p.StartOnTerminal():
                await self._start(work.payment_id)
            case p.AskTerminal():
                await self._ask(work.payment_id)
            case p.StopOnTerminal():
                pass  # its conversation is over; whatever it came to is in the ledger

    async def _start(self, payment_id: str) -> None:
        self._leave_line(payment_id)
        self._claimed_by = payment_id
        try:
            account = self._ledger.get(payment_id)
            assert account is not None, "work is given for known payments only"
            if not account.payment.is_final:  # it may have been canceled before its turn
                await self._start_claimed(payment_id)
        finally:
            self._claimed_by = ""
            self._show(activity="idle", payment_id="", register_id="")

    def _leave_line(self, payment_id: str) -> None:
        if payment_id in self._in_line:
            del self._in_line[payment_id]
            self._changed.set()

    async def _start_claimed(self, payment_id: str) -> None:
        account = self._ledger.get(payment_id)
        assert account is not None, "work is given for known payments only"
        request = account.payment.request
        self._show(activity="busy", payment_id=payment_id, register_id=request.register_id)
        if account.payment.status is p.Status.QUEUED:
            if not await self._is_fit():
                text = self.state.problem_text
                await self._ledger.apply(payment_id, p.NotReached("terminal_offline", text))
                return
            await self._lose_older_evidence(payment_id)
            account = self._ledger.get(payment_id)
            assert account is not None, "an open payment stays in memory"
            if account.payment.status is not p.Status.QUEUED:
                return
            try:
                account = await self._ledger.apply(payment_id, p.Started(self._baseline))
            except p.IllegalEvent:
                return  # canceled in this very moment
        elif not await self._is_as_claimed(account.payment.baseline):
            # The send marker is on disk, but no byte was handed out: this is proof.
            event = c.Failed("not_sent", self.state.problem_text, "terminal_offline")
            await self._ledger.apply(payment_id, event)
            return
        account = self._ledger.get(payment_id)
        assert account is not None, "an open payment stays in memory"
        if account.payment.status is p.Status.CANCELING:
            self._queue.take_for(payment_id, p.StopOnTerminal)
            await self._ledger.apply(payment_id, c.Canceled("cashier", text="before it was sent"))
            return
        if account.payment.status is not p.Status.IN_PROGRESS:
            return
        final = await self._converse(money_operation(request), payment_id)
        if isinstance(final, c.Unclear) and not self._can_tell_later:
            await self._ledger.apply(payment_id, p.DoubtAged())
        self._after_payment(final)

    async def _is_fit(self) -> bool:
        """Ask the terminal how and who it is if need be; return whether it may get a payment."""
        if self._must_probe:
            await self._probe()
        if not await self._reachable() or not self.state.can_take_payments:
            return False
        return self._line_probed or not self.settings.persistent

    async def _is_as_claimed(self, baseline: c.Baseline | None) -> bool:
        """Return whether what was promised with the claim still holds: a disk may stall for long.

        In the meantime the line may have been lost, and another terminal or another last
        transaction may be found behind it.
        """
        if not await self._is_fit():
            return False
        return self.capabilities.status_query != "last_transaction" or self._baseline == baseline

    async def _lose_older_evidence(self, payment_id: str) -> None:
        """A new payment overwrites what the terminal remembers last."""
        if self.capabilities.status_query != "last_transaction":
            return
        for doubtful, _ in self._doubts():
            if doubtful != payment_id:
                await self._ledger.apply(doubtful, p.EvidenceLost())

    async def _ask(self, payment_id: str) -> None:
        account = self._ledger.get(payment_id)
        assert account is not None, "work is given for known payments only"
        payment = account.payment
        if payment.doubt is None or payment.doubt.evidence_lost:
            return
        self._queue.take_for(payment_id, p.AskTerminal)  # one question at a time
        if not self._can_tell_later:
            await self._ledger.apply(payment_id, p.DoubtAged())  # a person is asked at once
            return
        if self.capabilities.status_query == "none":
            self._unheard = payment_id
        self._asked_at = asyncio.get_running_loop().time()
        if self._identity_configured and not self._line_probed:
            await self._probe()  # another device's memory says nothing about this payment
        if not await self._reachable() or self.state.problem == WRONG_DEVICE:
            text = self.state.problem_text
            await self._ledger.apply(payment_id, p.NotReached("terminal_offline", text))
            return
        self._show(activity="busy", payment_id=payment_id, register_id=payment.request.register_id)
        about = money_operation(payment.request)
        final = await self._converse(c.Inquire(about, payment.baseline, payment.offer), payment_id)
        if self.capabilities.status_query == "none":
            await self._ledger.apply(payment_id, p.DoubtAged())  # only a person can know
        self._show(activity="idle", payment_id="", register_id="")
        self._after_payment(final)

    def _after_payment(self, final: c.FinalEvent) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(final, c.Approved) and final.approval.fingerprint:
            self._baseline = c.Baseline(final.approval.fingerprint)
            self._baseline_fresh = True
            # After a re-plug the first conversation may have been about a doubt, not a probe.
            healthy = self.state.can_take_payments
            self._probe_at = now + self.settings.probe_seconds if healthy else now
            return
        self._baseline_fresh = False
        self._probe_at = now
        if isinstance(final, c.Unclear) and self._line is not None and self.settings.persistent:
            # Whatever is left of the old conversation must not be read by the next one.
            self._drop_line()
            self._reopen_at = now

    async def _run_errand(self, errand: _Errand) -> None:
        final: c.FinalEvent = c.Unclear("no_answer", "the terminal cannot be reached")
        if self._doubts():  # of a payment that ran when the errand was accepted
            text = "a payment is in doubt; the terminal's memory must stay as it is"
            final = c.Failed("not_begun", text, "terminal_busy")
        elif await self._reachable():
            self._on_errand = True
            self._show(activity="busy")
            final = await self._converse(errand.operation, "")
            self._on_errand = False
            self._show(activity="idle")
        if isinstance(final, c.Unclear) and self._line is not None and self.settings.persistent:
            self._drop_line()
            self._reopen_at = asyncio.get_running_loop().time()
        # What the terminal remembers last may be another thing now.
        self._baseline_fresh = False
        self._probe_at = asyncio.get_running_loop().time()
        self.errand_results[errand.name] = final
        self._changed.set()

    async def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        if not await self._reachable():
            self._probe_at = loop.time() + PROBE_FAILED_SECONDS
            self._show(probes=self.state.probes + 1)
            return
        final = await self._converse(c.Probe(), "")
        self._line_probed = self._line is not None
        self._probe_at = loop.time() + self.settings.probe_seconds
        probes = self.state.probes + 1
        match final:
            case c.TerminalReady() as ready if not self._not_ours(ready):
                if self.state.availability != "online" or self.state.problem:
                    _LOGGER.info("terminal=%s ready", self.settings.terminal_id)
                self._unheard = ""
                self._baseline = ready.baseline
                self._baseline_fresh = True
                self._show(
                    availability="online", problem="", problem_text="", ready=ready, probes=probes
                )
            case c.TerminalReady() as other:
                self._unfit(WRONG_DEVICE, self._not_ours(other), probes)
            case c.TerminalNotReady(code, text):
                self._unfit(code, text, probes)
                await self._hear_late_answer()
            case c.Unclear(reason, text):
                self._unfit(reason, text or "the terminal does not answer", probes)
                self._show(availability="offline")
                if self.settings.persistent and not await self._hear_late_answer():
                    self._drop_line()
                    self._reopen_at = loop.time() + PROBE_FAILED_SECONDS
            case _:
                self._unfit("terminal_fault", f"unexpected {type(final).__name__}", probes)

    async def _hear_late_answer(self) -> bool:
        """Take the answer that a terminal insists on, though a person was quicker; say if it came.

        It is evidence, and until it is taken some terminals take no other payment.
        """
        account = self._ledger.get(self._unheard)
        if account is None or account.payment.resolved_by != "operator" or self._line is None:
            return False
        payment = account.payment
        question = c.Inquire(money_operation(payment.request), payment.baseline, payment.offer)
        final = await self._converse(question, account.payment_id)
        if not isinstance(final, c.MoneyEvidence):
            return False
        self._unheard = ""
        self._probe_at = asyncio.get_running_loop().time()
        return True

    def _unfit(self, code: str, text: str, probes: int) -> None:
        if self.state.problem != code:
            _LOGGER.warning(
                "terminal=%s cannot take payments reason=%s text=%s",
                self.settings.terminal_id,
                code,
                text,
            )
        self._probe_at = asyncio.get_running_loop().time() + PROBE_FAILED_SECONDS
        self._show(availability="online", problem=code, problem_text=text, probes=probes)

    def _not_ours(self, ready: c.TerminalReady) -> str:
        """Return why the device that answered is not the one that was configured, "" if it is."""
        for what, expected, found in (
            ("terminal id", self.settings.expected_terminal_id, ready.terminal_id),
            ("serial number", self.settings.expected_serial_number, ready.serial_number),
        ):
            if expected and expected != found:
                return f"another device answered: {what} {found or 'unknown'}, not {expected}"
        return ""

    async def _reachable(self) -> bool:
        if self._line is None:
            await self._open()
        return self._line is not None

    # --- one conversation

    async def _converse(self, operation: c.Operation, payment_id: str) -> c.FinalEvent:
        """Hold one conversation to its end and return its last word."""
        assert self._line is not None, "a conversation needs a line"
        at_terminal = self.capabilities.cancel == "at_terminal_only"
        patience = None if at_terminal else self.settings.cancel_deadline_seconds
        talk = Talk(self._ledger, self._queue, self._line, payment_id, patience)
        dialogue = self.driver.dialogue(self._driver_settings, self.settings.transport)
        account = self._ledger.get(payment_id)
        if account is not None and not isinstance(operation, c.Inquire):
            seconds = account.payment.request.deadline_seconds
            talk.stage_seconds = self.settings.stage_seconds
            talk.deadline_at = asyncio.get_running_loop().time() + seconds
        try:
            final = await talk.hold(dialogue, operation)
        finally:
            if talk.line_lost:
                self._lost(LineError("usb_removed", "the line was lost in a conversation"))
        if not self.settings.persistent:
            self._drop_line()
        return final

    # --- state

    @property
    def _must_probe(self) -> bool:
        """True when a payment may not start before the terminal was asked how and who it is."""
        unasked = self._identity_configured or self.settings.persistent
        return not self._baseline_usable or (unasked and not self._line_probed)

    @property
    def _identity_configured(self) -> bool:
        return bool(self.settings.expected_terminal_id or self.settings.expected_serial_number)

    @property
    def _can_tell_later(self) -> bool:
        """False when what became of a payment can be told by no question and by no late answer.

        A terminal without memory may still repeat its answer on the same line, but never on a
        connection that is opened to ask.
        """
        return self.capabilities.status_query != "none" or self.settings.persistent

    @property
    def _baseline_usable(self) -> bool:
        """True when what we know of the terminal's last transaction cannot have changed."""
        if self.capabilities.status_query != "last_transaction":
            return True
        return self._baseline_fresh and self.capabilities.exclusive

    def _doubts(self) -> list[tuple[str, p.Doubt]]:
        mine = self.settings.terminal_id
        return [
            (one.payment_id, one.payment.doubt)
            for one in self._ledger.unfinished()
            if one.payment.doubt is not None and one.payment.request.terminal_id == mine
        ]

    def _unsettled_doubts(self) -> bool:
        """True while a doubt may still be answered by the terminal's last transaction."""
        if not self._can_tell_later:
            return False
        return any(doubt.inquiries == 0 and not doubt.evidence_lost for _, doubt in self._doubts())

    async def _age_doubts(self, now: float) -> None:
        doubts = self._doubts()
        self._doubt_since = {name: self._doubt_since.get(name, now) for name, _ in doubts}
        for name, doubt in doubts:
            aged = now >= self._doubt_since[name] + DOUBT_AGED_SECONDS  # as `_next_at` adds it up
            if aged and not doubt.needs_operator:
                await self._ledger.apply(name, p.DoubtAged())

    def _show(self, **news: Any) -> None:
        if news.get("problem", self.state.problem) != self.state.problem:
            news["problem_since"] = self._now()
        after = replace(self.state, **news)
        if after != self.state:
            self.state = after
            self._changed.set()


def money_operation(request: p.PaymentRequest) -> c.MoneyOperation:
    """Return what a terminal is asked for a payment. Pure."""
    name, amount, original = request.payment_id, request.amount, request.original
    match request.type:
        case p.PaymentType.SALE:
            return c.Pay(
                name,
                amount,
                tip=request.tip,
                accept_partial=request.accept_partial,
                language=request.language,
            )
        case p.PaymentType.PREAUTH:
            return c.Authorize(name, amount)
        case p.PaymentType.REFUND:
            return c.Refund(name, amount, original)
        case _:
            assert original is not None, "a follow-up carries what the terminal must be told"
    match request.type:
        case p.PaymentType.INCREMENT:
            return c.Authorize(name, amount, original)
        case p.PaymentType.CAPTURE:
            return c.Capture(name, amount, original)
        case p.PaymentType.VOID:
            return c.Reverse(name, original)
        case p.PaymentType.TIP_ADJUST:
            return c.AdjustTip(name, amount, original)
        case _:
            raise AssertionError(f"{request.type} is none of a terminal's operations")
