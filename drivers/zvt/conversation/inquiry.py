"""What became of an order whose conversation broke off: stop, wait until idle, read the memory.

Rules:

1. First 06 B0. Whatever the terminal still says of the old dialogue is answered; an approval in it
   that fits the order is offered and acknowledged like in its own conversation. The baseline
   told again (an earlier question broke off) is acknowledged, and is no evidence.
2. Nothing is concluded before the terminal answers 05 01 as idle; a busy one is `StillRunning`.
3. Then it is registered again and told to repeat its last transaction (06 20). With message
   sequence ids the registration comes first: their numbers are those of a conversation that is
   lost, and a terminal may hear nothing else without one.
4. A transaction that is new since the baseline and fits the order is `Approved`. The baseline
   itself is `Failed("not_executed")`: the abort was sent, the terminal is idle, nothing was added.
5. What an unchanged memory cannot prove, the list of open holds (06 23 with FFFF) may: a hold that
   the same terminal still lists was neither captured nor released.
6. No baseline, no answer, another transaction, numbers that cannot be compared: `Unclear`. So is
   a memory that is empty, even if it was empty before: it may have been lost with the payment.

Source: PA00P015 rev 13.08, commands 06 B0, 05 01, 06 00, 06 20, 06 23.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import BUSY, HOLDS_LISTED, NOT_READY, OK
from drivers.zvt.conversation.exchange import Phase, Talk
from drivers.zvt.conversation.payment import Case, Denial
from drivers.zvt.conversation.registration import registration, repeat_command
from drivers.zvt.mapping.evidence import (
    HOLD,
    KIND,
    approval_of,
    fingerprint,
    judge,
    open_holds_of,
    same_transaction,
)
from drivers.zvt.settings import ZvtSettings

ANSWER_SECONDS = 20.0  # none of these commands needs a card or a host
POLL_SECONDS = 2.0
NO_RECEIPT = "ffff"  # asks for the open holds instead of one of them
POLLS_MAX = 5  # then the station asks again later
_BUSY_STATUS = frozenset((BUSY, 0x9D))
_NOT_NOW = frozenset((BUSY, NOT_READY))  # while the old dialogue runs
# For these an unchanged memory proves that nothing happened; a tip or a booked hold may leave the
# last transaction as it was.
_ALWAYS_LEAVES_A_TRACE = (c.Pay, c.Authorize, c.Refund, c.Reverse)


class Stage(Enum):
    """Which question the terminal is at."""

    STOP = "stop"
    OLD_DIALOGUE = "old_dialogue"
    STATUS = "status"
    REGISTER = "register"
    REPEAT = "repeat"
    OPEN_HOLDS = "open_holds"


def _questions(settings: ZvtSettings) -> list[Stage]:
    first = [Stage.STATUS, Stage.REGISTER]
    first = first[::-1] if settings.sequence_ids else first
    return [*first, Stage.REPEAT, Stage.OPEN_HOLDS]


class InquiryScript:
    """Inquire."""

    def __init__(self, talk: Talk, inquiry: c.Inquire, settings: ZvtSettings) -> None:
        self._talk = talk
        self._inquiry = inquiry
        self._settings = settings
        self._case = Case(inquiry.about, settings)
        self._stage = Stage.STOP
        self._questions = _questions(settings)
        self._polls = 0
        self._old_end: Denial | None = None
        self._reading: m.StatusInformation | None = None
        self._terminal_id = ""
        self._open_holds: frozenset[str] = frozenset()

    def start(self) -> None:
        """Stop what is left of the old conversation."""
        self._talk.abort_sent = True
        self._talk.command(m.AbortRequest())

    def replied(self, reply: m.Reply) -> None:
        """Go on with the question that was answered."""
        if self._talk.phase is not Phase.REPLY:
            return
        match self._stage:
            case Stage.STOP | Stage.OLD_DIALOGUE:
                self._ask_next()
            case _ if reply.positive:
                self._talk.follow()
            case Stage.STATUS:
                self._poll_again()
            case Stage.REGISTER if reply.code in _NOT_NOW and Stage.STATUS in self._questions:
                self._poll_again()
            case Stage.REGISTER | Stage.REPEAT | Stage.OPEN_HOLDS:
                self._ask_next()
            case _:
                assert_never(self._stage)

    def status(self, message: m.StatusInformation) -> None:
        """Keep the answer to our question; weigh what belongs to the old dialogue."""
        if self._talk.phase is Phase.TERMINAL_LEADS and self._stage is Stage.REPEAT:
            self._reading = message
            self._talk.reply()
        elif self._is_the_old_one(message):
            # The rest of an earlier question for the last transaction, not our order's result.
            self._talk.reply()
        else:
            answer = self._case.hear(message)
            if isinstance(answer, c.Approval):
                self._talk.offer(c.Offered(answer))
            else:
                self._talk.reply(answer)

    def ended(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        """Our question is answered, or the old dialogue has ended."""
        ours = self._talk.phase is Phase.TERMINAL_LEADS
        match self._stage:
            case Stage.STATUS if ours:
                self._talk.reply()
                busy = isinstance(message, m.StatusReport) and message.status in _BUSY_STATUS
                if busy or (isinstance(message, m.Abort) and message.code in _BUSY_STATUS):
                    self._poll_again()
                else:
                    self._ask_next()
            case Stage.REGISTER | Stage.REPEAT | Stage.OPEN_HOLDS if ours:
                self._talk.reply()
                self._note(message)
                self._ask_next()
            case _:
                event = self._case.close(message, stopped=True)
                if isinstance(event, c.Approved):
                    self._talk.finish(event, m.POSITIVE)
                    return
                if not isinstance(event, c.Unclear):
                    self._old_end = event
                self._talk.reply()
                if self._stage is Stage.OLD_DIALOGUE:
                    self._ask_next()

    def stored(self, *, stored: bool) -> None:
        """Acknowledge what the old dialogue approved and let it come to its end."""
        self._talk.reply(self._case.stored(stored=stored))
        self._stage = Stage.OLD_DIALOGUE
        self._questions = _questions(self._settings)  # whatever was asked is overtaken
        self._talk.follow()
        self._talk.hurry(ANSWER_SECONDS)

    def silent(self) -> None:
        """Ask the next question, or again; give up without a verdict."""
        match self._stage:
            case Stage.STOP | Stage.OLD_DIALOGUE:
                self._ask_next()
            case Stage.STATUS | Stage.REGISTER if self._talk.phase is Phase.IDLE:
                self._ask(self._stage)
            case Stage.STATUS:
                self._poll_again()
            case Stage.REGISTER if Stage.STATUS in self._questions:
                self._poll_again()
            case Stage.REGISTER | Stage.REPEAT:
                self._talk.finish(c.Unclear("no_answer"))
            case Stage.OPEN_HOLDS:
                self._ask_next()
            case _:
                assert_never(self._stage)

    def lost(self, reason: str) -> None:
        """A lost line proves nothing."""
        self._talk.finish(c.Unclear(reason))

    def cancel(self) -> None:
        """The abort was sent first of all."""

    # --- questions

    def _ask_next(self) -> None:
        if self._questions:
            self._ask(self._questions.pop(0))
        else:
            self._talk.finish(self._verdict())

    def _ask(self, stage: Stage) -> None:
        self._stage = stage
        self._talk.heard = False
        settings = self._settings
        match stage:
            case Stage.STATUS:
                self._talk.command(m.StatusEnquiry(), ANSWER_SECONDS)
            case Stage.REGISTER:
                self._talk.command(registration(settings), ANSWER_SECONDS)
            case Stage.REPEAT if settings.traits.repeat_receipt_usable:
                self._talk.command(repeat_command(settings), ANSWER_SECONDS)
            case Stage.OPEN_HOLDS if self._hold and isinstance(self._verdict(), c.Unclear):
                self._talk.command(m.PartialReversal(receipt=NO_RECEIPT), ANSWER_SECONDS)
            case _:
                self._ask_next()

    def _poll_again(self) -> None:
        self._polls += 1
        if self._polls < POLLS_MAX:
            self._talk.pause(POLL_SECONDS)
        elif self._talk.heard:
            self._talk.finish(c.StillRunning("the terminal is busy"))
        else:
            self._talk.finish(c.Unclear("no_answer"))

    # --- the answer

    def _note(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        if isinstance(message, m.Completion) and self._stage is Stage.REGISTER:
            self._terminal_id = message.terminal_id
        elif isinstance(message, m.Abort) and message.code == HOLDS_LISTED:
            self._open_holds = open_holds_of(message)

    @property
    def _hold(self) -> str:
        """The receipt number of the hold that the order is to end; "" if it ends none."""
        about = self._inquiry.about
        match about:
            case c.Capture():
                pass
            case c.Reverse(amount=None) if about.original.extra.get(KIND) == HOLD:
                pass
            case _:
                return ""
        same = about.original.terminal_id == self._terminal_id != ""
        return about.original.transaction_id if same else ""

    def _is_the_old_one(self, message: m.StatusInformation) -> bool:
        baseline = self._inquiry.baseline
        if message.result != OK or baseline is None or not baseline.fingerprint:
            return False
        return same_transaction(fingerprint(message), baseline.fingerprint) is True

    def _verdict(self) -> c.Approved | Denial | c.Unclear:
        if self._hold in self._open_holds:
            return c.Failed("not_executed", "the terminal is idle, the hold is still open")
        offer = self._case.offered or self._inquiry.offer
        reading = self._reading
        if reading is None or reading.result is None:
            if offer is None and self._old_end is not None:
                return self._old_end
            return c.Unclear("no_evidence", "the terminal does not tell its last transaction")
        if reading.result != OK:
            return c.Unclear("other_transaction", "the last transaction is not an approval")
        mark = fingerprint(reading)
        if offer is not None and same_transaction(mark, offer.fingerprint):
            return c.Approved(offer)
        baseline = self._inquiry.baseline
        if baseline is None:
            return c.Unclear("no_baseline", "what the terminal had before is not known")
        if baseline.fingerprint:
            if not _same_terminal(mark, baseline.fingerprint):
                return c.Unclear("other_terminal", "another terminal answered")
            old = same_transaction(mark, baseline.fingerprint)
            if old is None:
                return c.Unclear("ambiguous", "the last transaction cannot be told from the old")
            if old:
                return self._not_executed()
        if offer is not None:
            return c.Unclear("other_transaction", "not the one that was offered")
        return self._new_transaction(reading)

    def _new_transaction(self, reading: m.StatusInformation) -> c.Approved | c.Unclear:
        about, traits = self._inquiry.about, self._settings.traits
        verdict = judge(
            reading, about, self._settings.currency, amount_always_sent=traits.amount_always_sent
        )
        if verdict == "ours":
            return c.Approved(approval_of(reading, about, traits.charset))
        return c.Unclear("other_transaction" if verdict == "other" else verdict)

    def _not_executed(self) -> Denial | c.Unclear:
        if not isinstance(self._inquiry.about, _ALWAYS_LEAVES_A_TRACE):
            return c.Unclear("no_evidence", "the last transaction is the old one")
        if self._old_end is not None:
            return self._old_end
        return c.Failed("not_executed", "the terminal is idle, its last transaction is the old one")


def _same_terminal(one: str, other: str) -> bool:
    first, second = one.partition(":")[0], other.partition(":")[0]
    return not first or not second or first == second
