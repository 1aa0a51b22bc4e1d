"""The till's side of a Concert E+ conversation. Pure; `now` is in the caller's monotonic seconds.

    ENQUIRING --ACK--> REQUESTED --ACK--> AWAITING --ENQ--> RECEIVING --frame--> HELD --> CLOSING
        |  ^               |                 ^                 |  ^
     no ACK |           NAK or silence       |              damage, silence
        v   |              v                 |                 v  |
      PAUSING           REFUSED ----ACK------+               DAMAGED (NAK after a pause)

Rules:
1. Until the request is handed out, nothing can have been paid: whatever ends the conversation
   proves it. The request is sent once and never repeated, not even after a NAK.
2. From then on only a whole frame with our reference is evidence. Silence, damage, a lost line or
   somebody else's answer end as `Unclear`; only a NAK that comes alone proves a refusal.
3. The answer is acknowledged when it is stored. The terminal's EOT is waited for, not needed.
4. An answer may come late: `Inquire` sends nothing, listens, and takes no other than ours.
5. ENQ opens a payment or a probe only. A terminal that wants to speak first is not interrupted.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from drivers.contract import (
    Canceled,
    Failed,
    FinalEvent,
    Inquire,
    Operation,
    Pay,
    Probe,
    Progress,
    ProtocolError,
    Refund,
    Stage,
    Step,
    TerminalEvent,
    TerminalNotReady,
    TerminalReady,
    Unclear,
)
from drivers.telium.codec import messages as m
from drivers.telium.codec.framing import Damage, Frame, FrameReader, Item, Signal, encode_frame
from drivers.telium.codec.reference import is_reference
from drivers.telium.mapping.evidence import Wanted, judge, refuse, want
from drivers.telium.settings import TeliumSettings

ENQUIRIES_MAX = 3  # a terminal that wakes up misses the first one
PAUSE_SECONDS = 1.0  # between two of them, as pypostelium does
QUIET_SECONDS = 0.5  # 83 characters take 0.1 s at 9600 baud: then a damaged frame is over
REPEATS_MAX = 3  # how often a frame is asked for, or acknowledged, again
CLOSING_SECONDS = 1.0  # for an EOT that some terminals never send
LATE_SECONDS = 10.0  # an answer that has begun when the time is up may come to its end

_PRESS_RED = "press the red key on the terminal, the till cannot stop it"
_NOT_ANSWERED = "the terminal does not answer: an amount may be on its display, press its red key"


class _Phase(Enum):
    ENQUIRING = "enquiring"
    PAUSING = "pausing"
    REQUESTED = "requested"
    REFUSED = "refused"
    AWAITING = "awaiting"
    RECEIVING = "receiving"
    DAMAGED = "damaged"
    HELD = "held"
    CLOSING = "closing"
    OVER = "over"


_BEFORE_REQUEST = frozenset((_Phase.ENQUIRING, _Phase.PAUSING))
_AFTER_FINAL = frozenset((_Phase.HELD, _Phase.CLOSING, _Phase.OVER))


class TeliumDialogue:
    """One conversation, see the module's rules. Satisfies `drivers.contract.Dialogue`."""

    def __init__(self, settings: TeliumSettings) -> None:
        self._settings = settings
        self._reader = FrameReader()
        self._phase = _Phase.OVER
        self._wanted: Wanted | None = None  # None for a probe
        self._inquires = False
        self._enquiries = 0
        self._repeats = 0
        self._heard_bytes = 0  # since the last enquiry
        self._last_byte = b""
        self._said_press_red = False
        self._wake_at = 0.0
        self._deadline = 0.0  # of the answer
        self._answer: bytes | None = None  # the body that decided
        self._early: list[Item] = []  # the rest of the read in which the answer was
        self._acknowledges = False
        self._send = bytearray()
        self._events: list[TerminalEvent] = []

    # --- the contract

    def begin(self, operation: Operation, now: float) -> Step:
        """Open the conversation."""
        match operation:
            case Probe():
                self._enquire(now)
            case Inquire(about=Pay() | Refund() as about):
                self._wanted = self._want(about)
                self._inquires = True
                self._deadline = now + self._settings.listen_seconds
                self._await()
            case Inquire():
                self._finish(Unclear("cannot_ask", "this terminal remembers nothing"))
            case Pay() | Refund() if not (refusal := self._refuse(operation)):
                self._wanted = self._want(operation)
                self._enquire(now)
            case _:
                refusal = self._refuse(operation)
                assert refusal is not None, "what is not refused is begun above"
                self._finish(refusal)
        return self._step()

    def receive(self, data: bytes, now: float) -> Step:
        """Bytes came; any split, any garbage."""
        if self._phase is _Phase.PAUSING:
            return self._step()  # an ACK that comes after we hung up answers nothing
        self._heard_bytes += len(data)
        self._last_byte = data[-1:]
        for item in self._reader.receive(data):
            self._take(item, now)
        if self._phase is _Phase.DAMAGED:
            self._wake_at = now + QUIET_SECONDS
        self._end_babble(now)
        return self._step()

    def timeout(self, now: float) -> Step:
        """`wake_at` was reached and nothing came."""
        match self._phase:
            case _Phase.ENQUIRING:
                self._hang_up(now)
            case _Phase.PAUSING:
                self._reader.reset()
                self._enquire(now)
            case _Phase.REQUESTED:
                # The acknowledgement may be what was lost, so the answer may still come.
                self._send += Signal.EOT.value
                self._await()
            case _Phase.REFUSED:
                self._end_refused()
            case _Phase.AWAITING:
                self._give_up()
            case _Phase.RECEIVING | _Phase.DAMAGED:
                self._ask_again(now)
            case _Phase.HELD | _Phase.CLOSING | _Phase.OVER:
                self._phase = _Phase.OVER
            case _:
                assert_never(self._phase)
        return self._step()

    def line_lost(self, now: float) -> Step:
        """The line broke."""
        del now
        if self._phase in _AFTER_FINAL:
            self._phase = _Phase.OVER
        elif self._wanted is None or self._phase not in _BEFORE_REQUEST:
            self._finish(Unclear("link_lost", "the line broke before the answer came"))
        else:
            self._finish(
                Failed("link_lost", "the line broke before the request", "terminal_offline")
            )
        return self._step()

    def committed(self, now: float) -> Step:
        """The events of the last step are on disk: acknowledge what they came from."""
        if self._phase is _Phase.HELD:
            if self._acknowledges:
                self._send += Signal.ACK.value
                self._repeats = 0
                self._phase, self._wake_at = _Phase.CLOSING, now + CLOSING_SECONDS
                for item in self._early:
                    self._take(item, now)
            else:
                self._phase = _Phase.OVER
        return self._step()

    def not_committed(self, now: float) -> Step:
        """The events could not be stored: leave the answer unacknowledged; it may come back.

        The terminal cannot undo what it did.
        """
        del now
        if self._phase is _Phase.HELD:
            self._phase = _Phase.OVER
        return self._step()

    def cancel(self, now: float) -> Step:
        """Stop before the request; afterwards only a person at the terminal can."""
        del now
        if self._wanted is None or self._inquires or self._phase in _AFTER_FINAL:
            return self._step()
        if self._phase in _BEFORE_REQUEST:
            self._send += Signal.EOT.value
            self._finish(Canceled("cashier", text="stopped before the terminal was asked"))
        elif not self._said_press_red:
            self._said_press_red = True
            self._events.append(Progress(Stage.WAITING_FOR_CARD, _PRESS_RED))
        return self._step()

    # --- the request

    def _refuse(self, operation: Operation) -> Failed | None:
        return refuse(
            operation,
            amount_max=m.AMOUNT_MINOR_MAX,
            currency=self._settings.currency,
            refunds=self._settings.refunds,
        )

    def _want(self, operation: Pay | Refund) -> Wanted:
        return want(operation, till=self._settings.till, currency=self._settings.currency)

    def _enquire(self, now: float) -> None:
        if not self._enquiries:
            self._deadline = now + ENQUIRIES_MAX * (self._settings.step_seconds + PAUSE_SECONDS)
        self._enquiries += 1
        self._heard_bytes = 0
        self._send += Signal.ENQ.value
        self._phase, self._wake_at = _Phase.ENQUIRING, now + self._settings.step_seconds

    def _request(self, now: float) -> None:
        """Hand out the request: from here on the outcome is unknown until it is proved."""
        assert self._phase is _Phase.ENQUIRING, "a request is sent once"
        assert self._wanted is not None, "a probe requests nothing"
        wanted, settings = self._wanted, self._settings
        self._send += encode_frame(
            m.encode(
                m.Request(
                    till=wanted.till,
                    amount_minor=wanted.amount.minor,
                    currency=wanted.currency,
                    private=wanted.reference,
                    action=wanted.action,
                    long_answer=settings.answer == "long",
                    force_online=settings.force_online,
                )
            )
        )
        self._deadline = now + settings.result_seconds
        self._phase, self._wake_at = _Phase.REQUESTED, now + settings.step_seconds

    def _hang_up(self, now: float) -> None:
        """Give up one enquiry: the terminal is busy, off, or not set up for a till."""
        self._send += Signal.EOT.value
        if self._enquiries < ENQUIRIES_MAX:
            self._phase, self._wake_at = _Phase.PAUSING, now + PAUSE_SECONDS
            return
        self._give_up()

    def _yield_to_terminal(self) -> None:
        """The terminal has an answer to give: that one first, unheard by this conversation."""
        text = "the terminal still has an answer to an earlier payment"
        if self._wanted is None:
            self._finish(TerminalNotReady("terminal_busy", text))
        else:
            self._finish(Failed("busy", text, "terminal_busy"))

    # --- the answer

    def _take(self, item: Item, now: float) -> None:
        match self._phase:
            case _Phase.ENQUIRING:
                self._take_while_enquiring(item, now)
            case _Phase.REQUESTED | _Phase.REFUSED if item is Signal.ACK:
                self._send += Signal.EOT.value
                self._events.append(Progress(Stage.WAITING_FOR_CARD))
                self._await()
            case _Phase.REQUESTED if item is Signal.NAK:
                self._send += Signal.EOT.value
                self._phase, self._wake_at = _Phase.REFUSED, now + self._settings.step_seconds
            case _Phase.REQUESTED | _Phase.REFUSED | _Phase.AWAITING | _Phase.RECEIVING:
                self._take_answer(item, now)
            case _Phase.DAMAGED if isinstance(item, Frame):
                self._take_answer(item, now)
            case _Phase.HELD:
                self._early.append(item)
            case _Phase.CLOSING:
                self._take_while_closing(item)
            case _:
                pass

    def _take_while_enquiring(self, item: Item, now: float) -> None:
        match item:
            case Signal.ACK if self._wanted is None:
                self._send += Signal.EOT.value
                self._finish(TerminalReady(currency=self._settings.currency))
            case Signal.ACK:
                self._request(now)
            case Signal.NAK:
                self._hang_up(now)
            case Signal.ENQ:
                self._yield_to_terminal()
            case _:
                pass

    def _take_answer(self, item: Item, now: float) -> None:
        match item:
            case Frame(body):
                self._judge(body, now)
            case Signal.ENQ if self._phase is not _Phase.RECEIVING:
                self._send += Signal.ACK.value
                self._phase, self._wake_at = _Phase.RECEIVING, now + self._settings.step_seconds
            case Signal.ENQ | Damage() if self._phase is _Phase.RECEIVING:
                # In the wreck of a frame any byte may look like ENQ, and an ACK to that would tell
                # the terminal that its answer arrived: a pause shows what it was.
                self._phase = _Phase.DAMAGED
            case _:
                pass

    def _judge(self, body: bytes, now: float) -> None:
        assert self._wanted is not None, "a probe hears no answers"
        try:
            answer = m.decode_answer(body)
        except ProtocolError:
            self._phase = _Phase.DAMAGED
            self._wake_at = now + QUIET_SECONDS
            return
        echoes = self._settings.private_field == "echoed" or self._inquires
        verdict = judge(answer, self._wanted, echoes=echoes)
        self._answer = body
        # The answer to another payment of ours must not be taken from the conversation about it.
        ours = answer.private == self._wanted.reference
        self._acknowledges = ours or not echoes or not is_reference(answer.private)
        self._events.append(verdict)
        self._phase, self._wake_at = _Phase.HELD, now + CLOSING_SECONDS

    def _ask_again(self, now: float) -> None:
        """Nothing more comes: NAK what is damaged; a terminal that fell silent may start over."""
        if self._phase is _Phase.RECEIVING and not self._reader.inside:
            self._await()
            return
        self._reader.reset()
        if self._last_byte == Signal.ENQ.value:  # our ACK was lost: the terminal asks once more
            self._send += Signal.ACK.value
            self._phase, self._wake_at = _Phase.RECEIVING, now + self._settings.step_seconds
            return
        self._repeats += 1
        if self._repeats > REPEATS_MAX:
            self._finish(Unclear("unreadable", "the answer came damaged every time"))
            return
        self._send += Signal.NAK.value
        self._phase, self._wake_at = _Phase.RECEIVING, now + self._settings.step_seconds

    def _take_while_closing(self, item: Item) -> None:
        """Let an EOT end it; acknowledge the same answer again if our ACK was lost."""
        repeated = item is Signal.ENQ or (isinstance(item, Frame) and item.body == self._answer)
        if item is Signal.EOT:
            self._phase = _Phase.OVER
        elif repeated and self._repeats < REPEATS_MAX:
            self._repeats += 1
            self._send += Signal.ACK.value

    # --- ends

    def _await(self) -> None:
        self._phase, self._wake_at = _Phase.AWAITING, self._deadline

    def _end_babble(self, now: float) -> None:
        """End a conversation that noise keeps from ever being silent."""
        if self._phase is _Phase.CLOSING and now >= self._wake_at:
            self._phase = _Phase.OVER
        elif self._phase not in _AFTER_FINAL and now >= self._deadline + LATE_SECONDS:
            self._give_up()

    def _give_up(self) -> None:
        if self._phase not in _BEFORE_REQUEST:
            self._finish(Unclear("no_answer", "the terminal did not answer: read its ticket"))
        elif self._wanted is None:
            self._finish(Unclear("no_answer", _NOT_ANSWERED))
        else:
            self._finish(Failed("no_answer", _NOT_ANSWERED, "terminal_offline"))

    def _end_refused(self) -> None:
        """Believe a NAK that came alone after the ACK; among noise it may be noise itself."""
        if self._heard_bytes == len(Signal.ACK.value + Signal.NAK.value):
            reason = "terminal_protocol_error"
            self._finish(Failed("NAK", "the terminal refused the request", reason))
        else:
            self._finish(Unclear("unreadable", "the terminal's reply to the request is noise"))

    def _finish(self, event: FinalEvent) -> None:
        self._events.append(event)
        self._phase = _Phase.OVER

    def _step(self) -> Step:
        step = Step(
            bytes(self._send),
            tuple(self._events),
            None if self._phase is _Phase.OVER else self._wake_at,
        )
        self._send.clear()
        self._events.clear()
        return step
