"""The table of a payment: what every event means in every state. Pure.

How a payment ends stands in `outcomes.py`, what happens to a final one in `afterwards.py`.

The rules:

* `advance` decides every pair of state and event; what cannot happen raises `IllegalEvent`.
* `declined`, `canceled` and `failed` are entered only with proof that no money moved.
* Not knowing is the state `in_doubt`; a crash, a lost line or silence never leads anywhere else
  once the send marker (`Started`) is on disk.
* Evidence that money moved is never dropped. Where it contradicts what was already said, it opens
  a discrepancy; a final status is never rewritten.
* Live actions are done once. After a crash `Restarted` says what to do instead.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.money.payment import (
    Answer,
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
    IllegalEvent,
    LinesAttached,
    LinesOverdue,
    NotReached,
    Outcome,
    Payment,
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
    TendersStated,
)
from bridge.money.payment.afterwards import (
    after_the_end,
    correct,
    decide,
    find_reversed,
    follow,
    record,
    undo,
)
from bridge.money.payment.outcomes import approve, believe_no, deny, disagree, illegal
from bridge.money.payment.signature import ReversalFailed, SignatureJudged
from bridge.money.payment.signing import judge
from drivers.contract import (
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
# first, because a clerk waits; the contract promises 1, 2, 5 s and then every 5 s for 90 s.
INQUIRY_DELAYS_SECONDS = (1.0, 2.0, 5.0)
INQUIRY_DELAY_LATER_SECONDS = 5.0
INQUIRY_DELAY_OPERATOR_SECONDS = 30.0  # a person has been asked to look; we go on, less noisily


# What ends the wait for a busy terminal; once the wait is over it means nothing.
QUEUE_TIMEOUT = "queue_timeout"
SHUTDOWN = "shutdown"
ENDS_OF_WAITS = frozenset({QUEUE_TIMEOUT, SHUTDOWN})
CANCEL_CODES = {"cashier": "canceled_by_cashier", QUEUE_TIMEOUT: QUEUE_TIMEOUT}


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
            # Receipts are told with the outcome; until then nobody prints them.
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
            settle = (Settle(),) if payment.recording is Recording.PENDING else ()
            return replace(payment, attached=sale), (*settle, Publish())
        case TendersStated(tenders):
            settle = (Settle(),) if payment.recording is Recording.PENDING else ()
            return replace(payment, tenders=tenders), (*settle, Publish())
        case SignatureJudged() | ReversalFailed():
            return judge(payment, event)
        case LinesOverdue():
            if payment.recording is not Recording.PENDING:
                raise illegal(payment, event)
            return replace(payment, lines_overdue=True), (Settle(), Publish())
        case Requested():
            raise IllegalEvent(f"{payment.status.value} cannot be requested again")
        case _ if payment.is_final:
            return after_the_end(payment, event)
    match payment.status:
        case Status.QUEUED:
            return _while_queued(payment, event)
        case Status.IN_PROGRESS | Status.CANCELING:
            return _while_running(payment, event)
        case _:
            return _while_in_doubt(payment, event)


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
        case Taken():
            return replace(payment, taken=True), ()
        case Offered(approval):
            return replace(payment, offer=approval, stage=Stage.FINISHING), (Publish(),)
        case Concluding(how):
            return replace(payment, concluding=how), ()
        case Approved(approval):
            return approve(payment, approval)
        case Declined() | Canceled() | Failed():
            return believe_no(payment, event)
        case Unclear(reason, not_taken=not_taken):
            if not_taken and payment.taken is None and payment.offer is None:
                payment = replace(payment, taken=False)
            return _doubt(payment, reason, AskTerminal(INQUIRY_DELAYS_SECONDS[0]))
        case Restarted():
            return _doubt(payment, "bridge_restarted", AskTerminal(0.0))
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
        case Taken():
            return replace(payment, taken=True), ()
        case Offered(approval):
            return replace(payment, offer=approval), ()
        case Concluding(how):
            return replace(payment, concluding=how), ()
        case Approved(approval):
            return approve(payment, approval)
        case Declined() | Canceled() | Failed():
            return believe_no(payment, event)
        case Unclear() | StillRunning() | NotReached():
            asked = replace(doubt, inquiries=doubt.inquiries + 1)
            if isinstance(event, Unclear) and event.seen is not None:
                asked = replace(asked, seen=event.seen)
            return replace(payment, doubt=asked), (*_ask_again(asked), Publish())
        case Restarted():
            return payment, () if doubt.evidence_lost else (AskTerminal(0.0),)
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


def _doubt(payment: Payment, cause: str, ask: AskTerminal) -> Outcome:
    return replace(
        payment, status=Status.IN_DOUBT, funds=Funds.UNKNOWN, stage=None, doubt=Doubt(cause)
    ), (ask, Publish())


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
        if payment.offer is not None and payment.request.method == "gift_card":
            actions = (StopOnTerminal(), *actions)  # its hold must not stay
    answer = Answer(event.outcome, event.by, event.approval_code, event.source, event.amount)
    if event.check:
        actions = (*actions, AskTerminal(0.0))
    return replace(
        resolved,
        resolved_by="operator",
        approved_by=event.by,
        answers=(*payment.answers, answer),
        answer_check=AnswerCheck.DUE if event.check else AnswerCheck.NONE,
    ), actions
