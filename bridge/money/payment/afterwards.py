"""What can still happen to a payment that is final: follow-ups, the books, late evidence. Pure.

A final status is never rewritten, and evidence that money moved is never dropped.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.money.payment import (
    Acknowledged,
    AnswerCheck,
    AskTerminal,
    Concluding,
    Corrected,
    Decided,
    Discrepancy,
    Event,
    EvidenceLost,
    FollowedUp,
    FollowUpUndone,
    FoundReversed,
    Funds,
    HoldEnded,
    LookedAgain,
    NotReached,
    Outcome,
    Payment,
    PaymentType,
    Publish,
    Recording,
    RecordingChanged,
    Resolved,
    Restarted,
    Settle,
    Started,
    Status,
    StopOnTerminal,
    TellOriginal,
)
from bridge.money.payment.outcomes import (
    SECOND_LOOK_SECONDS,
    believe,
    disagree,
    illegal,
)
from drivers.contract import (
    ALREADY_REVERSED,
    Approval,
    Approved,
    Canceled,
    Declined,
    Failed,
    Offered,
    StillRunning,
    Unclear,
)

# How often a terminal is asked whether a person was right, and what it says may mean anything. Half
# an hour of contact, at half a minute each: longer than any terminal needs to settle by itself.
ANSWER_CHECKS_MAX = 60
ANSWER_CHECK_SECONDS = 30.0


def after_the_end(payment: Payment, event: Event) -> Outcome:
    """Return what an event means for a payment that is final."""
    if payment.answer_check is AnswerCheck.DUE:
        checked = _check_answer(payment, event)
        if checked is not None:
            return checked
    return _after_the_end(payment, event)


def _check_answer(payment: Payment, event: Event) -> Outcome | None:
    """Return what an event says of a person's answer that is to be checked; None: nothing."""
    match event:
        case Approved() | Declined() | Canceled() | Failed():
            after, actions = _after_the_end(replace(payment, answer_check=AnswerCheck.NONE), event)
            agrees = after.discrepancies == payment.discrepancies
            found = AnswerCheck.AGREED if agrees else AnswerCheck.CONTRADICTED
            return replace(after, answer_check=found), actions or (Publish(),)
        case Unclear() | StillRunning():
            if payment.answer_checks + 1 < ANSWER_CHECKS_MAX:
                asked = replace(payment, answer_checks=payment.answer_checks + 1)
                return asked, (AskTerminal(ANSWER_CHECK_SECONDS),)
            return replace(payment, answer_check=AnswerCheck.CANNOT_TELL), (Publish(),)
        case NotReached():
            return payment, (AskTerminal(ANSWER_CHECK_SECONDS),)
        case EvidenceLost():
            return replace(payment, answer_check=AnswerCheck.CANNOT_TELL), (Publish(),)
        case Restarted():
            return payment, (AskTerminal(0.0),)
        case _:
            return None


def _after_the_end(payment: Payment, event: Event) -> Outcome:
    match event:
        case Approved(approval):
            return _late_approval(payment, approval)
        case Declined() | Canceled() | Failed() if payment.status is Status.APPROVED:
            odd = Discrepancy("denied_after_approved", f"{type(event).__name__.lower()} came later")
            return disagree(payment, odd)
        case Resolved(outcome, by):
            said_paid = outcome == "approved"
            if said_paid is (payment.status is Status.APPROVED):
                return payment, ()
            odd = Discrepancy("operator_contradicts", f"{by} said {outcome}")
            return disagree(payment, odd)
        case Restarted() if payment.owes_release:
            return payment, (StopOnTerminal(),)
        case Restarted() if payment.owes_look:
            return payment, (AskTerminal(SECOND_LOOK_SECONDS),)
        case LookedAgain(found, text, approval) if payment.owes_look:
            looked = replace(payment, looked_again=True)
            if found == "as_before":
                return looked, (Publish(),)
            kind = "taken_after_all" if found == "taken" else "balance_moved"
            return disagree(looked, Discrepancy(kind, text, approval))
        case HoldEnded(code) if payment.owes_release:
            ended = replace(payment, hold_ended=True)
            if not code:
                return ended, (Publish(),)
            return disagree(ended, Discrepancy("hold_not_released", f"it answers {code}"))
        case Acknowledged() if not payment.acknowledged:
            return replace(payment, acknowledged=True), (Publish(),)
        case Started() | Concluding() | Offered():
            # Refusing an offer makes the terminal take it back: the safe answer to a bug.
            raise illegal(payment, event)
        case _:
            return payment, ()


def _late_approval(payment: Payment, approval: Approval) -> Outcome:
    known = payment.approval
    if payment.status is not Status.APPROVED:
        odd = Discrepancy(f"approved_after_{payment.status.value}", "money moved", approval)
        return disagree(payment, odd)
    assert known is not None, "approved always says what was approved"
    if known.fingerprint == approval.fingerprint:
        return payment, ()
    if not known.fingerprint and known.amount == approval.amount:
        # A person said approved; now the terminal's own evidence is here and agrees.
        return replace(payment, approval=approval), (Publish(),)
    if not known.fingerprint:
        text = f"{payment.approved_by or 'a person'} saw another amount than the terminal tells"
        return disagree(payment, Discrepancy("another_amount", text, approval))
    return disagree(payment, Discrepancy("second_approval", "money moved again", approval))


def follow(payment: Payment, event: FollowedUp) -> Outcome:
    """A follow-up was approved: say where the money is now."""
    if not payment.is_final or payment.approval is None:
        raise illegal(payment, event)
    minor = event.amount.minor
    match event.type:
        case PaymentType.REFUND:
            refunded = payment.refunded_minor + minor
            whole = refunded >= payment.taken_minor
            funds = Funds.REFUNDED if whole else Funds.PARTIALLY_REFUNDED
            after = replace(payment, refunded_minor=refunded, funds=funds)
        case PaymentType.VOID | PaymentType.UNLOAD:
            after = replace(payment, funds=Funds.VOIDED)
        case PaymentType.INCREMENT:
            raised = event.approval or payment.raised
            after = replace(payment, added_minor=payment.added_minor + minor, raised=raised)
        case PaymentType.CAPTURE:
            funds = Funds.CAPTURED if event.is_last else payment.funds
            after = replace(payment, used_minor=payment.used_minor + minor, funds=funds)
        case PaymentType.TIP_ADJUST:
            after = replace(payment, tip_minor=payment.tip_minor + minor)
        case PaymentType.SALE | PaymentType.PREAUTH | PaymentType.LOAD:
            raise illegal(payment, event)
    return after, (Publish(),)


def undo(payment: Payment, event: FollowUpUndone) -> Outcome:
    """A follow-up that was told never happened: say where the money is then."""
    minor = event.amount.minor
    match event.type:
        case PaymentType.REFUND if payment.refunded_minor >= minor > 0:
            left = payment.refunded_minor - minor
            funds = Funds.PARTIALLY_REFUNDED if left else Funds.CAPTURED
            after = replace(payment, refunded_minor=left, funds=funds)
        case PaymentType.VOID if payment.funds is Funds.VOIDED:
            held = payment.request.type is PaymentType.PREAUTH
            after = replace(payment, funds=Funds.HELD if held else Funds.CAPTURED)
        case PaymentType.TIP_ADJUST if payment.tip_minor >= minor > 0:
            after = replace(payment, tip_minor=payment.tip_minor - minor)
        case _:
            raise illegal(payment, event)
    return after, (Publish(),)


def find_reversed(payment: Payment, event: FoundReversed) -> Outcome:
    """Somebody took the money back at the terminal: a person must say what that means."""
    if not payment.is_final or payment.approval is None:
        raise illegal(payment, event)
    if payment.funds in {Funds.VOIDED, Funds.REFUNDED}:
        return payment, ()
    text = "the terminal says that it was taken back there before; do not refund it unseen"
    return disagree(payment, Discrepancy(ALREADY_REVERSED, text))


def record(payment: Payment, event: RecordingChanged) -> Outcome:
    """Return the payment once its record in the books moved on."""
    is_due_tip = (
        payment.request.type is PaymentType.TIP_ADJUST and event.recording is Recording.PENDING
    )
    if payment.recording is Recording.NOT_REQUIRED and not is_due_tip:
        raise illegal(payment, event)
    return replace(
        payment,
        recording=event.recording,
        record_id=event.record_id
        or ("" if event.recording is Recording.PENDING else payment.record_id),
        recording_error=event.error,
    ), (Publish(),)


def decide(payment: Payment, event: Decided) -> Outcome:
    """A person dealt with the discrepancies; money that only they show can go to the books."""
    if not payment.is_final or not payment.discrepancies or payment.decided_by:
        return payment, ()
    decided = replace(payment, decided_by=event.by)
    evidence = next((odd.approval for odd in payment.discrepancies if odd.approval), None)
    if event.decision == "noted" or payment.status is Status.APPROVED or evidence is None:
        return decided, (Publish(),)
    return believe(decided, evidence)


def correct(payment: Payment, event: Corrected) -> Outcome:
    """Return the payment once a person took back what a person had answered.

    The status stays, as it was told; `funds` says where the money is now. Where the terminal had
    agreed with the first answer, somebody must look: the discrepancy stays open.
    """
    said = event.answer
    if not payment.is_final or not payment.answers:
        raise illegal(payment, event)
    if (said.outcome == "approved") is payment.was_answered_as_paid:
        return payment, ()
    agreed = payment.answer_check is AnswerCheck.AGREED
    text = f"{said.by} says {said.outcome}; {payment.answers[-1].by} had said the opposite"
    corrected = replace(
        payment,
        answers=(*payment.answers, said),
        answer_check=AnswerCheck.NONE,
        approved_by=said.by,
        decided_by="" if agreed else said.by,
    )
    if said.outcome != "approved":
        odd = Discrepancy("answer_corrected", text, payment.approval)
        denied = replace(corrected, funds=Funds.NONE, signature=None)
        denied = replace(denied, discrepancies=(*payment.discrepancies, odd))
        tells = (TellOriginal(),) if payment.request.original_payment_id else ()
        return denied, (*tells, Settle(), Publish())
    seen = next((odd.approval for odd in payment.discrepancies if odd.approval), None)
    known = seen or payment.offer or Approval(payment.request.amount, fingerprint="")
    approval = replace(
        known,
        amount=said.amount or known.amount,
        approval_code=said.approval_code or known.approval_code,
    )
    odd = Discrepancy("answer_corrected", text, approval)
    return believe(replace(corrected, discrepancies=(*payment.discrepancies, odd)), approval)
