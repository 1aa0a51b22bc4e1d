"""The till's side of a Caisse-AP conversation: one request, one answer, one connection. Pure.

Rules:
1. The request is handed out at once, and never again: from then on the outcome is unknown until
   an answer proves it.
2. An answer is judged when it is complete, or when it is whole and the line has been quiet for a
   moment or has ended: no length says that nothing follows.
3. Who is there is asked with CD=I, which moves no money. An older terminal refuses that, or says
   nothing: it was connected to, and that is all that can be known. What cannot be an answer of a
   terminal, or is one to something else, makes it unfit.
4. What is damaged, incomplete or about something else is `Unclear`. There is nobody to ask later:
   the connection was the only way for the answer.
"""

from __future__ import annotations

from drivers import script
from drivers.contract import (
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
from drivers.script import Heard, Note, NotHeard, Say, ScriptedDialogue, Words
from drivers.telium.codec import caisse_ap
from drivers.telium.codec.dump import masked_text
from drivers.telium.conversation.exchange import TillStream
from drivers.telium.mapping.evidence import Wanted, judge_ip, refuse, want
from drivers.telium.settings import CaisseApSettings

DRAIN_SECONDS = 0.3  # what belongs to one answer comes in segments milliseconds apart
# How a terminal refuses a question that it does not know; AF may be missing.
_TOO_OLD = ("", caisse_ap.FORMAT_ERROR, caisse_ap.UNKNOWN_ACTION)
SHOWN_MAX = 400  # characters of an answer that nobody can read; a whole one has 170
IDENTIFY_SECONDS = 5.0  # it shows nothing and asks nobody
GAP_SECONDS = 3.0  # for the rest of an answer that began; a lost segment is resent within 3 s

Script = script.Script[Words, bytes]


class CaisseApDialogue(ScriptedDialogue[Words, bytes, bytes]):
    """One conversation, see the module's rules."""

    def __init__(self, settings: CaisseApSettings) -> None:
        self._settings = settings
        self._line = TillStream[bytes](lambda data: (data,))
        super().__init__(self._line)

    def script_for(self, operation: Operation) -> Script | FinalEvent:
        """Return the script of a payment; everything else ends before a byte is sent."""
        settings = self._settings
        match operation:
            case Probe() if settings.identification:
                return identify(settings)
            case Probe():
                return TerminalReady(currency=settings.currency)
            case Inquire():
                return Unclear("cannot_ask", "read the terminal's ticket")
            case _:
                refusal = refuse(
                    operation,
                    amount_max=caisse_ap.AMOUNT_MINOR_MAX,
                    currency=settings.currency,
                    refunds=True,
                )
                if refusal is not None:
                    return refusal
                assert isinstance(operation, Pay | Refund), "all else is refused"
                return request(operation, self._line, settings)


def identify(settings: CaisseApSettings) -> Script:
    """Ask who is there; a terminal too old for the question is ready all the same."""
    question = caisse_ap.encode_identification(
        settings.till, settings.version, settings.protocol_id
    )
    received = b""
    heard = yield Say(question, IDENTIFY_SECONDS)
    while isinstance(heard, Heard):
        received += heard.answer
        try:
            tags, rest = caisse_ap.decode_tags(received)
        except ProtocolError:
            return _stranger()
        whole = "AE" in tags and not rest
        heard = yield Say(wait_seconds=DRAIN_SECONDS if whole else GAP_SECONDS)
    if not received:
        untold = ("it does not tell who it is (CD=I)",)
        return TerminalReady(currency=settings.currency, problems=untold)
    try:
        tags, rest = caisse_ap.decode_tags(received)
        answer = caisse_ap.decode_answer(tags)
    except ProtocolError:
        return _stranger()
    if rest:
        return _stranger()
    return _identity(answer, settings)


def _identity(
    answer: caisse_ap.CaisseApAnswer, settings: CaisseApSettings
) -> TerminalReady | TerminalNotReady:
    """Return who answered, and whether it is the one that is meant."""
    if answer.till not in ("", settings.till):
        text = f"it answers as till {answer.till}, not {settings.till}"
        return TerminalNotReady("wrong_device", text)
    if answer.status == caisse_ap.NOT_DONE and answer.reason in _TOO_OLD:
        return TerminalReady(currency=settings.currency)  # too old to be asked
    if answer.action not in ("", caisse_ap.IDENTIFY):
        return TerminalNotReady("terminal_busy", "it answers an earlier request")
    if answer.status == caisse_ap.NOT_DONE:
        text = f"it refuses to say who it is: {answer.reason} {answer.text}".rstrip()
        return TerminalNotReady("terminal_maintenance", text)
    own = answer.protocol_id if answer.protocol_id != settings.protocol_id else ""
    return TerminalReady(serial_number=own, currency=settings.currency)


def _stranger() -> TerminalNotReady:
    return TerminalNotReady("wrong_device", "what answers there is no terminal of this protocol")


def request(operation: Pay | Refund, line: TillStream[bytes], settings: CaisseApSettings) -> Script:
    """Hand out the request, collect the answer in its pieces, and judge it."""
    wanted = want(operation, till=settings.till, currency=settings.currency)
    data = caisse_ap.encode_request(
        caisse_ap.Request(
            till=settings.till,
            amount_minor=operation.amount.minor,
            currency=wanted.currency,
            action=wanted.action,
            version=settings.version,
            protocol_id=settings.protocol_id,
        )
    )
    line.requested = True
    latest = line.now + settings.result_seconds + GAP_SECONDS  # for an answer to come to its end
    received = b""
    yield Note(Progress(Stage.WAITING_FOR_CARD))
    heard = yield Say(data, settings.result_seconds)
    while True:
        match heard:
            case Heard(piece):
                received += piece
            case NotHeard("link_lost") if not received:
                return Unclear("link_lost", "the line broke before the answer came")
            case NotHeard() if not received:
                return Unclear("no_answer", "the terminal did not answer")
            case _:
                return _conclude(received, wanted)
        try:
            tags, rest = caisse_ap.decode_tags(received)
        except ProtocolError as error:
            return _unreadable(received, str(error))
        if caisse_ap.is_complete(tags) or line.now >= latest:
            return _conclude(received, wanted)
        # A reason may be left out, so only a longer silence shows that none will come.
        whole = caisse_ap.is_whole(tags, rest) and (
            tags["AE"] != caisse_ap.NOT_DONE or "AF" in tags
        )
        pause = DRAIN_SECONDS if whole else GAP_SECONDS
        heard = yield Say(wait_seconds=min(pause, latest - line.now))


def _conclude(received: bytes, wanted: Wanted) -> FinalEvent:
    """Judge what came, as nothing more does."""
    try:
        tags, rest = caisse_ap.decode_tags(received)
        answer = caisse_ap.decode_answer(tags)
    except ProtocolError as error:
        return _unreadable(received, str(error))
    if not caisse_ap.is_whole(tags, rest):
        return _unreadable(received, "the answer is not whole")
    return judge_ip(answer, wanted)


def _unreadable(received: bytes, why: str) -> Unclear:
    """Return what says why, and what came, without a card number."""
    return Unclear("unreadable", f"{why}: {masked_text(received)[:SHOWN_MAX]}")
