"""The table of a payment: what every event means in every state. Pure; every rule is in this file.

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
    INFERRED,
    MAYBE_CHARGED,
    Acknowledged,
    Action,
    AskTerminal,
    CancelAsked,
    Concluding,
    Decided,
    Denial,
    Discrepancy,
    Doubt,
    DoubtAged,
    Event,
    EvidenceLost,
    FollowedUp,
    Funds,
    IllegalEvent,
    LinesAttached,
    LinesOverdue,
    NotReached,
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
)
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

# Where an approval leaves the money, and whether the books must hear of it.
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
            return _record(payment, event)
        case Decided():
            return _decide(payment, event)
        case FollowedUp():
            return _follow(payment, event)
        case LinesAttached(sale):
            if payment.sale is not None:
                raise _illegal(payment, event)
            settle = (Settle(),) if payment.recording is Recording.PENDING else ()
            return replace(payment, attached=sale), (*settle, Publish())
        case LinesOverdue():
            if payment.recording is not Recording.PENDING:
                raise _illegal(payment, event)
            return replace(payment, lines_overdue=True), (Settle(), Publish())
        case Requested():
            raise IllegalEvent(f"{payment.status.value} cannot be requested again")
        case _ if payment.is_final:
            return _after_the_end(payment, event)
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
            return _deny(payment, Status.FAILED, Denial(code, text))
        case CancelAsked(reason):
            denial = Denial(CANCEL_CODES.get(reason, f"canceled_{reason}"), cancel_reason=reason)
            return _deny(payment, Status.CANCELED, denial)
        case Restarted():
            return _deny(payment, Status.FAILED, Denial("bridge_restarted", "nothing was sent"))
        case Approved(approval):
            # Nobody asked for it, but money moved: keep it, and let a person look.
            odd = Discrepancy("approved_without_start", "money moved before it was sent", approval)
            return _approve(replace(payment, discrepancies=(odd,)), approval)
        case DoubtAged() | EvidenceLost():
            return payment, ()
        case _:
            raise _illegal(payment, event)


def _while_running(payment: Payment, event: Event) -> Outcome:
    match event:
        case Progress(stage):
            if stage is payment.stage:
                return payment, ()
            return replace(payment, stage=stage), (Publish(),)
        case Offered(approval):
            return replace(payment, offer=approval, stage=Stage.FINISHING), (Publish(),)
        case Concluding(how):
            return replace(payment, concluding=how), ()
        case Approved(approval):
            return _approve(payment, approval)
        case Declined() | Canceled() | Failed():
            return _believe_no(payment, event)
        case Unclear(reason):
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
        case CancelAsked() | StillRunning() | DoubtAged() | EvidenceLost():
            return payment, ()
        case _:
            raise _illegal(payment, event)


def _while_in_doubt(payment: Payment, event: Event) -> Outcome:
    doubt = payment.doubt
    assert doubt is not None, "in_doubt always says why"
    match event:
        case Offered(approval):
            return replace(payment, offer=approval), ()
        case Concluding(how):
            return replace(payment, concluding=how), ()
        case Approved(approval):
            return _approve(payment, approval)
        case Declined() | Canceled() | Failed():
            return _believe_no(payment, event)
        case Unclear() | StillRunning() | NotReached():
            asked = replace(doubt, inquiries=doubt.inquiries + 1)
            return replace(payment, doubt=asked), (*_ask_again(asked), Publish())
        case Restarted():
            return payment, () if doubt.evidence_lost else (AskTerminal(0.0),)
        case DoubtAged() if not doubt.needs_operator:
            return replace(payment, doubt=replace(doubt, needs_operator=True)), (Publish(),)
        case EvidenceLost() if not doubt.evidence_lost:
            lost = replace(doubt, needs_operator=True, evidence_lost=True)
            return replace(payment, doubt=lost), (Publish(),)
        case Resolved():
            return _resolve(payment, event)
        case CancelAsked() | Progress() | DoubtAged() | EvidenceLost():
            return payment, ()
        case _:
            raise _illegal(payment, event)


def _after_the_end(payment: Payment, event: Event) -> Outcome:
    match event:
        case Approved(approval):
            return _late_approval(payment, approval)
        case Declined() | Canceled() | Failed() if payment.status is Status.APPROVED:
            odd = Discrepancy("denied_after_approved", f"{type(event).__name__.lower()} came later")
            return _disagree(payment, odd)
        case Resolved(outcome, by):
            said_paid = outcome == "approved"
            if said_paid is (payment.status is Status.APPROVED):
                return payment, ()
            odd = Discrepancy("operator_contradicts", f"{by} said {outcome}")
            return _disagree(payment, odd)
        case Acknowledged() if not payment.acknowledged:
            return replace(payment, acknowledged=True), (Publish(),)
        case Started() | Concluding() | Offered():
            # Refusing an offer makes the terminal take it back: the safe answer to a bug.
            raise _illegal(payment, event)
        case _:
            return payment, ()


def _approve(payment: Payment, approval: Approval) -> Outcome:
    request = payment.request
    odd: tuple[Discrepancy, ...] = ()
    if approval.amount.minor > request.amount.minor and approval.tip is None:
        odd = (Discrepancy("more_than_asked", "the terminal took more than was asked", approval),)
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
    )
    return _believe(approved, approval)


def _believe(payment: Payment, approval: Approval) -> Outcome:
    """Money moved: say where it is, and who must be told."""
    funds, recording = OUTCOME_OF[payment.request.type]
    actions: tuple[Action, ...] = (Publish(),)
    if recording is Recording.PENDING:
        actions = (Settle(), *actions)
    if payment.request.original_payment_id:
        actions = (TellOriginal(), *actions)
    return replace(payment, funds=funds, recording=recording, approval=approval), actions


def _follow(payment: Payment, event: FollowedUp) -> Outcome:
    """A follow-up was approved: say where the money is now."""
    if not payment.is_final or payment.approval is None:
        raise _illegal(payment, event)
    minor = event.amount.minor
    match event.type:
        case PaymentType.REFUND:
            refunded = payment.refunded_minor + minor
            whole = refunded >= payment.captured.minor
            funds = Funds.REFUNDED if whole else Funds.PARTIALLY_REFUNDED
            after = replace(payment, refunded_minor=refunded, funds=funds)
        case PaymentType.VOID | PaymentType.UNLOAD:
            after = replace(payment, funds=Funds.VOIDED)
        case PaymentType.INCREMENT:
            after = replace(payment, added_minor=payment.added_minor + minor)
        case PaymentType.CAPTURE:
            funds = Funds.CAPTURED if event.is_last else payment.funds
            after = replace(payment, used_minor=payment.used_minor + minor, funds=funds)
        case PaymentType.TIP_ADJUST:
            after = replace(payment, tip_minor=payment.tip_minor + minor)
        case PaymentType.SALE | PaymentType.PREAUTH | PaymentType.LOAD:
            raise _illegal(payment, event)
    return after, (Publish(),)


def _believe_no(payment: Payment, event: Declined | Canceled | Failed) -> Outcome:
    match event:
        case Declined(code, text, reason):
            return _deny(payment, Status.DECLINED, Denial(reason, text, terminal_code=code))
        case Canceled(by, code, text):
            reason = payment.cancel_asked if by == "cashier" and payment.cancel_asked else by
            name = f"canceled_by_{reason}" if reason in {"cashier", "cardholder"} else ""
            denial = Denial(name or f"canceled_{reason}", text, code, cancel_reason=reason)
            return _deny(payment, Status.CANCELED, denial)
        case Failed(code, text, reason):
            return _deny(payment, Status.FAILED, Denial(reason, text, terminal_code=code))


def _deny(payment: Payment, status: Status, denial: Denial) -> Outcome:
    return replace(
        payment,
        status=status,
        funds=Funds.NONE,
        denial=denial,
        stage=None,
        doubt=None,
        resolved_by="terminal" if payment.status in MAYBE_CHARGED else "bridge",
    ), (Publish(),)


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


def _resolve(payment: Payment, event: Resolved) -> Outcome:
    if event.outcome == "approved":
        known = payment.offer or Approval(payment.request.amount, fingerprint="")
        approval = replace(known, approval_code=event.approval_code or known.approval_code)
        resolved, actions = _approve(payment, approval)
    else:
        denial = Denial("not_charged", f"answered by {event.by}: {event.outcome}")
        resolved, actions = _deny(payment, Status.FAILED, denial)
        if payment.offer is not None and payment.request.method == "gift_card":
            actions = (StopOnTerminal(), *actions)  # its hold must not stay
    return replace(resolved, resolved_by="operator", approved_by=event.by), actions


def _late_approval(payment: Payment, approval: Approval) -> Outcome:
    known = payment.approval
    if payment.status is not Status.APPROVED:
        odd = Discrepancy(f"approved_after_{payment.status.value}", "money moved", approval)
        return _disagree(payment, odd)
    assert known is not None, "approved always says what was approved"
    if known.fingerprint == approval.fingerprint:
        return payment, ()
    if not known.fingerprint and known.amount == approval.amount:
        # A person said approved; now the terminal's own evidence is here and agrees.
        return replace(payment, approval=approval), (Publish(),)
    return _disagree(payment, Discrepancy("second_approval", "money moved again", approval))


def _disagree(payment: Payment, odd: Discrepancy) -> Outcome:
    if odd in payment.discrepancies:
        return payment, ()
    return replace(payment, discrepancies=(*payment.discrepancies, odd), decided_by=""), (
        Publish(),
    )


def _record(payment: Payment, event: RecordingChanged) -> Outcome:
    if payment.recording is Recording.NOT_REQUIRED:
        raise _illegal(payment, event)
    return replace(
        payment,
        recording=event.recording,
        record_id=event.record_id or payment.record_id,
        recording_error=event.error,
    ), (Publish(),)


def _decide(payment: Payment, event: Decided) -> Outcome:
    """A person dealt with the discrepancies; money that only they show can go to the books."""
    if not payment.is_final or not payment.discrepancies or payment.decided_by:
        return payment, ()
    decided = replace(payment, decided_by=event.by)
    evidence = next((odd.approval for odd in payment.discrepancies if odd.approval), None)
    if event.decision == "noted" or payment.status is Status.APPROVED or evidence is None:
        return decided, (Publish(),)
    return _believe(decided, evidence)


def _illegal(payment: Payment, event: Event) -> IllegalEvent:
    return IllegalEvent(f"{payment.status.value} cannot have {type(event).__name__}")
