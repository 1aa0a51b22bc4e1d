"""The machine of a payment: what every event means in every state. Pure.

The rules:

* `advance` decides every pair of state and event; what cannot happen raises `IllegalEvent`.
* `declined`, `canceled` and `failed` are entered only with proof that no money moved.
* Not knowing is the state `in_doubt`; a crash, a lost line or silence never leads anywhere else
  once the send marker (`Started`) is on disk.
* Evidence that money moved is never dropped. Where it contradicts what was already said, it opens
  a discrepancy; a final status is never rewritten.
* Live actions are done once. After a crash `Restarted` says what to do instead.

Signatures:

* An approved card payment that a signature verifies is a question to the cashier. Until it is
  answered the money counts as taken, so that no one pays twice, but nothing is recorded yet.
* The first answer counts. "Yes", or nobody in time, and the payment is like any other.
* "No" asks for a void, a payment of its own. Approved, it takes this one out of everything; if no
  void comes through, the money is in the books like any other and a person must give it back.

In this file: the table (`advance`), how a payment ends (`approve`, `deny`), what can still happen
to one that is final (`on_final`), signatures (`judge`).
"""

from __future__ import annotations

from dataclasses import replace

from bridge.money.payment import (
    INFERRED,
    MAYBE_CHARGED,
    Acknowledged,
    Action,
    AnswerCheck,
    AskTerminal,
    CancelAsked,
    Concluding,
    Corrected,
    Decided,
    Denial,
    Discrepancy,
    Doubt,
    DoubtAged,
    DoubtMeasured,
    Event,
    EvidenceLost,
    FollowedUp,
    FollowUpUndone,
    FoundReversed,
    Funds,
    HoldEnded,
    IllegalEvent,
    LinesAttached,
    LinesOverdue,
    LookedAgain,
    Method,
    NotReached,
    OperatorAnswer,
    Outcome,
    Payment,
    PaymentType,
    Publish,
    Recording,
    RecordingChanged,
    Requested,
    Resolved,
    Restarted,
    Settle,
    Started,
    StartOnTerminal,
    Status,
    StopOnTerminal,
    TellOriginal,
    TendersStated,
)
from bridge.money.payment.amount_check import amount_discrepancies
from bridge.money.payment.signature import ReversalFailed, Signature, SignatureJudged
from drivers.contract import (
    ALREADY_REVERSED,
    Approval,
    Approved,
    Canceled,
    Declined,
    Failed,
    Offered,
    Progress,
    Receipt,
    Stage,
    StillRunning,
    Taken,
    Unclear,
)

# Seconds until the terminal is asked again, by the number of questions already asked. Dense at
# first, because a cashier waits; the contract promises 1, 2, 5 s and then every 5 s for 90 s.
INQUIRY_DELAYS_SECONDS = (1.0, 2.0, 5.0)
INQUIRY_DELAY_LATER_SECONDS = 5.0
INQUIRY_DELAY_OPERATOR_SECONDS = 30.0  # a person has been asked to look; we go on, less noisily

# What ends the wait for a busy terminal; once the wait is over it means nothing.
QUEUE_TIMEOUT = "queue_timeout"
SHUTDOWN = "shutdown"
ENDS_OF_WAITS = frozenset({QUEUE_TIMEOUT, SHUTDOWN})
CANCEL_CODES = {"cashier": "canceled_by_cashier", QUEUE_TIMEOUT: QUEUE_TIMEOUT}

# When a gift card is looked at again whose balance said that nothing was taken: after the longest
# limits of servers and proxies (ten minutes), and before anybody has forgotten the shopper.
SECOND_LOOK_SECONDS = 900.0

# Where an approval leaves the money, and whether it must be recorded.
OUTCOME_OF = {
    PaymentType.SALE: (Funds.CAPTURED, Recording.PENDING),
    PaymentType.CAPTURE: (Funds.CAPTURED, Recording.PENDING),
    PaymentType.PREAUTH: (Funds.HELD, Recording.NOT_REQUIRED),
    PaymentType.INCREMENT: (Funds.HELD, Recording.NOT_REQUIRED),
    PaymentType.REFUND: (Funds.RETURNED, Recording.PENDING),
    PaymentType.VOID: (Funds.VOIDED, Recording.PENDING),
    PaymentType.TIP_ADJUST: (Funds.CAPTURED, Recording.NOT_REQUIRED),
    PaymentType.LOAD: (Funds.LOADED, Recording.NOT_REQUIRED),
    PaymentType.UNLOAD: (Funds.UNLOADED, Recording.NOT_REQUIRED),
}

# How often a terminal is asked whether a person was right, and what it says may mean anything. Half
# an hour of contact, at half a minute each: longer than any terminal needs to settle by itself.
ANSWER_CHECKS_MAX = 60
ANSWER_CHECK_SECONDS = 30.0

# A card is presented, and a void can undo it. A refund that the shopper signs takes nothing.
SIGNED_TYPES = frozenset({PaymentType.SALE, PaymentType.PREAUTH})


def open_payment(event: Requested) -> Outcome:
    """Return a new payment and what must be done for it."""
    return Payment(event.request), (StartOnTerminal(), Publish())


def advance(payment: Payment, event: Event) -> Outcome:
    """Return the payment after `event`, and what must now be done. Pure and total.

    Raises:
        IllegalEvent: The state cannot have the event; nothing was changed.
    """
    match event:
        case Receipt():
            # Receipts are published with the outcome, never before it.
            printed = replace(payment, receipts=(*payment.receipts, event))
            return printed, (Publish(),) if payment.is_final else ()
        case RecordingChanged():
            return record(payment, event)
        case Decided():
            return decide(payment, event)
        case Corrected():
            return correct(payment, event)
        case FollowedUp():
            return follow(payment, event)
        case FollowUpUndone():
            return undo(payment, event)
        case FoundReversed():
            return find_reversed(payment, event)
        case LinesAttached(sale):
            if payment.sale is not None:
                raise illegal(payment, event)
            return _with_books(replace(payment, attached=sale))
        case TendersStated(tenders):
            return _with_books(replace(payment, tenders=tenders))
        case SignatureJudged() | ReversalFailed():
            return judge(payment, event)
        case LinesOverdue():
            if payment.recording is not Recording.PENDING:
                raise illegal(payment, event)
            return replace(payment, lines_overdue=True), (Settle(), Publish())
        case Requested():
            raise IllegalEvent(f"{payment.status.value} cannot be requested again")
        case _ if payment.is_final:
            return on_final(payment, event)
    match payment.status:
        case Status.QUEUED:
            return _while_queued(payment, event)
        case Status.IN_PROGRESS | Status.CANCELING:
            return _while_running(payment, event)
        case _:
            return _while_in_doubt(payment, event)


def _with_books(payment: Payment) -> Outcome:
    """Return a changed payment; if the books wait for it, its sale may be covered now."""
    settle = (Settle(),) if payment.recording is Recording.PENDING else ()
    return payment, (*settle, Publish())


def _while_queued(payment: Payment, event: Event) -> Outcome:
    match event:
        case Started(baseline):
            return replace(
                payment, status=Status.IN_PROGRESS, stage=Stage.STARTING, baseline=baseline
            ), (Publish(),)
        case NotReached(code, text):
            return deny(payment, Status.FAILED, Denial(code, text))
        case CancelAsked(reason):
            denial = Denial(CANCEL_CODES.get(reason, f"canceled_{reason}"), cancel_reason=reason)
            return deny(payment, Status.CANCELED, denial)
        case Restarted():
            return deny(payment, Status.FAILED, Denial("bridge_restarted", "nothing was sent"))
        case Approved(approval):
            # Nobody asked for it, but money moved: keep it, and let a person look.
            odd = Discrepancy("approved_without_start", "money moved before it was sent", approval)
            return approve(replace(payment, discrepancies=(odd,)), approval)
        case DoubtAged() | DoubtMeasured() | EvidenceLost():
            return payment, ()
        case _:
            raise illegal(payment, event)


def _while_running(payment: Payment, event: Event) -> Outcome:
    match event:
        case Progress(stage):
            if stage is payment.stage:
                return payment, ()
            return replace(payment, stage=stage), (Publish(),)
        case Taken(handle):
            return replace(payment, taken=True, handle=handle or payment.handle), ()
        case Offered(approval):
            return replace(payment, offer=approval, stage=Stage.FINISHING), (Publish(),)
        case Concluding(how):
            return replace(payment, concluding=how), ()
        case Approved(approval):
            return approve(payment, approval)
        case Declined() | Canceled() | Failed():
            return apply_no_charge(payment, event)
        case Unclear(reason, only_a_person=True):
            doubt = Doubt(reason, needs_operator=True, evidence_lost=True)
            return _doubt(payment, doubt)
        case Unclear(reason, not_taken=not_taken):
            if not_taken and payment.taken is None and payment.offer is None:
                payment = replace(payment, taken=False)
            return _doubt(payment, Doubt(reason), AskTerminal(INQUIRY_DELAYS_SECONDS[0]))
        case Restarted():
            return _doubt(payment, Doubt("bridge_restarted"), AskTerminal(0.0))
        case CancelAsked(reason) if (
            payment.status is Status.IN_PROGRESS and reason not in ENDS_OF_WAITS
        ):
            return replace(payment, status=Status.CANCELING, cancel_asked=reason), (
                StopOnTerminal(),
                Publish(),
            )
        case CancelAsked() | StillRunning() | DoubtAged() | DoubtMeasured() | EvidenceLost():
            return payment, ()
        case _:
            raise illegal(payment, event)


def _while_in_doubt(payment: Payment, event: Event) -> Outcome:
    doubt = payment.doubt
    assert doubt is not None, "in_doubt always says why"
    match event:
        case Taken(handle):
            return replace(payment, taken=True, handle=handle or payment.handle), ()
        case Offered(approval):
            return replace(payment, offer=approval), ()
        case Concluding(how):
            return replace(payment, concluding=how), ()
        case Approved(approval):
            return approve(payment, approval)
        case Declined() | Canceled() | Failed():
            return apply_no_charge(payment, event)
        case Unclear() | StillRunning() | NotReached():
            asked = replace(
                doubt,
                inquiries=doubt.inquiries + 1,
                memory_asked=doubt.memory_asked or isinstance(event, Unclear),
            )
            if isinstance(event, Unclear) and event.seen is not None:
                asked = replace(asked, seen=event.seen)
            if isinstance(event, Unclear) and event.only_a_person:
                asked = replace(asked, needs_operator=True, evidence_lost=True)
            return replace(payment, doubt=asked), (*_ask_again(asked), Publish())
        case Restarted():
            # The life before may have asked, and what it asked may still be answered.
            asked = replace(doubt, memory_asked=True)
            ask = () if doubt.evidence_lost else (AskTerminal(0.0),)
            return replace(payment, doubt=asked), ask
        case DoubtAged() if not doubt.needs_operator:
            return replace(payment, doubt=replace(doubt, needs_operator=True)), (Publish(),)
        case DoubtMeasured(seconds):
            measured = max(seconds, doubt.measured_seconds)
            return replace(payment, doubt=replace(doubt, measured_seconds=measured)), ()
        case EvidenceLost() if not doubt.evidence_lost:
            lost = replace(doubt, needs_operator=True, evidence_lost=True)
            return replace(payment, doubt=lost), (Publish(),)
        case Resolved():
            return _resolve(payment, event)
        case CancelAsked() | Progress() | DoubtAged() | EvidenceLost():
            return payment, ()
        case _:
            raise illegal(payment, event)


def _doubt(payment: Payment, doubt: Doubt, *ask: AskTerminal) -> Outcome:
    return replace(payment, status=Status.IN_DOUBT, funds=Funds.UNKNOWN, stage=None, doubt=doubt), (
        *ask,
        Publish(),
    )


def _ask_again(doubt: Doubt) -> tuple[AskTerminal, ...]:
    if doubt.evidence_lost:
        return ()
    if doubt.needs_operator:
        return (AskTerminal(INQUIRY_DELAY_OPERATOR_SECONDS),)
    if doubt.inquiries < len(INQUIRY_DELAYS_SECONDS):
        return (AskTerminal(INQUIRY_DELAYS_SECONDS[doubt.inquiries]),)
    return (AskTerminal(INQUIRY_DELAY_LATER_SECONDS),)


def _recognized(payment: Payment, event: Resolved) -> Approval | None:
    """Return what the terminal's memory showed, if a person read its approval code on the slip."""
    seen = payment.doubt.seen if payment.doubt is not None else None
    if seen is None or not event.approval_code or seen.approval_code != event.approval_code:
        return None
    return seen


def _resolve(payment: Payment, event: Resolved) -> Outcome:
    if event.outcome == "approved":
        known = payment.offer or _recognized(payment, event)
        known = known or Approval(payment.request.amount, fingerprint="")
        approval = replace(
            known,
            amount=event.amount or known.amount,
            approval_code=event.approval_code or known.approval_code,
        )
        resolved, actions = approve(payment, approval, by_person=True)
        if payment.offer is not None and approval.amount != payment.offer.amount:
            text = f"{event.by} saw another amount than the terminal had offered"
            resolved, _ = disagree(resolved, Discrepancy("another_amount", text, payment.offer))
    else:
        denial = Denial("not_charged", f"answered by {event.by}: {event.outcome}")
        resolved, actions = deny(payment, Status.FAILED, denial)
        if payment.offer is not None and payment.request.method is Method.OFFICE_GIFT_CARD:
            actions = (StopOnTerminal(), *actions)  # its hold must not stay
    answer = OperatorAnswer(
        *(event.outcome, event.by, event.approval_code, event.source, event.amount), why=event.why
    )
    if event.check:
        actions = (*actions, AskTerminal(0.0))
    return replace(
        resolved,
        resolved_by="operator",
        approved_by=event.by,
        answers=(*payment.answers, answer),
        answer_check=AnswerCheck.DUE if event.check else AnswerCheck.NONE,
    ), actions


# --- how a payment ends


def approve(payment: Payment, approval: Approval, *, by_person: bool = False) -> Outcome:
    """Return the payment once the terminal says that money moved, or a person (`by_person`).

    A person who saw a smaller amount on the slip has looked already.
    """
    request = payment.request
    odd = amount_discrepancies(payment, approval)
    if by_person:
        odd = tuple(one for one in odd if one.kind != "less_than_asked")
    if approval.amount.currency != request.amount.currency:
        text = f"the terminal took {approval.amount.currency}"
        odd = (*odd, Discrepancy("another_currency", text, approval))
    if INFERRED in approval.extra:
        odd = (*odd, Discrepancy(INFERRED, approval.extra[INFERRED], approval))
    approved = replace(
        payment,
        status=Status.APPROVED,
        stage=None,
        doubt=None,
        resolved_by="terminal",
        discrepancies=(*payment.discrepancies, *odd),
        signature=Signature.ASKED if needs_signature(payment, approval) else None,
    )
    return apply_approval(approved, approval)


def apply_approval(payment: Payment, approval: Approval) -> Outcome:
    """Money moved: say where it is, and who must be told."""
    funds, recording = OUTCOME_OF[payment.request.type]
    actions: tuple[Action, ...] = (Publish(),)
    if recording is Recording.PENDING and payment.signature is None:
        actions = (Settle(), *actions)
    if payment.request.original_payment_id:
        actions = (TellOriginal(), *actions)
    return replace(payment, funds=funds, recording=recording, approval=approval), actions


def apply_no_charge(payment: Payment, event: Declined | Canceled | Failed) -> Outcome:
    """Return the payment once the terminal says that no money moved."""
    match event:
        case Declined(code, text, reason):
            return deny(payment, Status.DECLINED, Denial(reason, text, terminal_code=code))
        case Canceled(by, code, text):
            reason = payment.cancel_asked if by == "cashier" and payment.cancel_asked else by
            name = f"canceled_by_{reason}" if reason in {"cashier", "cardholder"} else ""
            denial = Denial(name or f"canceled_{reason}", text, code, cancel_reason=reason)
            return deny(payment, Status.CANCELED, denial)
        case Failed(code, text, reason, batch_closed):
            denial = Denial(reason, text, code, batch_closed=batch_closed)
            failed, actions = deny(payment, Status.FAILED, denial)
            if failed.owes_look:
                actions = (*actions, AskTerminal(SECOND_LOOK_SECONDS))
            tells = reason == ALREADY_REVERSED and payment.request.original_payment_id
            return failed, (TellOriginal(), *actions) if tells else actions


def deny(payment: Payment, status: Status, denial: Denial) -> Outcome:
    """Return the payment that ended without money."""
    return replace(
        payment,
        status=status,
        funds=Funds.NONE,
        denial=denial,
        stage=None,
        doubt=None,
        resolved_by="terminal" if payment.status in MAYBE_CHARGED else "bridge",
    ), (Publish(),)


def disagree(payment: Payment, odd: Discrepancy) -> Outcome:
    """Return the payment with evidence that contradicts what was said; a person decides."""
    if odd in payment.discrepancies:
        return payment, ()
    return replace(payment, discrepancies=(*payment.discrepancies, odd), decided_by=""), (
        Publish(),
    )


def illegal(payment: Payment, event: Event) -> IllegalEvent:
    """Return the error of a state that cannot have an event."""
    return IllegalEvent(f"{payment.status.value} cannot have {type(event).__name__}")


# --- what can still happen to a payment that is final


def on_final(payment: Payment, event: Event) -> Outcome:
    """Return what an event means for a payment that is final."""
    if payment.answer_check is AnswerCheck.DUE:
        checked = _check_answer(payment, event)
        if checked is not None:
            return checked
    return _on_final(payment, event)


def _check_answer(payment: Payment, event: Event) -> Outcome | None:
    """Return what an event says of a person's answer that is to be checked; None: nothing."""
    match event:
        case Approved() | Declined() | Canceled() | Failed():
            after, actions = _on_final(replace(payment, answer_check=AnswerCheck.NONE), event)
            agrees = after.discrepancies == payment.discrepancies
            found = AnswerCheck.AGREED if agrees else AnswerCheck.CONTRADICTED
            return replace(after, answer_check=found), actions or (Publish(),)
        case Unclear(only_a_person=True):
            return replace(payment, answer_check=AnswerCheck.CANNOT_TELL), (Publish(),)
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


def _on_final(payment: Payment, event: Event) -> Outcome:
    match event:
        case Approved(approval):
            return _late_approval(payment, approval)
        case Declined() | Canceled() | Failed() if payment.funds is not Funds.NONE:
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
    if payment.funds is Funds.NONE:
        # A person had taken the approval back, or there had been none.
        told = "failed" if payment.status is Status.APPROVED else payment.status.value
        return disagree(payment, Discrepancy(f"approved_after_{told}", "money moved", approval))
    assert known is not None, "money that moved was approved"
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
            if payment.funds is Funds.NONE:  # a person took its approval back meanwhile
                after = replace(after, funds=Funds.NONE)
        case PaymentType.VOID if payment.funds is Funds.NONE:
            after = payment
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
    """A follow-up that was published never happened: say where the money is then."""
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
    # Money that is told already is not told again; what persons corrected, another answer corrects.
    is_told = payment.status is Status.APPROVED or payment.funds is not Funds.NONE
    if event.decision == "noted" or is_told or len(payment.answers) > 1 or evidence is None:
        return decided, (Publish(),)
    return apply_approval(decided, evidence)


def correct(payment: Payment, event: Corrected) -> Outcome:
    """Return the payment once a person took back what a person had answered.

    The status stays, as it was published; `funds` says where the money is now. Where the
    terminal had agreed with the first answer, somebody must look: the discrepancy stays open.
    """
    said = event.answer
    if not payment.is_final or not payment.answers:
        raise illegal(payment, event)
    if (said.outcome == "approved") is payment.was_answered_as_paid:
        return payment, ()
    if (said.outcome == "approved") is (payment.funds is not Funds.NONE):
        # Somebody had it booked on the terminal's evidence: the money is where this answer says.
        kept = (*payment.answers, said)
        return replace(payment, answers=kept, approved_by=said.by), (Publish(),)
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
    return apply_approval(replace(corrected, discrepancies=(*payment.discrepancies, odd)), approval)


# --- signatures


def needs_signature(payment: Payment, approval: Approval) -> bool:
    """Say whether somebody must compare a signature now that `payment` is approved."""
    request = payment.request
    if request.type not in SIGNED_TYPES or request.method is Method.OFFICE_GIFT_CARD:
        return False
    if approval.card.entry_mode == "contactless" and approval.card.verification == "none":
        return False  # below the limit nobody signs, whatever the terminal's form looks like
    slip = any(one.requires_signature for one in payment.receipts)
    return slip or approval.card.verification == "signature"


def judge(payment: Payment, event: SignatureJudged | ReversalFailed) -> Outcome:
    """Return the payment after somebody looked at its signature, or after its void failed.

    Raises:
        IllegalEvent: Nobody was asked.
    """
    match event, payment.signature:
        case _, None:
            raise IllegalEvent(f"nobody was asked about a signature: {type(event).__name__}")
        case SignatureJudged(accepted=False, by=by), Signature.ASKED:
            return replace(payment, signature=Signature.REFUSED, signature_by=by), (Publish(),)
        case SignatureJudged(accepted=True, by=by), Signature.ASKED:
            found = Signature.ACCEPTED if by else Signature.UNANSWERED
            return _with_books(replace(payment, signature=found, signature_by=by))
        case ReversalFailed(), Signature.REFUSED if payment.awaits_signature:
            return _with_books(replace(payment, signature=Signature.NOT_REVERSED))
        case _:
            return payment, ()
