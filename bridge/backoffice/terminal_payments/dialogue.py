"""One conversation about a terminal that the POS server drives. Pure.

Rules:
1. `start` and `capture` are handed out once. Where their answer is lost, or the process dies before
   it is stored, the server is asked for the payment with our reference, if it has a query for that;
   else only a person can tell what became of it. Not to be found proves nothing: it may come later.
2. A continuation is on disk before it is used. `continue` only asks for the payment's status (the
   vendor's page says so), so a lost answer to it is asked for again.
3. A sale whose money is held only is captured once the hold, and that its capture is about to be
   asked for, are on disk.
4. The waits are the server's, within bounds; the whole has an end: the command's deadline and a
   little more, and in any case `total_seconds`.
5. Nothing is asked after the server's last word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import NotApplied, Refused, Unknown
from bridge.backoffice.terminal_payments import evidence as e
from bridge.backoffice.terminal_payments.handle import Handle, read_handle
from bridge.backoffice.terminal_payments.messages import END, decode_told, encode
from bridge.backoffice.terminal_payments.settings import PosServerSettings
from drivers import contract as c

WAIT_SECONDS = 2.0  # between two questions where the server names no wait
WAIT_SECONDS_MIN = 0.5  # whatever it names: a server that says 0 must not be hammered
WAIT_SECONDS_MAX = 30.0  # a cashier who waits longer than that has gone to look
INQUIRY_SECONDS = 20.0  # one look at a payment in doubt: then the station does what else is due
LAST_WORD_SECONDS = 5.0  # for an answer that is on its way when the time is up

Phase = Literal["new", "asked", "waiting", "over"]


class PosServerDialogue:
    """One conversation, see the module's rules."""

    def __init__(self, settings: PosServerSettings, answer_seconds: float) -> None:
        """`answer_seconds` is the longest that the line takes to answer one question."""
        self._settings = settings
        self._answer_seconds = answer_seconds
        self._phase: Phase = "new"
        self._asked: api.Ask | None = None
        self._wanted: e.Wanted | None = None
        self._handle: Handle | None = None  # on disk, or about to be
        self._next: api.Capture | None = None  # asked for once that is on disk
        self._wait_seconds = WAIT_SECONDS
        self._until = 0.0  # of the caller's clock: then the answer is told as in doubt
        self._wake_at = 0.0
        self._inquires = False
        self._waiting_is_told = False
        self._received = b""
        self._why = ""  # a payment is looked for

    def begin(self, operation: c.Operation, now: float) -> c.Step:
        """Open the conversation."""
        self._until = now + self._settings.total_seconds
        match operation:
            case c.Probe():
                return self._ask(api.Look(), now)
            case c.Inquire():
                return self._take_up(operation, now)
            case (
                c.Pay()
                | c.Authorize()
                | c.Capture()
                | c.Refund()
                | c.Reverse()
                | c.AdjustTip()
                | c.LoadGift()
            ):
                return self._open(operation, now)
            case _:
                text = "the POS server documents no such operation at its terminals"
                return self._end(c.Failed("not_sent", text, "operation_not_supported"))

    def _open(self, operation: c.MoneyOperation, now: float) -> c.Step:
        wanted = e.wanted_of(operation, self._settings)
        if isinstance(wanted, c.Failed):
            return self._end(wanted)
        self._wanted = wanted
        step = self._ask(e.first_ask(operation, wanted, self._settings), now)
        return replace(step, events=(c.Progress(c.Stage.STARTING),))

    def _take_up(self, inquiry: c.Inquire, now: float) -> c.Step:
        """Ask about a payment whose conversation ended; without a handle nobody can be asked."""
        self._inquires = True
        self._until = now + INQUIRY_SECONDS
        wanted = e.wanted_of(inquiry.about, self._settings)
        if isinstance(wanted, c.Failed):
            return self._end(c.Unclear("cannot_ask", wanted.text, only_a_person=True))
        self._wanted, self._handle = wanted, read_handle(inquiry.handle)
        if self._handle is None or not self._handle.token:
            return self._find(wanted, "no answer came before the service was started again", now)
        return self._ask(api.Continue(self._handle.token), now)

    def _find(self, wanted: e.Wanted, why: str, now: float) -> c.Step:
        """Look for a payment of which the server's answer is lost."""
        self._why = why
        if wanted.payment_id:  # the payment that is captured bears another reference
            return self._end(c.Unclear("no_answer", why, only_a_person=True))
        return self._ask(api.Find(wanted.reference), now)

    # --- inputs

    def receive(self, data: bytes, now: float) -> c.Step:
        """An answer came, or a part of one."""
        self._received += data
        line, end, rest = self._received.partition(END)
        if not end or self._phase != "asked":
            return self._waits()
        self._received = rest
        try:
            told = decode_told(line)
        except (ValueError, KeyError, TypeError):
            told = Unknown("what came over the line cannot be read")
        return self._hear(told, now)

    def timeout(self, now: float) -> c.Step:
        """The wait is over, or no answer came."""
        if self._phase == "asked":
            return self._lost("no_answer", "the POS server did not answer", now)
        if now >= self._until and self._inquires:
            return self._end(c.StillRunning("the POS server says that it is not over"))
        if now >= self._until:
            text = "the POS server still says that it is not over"
            return self._end(c.Unclear("still_running", text))
        assert self._handle is not None, "a wait is for the next question"
        return self._ask(api.Continue(self._handle.token), now)

    def line_lost(self, now: float) -> c.Step:
        """The line ends with the process only."""
        del now
        return self._end(c.Unclear("link_lost"))

    def committed(self, now: float) -> c.Step:
        """What was told is on disk: go on."""
        if self._phase == "over":
            return c.Step()
        following, self._next = self._next, None
        if isinstance(following, api.Capture):
            return self._ask(following, now)
        return self._waits()

    def not_committed(self, now: float) -> c.Step:
        """Somebody settled the payment meanwhile, or the disk failed: ask for nothing more."""
        del now
        was_over, following = self._phase == "over", self._next
        self._phase, self._next = "over", None
        if was_over or following is None:
            return c.Step()
        text = "the POS server holds the money, and it was not captured: somebody had answered"
        return self._end(c.Unclear("not_captured", text, only_a_person=True))

    def cancel(self, now: float) -> c.Step:
        """Nothing can be stopped from here: wait a little for the answer, then tell the doubt."""
        self._until = min(self._until, now + self._settings.after_stop_seconds)
        return self._waits()

    # --- what was told

    def _hear(self, told: api.Told, now: float) -> c.Step:
        if isinstance(told, api.Reachable):
            return self._end(self._readiness(told))
        if isinstance(self._asked, api.Look):
            return self._end(_unreachable(told))
        if isinstance(self._asked, api.Find):
            return self._found(told)
        wanted, asked = self._wanted, self._asked
        assert wanted is not None, "only payments are asked about"
        match told:
            case api.Continuation():
                return self._go_on(told, now)
            case api.ShownPayment():
                captured = self._is_in_capture
                sought = replace(wanted, captures=True) if captured else wanted
                return self._conclude(e.judge_payment(told, sought, self._settings))
            case api.ShownError():
                held = self._is_in_capture and not wanted.captures
                step: e.Step = "start" if isinstance(asked, api.Start) else "continue"
                return self._conclude(e.judge_error(told, self._settings, step=step, held=held))
            case Unknown(reason=reason):
                return self._lost("no_answer", reason, now)
            case NotApplied() | Refused():
                return self._refused(told, now)
            case api.NotFound() | api.NotOffered():
                raise AssertionError("only what looks for a payment is told so")

    def _found(self, told: api.Told) -> c.Step:
        """Take what was found by our reference; the lack of it proves nothing."""
        wanted = self._wanted
        assert wanted is not None, "only payments are looked for"
        if isinstance(told, api.ShownPayment):
            sought = replace(wanted, captures=True) if self._is_in_capture else wanted
            return self._conclude(e.judge_payment(told, sought, self._settings))
        cannot = isinstance(told, api.NotOffered)
        return self._end(c.Unclear("no_answer", self._why, only_a_person=cannot))

    def _refused(self, told: NotApplied | Refused, now: float) -> c.Step:
        """The request did nothing; whether that ends the payment depends on which it was."""
        wanted = self._wanted
        assert wanted is not None, "only payments are asked about"
        reason = told.reason if isinstance(told, NotApplied) else f"it answers {told.code}"
        if isinstance(self._asked, api.Continue):
            return self._lost("no_answer", reason, now)
        if self._is_in_capture and not wanted.captures:
            text = f"the money is held, and its capture was refused: {reason}"
            return self._end(c.Unclear("not_captured", text, only_a_person=True))
        return self._end(e.not_begun(told, wanted))

    def _lost(self, reason: str, text: str, now: float) -> c.Step:
        """An answer is lost: ask again where that changes nothing, else a person must look."""
        if isinstance(self._asked, api.Start | api.Capture):
            assert self._wanted is not None, "only payments are begun"
            return self._find(self._wanted, text, now)
        if not isinstance(self._asked, api.Continue):
            return self._end(c.Unclear(reason, self._why or text))
        if self._inquires or now >= self._until:
            return self._end(c.Unclear(reason, text))
        return self._wait(WAIT_SECONDS, now)

    def _go_on(self, told: api.Continuation, now: float) -> c.Step:
        if isinstance(self._asked, api.Continue) and not self._inquires and now >= self._until:
            return self._store_handle(told, c.Unclear("still_running", "it is not over"))
        wait = WAIT_SECONDS if told.wait_seconds is None else told.wait_seconds
        step = self._wait(min(max(wait, WAIT_SECONDS_MIN), WAIT_SECONDS_MAX), now)
        events = self._store_handle(told).events
        if not self._inquires and not self._waiting_is_told:
            self._waiting_is_told = True  # once: each is an entry in the journal
            events = (*events, c.Progress(c.Stage.WAITING_FOR_CARD))
        return replace(step, events=events)

    def _store_handle(self, told: api.Continuation, *final: c.Unclear) -> c.Step:
        """Have a new handle stored; the same one is on disk."""
        handle = Handle(told.handle, self._is_in_capture)
        news = () if handle == self._handle else (c.Taken(handle.text),)
        self._handle = handle
        if final:
            self._phase = "over"
        return c.Step(events=(*news, *final))

    def _conclude(self, verdict: e.Verdict) -> c.Step:
        if not isinstance(verdict, e.Held):
            return self._end(verdict)
        # Whether this was asked for is on disk before it is, beside the hold itself.
        self._handle = Handle("", in_capture=True)
        self._next = api.Capture(verdict.payment_id)
        self._phase = "waiting"
        return c.Step(events=(c.Offered(verdict.approval), c.Taken(self._handle.text)))

    @property
    def _is_in_capture(self) -> bool:
        """True once what is asked about is a capture: of a hold of this payment, or of another."""
        handle, wanted = self._handle, self._wanted
        return (handle is not None and handle.in_capture) or (
            wanted is not None and wanted.captures
        )

    def _readiness(self, told: api.Reachable) -> c.TerminalReady | c.TerminalNotReady:
        if told.problem:
            return c.TerminalNotReady("terminal_maintenance", told.problem)
        return c.TerminalReady(self._settings.terminal, currency=self._settings.currency)

    # --- steps

    def _ask(self, ask: api.Ask, now: float) -> c.Step:
        self._phase, self._asked = "asked", ask
        self._wake_at = now + self._answer_seconds + LAST_WORD_SECONDS
        return c.Step(send=encode(ask), wake_at=self._wake_at)

    def _wait(self, seconds: float, now: float) -> c.Step:
        self._phase = "waiting"
        self._wake_at = now + seconds
        return self._waits()

    def _waits(self) -> c.Step:
        if self._phase == "over":
            return c.Step()
        # A wait of the server's is kept also where this look ends with it.
        ends = self._phase == "waiting" and not self._inquires
        at = min(self._wake_at, self._until) if ends else self._wake_at
        return c.Step(wake_at=at)

    def _end(self, final: c.FinalEvent) -> c.Step:
        self._phase = "over"
        return c.Step(events=(final,))


def _unreachable(told: api.Told) -> c.FinalEvent:
    match told:
        case NotApplied(reason=reason, login_required=True):
            return c.TerminalNotReady("terminal_not_logged_in", reason)
        case NotApplied(reason=reason) | Unknown(reason=reason):
            return c.Unclear("no_answer", reason)
        case Refused(code=code):
            text = f"the back office lets us in and answers {code}; see `paybridge check`"
            return c.TerminalNotReady("terminal_maintenance", text)
        case _:
            return c.Unclear("unreadable", "the back office answered something else")
