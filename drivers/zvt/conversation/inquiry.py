"""What became of an order whose conversation broke off: stop, wait until idle, read the memory.

What a terminal says in a new conversation may be about the question: an abort after our 06 B0 may
refuse the 06 B0, an empty answer to 06 20 may say that it keeps no memory. So the rules:

1. First 06 B0. Whatever the terminal still says of the old dialogue is answered; an approval in it
   that fits the order is offered and acknowledged like in its own conversation. The baseline
   told again (an earlier question broke off) is acknowledged, and is no evidence. If the command
   was not taken, an approval is neither acknowledged nor refused.
2. Nothing is concluded before the terminal answers 05 01 as ready; a busy one is `StillRunning`.
3. Then it is registered again and told to repeat its last transaction (06 20). With message
   sequence ids the registration comes first: their numbers are those of a conversation that is
   lost, and a terminal may hear nothing else without one.
4. The baseline itself, told by a ready terminal, is proof that nothing happened: `Failed`, or the
   old dialogue's own no where a 04 0F said it. There are two other proofs: a hold that a ready
   terminal still lists (06 23 with FFFF) was neither captured nor released; and an order that was
   answered with 84 9C and then with silence was not begun if the terminal is ready and its store
   is as empty as before by its totals (06 10). Nothing else is a no.
5. A transaction that is new since the baseline, not older by the terminal's own clock, and exactly
   what was ordered or allowed may still be somebody else's, typed in at the terminal after our
   order had ended without a payment. It is `Approved` if it is the one that was offered, if it
   names the original that was to be ended, or if nobody but us can start a payment there
   (`keypad_stays_locked`). Else it is `Unclear`, with the transaction beside it for a person.
6. No baseline, no answer, another transaction, numbers that cannot be compared: `Unclear`. So is
   a memory that is empty, even if it was empty before: it may have been lost with the payment.

Source: PA00P015 rev 13.08, commands 06 B0, 05 01, 06 00, 06 20, 06 23, 06 10.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import BUSY, HOLDS_LISTED, NOT_READY, OK, READY_STATUS, refusal
from drivers.zvt.conversation.exchange import Phase, Talk
from drivers.zvt.conversation.payment import Case, Denial
from drivers.zvt.conversation.registration import registration, repeat_command, store_is_empty
from drivers.zvt.mapping.evidence import (
    HOLD,
    KIND,
    approval_of,
    echoes,
    fingerprint,
    identifies,
    is_older,
    judge_memory,
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
    TOTALS = "totals"
    OPEN_HOLDS = "open_holds"


_BEFORE_THE_QUESTIONS = frozenset((Stage.STOP, Stage.OLD_DIALOGUE, Stage.STATUS))


def _questions(settings: ZvtSettings) -> list[Stage]:
    first = [Stage.STATUS, Stage.REGISTER]
    first = first[::-1] if settings.sequence_ids else first
    return [*first, Stage.REPEAT, Stage.TOTALS, Stage.OPEN_HOLDS]


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
        self._idle = False  # it said that it is ready, and nothing to the contrary since
        self._worked = False  # it showed that it was at something before it was asked
        self._aborted = False  # an abort came: the next one is not about our 06 B0
        self._old_end: Denial | None = None  # as a 04 0F of the old dialogue said
        self._readings: list[m.StatusInformation] = []
        self._told = False  # the question for the last transaction came to its regular end
        self._totals: m.StatusInformation | None = None
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
            case Stage.REGISTER | Stage.REPEAT | Stage.TOTALS | Stage.OPEN_HOLDS:
                self._idle = self._idle and reply.code not in _NOT_NOW
                self._ask_next()
            case _:
                assert_never(self._stage)

    def status(self, message: m.StatusInformation) -> None:
        """Keep the answer to our question; weigh what belongs to the old dialogue."""
        answers = self._talk.phase is Phase.TERMINAL_LEADS
        if answers and self._stage is Stage.REPEAT:
            self._readings.append(message)
            self._talk.reply()
        elif answers and self._stage is Stage.TOTALS:
            self._totals = message
            self._talk.reply()
        elif message.result == OK and not identifies(message):
            self._talk.reply()  # how some terminals say that 05 01 went well
        elif self._is_the_old_one(message):
            # The rest of an earlier question for the last transaction, not our order's result.
            self._talk.reply()
        elif message.result == OK and self._inquiry.taken is False:
            self._talk.finish(c.Unclear("other_transaction"))
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
                self._hear_status(message)
            case Stage.REGISTER | Stage.REPEAT | Stage.TOTALS | Stage.OPEN_HOLDS if ours:
                self._talk.reply()
                self._note(message)
                self._ask_next()
            case _:
                event = self._case.close(message, stopped=True)
                if isinstance(event, c.Approved):
                    self._talk.finish(event, m.POSITIVE)
                    return
                # Without a 04 0F it may be the answer to our 06 B0.
                if not isinstance(event, c.Unclear) and self._case.refused:
                    self._old_end = event
                self._aborted = self._aborted or isinstance(message, m.Abort)
                self._talk.reply()
                if self._stage is Stage.OLD_DIALOGUE:
                    self._ask_next()

    def stored(self, *, stored: bool) -> None:
        """Acknowledge what the old dialogue approved and let it come to its end."""
        self._talk.reply(self._case.stored(stored=stored))
        self._stage = Stage.OLD_DIALOGUE
        self._idle = False
        self._readings.clear()
        self._told = False
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
            case Stage.TOTALS | Stage.OPEN_HOLDS:
                self._ask_next()
            case _:
                assert_never(self._stage)

    def lost(self, reason: str) -> None:
        """A lost line proves nothing."""
        self._note_work()
        self._talk.finish(c.Unclear(reason))

    def cancel(self) -> None:
        """The abort was sent first of all."""

    # --- questions

    def _ask_next(self) -> None:
        if self._questions:
            self._ask(self._questions.pop(0))
        else:
            self._talk.finish(self._verdict())

    def _note_work(self) -> None:
        """Note that it was at something before it was asked: it began after all, then."""
        if self._stage in _BEFORE_THE_QUESTIONS and self._talk.at_work:
            if self._inquiry.taken is False and not self._worked:
                self._talk.tell(c.Taken())  # a later question, or another life, must know it, too
            self._worked = True
        self._talk.at_work = False

    def _hear_status(self, message: m.Completion | m.StatusReport | m.Abort) -> None:
        said = message.status if isinstance(message, m.StatusReport) else None
        if isinstance(message, m.Abort):
            said = message.code
        if said in _BUSY_STATUS:
            self._poll_again()
        elif isinstance(message, m.Abort) and not self._aborted:
            # It may be about our 06 B0, which some terminals answer that late.
            self._aborted = True
            self._talk.hurry(self._talk.timers.reply_seconds)
        else:
            self._idle = isinstance(message, m.StatusReport) and said in READY_STATUS
            self._ask_next()

    def _ask(self, stage: Stage) -> None:
        self._note_work()
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
            case Stage.TOTALS if self._may_never_have_begun and self._was_and_is_empty:
                self._talk.command(m.Totals(settings.password), ANSWER_SECONDS)
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
        elif isinstance(message, m.Completion) and self._stage is Stage.REPEAT:
            self._told = True
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

    @property
    def _may_never_have_begun(self) -> bool:
        """Whether the order was answered with 84 9C, and nothing showed that it began after all."""
        return self._inquiry.taken is False and not self._worked and self._case.offered is None

    @property
    def _was_and_is_empty(self) -> bool:
        """Whether the store was proved to be empty, and tells no transaction now."""
        baseline = self._inquiry.baseline
        return self._idle and self._told and not self._readings and baseline == c.Baseline("")

    @property
    def _nobody_else_can(self) -> bool:
        """Whether a transaction can have been started by us only, whatever happened meanwhile."""
        return self._settings.keypad_is_always_locked

    def _verdict(self) -> c.Approved | Denial | c.Unclear:
        memory = self._memory()
        if not isinstance(memory, c.Unclear):
            return memory
        if self._may_never_have_begun and self._was_and_is_empty and store_is_empty(self._totals):
            return self._not_begun()
        untouched = self._idle and self._case.offered is None and self._inquiry.offer is None
        if self._hold in self._open_holds and untouched and memory.seen is None:
            return c.Failed("not_executed", "the terminal is idle, the hold is still open")
        return memory

    def _memory(self) -> c.Approved | Denial | c.Unclear:
        """Return what the last transaction proves."""
        readings = self._readings
        if not readings or readings[-1].result is None:
            return c.Unclear("no_evidence", "the terminal does not tell its last transaction")
        reading = readings[-1]
        if any(other != reading for other in readings):
            return c.Unclear("other_transaction", "several transactions were told as the last one")
        if reading.result != OK:
            return c.Unclear("other_transaction", "the last transaction is not an approval")
        offer, mark = self._case.offered or self._inquiry.offer, fingerprint(reading)
        if offer is not None and same_transaction(mark, offer.fingerprint):
            return c.Approved(offer)
        found = self._fitting(reading)
        seen = found if isinstance(found, c.Approval) else None
        baseline = self._inquiry.baseline
        if baseline is None:
            return c.Unclear("no_baseline", "what the terminal had before is not known", seen=seen)
        if baseline.fingerprint:
            if not _same_terminal(mark, baseline.fingerprint):
                return c.Unclear("other_terminal", "another terminal answered")
            old = same_transaction(mark, baseline.fingerprint)
            if old is None:
                text = "the last transaction cannot be told from the old"
                return c.Unclear("ambiguous", text, seen=seen)
            if old and echoes(reading, self._inquiry.about):
                text = "the old transaction, and it names the original of this order"
                return c.Unclear("ambiguous", text, seen=seen)
            if old:
                return self._unchanged()
        if offer is not None:
            return c.Unclear("other_transaction", "not the one that was offered", seen=seen)
        if isinstance(found, c.Unclear):
            return found
        if is_older(mark, baseline.fingerprint):
            text = "older than the transaction before the order"
            return c.Unclear("other_transaction", text)
        if self._nobody_else_can or echoes(reading, self._inquiry.about):
            return c.Approved(found)
        text = "it may have been typed in at the terminal"
        return c.Unclear("not_provably_ours", text, seen=found)

    def _fitting(self, reading: m.StatusInformation) -> c.Approval | c.Unclear:
        """Return a transaction as the order's, or why it is not."""
        about, traits = self._inquiry.about, self._settings.traits
        verdict = judge_memory(
            reading, about, self._settings.currency, amount_always_sent=traits.amount_always_sent
        )
        if verdict == "ours":
            return approval_of(reading, about, traits.charset)
        return c.Unclear("other_transaction" if verdict == "other" else verdict)

    def _unchanged(self) -> Denial | c.Unclear:
        """Return what it means that the last transaction is the one from before the order."""
        if not self._idle:
            return c.Unclear("not_idle", "the terminal did not say that it is ready")
        if self._may_never_have_begun:
            return self._not_begun()
        if not isinstance(self._inquiry.about, _ALWAYS_LEAVES_A_TRACE):
            return c.Unclear("no_evidence", "the last transaction is the old one")
        if self._old_end is not None:
            return self._old_end
        return c.Failed("not_executed", "the terminal is idle, its last transaction is the old one")

    def _not_begun(self) -> c.Failed:
        text = "the terminal asked to wait, and did not begin"
        return c.Failed(f"{BUSY:02X}", text, refusal(BUSY).reason)


def _same_terminal(one: str, other: str) -> bool:
    first, second = one.partition(":")[0], other.partition(":")[0]
    return not first or not second or first == second
