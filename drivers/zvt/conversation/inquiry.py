"""What became of an order whose conversation broke off: stop, wait until idle, read the memory.

What a terminal says in a new conversation may be about the question: an abort after our 06 B0 may
refuse the 06 B0, an empty answer to 06 20 may say that it keeps no memory. So the rules:

1. First 06 B0. Whatever the terminal still says of the old dialogue is answered; an approval in it
   that fits the order is offered and acknowledged like in its own conversation. The baseline
   told again (an earlier question broke off) is acknowledged, and is no evidence; what else may be
   the answer to an earlier question is judged like the memory (5). If the command was not taken, an
   approval is neither acknowledged nor refused.
2. Nothing is concluded from an unchanged memory before the terminal answers 05 01 as ready; a busy
   one is `StillRunning`. Where 05 01 tells nothing, it counts as idle once it has accepted a
   registration and then been silent for longer than any payment; its memory is read again then.
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
from typing import Literal

from drivers import contract as c
from drivers.script import Heard, Note, NotHeard, Stored, Tell
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import (
    BUSY,
    HOLDS_LISTED,
    NOT_READY,
    OK,
    READY_STATUS,
    STATUS_UNKNOWN,
    refusal,
)
from drivers.zvt.conversation.exchange import (
    Ask,
    Command,
    End,
    Follow,
    Hurry,
    Listen,
    Part,
    Pause,
    Respond,
    Script,
    Stray,
    ZvtExchange,
)
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
SILENT_POLLS_MAX = 2  # then 05 01 is taken for a command that it does not know
_BUSY_STATUS = frozenset((BUSY, 0x9D))
_NOT_NOW = frozenset((BUSY, NOT_READY))  # while the old dialogue runs
# For these an unchanged memory proves that nothing happened; a tip or a booked hold may leave the
# last transaction as it was.
_ALWAYS_LEAVES_A_TRACE = (c.Pay, c.Authorize, c.Refund, c.Reverse)


class Question(Enum):
    """Which question the terminal is at."""

    STOP = "stop"
    OLD_DIALOGUE = "old_dialogue"
    STATUS = "status"
    REGISTER = "register"
    REPEAT = "repeat"
    TOTALS = "totals"
    OPEN_HOLDS = "open_holds"
    SILENCE = "silence"


_BEFORE_THE_QUESTIONS = frozenset((Question.STOP, Question.OLD_DIALOGUE, Question.STATUS))


def _questions(settings: ZvtSettings) -> list[Question]:
    first = [Question.STATUS, Question.REGISTER]
    if not settings.traits.status_enquiry_usable:
        first.remove(Question.STATUS)
    first = first[::-1] if settings.sequence_ids else first
    return [*first, Question.REPEAT, Question.TOTALS, Question.OPEN_HOLDS]


_Last = c.Approved | c.Unclear
_Answer = m.Reply | End | NotHeard


class InquiryScript:
    """Inquire."""

    def __init__(self, inquiry: c.Inquire, line: ZvtExchange, settings: ZvtSettings) -> None:
        self._line = line
        self._inquiry = inquiry
        self._settings = settings
        self._case = Case(inquiry.about, settings)
        self._question = Question.STOP
        self._questions = _questions(settings)
        self._polls = 0
        self._idle = False  # it said that it is ready, and nothing to the contrary since
        self._has_no_status = not settings.traits.status_enquiry_usable
        self._silent_polls = 0
        self._registered = False
        self._worked = False  # it showed that it was at something before it was asked
        self._aborted = False  # an abort came: the next one is not about our 06 B0
        self._old_end: Denial | None = None  # as a 04 0F of the old dialogue said
        self._readings: list[m.StatusInformation] = []
        self._told = False  # the question for the last transaction came to its regular end
        self._totals: m.StatusInformation | None = None
        self._terminal_id = ""
        self._open_holds: frozenset[str] = frozenset()

    def run(self) -> Script:
        """Stop what is left of the old conversation, then put one question after the other."""
        stopped = yield from self._listen(Command(m.AbortRequest()))
        if isinstance(stopped, _Last):
            return stopped
        while self._questions:
            end = yield from self._put(self._questions.pop(0))
            if end is None and not self._questions and self._may_be_idle_unsaid:
                end = yield from self._wait_in_silence()
            if end is not None:
                return end
        return self._verdict()

    @property
    def _may_be_idle_unsaid(self) -> bool:
        """Whether all that is missing for a *no* is that the terminal is idle."""
        if self._idle or not (self._has_no_status and self._registered):
            return False
        verdict = self._verdict()
        return isinstance(verdict, c.Unclear) and verdict.reason == "not_idle"

    def _wait_in_silence(self) -> Part[_Last | None]:
        """Wait for longer than a payment lasts; a terminal that shows no life is idle."""
        self._question = Question.SILENCE
        self._line.heard = self._line.at_work = False
        answer = yield from self._listen(Pause(self._settings.longest_payment_seconds))
        if answer is None or isinstance(answer, _Last):
            return answer
        if self._line.heard or self._line.at_work:
            return c.Unclear("not_idle", "the terminal is at something")
        self._idle = True
        self._readings.clear()
        self._told = False
        self._questions = [Question.REPEAT]
        return None

    # --- questions

    def _put(self, question: Question) -> Part[c.StillRunning | _Last | None]:
        """Put one question, again while the terminal is busy; None when the next may follow."""
        polls = question is Question.STATUS or (
            question is Question.REGISTER and Question.STATUS in self._questions
        )
        while True:
            yield from self._note_work()
            self._question = question
            self._line.heard = False
            command = self._command_for(question)
            if command is None:
                return None
            answer = yield from self._listen(Command(command, ANSWER_SECONDS))
            while isinstance(answer, End):
                yield Respond()
                if not self._may_be_about_the_stop(answer):
                    break
                # Some terminals answer our 06 B0 that late.
                self._aborted = True
                yield Hurry(self._line.timers.reply_seconds)
                answer = yield from self._listen(Listen())
            if answer is None or isinstance(answer, _Last):
                return answer
            match self._heed(answer, polls=polls):
                case "next":
                    return None
                case "unanswered":
                    return c.Unclear("no_answer")
                case "busy":
                    self._polls += 1
            if self._polls >= POLLS_MAX:
                heard = self._line.heard
                return c.StillRunning("the terminal is busy") if heard else c.Unclear("no_answer")
            meanwhile = yield from self._listen(Pause(POLL_SECONDS))
            if meanwhile is None or isinstance(meanwhile, _Last):
                return meanwhile

    def _command_for(self, question: Question) -> m.Message | None:
        settings = self._settings
        match question:
            case Question.STATUS:
                return m.StatusEnquiry()
            case Question.REGISTER:
                return registration(settings)
            case Question.REPEAT if settings.traits.repeat_receipt_usable:
                return repeat_command(settings)
            case Question.TOTALS if self._may_never_have_begun and self._was_and_is_empty:
                return m.Totals(settings.password)
            case Question.OPEN_HOLDS if self._hold and isinstance(self._verdict(), c.Unclear):
                return m.PartialReversal(receipt=NO_RECEIPT)
            case _:
                return None

    def _may_be_about_the_stop(self, end: End) -> bool:
        is_abort = isinstance(end, m.Abort) and end.code not in _BUSY_STATUS
        return self._question is Question.STATUS and is_abort and not self._aborted

    def _heed(self, answer: _Answer, *, polls: bool) -> Literal["next", "busy", "unanswered"]:
        """Note what a question brought, and return what follows from it."""
        question = self._question
        match answer:
            case m.Reply(code=code):
                if question is Question.STATUS and code in STATUS_UNKNOWN:
                    self._has_no_status = True
                    return "next"
                if question is Question.STATUS or (polls and code in _NOT_NOW):
                    return "busy"
                self._idle = self._idle and code not in _NOT_NOW
            case NotHeard():
                self._silent_polls += question is Question.STATUS
                if question is Question.STATUS and self._silent_polls >= SILENT_POLLS_MAX:
                    self._has_no_status = True
                    return "next"
                if polls:
                    return "busy"
                return "unanswered" if question in (Question.REGISTER, Question.REPEAT) else "next"
            case _ if question is Question.STATUS:
                said = answer.status if isinstance(answer, m.StatusReport) else None
                if isinstance(answer, m.Abort):
                    said = answer.code
                if said in _BUSY_STATUS:
                    return "busy"
                if said is None or said in STATUS_UNKNOWN:
                    self._has_no_status = True
                self._idle = isinstance(answer, m.StatusReport) and said in READY_STATUS
            case m.Completion() if question is Question.REGISTER:
                self._terminal_id = answer.terminal_id
                self._registered = True
            case m.Completion() if question is Question.REPEAT:
                self._told = True
            case m.Abort(code=code) if code == HOLDS_LISTED:
                self._open_holds = open_holds_of(answer)
        return "next"

    # --- what is heard

    def _listen(self, ask: Ask) -> Part[_Answer | _Last | None]:
        """Ask, and return the answer; None if the old dialogue overtook the question."""
        heard = yield ask
        while True:
            match heard:
                case Heard(m.Reply() as reply):
                    if self._question is Question.STOP or not reply.positive:
                        return reply
                    heard = yield Follow()
                    continue
                case Heard(m.StatusInformation() as status) if self._question is Question.REPEAT:
                    self._readings.append(status)
                    yield Respond()
                case Heard(m.StatusInformation() as status) if self._question is Question.TOTALS:
                    self._totals = status
                    yield Respond()
                case Heard(
                    (m.StatusInformation() as status) | Stray(m.StatusInformation() as status)
                ):
                    told = yield from self._hear_old(status)
                    if isinstance(told, c.Unclear):
                        return told
                    if told is not None:
                        return (yield from self._end_old(told))
                case Heard(m.Completion() | m.StatusReport() | m.Abort() as end):
                    return end
                case Heard(Stray(m.Completion() | m.StatusReport() | m.Abort() as end)):
                    approved = yield from self._close_old(end)
                    if approved is not None:
                        return approved
                case NotHeard(reason, lost=True):
                    yield from self._note_work()
                    return c.Unclear(reason)
                case NotHeard():
                    return heard
                case _:
                    pass  # a late reply; and who wants to stop: 06 B0 was sent first of all
            heard = yield Listen()

    def _note_work(self) -> Part[None]:
        """Note that it was at something before it was asked: it began after all, then."""
        if self._question in _BEFORE_THE_QUESTIONS and self._line.at_work:
            if self._inquiry.taken is False and not self._worked:
                yield Note(c.Taken())  # a later question, also after a restart, must know it, too
            self._worked = True
        self._line.at_work = False

    def _hear_old(self, status: m.StatusInformation) -> Part[c.Approval | c.Unclear | None]:
        """Weigh a 04 0F of the old dialogue; an approval is still to be stored and answered."""
        if status.result == OK and not identifies(status):
            yield Respond()  # how some terminals say that 05 01 went well
        elif self._is_the_old_one(status):
            # The rest of an earlier question for the last transaction, not our order's result.
            yield Respond()
        elif status.result == OK and self._inquiry.taken is False:
            return c.Unclear("other_transaction")
        else:
            answer = self._case.hear(status)
            if isinstance(answer, c.Approval) and self._may_be_the_memory(status, answer):
                yield Respond()
                text = "it may be what the terminal was asked for before, and typed in there"
                return c.Unclear("not_provably_ours", text, seen=answer)
            if isinstance(answer, c.Approval):
                return answer
            yield Respond(answer)
        return None

    def _may_be_the_memory(self, status: m.StatusInformation, approval: c.Approval) -> bool:
        """Whether an approval may answer a 06 20 of an earlier conversation, not our order.

        A terminal at a payment shows its stages by 04 FF; one that repeats its memory does not.
        """
        offer = self._inquiry.offer
        if offer is not None and same_transaction(approval.fingerprint, offer.fingerprint):
            return False
        ours = self._nobody_else_can or echoes(status, self._inquiry.about)
        return self._inquiry.memory_asked and not self._line.showed_stage and not ours

    def _end_old(self, approval: c.Approval) -> Part[_Last | None]:
        """Acknowledge what the old dialogue approved, and let it come to its end."""
        stored = yield Tell(c.Offered(approval))
        yield Respond(self._case.stored(stored=stored == Stored(done=True)))
        self._question = Question.OLD_DIALOGUE
        self._idle = False
        self._readings.clear()
        self._told = False
        self._questions = _questions(self._settings)  # whatever was asked is overtaken
        yield Hurry(ANSWER_SECONDS)
        answer = yield from self._listen(Follow())
        if isinstance(answer, End):
            return (yield from self._close_old(answer))
        return answer if isinstance(answer, _Last) else None

    def _close_old(self, end: End) -> Part[c.Approved | None]:
        """Hear the end of the old dialogue, or what may be the answer to our 06 B0."""
        event = self._case.close(end, stopped=True)
        if isinstance(event, c.Approved):
            return event
        # Without a 04 0F it may be the answer to our 06 B0.
        if not isinstance(event, c.Unclear) and self._case.refused:
            self._old_end = event
        self._aborted = self._aborted or isinstance(end, m.Abort)
        yield Respond()
        return None

    # --- the answer

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
