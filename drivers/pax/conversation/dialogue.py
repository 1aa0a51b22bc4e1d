"""The register's side of one POSLINK conversation: link, timers, stored events. Pure.

Rules:

1. A script says what to ask; one exchange runs at a time: request, ACK, answer, our ACK, EOT.
2. A command that moves money leaves once. Only the link repeats it, and only after a NAK.
3. An answer counts if it is the answer to the command that runs. What came before the terminal
   acknowledged the command belongs to somebody else, unless it echoes our ECR reference.
4. Our ACK to an answer is sent when the script goes on. After the last answer that is in
   `committed`: what was not stored is not acknowledged.
5. EOT instead of an answer ends the wait without evidence, but not at once: it may be the end of
   the exchange before. After our cancel it may be that of the cancel, so the wait goes on.
6. Over TCP an exchange may have the line to itself: HTTP says so, and a terminal that hangs up
   after an answer shows it. What has not been sent yet goes over a new line.
7. Every wait has an end.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from drivers.contract import (
    Diagnose,
    EndOfDay,
    FinalEvent,
    Inquire,
    Operation,
    Probe,
    Progress,
    ProtocolError,
    ReadBalance,
    ReadCard,
    ReadLast,
    ShowText,
    Stage,
    Step,
    TerminalEvent,
    Unclear,
)
from drivers.pax.codec import codes
from drivers.pax.codec.framing import FrameLink, HttpLink, Link, LinkStep, Sign, encode_frame
from drivers.pax.codec.messages import (
    Answer,
    AskDetail,
    AskTotals,
    BatchClosed,
    CloseBatch,
    Identity,
    Outcome,
    Plain,
    Record,
    Request,
    Result,
    Totals,
    Transact,
)
from drivers.pax.codec.payload import answering, decode_answer, encode_request
from drivers.pax.conversation.inquiry import STOP, inquire
from drivers.pax.conversation.lookup import read_balance, read_last
from drivers.pax.conversation.payment import move_money
from drivers.pax.conversation.script import (
    Ask,
    Heard,
    NotHeard,
    Reaction,
    Script,
    Stored,
    Tell,
    Wishes,
)
from drivers.pax.conversation.services import end_of_day, probe
from drivers.pax.settings import PaxSettings

# EOT follows our ACK at once; a terminal that leaves it out must not cost a second a command.
EOT_SECONDS = 0.5
# Over TCP some terminals hang up right after EOT; what is sent into that is lost.
HANG_UP_SECONDS = 0.1
# A terminal that says EOT late has its answer ready soon; one that gave up says nothing more.
AFTER_EOT_SECONDS = 2.0
# After a cancel the result comes as soon as the terminal has seen it, or the host has answered.
CANCEL_SECONDS = 30.0
UNREAD_ITEMS_MAX = 64  # a terminal waits for each ACK; more than a few at once is a flood


class PaxDialogue:
    """One conversation. Every input returns the next step; bytes never raise."""

    def __init__(self, settings: PaxSettings, transport: Literal["serial", "tcp"]) -> None:
        """Prepare a conversation; `transport` says whether an older one may have left something."""
        http = settings.transport == "http" and transport == "tcp"
        self._link: Link = HttpLink() if http else FrameLink(settings.link_timers)
        self._settings = settings
        self._serial = transport == "serial"
        self._wishes = Wishes()
        self._script: Script
        self._ask: Ask | None = None
        self._next: Ask | None = None  # waits for the EOT of the exchange before it
        self._due_at: float | None = None
        self._accept_due = False  # an answer is not acknowledged yet
        self._stop_sent = False
        self._given_up = False  # EOT came instead of an answer
        self._storing: Literal["", "told", "final"] = ""
        self._unread: deque[bytes | Sign] = deque()
        self._send = b""
        self._events: list[TerminalEvent] = []
        self._used = False  # the line has carried the one request that HTTP lets it
        self._new_line = False
        self._over = False
        self._lost = False

    # --- inputs

    def begin(self, operation: Operation, now: float) -> Step:
        """Open the conversation."""
        self._script = self._script_for(operation)
        self._go_on(None, now)
        return self._step()

    def receive(self, data: bytes, now: float) -> Step:
        """Bytes came; any split, any garbage. Never raises."""
        if self._over or self._lost:
            return self._step()
        self._take(self._link.receive(data, now), now)
        return self._step()

    def timeout(self, now: float) -> Step:
        """`wake_at` was reached and nothing came; harmless when it comes too early."""
        if self._over or self._lost:
            return self._step()
        self._take(self._link.timeout(now), now)
        if self._due_at is not None and now >= self._due_at and not self._storing:
            self._due_at = None
            if self._next is not None:
                self._transmit(self._next, now)
            else:
                reason = "given_up" if self._given_up else "no_answer"
                self._go_on(NotHeard(reason, self._link.acknowledged), now)
        return self._step()

    def line_lost(self, now: float) -> Step:
        """The line broke."""
        if self._next is not None and not self._serial:
            self._new_line = True
            self._transmit(self._next, now)
            return self._step()
        self._lost = True
        self._send = b""
        self._new_line = False
        if not self._over and not self._storing:
            self._go_on(NotHeard("link_lost", self._link.acknowledged), now)
        return self._step()

    def committed(self, now: float) -> Step:
        """The events of the last step are on disk: acknowledge, and go on if there is more."""
        storing, self._storing = self._storing, ""
        if storing == "final":
            self._acknowledge()
        elif storing == "told":
            self._go_on(Stored(done=True), now)
        self._read_on(now)
        return self._step()

    def not_committed(self, now: float) -> Step:
        """The events could not be stored: nothing is acknowledged, nothing more is asked for."""
        storing, self._storing = self._storing, ""
        if storing == "told":
            self._go_on(Stored(done=False), now)
        return self._step()

    def cancel(self, now: float) -> Step:
        """Ask the terminal to stop. Not an outcome; an approval may still cross it."""
        self._wishes.stop = True
        self._stop(now)
        return self._step()

    # --- inside

    def _script_for(self, operation: Operation) -> Script:
        match operation:
            case Inquire():
                return inquire(operation, self._settings, careful=self._serial)
            case Probe():
                return probe(self._settings)
            case EndOfDay():
                return end_of_day(operation, self._settings)
            case ReadBalance():
                return read_balance(operation, self._settings)
            case ReadLast():
                return read_last(self._settings)
            case ReadCard() | ShowText() | Diagnose():
                return _unsupported()
            case _:
                greet = self._serial and not isinstance(self._link, HttpLink)
                return move_money(operation, self._settings, self._wishes, greet=greet)

    def _go_on(self, reaction: Reaction | None, now: float) -> None:
        """Let the script react, until it waits for something."""
        self._ask = self._next = self._due_at = None
        while True:
            try:
                # The first `send` of a generator must be None, which its type does not know.
                wanted = self._script.send(reaction)  # type: ignore[arg-type]
            except StopIteration as end:
                self._finish(end.value)
                return
            if isinstance(wanted, Tell):
                self._events.append(wanted.event)
                self._storing = "told"
                return
            if not self._lost:
                self._plan(wanted, now)
                return
            reaction = NotHeard("link_lost")

    def _finish(self, final: FinalEvent) -> None:
        self._events.append(final)
        self._storing = "final"
        self._over = True
        self._send = b""
        self._unread.clear()

    def _plan(self, ask: Ask, now: float) -> None:
        if self._accept_due and not isinstance(self._link, HttpLink):
            self._acknowledge()
            self._next = ask
            self._due_at = now + EOT_SECONDS
        else:
            self._accept_due = False
            self._new_line = self._used
            self._transmit(ask, now)

    def _transmit(self, ask: Ask, now: float) -> None:
        self._next = None
        self._given_up = False
        self._ask = ask
        self._due_at = now + ask.wait_seconds
        if self._new_line:
            self._link.renew()
            self._send = b""
        self._used = isinstance(self._link, HttpLink)
        payload = encode_request(ask.request)
        self._send += self._link.send(payload, now, repeatable=not ask.once)

    def _acknowledge(self) -> None:
        if self._accept_due and not self._lost:
            self._send += self._link.accept()
        self._accept_due = False

    def _stop(self, now: float) -> None:
        """Send A14 beside the payment that runs, once the terminal has taken the payment."""
        runs = self._ask is not None and isinstance(self._ask.request, Transact)
        if not runs or not self._link.acknowledged or isinstance(self._link, HttpLink):
            return
        if self._stop_sent or self._lost:
            return
        self._stop_sent = True
        self._send += encode_frame(encode_request(STOP))
        assert self._due_at is not None, "whoever asks waits until some time"
        self._due_at = min(self._due_at, now + CANCEL_SECONDS)

    def _take(self, step: LinkStep, now: float) -> None:
        self._send += step.send
        self._unread.extend(step.items)
        if len(self._unread) > UNREAD_ITEMS_MAX:
            self._unread.clear()
            self._unread.append(Sign.UNREADABLE)
        self._read_on(now)

    def _read_on(self, now: float) -> None:
        while self._unread and not self._storing and not self._over:
            item = self._unread.popleft()
            if isinstance(item, Sign):
                self._handle_sign(item, now)
            else:
                self._handle_payload(item, now)

    def _handle_sign(self, sign: Sign, now: float) -> None:
        match sign:
            case Sign.ENDED if self._next is not None and self._serial:
                self._transmit(self._next, now)
            case Sign.ENDED if self._next is not None:
                self._due_at = now + HANG_UP_SECONDS
            case Sign.ENDED if self._link.acknowledged and not self._stop_sent:
                self._given_up = True
                assert self._due_at is not None, "whoever asks waits until some time"
                self._due_at = min(self._due_at, now + AFTER_EOT_SECONDS)
            case Sign.ENDED:
                pass  # of an older exchange, or of our cancel
            case Sign.ACKNOWLEDGED:
                if self._ask is not None and isinstance(self._ask.request, Transact):
                    self._events.append(Progress(Stage.WAITING_FOR_CARD))
                if self._ask is not None:
                    self._due_at = now + self._ask.wait_seconds
                if self._wishes.stop:
                    self._stop(now)
            case Sign.REFUSED:
                self._go_on(NotHeard("refused"), now)
            case Sign.SILENT:
                self._go_on(NotHeard("no_answer"), now)
            case Sign.UNREADABLE:
                self._go_on(NotHeard("unreadable", self._link.acknowledged), now)

    def _handle_payload(self, payload: bytes, now: float) -> None:
        try:
            answer = decode_answer(payload)
        except ProtocolError:
            answer = None
        if answer is not None and self._ask is not None and self._answers(answer, self._ask):
            self._accept_due = True
            self._go_on(Heard(answer), now)
        else:
            self._send += self._link.accept()  # so that it is not said again

    def _answers(self, answer: Answer, ask: Ask) -> bool:
        if not _belongs(answer, ask.request):
            return False
        echo = answer.trace.reference if isinstance(answer, Result) else ""
        if not self._link.acknowledged:
            return bool(echo) and echo == ask.reference
        return echo in ("", ask.reference) or answer.code == codes.DUPLICATE

    def _step(self) -> Step:
        send, self._send = self._send, b""
        events, self._events = tuple(self._events), []
        if self._over or self._lost:
            return Step(send, events)
        times = [at for at in (self._link.wake_at, self._due_at) if at is not None]
        new_line, self._new_line = self._new_line, False
        return Step(send, events, min(times) if times else None, new_line)


def _belongs(answer: Answer, request: Request) -> bool:
    """Whether `answer` is of the kind that `request` is answered with."""
    match request:
        case Transact(tender=tender, type=kind):
            # A void that follows a payment must not take the payment's repeated answer for its own.
            kinds = codes.VOID_TYPES if kind == codes.VOID else frozenset((kind,))
            if not isinstance(answer, Result) or answer.tender != tender:
                return False
            # An answer to an error may end before its type; a duplicate tells of another one's.
            return answer.type in kinds or not answer.type or answer.code == codes.DUPLICATE
        case AskDetail():
            return isinstance(answer, Record)
        case AskTotals():
            return isinstance(answer, Totals)
        case CloseBatch():
            return isinstance(answer, BatchClosed)
        case Plain("A00"):
            return isinstance(answer, Identity)
        case Plain(command):
            return isinstance(answer, Outcome) and answer.command == answering(command)


def _unsupported() -> Script:
    """Yield nothing: the terminal cannot do it."""
    return Unclear("operation_not_supported")
    yield  # makes this a generator
