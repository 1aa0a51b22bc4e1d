"""The till's side of a HELLO conversation, as scripts. Pure.

Rules:
1. PAY and KEEP are sent once. What became of a lost one is found out by ASK, never by sending it
   again.
2. Only PAID with our reference says that money was taken, only NO that none was. Lines of other
   references and damaged lines say nothing; a NO after KEEP, or a PAID of another amount,
   contradicts what was said before, and is `Unclear`.
3. Silence ends as `Unclear`; the bridge then asks (`Inquire`), which stops what is left first.
4. An offer is kept when it is stored, and given back when it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from driver_hello import messages as m
from driver_hello.settings import HelloSettings
from drivers import script
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
    StillRunning,
    TerminalNotReady,
    TerminalReady,
    Unclear,
)
from drivers.script import (
    Heard,
    Note,
    NotHeard,
    Say,
    ScriptedDialogue,
    StopWanted,
    Stored,
    Stream,
    Tell,
    Words,
)

Script = script.Script[Words, m.Message]

_STAGES = {
    "card": Stage.WAITING_FOR_CARD,
    "pin": Stage.ENTERING_PIN,
    "host": Stage.AUTHORIZING,
}


class HelloDialogue(ScriptedDialogue[Words, m.Message, m.Message]):
    """One conversation: lines come in, the script says lines; see the module's rules."""

    def __init__(self, settings: HelloSettings) -> None:
        super().__init__(Stream(self._read))
        self._settings = settings
        self._reader = m.LineReader()

    def script_for(self, operation: Operation) -> Script | Failed:
        """Return the script. What HELLO cannot do fails here, before a byte is sent."""
        settings = self._settings
        match operation:
            case Probe():
                return greet(settings)
            case Pay(amount=Money(currency=settings.currency), gift=False):
                return pay(operation, settings)
            case Inquire():
                return find_out(operation, settings)
            case _:
                return Failed("unsupported", "HELLO cannot do this", "operation_not_supported")

    def _read(self, data: bytes) -> Iterator[m.Message]:
        self._reader.feed(data)
        return self._reader.messages()


def greet(settings: HelloSettings) -> Script:
    """Say HELLO, hear how the terminal is."""
    heard = yield Say(m.encode(m.Hello()), settings.answer_seconds)
    while True:
        match heard:
            case Heard(m.Ready() | m.Closed() as state):
                return _state_of(state)
            case NotHeard(reason):
                return _unheard(reason)
            case _:
                heard = yield Say()


def pay(order: Pay, settings: HelloSettings) -> Script:
    """PAY, then WAIT as often as it takes, then NO, or OFFER: stored and kept, or given back."""
    amount, stop, stopped = order.amount, m.encode(m.Stop(order.reference)), False
    command = m.Pay(order.reference, amount.minor, amount.currency)
    heard = yield Say(m.encode(command), settings.payment_seconds)
    while True:
        match heard:
            case Heard(m.Wait(order.reference, what)):
                yield Note(Progress(_STAGES.get(what, Stage.STARTING)))
            case Heard(m.Offer(order.reference) as offer):
                break
            case Heard(m.Paid(order.reference) as paid):
                return _judge_paid(paid, amount)
            case Heard(m.No(order.reference) as no):
                return _denied(no)
            case NotHeard(reason):
                return _unheard(reason)
            case StopWanted() if not stopped:
                stopped = True
                heard = yield Say(stop)  # its NO is the outcome, not our wish
                continue
            case _:
                pass  # of another payment or another time: no evidence for this one
        heard = yield Say()
    approval = _approval(offer)
    keeps = False
    if approval is not None and approval.amount == amount:
        stored = yield Tell(Offered(approval))
        keeps = stored == Stored(done=True)
    answer = m.encode(m.Keep(order.reference)) if keeps else b"" if stopped else stop
    heard = yield Say(answer, settings.answer_seconds)
    while True:
        match heard:
            case Heard(m.Paid(order.reference) as paid):
                return _judge_paid(paid, amount)
            case Heard(m.No(order.reference, code)) if keeps:
                # It offered a yes, and now says no. Asking once more shows what it keeps to.
                return Unclear("contradiction", f"{code} after an offer")
            case Heard(m.No(order.reference) as no):
                return _denied(no)
            case NotHeard(reason):
                return _unheard(reason)
            case _:
                heard = yield Say()


def find_out(question: Inquire, settings: HelloSettings) -> Script:
    """STOP what may still go on behind our back, then ASK what became of it."""
    reference = question.about.reference
    amount = question.about.amount if isinstance(question.about, Pay) else None
    asked = m.encode(m.Stop(reference)) + m.encode(m.Ask(reference))
    heard = yield Say(asked, settings.answer_seconds)
    while True:
        match heard:
            case Heard(m.Paid(question.about.reference) as paid):
                return _judge_paid(paid, amount)
            case Heard(m.No(question.about.reference) as no):
                return _denied(no)
            case Heard(m.Busy(question.about.reference)):
                return StillRunning("the terminal is still at it")
            case NotHeard(reason):
                return _unheard(reason)
            case _:
                heard = yield Say()


def _unheard(reason: str) -> Unclear:
    """Return what silence proves: nothing. Whether PAY or KEEP arrived, nobody knows."""
    if reason == "link_lost":
        return Unclear(reason, "the line to the terminal broke")
    return Unclear(reason, "the terminal does not answer")


def _judge_paid(paid: m.Paid, amount: Money | None) -> Approved | Unclear:
    """Believe what was paid, unless it is not what was offered or asked for."""
    said = _approved(paid)
    if isinstance(said, Approved) and amount not in (None, said.approval.amount):
        return Unclear("contradiction", "paid, but another amount than was asked for")
    return said


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
