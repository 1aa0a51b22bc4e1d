"""How one POSLINK exchange is held: link, acknowledgements, the terminal's EOT, timers. Pure.

Rules:

1. One exchange runs at a time: request, ACK, answer, our ACK, EOT.
2. A command that moves money leaves once. Only the link repeats it, and only after a NAK.
3. An answer counts if it is the answer to the command that runs. What came before the terminal
   acknowledged the command belongs to somebody else, unless it echoes our ECR reference.
4. EOT instead of an answer ends the wait without evidence, but not at once: it may be the end of
   the exchange before. After our cancel it may be that of the cancel, so the wait goes on.
5. Over TCP an exchange may have the line to itself: HTTP says so, and a terminal that hangs up
   after an answer shows it. What has not been sent yet goes over a new line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from drivers import script
from drivers.contract import Progress, ProtocolError, Stage
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
from drivers.pax.settings import PaxSettings
from drivers.script import Exchange, Heard, NotHeard

STOP = Plain("A14")
# EOT follows our ACK at once; a terminal that leaves it out must not cost a second a command.
EOT_SECONDS = 0.5
# Over TCP some terminals hang up right after EOT; what is sent into that is lost.
HANG_UP_SECONDS = 0.1
# A terminal that says EOT late has its answer ready soon; one that gave up says nothing more.
AFTER_EOT_SECONDS = 2.0
# After a cancel the result comes as soon as the terminal has seen it, or the host has answered.
CANCEL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Send `request` and wait so long for the answer to it; `once` forbids to repeat it.

    What moves money is sent once, and what asks a shopper for something.

    An answer that echoes another ECR reference than `reference` is not the answer to this.
    """

    request: Request
    wait_seconds: float
    once: bool = False
    reference: str = ""


Reaction = script.Reaction[Answer]
Script = script.Script[Ask, Answer]


class PoslinkExchange(Exchange[Ask, bytes | Sign, Answer]):
    """The register's end. What an older conversation left may be on a serial line only."""

    def __init__(self, settings: PaxSettings, transport: Literal["serial", "tcp"]) -> None:
        super().__init__()
        self.serial = transport == "serial"
        self.http = settings.transport == "http" and not self.serial
        self._link: Link = HttpLink() if self.http else FrameLink(settings.link_timers)
        self._ask: Ask | None = None
        self._next: Ask | None = None  # waits for the EOT of the exchange before it
        self._accept_due = False  # an answer is not acknowledged yet
        self._stop_sent = False
        self._given_up = False  # EOT came instead of an answer
        self._used = False  # the line has carried the one request that HTTP lets it

    # --- what the engine calls

    @property
    def acknowledged(self) -> bool:
        """Whether the terminal has our last frame."""
        return self._link.acknowledged

    @property
    def wake_at(self) -> float | None:
        """The earlier of the link's and the script's wait."""
        times = [at for at in (self._link.wake_at, self.due_at) if at is not None]
        return min(times) if times else None

    def ask(self, ask: Ask) -> None:
        """Send the request; after an answer that was just acknowledged, behind its EOT."""
        if self._accept_due and not self.http:
            self.accept()
            self._next = ask
            self.due_at = self.now + EOT_SECONDS
        else:
            self._accept_due = False
            self.new_line = self._used
            self._transmit(ask)

    def accept(self) -> None:
        """Send the ACK that is due."""
        if self._accept_due:
            self.send += self._link.accept()
        self._accept_due = False

    def receive(self, data: bytes) -> Iterable[bytes | Sign]:
        """Return whole payloads, and what the link reports."""
        return self._items(self._link.receive(data, self.now))

    def timeout(self) -> Iterable[bytes | Sign]:
        """Repeat or give up a frame."""
        return self._items(self._link.timeout(self.now))

    def take(self, item: bytes | Sign) -> Reaction | None:
        """Go on with the exchange."""
        heard = self._handle_sign(item) if isinstance(item, Sign) else self._handle_payload(item)
        return self._ended(heard)

    def silent(self) -> Reaction | None:
        """Send what waited for an EOT, or end the wait."""
        if self.due_at is None or self.now < self.due_at:
            return None
        if self._next is not None:
            self._transmit(self._next)
            return None
        reason = "given_up" if self._given_up else "no_answer"
        return self._ended(NotHeard(reason, self.acknowledged))

    def renew(self) -> bool:
        """Send what waits over a new line; an exchange that runs cannot change it."""
        if self._next is None or self.serial:
            return False
        self.new_line = True
        self._transmit(self._next)
        return True

    def stop(self) -> None:
        """Send A14 beside the payment that runs, once the terminal has taken the payment."""
        runs = self._ask is not None and isinstance(self._ask.request, Transact)
        if not runs or not self.acknowledged or self.http or self._stop_sent:
            return
        self._stop_sent = True
        self.send += encode_frame(encode_request(STOP))
        self._wait_at_most(CANCEL_SECONDS)

    def close(self) -> None:
        """Say nothing more; the ACK waits for the journal."""
        self.send.clear()

    # --- inside

    def _items(self, step: LinkStep) -> Iterable[bytes | Sign]:
        self.send += step.send
        return step.items

    def _ended(self, reaction: Reaction | None) -> Reaction | None:
        if reaction is not None:
            self._ask = self._next = self.due_at = None
        return reaction

    def _transmit(self, ask: Ask) -> None:
        self._next = None
        self._given_up = False
        self._ask = ask
        self.due_at = self.now + ask.wait_seconds
        if self.new_line:
            self._link.renew()
            self.send.clear()
        self._used = self.http
        payload = encode_request(ask.request)
        self.send += self._link.send(payload, self.now, repeatable=not ask.once)

    def _wait_at_most(self, seconds: float) -> None:
        assert self.due_at is not None, "whoever asks waits until some time"
        self.due_at = min(self.due_at, self.now + seconds)

    def _handle_sign(self, sign: Sign) -> Reaction | None:
        match sign:
            case Sign.ENDED if self._next is not None and self.serial:
                self._transmit(self._next)
            case Sign.ENDED if self._next is not None:
                self.due_at = self.now + HANG_UP_SECONDS
            case Sign.ENDED if self.acknowledged and not self._stop_sent:
                self._given_up = True
                self._wait_at_most(AFTER_EOT_SECONDS)
            case Sign.ENDED:
                pass  # of an older exchange, or of our cancel
            case Sign.ACKNOWLEDGED:
                if self._ask is not None and isinstance(self._ask.request, Transact):
                    self.events.append(Progress(Stage.WAITING_FOR_CARD))
                if self._ask is not None:
                    self.due_at = self.now + self._ask.wait_seconds
                if self.wishes.stop:
                    self.stop()
            case Sign.REFUSED:
                return NotHeard("refused")
            case Sign.SILENT:
                return NotHeard("no_answer")
            case Sign.UNREADABLE:
                return NotHeard("unreadable", self.acknowledged)
        return None

    def _handle_payload(self, payload: bytes) -> Reaction | None:
        try:
            answer = decode_answer(payload)
        except ProtocolError:
            answer = None
        if answer is not None and self._ask is not None and self._answers(answer, self._ask):
            self._accept_due = True
            return Heard(answer)
        self.send += self._link.accept()  # so that it is not said again
        return None

    def _answers(self, answer: Answer, ask: Ask) -> bool:
        if not _belongs(answer, ask.request):
            return False
        echo = answer.trace.reference if isinstance(answer, Result) else ""
        if not self.acknowledged:
            return bool(echo) and echo == ask.reference
        return echo in ("", ask.reference) or answer.code == codes.DUPLICATE


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
