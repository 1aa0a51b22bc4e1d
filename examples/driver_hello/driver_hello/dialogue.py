"""The till's side of a HELLO conversation. Pure; `now` is in the caller's monotonic seconds.

    Pay:      PAYING --OFFER, stored--> KEEPING --PAID--> OVER
              PAYING --OFFER, not stored or not what we asked for--> UNDOING --NO--> OVER
              PAYING --NO--> OVER
    Inquire:  ASKING --PAID, NO, BUSY--> OVER
    Probe:    GREETING --READY, CLOSED--> OVER

Rules:
1. PAY and KEEP are sent once. What became of a lost one is found out by ASK, never by sending it
   again.
2. Only PAID with our reference says that money was taken, only NO that none was. Lines of other
   references and damaged lines say nothing; a NO after KEEP, or a PAID of another amount,
   contradicts what was said before, and is `Unclear`.
3. Silence ends as `Unclear`; the bridge then asks (`Inquire`), which stops what is left first.
4. Lines are taken one at a time: what follows an event waits until that event is stored.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from driver_hello import messages as m
from driver_hello.settings import HelloSettings
from drivers.contract import (
    Approval,
    Approved,
    Canceled,
    Card,
    Declined,
    Failed,
    FinalEvent,
    Inquire,
    MaskedPan,
    Money,
    Offered,
    Operation,
    Pay,
    Probe,
    Progress,
    Stage,
    Step,
    StillRunning,
    TerminalEvent,
    TerminalNotReady,
    TerminalReady,
    Unclear,
)

_STAGES = {
    "card": Stage.WAITING_FOR_CARD,
    "pin": Stage.ENTERING_PIN,
    "host": Stage.AUTHORIZING,
}


class _Phase(Enum):
    GREETING = "greeting"
    PAYING = "paying"
    OFFERED = "offered"  # waits for the journal, not for the terminal
    KEEPING = "keeping"
    UNDOING = "undoing"
    ASKING = "asking"
    OVER = "over"


class HelloDialogue:
    """One conversation, see the module's rules. Satisfies `drivers.contract.Dialogue`."""

    def __init__(self, settings: HelloSettings) -> None:
        self._settings = settings
        self._reader = m.LineReader()
        self._phase = _Phase.OVER
        self._reference = ""
        self._amount: Money | None = None
        self._stopped = False
        self._wake_at = 0.0
        self._send = b""
        self._events: tuple[TerminalEvent, ...] = ()

    # --- the contract

    def begin(self, operation: Operation, now: float) -> Step:
        """Open the conversation. What HELLO cannot do fails here, before a byte is sent."""
        match operation:
            case Probe():
                self._say(m.Hello())
                self._expect(_Phase.GREETING, now + self._settings.answer_seconds)
            case Pay(reference, amount, gift=False) if self._takes(amount):
                self._reference, self._amount = reference, amount
                self._say(m.Pay(reference, amount.minor, amount.currency))
                self._expect(_Phase.PAYING, now + self._settings.payment_seconds)
            case Inquire(about):
                self._reference = about.reference
                self._amount = about.amount if isinstance(about, Pay) else None
                self._say(m.Stop(self._reference))  # nothing of it may go on behind our back
                self._say(m.Ask(self._reference))
                self._expect(_Phase.ASKING, now + self._settings.answer_seconds)
            case _:
                self._finish(
                    Failed("unsupported", "HELLO cannot do this", "operation_not_supported")
                )
        return self._step()

    def receive(self, data: bytes, now: float) -> Step:
        """Bytes came; any split, any garbage."""
        if self._phase is not _Phase.OVER:
            self._reader.feed(data)
            self._read(now)
            if not self._events and now >= self._wake_at:
                return self.timeout(now)  # a babbling terminal is as good as a silent one
        return self._step()

    def timeout(self, now: float) -> Step:
        """Nothing came in time, which proves nothing."""
        del now
        if self._phase is not _Phase.OVER:
            self._finish(Unclear("no_answer", "the terminal does not answer"))
        return self._step()

    def line_lost(self, now: float) -> Step:
        """The line broke; whether PAY or KEEP still arrived, nobody knows."""
        del now
        if self._phase is not _Phase.OVER:
            self._finish(Unclear("link_lost", "the line to the terminal broke"))
        return self._step()

    def committed(self, now: float) -> Step:
        """The events are on disk: keep the offer, if there is one, and go on reading."""
        if self._phase is _Phase.OFFERED:
            self._say(m.Keep(self._reference))
            self._expect(_Phase.KEEPING, now + self._settings.answer_seconds)
        self._read(now)
        return self._step()

    def not_committed(self, now: float) -> Step:
        """The events are not on disk: give the offer back."""
        if self._phase is _Phase.OFFERED:
            self._stop()
            self._expect(_Phase.UNDOING, now + self._settings.answer_seconds)
        self._read(now)
        return self._step()

    def cancel(self, now: float) -> Step:
        """Ask the terminal to stop. Its NO is the outcome, not our wish."""
        del now
        if self._phase is _Phase.PAYING:
            self._stop()
        return self._step()

    # --- what the terminal says

    def _read(self, now: float) -> None:
        """Take lines until one makes an event, which is stored before the next is looked at."""
        for message in self._reader.messages():
            self._take(message, now)
            if self._events or self._phase is _Phase.OVER:
                return

    def _take(self, message: m.Message, now: float) -> None:
        match message:
            case m.Ready() | m.Closed() if self._phase is _Phase.GREETING:
                self._finish(_state_of(message))
            case m.Wait(self._reference, what) if self._phase is _Phase.PAYING:
                self._events = (Progress(_STAGES.get(what, Stage.STARTING)),)
            case m.Offer(self._reference) if self._phase is _Phase.PAYING:
                self._consider(message, now)
            case m.Paid(self._reference) if self._phase in _AWAITING_A_VERDICT:
                self._finish(self._judge_paid(message))
            case m.No(self._reference) if self._phase is _Phase.KEEPING:
                # It offered a yes, and now says no. Asking once more shows what it keeps to.
                self._finish(Unclear("contradiction", f"{message.code} after an offer"))
            case m.No(self._reference) if self._phase in _AWAITING_A_VERDICT:
                self._finish(_denied(message))
            case m.Busy(self._reference) if self._phase is _Phase.ASKING:
                self._finish(StillRunning("the terminal is still at it"))
            case _:
                pass  # of another payment or another time: no evidence for this one

    def _consider(self, offer: m.Offer, now: float) -> None:
        approval = _approval(offer)
        if approval is None or approval.amount != self._amount:
            self._stop()
            self._expect(_Phase.UNDOING, now + self._settings.answer_seconds)
        else:
            self._events = (Offered(approval),)
            self._phase = _Phase.OFFERED

    def _judge_paid(self, paid: m.Paid) -> Approved | Unclear:
        """Believe what was paid, unless it is not what was offered or asked for."""
        said = _approved(paid)
        if isinstance(said, Approved) and self._amount not in (None, said.approval.amount):
            return Unclear("contradiction", "paid, but another amount than was asked for")
        return said

    # --- what we say

    def _takes(self, amount: Money) -> bool:
        return amount.currency == self._settings.currency

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._say(m.Stop(self._reference))

    def _say(self, message: m.Message) -> None:
        self._send += m.encode(message)

    def _expect(self, phase: _Phase, wake_at: float) -> None:
        self._phase, self._wake_at = phase, wake_at

    def _finish(self, event: FinalEvent) -> None:
        self._phase, self._events = _Phase.OVER, (event,)

    def _step(self) -> Step:
        over = self._phase is _Phase.OVER
        step = Step(self._send, self._events, None if over else self._wake_at)
        self._send, self._events = b"", ()
        return step


_AWAITING_A_VERDICT = frozenset((_Phase.PAYING, _Phase.KEEPING, _Phase.UNDOING, _Phase.ASKING))


def _state_of(message: m.Ready | m.Closed) -> TerminalReady | TerminalNotReady:
    match message:
        case m.Ready(terminal_id, serial_number, model, firmware, currency):
            return TerminalReady(terminal_id, serial_number, model, firmware, currency)
        case m.Closed(text):
            return TerminalNotReady("terminal_maintenance", text)
        case _:
            assert_never(message)


def _approval(said: m.Offer | m.Paid) -> Approval | None:
    """Return what the terminal says of one payment; None if its currency is none."""
    try:
        amount = Money(said.amount_minor, said.currency)
    except ValueError:
        return None
    return Approval(
        amount=amount,
        fingerprint=f"{said.reference}/{said.receipt}",
        transaction_id=said.receipt,
        approval_code=said.approval_code,
        card=Card(brand=said.brand, masked_pan=MaskedPan.of(said.last4)),
    )


def _approved(paid: m.Paid) -> Approved | Unclear:
    approval = _approval(paid)
    return Approved(approval) if approval else Unclear("unreadable", "paid in no known currency")


def _denied(no: m.No) -> FinalEvent:
    """Return the event that a NO proves; a code of tomorrow still proves that no money moved."""
    match no.code:
        case "declined":
            return Declined(no.code, no.text)
        case "stopped":
            return Canceled("cashier", no.code, no.text)
        case "left":
            return Canceled("cardholder", no.code, no.text)
        case "busy":
            return Failed(no.code, no.text, "terminal_busy")
        case _:
            return Failed(no.code, no.text)
