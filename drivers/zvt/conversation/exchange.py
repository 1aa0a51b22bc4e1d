"""How a ZVT dialogue is held beneath every script: link, replies, numbers, prints, timers. Pure.

Rules:

1. The register leads until its command has its reply; then the terminal leads until it says
   06 0F or 06 1E. Each of its messages gets exactly one reply.
2. What no script asks for is answered here: 04 FF, 04 01, 06 D1, 06 D3 with yes, what is unknown
   with 84 83. Every other message is the script's to answer; the end (06 0F, 06 1E) that made a
   script return is answered with yes when its final event is stored.
3. What comes while the terminal does not lead was said to somebody else, or too late: `Stray`.
4. Where message sequence ids are agreed, what decides is heard only with the right one; see
   `numbering`.
5. T3 bounds the wait for a reply, T4 the wait while the terminal leads, T2 and T1 those of the
   link. Only a sign of life (04 FF, 04 0F, a print) starts T4 again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from drivers import script
from drivers.contract import Progress, ProtocolError, Stage
from drivers.script import Aside, Exchange, Heard, NotHeard
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.codes import UNKNOWN_COMMAND, stage_of
from drivers.zvt.codec.fields import Tlv, decode_text, encode_tlv
from drivers.zvt.codec.framing import Link, LinkStep, TcpLink
from drivers.zvt.conversation.numbering import Numbering, decides
from drivers.zvt.mapping.receipts import ReceiptPaper

SECONDS_PER_MINUTE = 60
ABORTING_SECONDS = 30.0  # a terminal that heard 06 B0 may say nothing more: then it must be asked
STRANGE_SECONDS = 30.0  # after an end that was not ours: the right one comes soon or never
INTERMEDIATE_TEXT = 0x24
TEXT_LINE = 0x07

End = m.Completion | m.StatusReport | m.Abort
Own = m.Reply | m.StatusInformation | End  # what scripts hear, in its turn


@dataclass(frozen=True, slots=True)
class Stray:
    """Said out of turn: the rest of an older dialogue, or a reply that comes late."""

    message: Own


Message = Own | Stray


# --- what scripts ask


@dataclass(frozen=True, slots=True)
class Command:
    """Send a command and hear its reply within `reply_seconds` (T3).

    Once the terminal leads, it is silent for `wait_seconds` (T4) at most. A `question` may go to
    a new line where the terminal hung up behind the command before it.
    """

    message: m.Message
    wait_seconds: float | None = None
    reply_seconds: float | None = None
    question: bool = True


@dataclass(frozen=True, slots=True)
class Follow:
    """Let the terminal lead, and hear what it says."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait without expecting anything."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """Hear the next message, in the time that is left."""


@dataclass(frozen=True, slots=True)
class Respond(Aside):
    """Reply to the terminal's message: yes, or 84 `code`."""

    code: int | None = None


@dataclass(frozen=True, slots=True)
class Hurry(Aside):
    """Do not wait longer than `seconds` from now for the next sign of life."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Interrupt(Aside):
    """Send 06 B0 beside the command that runs."""


Ask = Command | Follow | Pause | Listen | Respond | Hurry | Interrupt
Reaction = script.Reaction[Message]
Part = script.Part[Ask, Message, script.ResultT]
Script = script.Script[Ask, Message]
Running = script.Running[Ask, Message]


class Phase(Enum):
    """Who is expected to speak."""

    IDLE = "idle"  # nobody: the script decides what comes next, or a pause runs
    REPLY = "reply"  # the terminal, with 80 xx or 84 xx
    TERMINAL_LEADS = "terminal_leads"


@dataclass(frozen=True, slots=True)
class Timers:
    """How long to wait, in seconds."""

    reply_seconds: float  # T3
    patience_seconds: float  # T4


class ZvtExchange(Exchange[Ask, bytes, Message]):
    """The register's end of one conversation."""

    def __init__(
        self,
        new_link: Callable[[], Link],
        timers: Timers,
        charset: str,
        numbering: Numbering | None = None,
    ) -> None:
        super().__init__()
        self.timers = timers
        self.heard = False  # whether the terminal said anything; scripts may forget it
        self.at_work = False  # whether it showed a stage, a receipt or a result of its own
        self._stage = Stage.STARTING
        self.showed_stage = False  # whether it ever showed a stage of a payment: 04 FF
        self.abort_sent = False
        self._phase = Phase.IDLE
        self.hung_up = False  # whether it closed a line behind the end of a command
        self._new_link = new_link
        self._link = new_link()
        self._unheard: Command | None = None  # a question that follows an end on this line
        self._line_has_ended_one = False
        self._charset = charset
        self._numbering = numbering
        self._abort_answered = False
        self._last_reply: m.Reply | None = None
        self._paper = ReceiptPaper()
        self._command = 0
        self._end_unanswered = False
        self._patience = timers.patience_seconds
        self._reply_seconds = timers.reply_seconds

    @property
    def repeated(self) -> bool:
        """Whether the terminal may have had a command of ours twice."""
        return self._link.repeated

    @property
    def leads(self) -> bool:
        """Whether the terminal leads: it took a command and is at it."""
        return self._phase is Phase.TERMINAL_LEADS

    # --- what the engine calls

    def ask(self, ask: Ask) -> None:
        """Carry out what the script wants."""
        match ask:
            case Command(message, wait_seconds, reply_seconds, question):
                assert not isinstance(message, m.Reply)
                self._unheard = ask if question and self._line_has_ended_one else None
                self._write(message)
                self._command = message.CONTROL
                self._patience = wait_seconds or self.timers.patience_seconds
                self._phase = Phase.REPLY
                self._reply_seconds = reply_seconds or self.timers.reply_seconds
                self.due_at = self.now + self._reply_seconds
                self.abort_sent = self.abort_sent or isinstance(message, m.AbortRequest)
            case Follow():
                self._phase = Phase.TERMINAL_LEADS
                self.due_at = self.now + self._patience
            case Pause(seconds):
                self._phase = Phase.IDLE
                self.due_at = self.now + seconds
            case Listen():
                pass
            case Respond(code):
                self._reply(code)
            case Hurry(seconds):
                self._hurry(seconds)
            case Interrupt():
                self.abort_sent = True
                self._write(m.AbortRequest())

    def renew(self) -> bool:
        """Put the question again over a new line, if the terminal cannot have heard it.

        It has closed the line behind the end before it, as some do that are reached over TCP.
        """
        unheard = self._unheard
        if unheard is None or self._numbering is not None or not isinstance(self._link, TcpLink):
            return False
        self.hung_up = self.new_line = True
        self._line_has_ended_one = False
        self._link = self._new_link()
        self.send.clear()
        self.ask(unheard)
        return True

    def receive(self, data: bytes) -> Iterable[bytes]:
        """Return whole APDUs."""
        self._unheard = None
        settled = self._link.settled
        apdus = self._apdus(self._link.receive(data, self.now))
        if not settled and self._link.settled and self._phase is Phase.REPLY:
            self.due_at = self.now + self._reply_seconds  # T3 starts when the command arrived
        return apdus

    def timeout(self) -> Iterable[bytes]:
        """Repeat what the link must."""
        return self._apdus(self._link.timeout(self.now))

    def take(self, apdu: bytes) -> Reaction | None:
        """Answer what is no script's affair, hand on the rest."""
        if self._numbering is not None and not self._is_news(apdu, self._numbering):
            return None
        self.heard = True
        ends = self._command if self.leads else 0
        try:
            message = decode(apdu, self._charset, ends)
        except ProtocolError:
            self._reply(UNKNOWN_COMMAND)
            return None
        registered = ends == m.Registration.CONTROL and isinstance(message, m.Completion)
        if self._numbering is not None and registered:
            self._numbering.agree(apdu)
        match message:
            case m.Reply() if self.leads:
                if self.abort_sent and not self._abort_answered:
                    self._abort_answered = True
                    if message.positive:
                        self._hurry(ABORTING_SECONDS)
            case m.Reply():
                is_all = not message.positive or self._command == m.AbortRequest.CONTROL
                self._line_has_ended_one = self._line_has_ended_one or is_all
                return Heard(message if self._phase is Phase.REPLY else Stray(message))
            case m.StatusInformation():
                self._show_life()
                return Heard(message if self.leads else Stray(message))
            case m.Completion() | m.StatusReport() | m.Abort():
                self._end_unanswered = self._line_has_ended_one = True
                return Heard(message if self.leads else Stray(message))
            case m.IntermediateStatus():
                self._reply()
                self._show_stage(message)
            case m.PrintLine() | m.PrintBlock():
                self._show_life()
                self._reply()
                self.events.extend(self._paper.add(message))
            case m.SetClock():
                self._reply()
            case _:
                self._reply(UNKNOWN_COMMAND)
        return None

    def silent(self) -> Reaction | None:
        """End the wait; T3 and T4 count from the acknowledgement of what was sent."""
        if self.due_at is None or self.now < self.due_at or not self._link.settled:
            return None
        self.due_at = None
        return NotHeard("no_answer")

    def close(self) -> None:
        """Tell the receipt that has begun."""
        self.events.extend(self._paper.close())
        self.due_at = None

    def accept(self) -> None:
        """Answer the end, now that what it ended is stored."""
        if self._end_unanswered:
            self._write(m.POSITIVE)

    @property
    def wake_at(self) -> float | None:
        """The earlier of the link's and our wait; ours counts from the acknowledgement."""
        if not self._link.settled:
            return self._link.wake_at
        at = [t for t in (self._link.wake_at, self.due_at) if t is not None]
        return min(at) if at else None

    @property
    def settled(self) -> bool:
        """Whether the link has the acknowledgement of our last reply."""
        return self._link.settled

    # --- inside

    def _apdus(self, step: LinkStep) -> Iterable[bytes]:
        self.send += step.send
        if step.broken:
            self.broken = "no_answer"
        return step.apdus

    def _reply(self, code: int | None = None) -> None:
        self._end_unanswered = False
        self._last_reply = m.POSITIVE if code is None else m.Reply(code)
        self._write(self._last_reply)

    def _hurry(self, seconds: float) -> None:
        self._patience = min(self._patience, seconds)
        if self.due_at is not None:
            self.due_at = min(self.due_at, self.now + seconds)

    def _is_news(self, apdu: bytes, numbering: Numbering) -> bool:
        """Say whether a message is ours by its number; answer it here if it is not."""
        standing = numbering.classify(apdu)
        if standing == "repeat" and self._last_reply is not None:
            self._write(self._last_reply)
        elif standing == "unexpected" and decides(apdu):
            self._hurry(STRANGE_SECONDS)
        elif standing == "unexpected":
            self._reply()
        return standing == "ours"

    def _show_stage(self, message: m.IntermediateStatus) -> None:
        minutes = message.timeout_minutes or 0
        self._show_life(max(self._patience, float(minutes * SECONDS_PER_MINUTE)))
        stage, text = stage_of(message.code), tlv_text(message.tlv, self._charset)
        if stage is not None:
            self.showed_stage = True
            self._stage = stage
        if stage is not None or text:  # a code for texts of the maker's own goes on with its stage
            self.events.append(Progress(self._stage, text))

    def _show_life(self, patience_seconds: float | None = None) -> None:
        self.at_work = True
        if self.leads:
            self.due_at = self.now + (patience_seconds or self._patience)

    def _write(self, message: m.Message) -> None:
        charset = "seven_bit" if isinstance(message, m.DisplayText) else self._charset
        number = None
        match message:
            case _ if self._numbering is None:
                pass
            case m.Reply():
                number = self._numbering.answering
            case m.Registration():
                self._numbering.agreed = False  # it carries an offer, and must be echoed anew
            case _:
                number = self._numbering.next()
        self.send += self._link.send(encode(message, charset, number), self.now)


def tlv_text(objects: tuple[Tlv, ...] | None, charset: str) -> str:
    """Return the texts for the display (TLV 24 with lines 07) as one line, "" without any."""
    lines: list[str] = []
    for item in objects or ():
        if item.tag == INTERMEDIATE_TEXT and isinstance(item.value, tuple):
            lines += [
                decode_text(o.value if isinstance(o.value, bytes) else encode_tlv(o.value), charset)
                for o in item.value
                if o.tag == TEXT_LINE
            ]
    return " ".join(" ".join(lines).split())
