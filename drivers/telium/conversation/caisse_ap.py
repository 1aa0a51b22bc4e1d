"""The till's side of a Caisse-AP conversation: one request, one answer, one connection. Pure.

Rules:
1. The request is handed out at once, and never again: from then on the outcome is unknown until
   an answer proves it.
2. An answer is judged when it is complete, or when it is whole and the line has been quiet for a
   moment or has ended: no length says that nothing follows.
3. What is damaged, incomplete or about something else is `Unclear`. There is nobody to ask later:
   the connection was the only way for the answer.
"""

from __future__ import annotations

from enum import Enum

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
    Step,
    TerminalEvent,
    TerminalReady,
    Unclear,
)
from drivers.telium.codec import caisse_ap
from drivers.telium.codec.dump import masked_text
from drivers.telium.mapping.evidence import Wanted, judge_ip, refuse, want
from drivers.telium.settings import CaisseApSettings

DRAIN_SECONDS = 0.3  # what belongs to one answer comes in segments milliseconds apart
SHOWN_MAX = 400  # characters of an answer that nobody can read; a whole one has 170
GAP_SECONDS = 3.0  # for the rest of an answer that began; a lost segment is resent within 3 s

_PRESS_RED = "press the red key on the terminal, the till cannot stop it"


class _Phase(Enum):
    WAITING = "waiting"
    RECEIVING = "receiving"
    OVER = "over"


class CaisseApDialogue:
    """One conversation, see the module's rules. Satisfies `drivers.contract.Dialogue`."""

    def __init__(self, settings: CaisseApSettings) -> None:
        self._settings = settings
        self._phase = _Phase.OVER
        self._wanted: Wanted | None = None
        self._received = bytearray()
        self._deadline = 0.0
        self._wake_at = 0.0
        self._said_press_red = False

    # --- the contract

    def begin(self, operation: Operation, now: float) -> Step:
        """Open the conversation."""
        settings = self._settings
        match operation:
            case Probe():
                # A connection is all that can be had without putting an amount on the display.
                return self._finish(TerminalReady(currency=settings.currency))
            case Inquire():
                return self._finish(Unclear("cannot_ask", "read the terminal's ticket"))
            case _:
                refusal = refuse(
                    operation,
                    amount_max=caisse_ap.AMOUNT_MINOR_MAX,
                    currency=settings.currency,
                    refunds=True,
                )
                if refusal is not None:
                    return self._finish(refusal)
                assert isinstance(operation, Pay | Refund), "all else is refused"
                return self._request(operation, now)

    def receive(self, data: bytes, now: float) -> Step:
        """Bytes came; any split, any garbage."""
        if self._phase is _Phase.OVER:
            return Step()
        self._received += data
        try:
            tags, rest = caisse_ap.decode_tags(bytes(self._received))
        except ProtocolError as error:
            return self._finish(self._unreadable(str(error)))
        self._phase = _Phase.RECEIVING
        if caisse_ap.is_complete(tags) or now >= self._latest:
            return self._conclude()
        # A reason may be left out, so only a longer silence shows that none will come.
        whole = caisse_ap.is_whole(tags, rest) and (
            tags["AE"] != caisse_ap.NOT_DONE or "AF" in tags
        )
        pause = DRAIN_SECONDS if whole else GAP_SECONDS
        self._wake_at = min(now + pause, self._latest)
        return self._step()

    def timeout(self, now: float) -> Step:
        """`wake_at` was reached and nothing came."""
        del now
        match self._phase:
            case _Phase.WAITING:
                return self._finish(Unclear("no_answer", "the terminal did not answer"))
            case _Phase.RECEIVING:
                return self._conclude()
            case _Phase.OVER:
                return Step()

    def line_lost(self, now: float) -> Step:
        """The line broke, or the terminal hung up after its answer."""
        del now
        match self._phase:
            case _Phase.WAITING:
                return self._finish(Unclear("link_lost", "the line broke before the answer came"))
            case _Phase.RECEIVING:
                return self._conclude()
            case _Phase.OVER:
                return Step()

    def committed(self, now: float) -> Step:
        """The events of the last step are on disk. Nothing is acknowledged in this protocol."""
        del now
        return self._step()

    def not_committed(self, now: float) -> Step:
        """The events could not be stored. The terminal cannot undo what it did."""
        del now
        return self._step()

    def cancel(self, now: float) -> Step:
        """Tell the clerk that only a person at the terminal can stop it."""
        del now
        if self._phase is _Phase.OVER or self._said_press_red:
            return self._step()
        self._said_press_red = True
        return self._step(events=(Progress(Stage.WAITING_FOR_CARD, _PRESS_RED),))

    # --- inside

    @property
    def _latest(self) -> float:
        """When an answer that began must have come to its end."""
        return self._deadline + GAP_SECONDS

    def _request(self, operation: Pay | Refund, now: float) -> Step:
        """Hand out the request: from here on the outcome is unknown until it is proved."""
        assert self._wanted is None, "a request is sent once"
        settings = self._settings
        self._wanted = want(operation, till=settings.till, currency=settings.currency)
        request = caisse_ap.Request(
            till=settings.till,
            amount_minor=operation.amount.minor,
            currency=self._wanted.currency,
            action=self._wanted.action,
            version=settings.version,
        )
        self._phase = _Phase.WAITING
        self._deadline = self._wake_at = now + settings.result_seconds
        return self._step(
            send=caisse_ap.encode_request(request), events=(Progress(Stage.WAITING_FOR_CARD),)
        )

    def _conclude(self) -> Step:
        """Judge what came, as nothing more does."""
        assert self._wanted is not None, "only a request has an answer"
        try:
            tags, rest = caisse_ap.decode_tags(bytes(self._received))
            answer = caisse_ap.decode_answer(tags)
        except ProtocolError as error:
            return self._finish(self._unreadable(str(error)))
        if not caisse_ap.is_whole(tags, rest):
            return self._finish(self._unreadable("the answer is not whole"))
        return self._finish(judge_ip(answer, self._wanted))

    def _unreadable(self, why: str) -> Unclear:
        """Return what says why, and what came, without a card number."""
        return Unclear("unreadable", f"{why}: {masked_text(bytes(self._received))[:SHOWN_MAX]}")

    def _finish(self, event: FinalEvent) -> Step:
        self._phase = _Phase.OVER
        return self._step(events=(event,))

    def _step(self, *, send: bytes = b"", events: tuple[TerminalEvent, ...] = ()) -> Step:
        return Step(send, events, None if self._phase is _Phase.OVER else self._wake_at)
