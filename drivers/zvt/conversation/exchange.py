"""The talk beneath every conversation: link, replies, timers, events waiting for the journal.

Rules:

1. The register leads until its command has its reply; then the terminal leads until it says
   06 0F or 06 1E. Each of its messages gets exactly one reply.
2. What no script asks for is answered here: 04 FF, 04 01, 06 D1, 06 D3 with yes, what is unknown
   with 84 83.
3. After an `Offered` or a final event nothing is read on until it was stored (`committed`); what
   comes meanwhile waits. The reply to the message that caused it is sent then.
4. Where message sequence ids are agreed, what decides is heard only with the right one; see
   `numbering`.
5. Every wait has an end: T3 for a reply, T4 while the terminal leads, T2 and T1 in the link.
   Only a sign of life (04 FF, 04 0F, a print) starts T4 again.

Pure: `now` is an argument of every input.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from drivers.contract import (
    FinalEvent,
    Offered,
    Progress,
    ProtocolError,
    Step,
    Taken,
    TerminalEvent,
)
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.apdu import decode, encode
from drivers.zvt.codec.codes import UNKNOWN_COMMAND, stage_of
from drivers.zvt.codec.fields import Tlv, decode_text, encode_tlv
from drivers.zvt.codec.framing import Link, LinkStep
from drivers.zvt.conversation.numbering import Numbering, decides
from drivers.zvt.mapping.receipts import ReceiptPaper

SECONDS_PER_MINUTE = 60
ABORTING_SECONDS = 30.0  # a terminal that heard 06 B0 may say nothing more: then it must be asked
STRANGE_SECONDS = 30.0  # after an end that was not ours: the right one comes soon or never
INTERMEDIATE_TEXT = 0x24
TEXT_LINE = 0x07
UNREAD_APDUS_MAX = 64  # a terminal waits for each reply; more than a few at once is a flood


class Phase(Enum):
    """Who is expected to speak."""

    IDLE = "idle"  # nobody: the script decides what comes next, or a pause runs
    REPLY = "reply"  # the terminal, with 80 xx or 84 xx
    TERMINAL_LEADS = "terminal_leads"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Timers:
    """How long the talk waits, in seconds."""

    reply_seconds: float  # T3
    patience_seconds: float  # T4


class Script(Protocol):
    """What one kind of conversation does with what the terminal says."""

    def start(self) -> None:
        """Send the first command."""

    def replied(self, reply: m.Reply) -> None:
        """The terminal answered a command; while idle it is a stray answer."""

    def status(self, message: m.StatusInformation) -> None:
        """04 0F came: must reply, offer or finish."""

    def ended(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        """The terminal gave the lead back: must reply or finish."""

    def stored(self, *, stored: bool) -> None:
        """The `Offered` event is on disk, or could not be stored: must reply."""

    def silent(self) -> None:
        """The wait is over and nothing came: must finish or wait anew."""

    def lost(self, reason: str) -> None:
        """The line is gone: must finish."""

    def cancel(self) -> None:
        """Somebody wants to stop."""


class Talk:
    """One conversation's connection with the terminal; scripts speak through it."""

    def __init__(
        self, link: Link, timers: Timers, charset: str, numbering: Numbering | None = None
    ) -> None:
        self.phase = Phase.IDLE
        self.now = 0.0
        self.timers = timers
        self.heard = False  # whether the terminal said anything at all
        self.at_work = False  # whether it showed a stage, a receipt or a result of its own
        self.abort_sent = False
        self.abort_reply: m.Reply | None = None
        self.script: Script
        self._link = link
        self._charset = charset
        self._numbering = numbering
        self._last_reply: m.Reply | None = None
        self._paper = ReceiptPaper()
        self._command = 0
        self._deadline: float | None = None
        self._patience = timers.patience_seconds
        self._reply_seconds = timers.reply_seconds
        self._unread: deque[bytes] = deque()
        self._send = bytearray()
        self._events: list[TerminalEvent] = []
        self._storing: TerminalEvent | None = None
        self._reply_when_stored: m.Reply | None = None
        self._lost = ""

    # --- what scripts call

    def command(self, message: m.Message, wait_seconds: float | None = None) -> None:
        """Send a command and wait for its reply; `wait_seconds` is then the terminal's T4."""
        self._write(message)
        assert not isinstance(message, m.Reply)
        self._command = message.CONTROL
        self._patience = wait_seconds or self.timers.patience_seconds
        self.phase = Phase.REPLY
        self.expect_reply_within(self.timers.reply_seconds)

    def expect_reply_within(self, seconds: float) -> None:
        """Replace T3 for the command just sent."""
        self._reply_seconds = seconds
        self._deadline = self.now + seconds

    def abort(self) -> None:
        """Send 06 B0 beside the command that runs; its reply is kept in `abort_reply`."""
        self.abort_sent = True
        self._write(m.AbortRequest())

    def reply(self, code: int | None = None) -> None:
        """Reply to the terminal's message: yes, or 84 `code`."""
        self._last_reply = m.POSITIVE if code is None else m.Reply(code)
        self._write(self._last_reply)

    def follow(self) -> None:
        """Let the terminal lead."""
        self.phase = Phase.TERMINAL_LEADS
        self._deadline = self.now + self._patience

    def pause(self, seconds: float) -> None:
        """Wait without expecting anything; `Script.silent` follows."""
        self.phase = Phase.IDLE
        self._deadline = self.now + seconds

    def hurry(self, seconds: float) -> None:
        """Do not wait longer than `seconds` from now for the next sign of life."""
        self._patience = min(self._patience, seconds)
        if self._deadline is not None:
            self._deadline = min(self._deadline, self.now + seconds)

    @property
    def repeated(self) -> bool:
        """Whether the terminal may have had a command of ours twice."""
        return self._link.repeated

    def tell(self, event: Taken) -> None:
        """Tell something that nothing waits for."""
        self._events.append(event)

    def offer(self, event: Offered) -> None:
        """Tell an approval and wait until it is stored; the script replies in `stored`."""
        self._events.append(event)
        self._storing = event

    def finish(self, event: FinalEvent, reply: m.Reply | None = None) -> None:
        """End the conversation; `reply` is sent once the event is stored."""
        for receipt in self._paper.close():
            self._events.append(receipt)
        self._events.append(event)
        self._storing = event
        self._reply_when_stored = reply
        self.phase = Phase.OVER
        self._deadline = None

    # --- inputs

    def begin(self, script: Script, now: float) -> Step:
        """Start `script`; see `contract.Dialogue.begin`."""
        self.script = script
        self.now = now
        script.start()
        return self._step()

    def receive(self, data: bytes, now: float) -> Step:
        """See `contract.Dialogue.receive`."""
        if self._ended:
            return Step()
        self.now = now
        settled = self._link.settled
        self._take(self._link.receive(data, now))
        if not settled and self._link.settled and self.phase is Phase.REPLY:
            self._deadline = now + self._reply_seconds  # T3 starts when the command arrived
        self._read_on()
        return self._step()

    def timeout(self, now: float) -> Step:
        """See `contract.Dialogue.timeout`; harmless when it comes too early."""
        if self._ended:
            return Step()
        self.now = now
        self._take(self._link.timeout(now))
        if self._storing is None and self._due():
            self._deadline = None
            self.script.silent()
        self._read_on()
        return self._step()

    def line_lost(self, now: float) -> Step:
        """See `contract.Dialogue.line_lost`."""
        self.now = now
        self._lose("link_lost")
        return self._step()

    def committed(self, now: float) -> Step:
        """See `contract.Dialogue.committed`."""
        return self._settled_with_journal(now, stored=True)

    def not_committed(self, now: float) -> Step:
        """See `contract.Dialogue.not_committed`."""
        return self._settled_with_journal(now, stored=False)

    def cancel(self, now: float) -> Step:
        """See `contract.Dialogue.cancel`."""
        self.now = now
        if self.phase is not Phase.OVER:
            self.script.cancel()
        return self._step()

    # --- inside

    def _settled_with_journal(self, now: float, *, stored: bool) -> Step:
        self.now = now
        event, self._storing = self._storing, None
        if self.phase is Phase.OVER:
            if stored and self._reply_when_stored is not None and not self._lost:
                self._write(self._reply_when_stored)
            self._reply_when_stored = None
        elif event is not None:
            if not self._lost:
                self.script.stored(stored=stored)
            else:
                self.script.lost(self._lost)
        self._read_on()
        return self._step()

    def _due(self) -> bool:
        return self._deadline is not None and self.now >= self._deadline and self._link.settled

    def _take(self, step: LinkStep) -> None:
        self._send += step.send
        if self.phase is not Phase.OVER:
            self._unread.extend(step.apdus)
        if len(self._unread) > UNREAD_APDUS_MAX:
            self._unread.clear()
            self._lose("unreadable")
        if step.broken:
            self._lose("no_answer")

    def _lose(self, reason: str) -> None:
        if self._lost:
            return
        self._lost = reason
        if self.phase is not Phase.OVER and self._storing is None:
            self.script.lost(reason)

    def _read_on(self) -> None:
        while self._unread and self._storing is None and self.phase is not Phase.OVER:
            self._handle(self._unread.popleft())

    def _handle(self, apdu: bytes) -> None:
        if self._numbering is not None and not self._is_news(apdu, self._numbering):
            return
        self.heard = True
        ends = self._command if self.phase is Phase.TERMINAL_LEADS else 0
        try:
            message = decode(apdu, self._charset, ends)
        except ProtocolError:
            self.reply(UNKNOWN_COMMAND)
            return
        registered = ends == m.Registration.CONTROL and isinstance(message, m.Completion)
        if self._numbering is not None and registered:
            self._numbering.agree(apdu)
        match message:
            case m.Reply():
                self._handle_reply(message)
            case m.StatusInformation():
                self.at_work = True
                self._alive()
                self.script.status(message)
            case m.Completion() | m.StatusReport() | m.Abort():
                self.script.ended(message)
            case m.IntermediateStatus():
                self._handle_intermediate(message)
            case m.PrintLine() | m.PrintBlock():
                self.at_work = True
                self._alive()
                self.reply()
                self._events.extend(self._paper.add(message))
            case m.SetClock():
                self.reply()
            case _:
                self.reply(UNKNOWN_COMMAND)

    def _is_news(self, apdu: bytes, numbering: Numbering) -> bool:
        """Say whether a message is ours by its number; answer it here if it is not."""
        standing = numbering.weigh(apdu)
        if standing == "repeat" and self._last_reply is not None:
            self._write(self._last_reply)
        elif standing == "strange" and decides(apdu):
            self.hurry(STRANGE_SECONDS)
        elif standing == "strange":
            self.reply()
        return standing == "ours"

    def _handle_reply(self, reply: m.Reply) -> None:
        if self.phase is not Phase.TERMINAL_LEADS:
            self.script.replied(reply)
        elif self.abort_sent and self.abort_reply is None:
            self.abort_reply = reply
            if reply.positive:
                self.hurry(ABORTING_SECONDS)

    def _handle_intermediate(self, message: m.IntermediateStatus) -> None:
        self.at_work = True
        self.reply()
        minutes = message.timeout_minutes or 0
        patience = self._patience
        self._patience = max(patience, float(minutes * SECONDS_PER_MINUTE))
        self._alive()
        self._patience = patience
        stage = stage_of(message.code)
        if stage is not None:
            self._events.append(Progress(stage, tlv_text(message.tlv, self._charset)))

    def _alive(self) -> None:
        if self.phase is Phase.TERMINAL_LEADS:
            self._deadline = self.now + self._patience

    def _write(self, message: m.Message) -> None:
        if self._lost:
            return
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
        self._send += self._link.send(encode(message, charset, number), self.now)

    def _step(self) -> Step:
        send, self._send = bytes(self._send), bytearray()
        events, self._events = tuple(self._events), []
        return Step(send, events, self._wake_at())

    @property
    def _ended(self) -> bool:
        """Whether nothing is left to do, not even to hear the link acknowledge our last reply."""
        return self.phase is Phase.OVER and (bool(self._lost) or self._link.settled)

    def _wake_at(self) -> float | None:
        if self._ended:
            return None
        if not self._link.settled:
            return self._link.wake_at  # our deadline counts from the acknowledgement
        at = [t for t in (self._link.wake_at, self._deadline) if t is not None]
        return min(at) if at else None


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
