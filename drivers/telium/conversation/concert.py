"""The till's side of a Concert E+ conversation, as scripts. Pure.

    till  ENQ   request   EOT                        ACK   (NAK: once more)   ACK, when stored
    term     ACK       ACK    shopper, PIN, host  ENQ   frame                                EOT

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

from collections.abc import Generator, Iterable

from drivers import script
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
    TerminalNotReady,
    TerminalReady,
    Unclear,
)
from drivers.script import (
    Heard,
    Note,
    NotHeard,
    Reaction,
    Running,
    Say,
    ScriptedDialogue,
    StopWanted,
    Stored,
    Tell,
    Words,
    Write,
)
from drivers.telium.codec import messages as m
from drivers.telium.codec.framing import Damage, Frame, FrameReader, Item, Signal, encode_frame
from drivers.telium.codec.reference import is_reference
from drivers.telium.conversation.exchange import TillStream
from drivers.telium.mapping.evidence import Wanted, judge, refuse, want
from drivers.telium.settings import TeliumSettings

ENQUIRIES_MAX = 3  # a terminal that wakes up misses the first one
PAUSE_SECONDS = 1.0  # between two of them, as pypostelium does
QUIET_SECONDS = 0.5  # 83 characters take 0.1 s at 9600 baud: then a damaged frame is over
REPEATS_MAX = 3  # how often a frame is asked for, or acknowledged, again
CLOSING_SECONDS = 1.0  # for an EOT that some terminals never send
LATE_SECONDS = 10.0  # an answer that has begun when the time is up may come to its end

_NOT_ANSWERED = "the terminal does not answer: an amount may be on its display, press its red key"
_BUSY = "the terminal still has an answer to an earlier payment"
_ENQ, _ACK, _NAK, _EOT = (Signal[name].value for name in ("ENQ", "ACK", "NAK", "EOT"))
_BABBLE = "babble"  # noise that keeps a conversation from ever being silent

Script = script.Script[Words, Item]


class ConcertLine(TillStream[Item]):
    """The till's end, with what it knows of bytes that make no signal and no frame."""

    def __init__(self) -> None:
        self.reader = FrameReader()
        super().__init__(self.reader.receive)
        self.heard_bytes = 0  # since the last enquiry
        self.last_byte = b""

    def receive(self, data: bytes) -> Iterable[Item]:
        """Count, and read."""
        self.heard_bytes += len(data)
        self.last_byte = data[-1:]
        return super().receive(data)

    def overdue(self) -> NotHeard | None:
        """Tell noise from silence: nothing is tried again after it."""
        return NotHeard(_BABBLE) if super().overdue() else None


class TeliumDialogue(ScriptedDialogue[Words, Item, Item]):
    """One conversation, see the module's rules."""

    def __init__(self, settings: TeliumSettings) -> None:
        self._settings = settings
        self._line = ConcertLine()
        super().__init__(self._line)

    def script_for(self, operation: Operation) -> Running[Words, Item] | FinalEvent:
        """Return the script; what this terminal cannot do ends before a byte is sent."""
        line, settings = self._line, self._settings
        match operation:
            case Probe():
                return probe(line, settings)
            case Inquire(about=Pay() | Refund() as about):
                return listen(about, line, settings)
            case Inquire():
                return Unclear("cannot_ask", "this terminal remembers nothing")
            case _:
                refusal = refuse(
                    operation,
                    amount_max=m.AMOUNT_MINOR_MAX,
                    currency=settings.currency,
                    refunds=settings.refunds,
                )
                if refusal is not None:
                    return refusal
                assert isinstance(operation, Pay | Refund), "all else is refused"
                return move_money(operation, line, settings)


def probe(line: ConcertLine, settings: TeliumSettings) -> Script:
    """Say ENQ; who says ACK is there."""
    match (yield from _open(line, settings, stoppable=False)):
        case "":
            yield Write(_EOT)
            return TerminalReady(currency=settings.currency)
        case "busy":
            return TerminalNotReady("terminal_busy", _BUSY)
        case "no_answer":
            return Unclear("no_answer", _NOT_ANSWERED)
        case reason:
            return Unclear(reason, "the line broke before the answer came")


def move_money(
    operation: Pay | Refund, line: ConcertLine, settings: TeliumSettings
) -> Running[Words, Item]:
    """Open, hand out the request once, and hear the answer out."""
    wanted = want(operation, till=settings.till, currency=settings.currency)
    match (yield from _open(line, settings, stoppable=True)):
        case "":
            pass
        case "busy":
            return Failed("busy", _BUSY, "terminal_busy")
        case "stopped":
            return Canceled("cashier", text="stopped before the terminal was asked")
        case "no_answer":
            return Failed("no_answer", _NOT_ANSWERED, "terminal_offline")
        case reason:
            return Failed(reason, "the line broke before the request", "terminal_offline")
    line.requested = True
    deadline = line.now + settings.result_seconds
    line.latest = deadline + LATE_SECONDS
    heard = yield Say(_request(wanted, settings), settings.step_seconds)
    refused = False
    while True:
        match heard:
            case Heard(Signal.ACK):
                yield Note(Progress(Stage.WAITING_FOR_CARD))
                heard = yield Say(_EOT, deadline - line.now)
                break
            case Heard(Signal.NAK) if not refused:
                refused = True
                heard = yield Say(_EOT, settings.step_seconds)
            case NotHeard("no_answer") if refused:
                return _why_refused(line)
            case NotHeard("no_answer"):
                # The acknowledgement may be what was lost, so the answer may still come.
                heard = yield Say(_EOT, deadline - line.now)
                break
            case Heard(Frame() | Signal.ENQ) | NotHeard():
                break
            case _:
                heard = yield Say()
    echoes = settings.private_field == "echoed"
    return (yield from _hear_out(heard, wanted, line, settings, deadline, echoes=echoes))


def listen(
    about: Pay | Refund, line: ConcertLine, settings: TeliumSettings
) -> Running[Words, Item]:
    """Wait for a late answer to `about`, and say nothing first."""
    wanted = want(about, till=settings.till, currency=settings.currency)
    deadline = line.now + settings.listen_seconds
    line.latest = deadline + LATE_SECONDS
    heard = yield Say(wait_seconds=settings.listen_seconds)
    return (yield from _hear_out(heard, wanted, line, settings, deadline, echoes=True))


def _open(
    line: ConcertLine, settings: TeliumSettings, *, stoppable: bool
) -> Generator[Words, Reaction[Item], str]:
    """Say ENQ, a few times, until the terminal says ACK; return why it did not, "" if it did."""
    step_seconds = settings.step_seconds
    line.latest = line.now + ENQUIRIES_MAX * (step_seconds + PAUSE_SECONDS) + LATE_SECONDS
    for attempt in range(ENQUIRIES_MAX):
        pauses = attempt > 0
        line.heard_bytes = 0
        heard = yield Say(_EOT, PAUSE_SECONDS) if pauses else Say(_ENQ, step_seconds)
        while True:
            match heard:
                case StopWanted() if stoppable:
                    yield Write(_EOT)
                    return "stopped"
                case NotHeard("no_answer") if pauses:
                    pauses = False
                    line.reader.reset()
                    line.heard_bytes = 0
                    heard = yield Say(_ENQ, step_seconds)
                    continue
                case NotHeard("no_answer"):
                    break
                case NotHeard(reason):
                    return "no_answer" if reason == _BABBLE else reason
                case _ if pauses:
                    pass  # an ACK that comes after we hung up answers nothing
                case Heard(Signal.ACK):
                    return ""
                case Heard(Signal.ENQ):
                    return "busy"
                case Heard(Signal.NAK):
                    break  # it is busy, or not set up for a till
                case _:
                    pass
            heard = yield Say()
    yield Write(_EOT)
    return "no_answer"


def _request(wanted: Wanted, settings: TeliumSettings) -> bytes:
    return encode_frame(
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


def _why_refused(line: ConcertLine) -> FinalEvent:
    """Believe a NAK that came alone after the ACK; among noise it may be noise itself."""
    if line.heard_bytes == len(_ACK + _NAK):
        return Failed("NAK", "the terminal refused the request", "terminal_protocol_error")
    return Unclear("unreadable", "the terminal's reply to the request is noise")


def _hear_out(
    heard: Reaction[Item],
    wanted: Wanted,
    line: ConcertLine,
    settings: TeliumSettings,
    deadline: float,
    *,
    echoes: bool,
) -> Running[Words, Item]:
    """Wait until `deadline` for an answer to begin, have it repeated if it is damaged, judge it."""
    begun = damaged = False  # its ENQ was acknowledged; what came since is a wreck
    repeats = 0
    while True:
        match heard:
            case Heard(Frame(body)):
                try:
                    answer = m.decode_answer(body)
                    break
                except ProtocolError:
                    damaged = True
            case Heard(Signal.ENQ) if not begun and not damaged:
                begun = True
                heard = yield Say(_ACK, settings.step_seconds)
                continue
            case Heard(Signal.ENQ | Damage()) if begun:
                # In the wreck of a frame any byte may look like ENQ, and an ACK to that would tell
                # the terminal that its answer arrived: a pause shows what it was.
                damaged = True
            case NotHeard("no_answer") if damaged or (begun and line.reader.inside):
                line.reader.reset()
                reply = _NAK
                if line.last_byte == _ENQ:  # our ACK was lost: the terminal asks once more
                    reply = _ACK
                elif (repeats := repeats + 1) > REPEATS_MAX:
                    return Unclear("unreadable", "the answer came damaged every time")
                begun, damaged = True, False
                heard = yield Say(reply, settings.step_seconds)
                continue
            case NotHeard("no_answer") if begun:  # a terminal that fell silent may start over
                begun = False
                heard = yield Say(wait_seconds=deadline - line.now)
                continue
            case NotHeard("link_lost"):
                return Unclear("link_lost", "the line broke before the answer came")
            case NotHeard():
                return Unclear("no_answer", "the terminal did not answer: read its ticket")
            case _:
                pass
        heard = yield Say(wait_seconds=QUIET_SECONDS, from_last_byte=True) if damaged else Say()
    line.latest = None
    stored = yield Tell(judge(answer, wanted, echoes=echoes))
    # The answer to another payment of ours must not be taken from the conversation about it.
    ours = answer.private == wanted.reference or not echoes or not is_reference(answer.private)
    if ours and stored == Stored(done=True):
        yield from _acknowledge(body)
    return None


def _acknowledge(body: bytes) -> Generator[Say, Reaction[Item], None]:
    """Say ACK until the terminal's EOT; again to the same answer, as ours may have been lost."""
    heard = yield Say(_ACK, CLOSING_SECONDS)
    repeats = 0
    while not isinstance(heard, NotHeard) and heard != Heard(Signal.EOT):
        again = heard in (Heard(Signal.ENQ), Heard(Frame(body))) and repeats < REPEATS_MAX
        repeats += again
        heard = yield Say(_ACK if again else b"")
