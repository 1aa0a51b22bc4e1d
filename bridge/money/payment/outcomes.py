"""How a payment ends: with money, without, or with evidence that contradicts itself. Pure."""

from __future__ import annotations

from dataclasses import replace

from bridge.money.payment import (
    INFERRED,
    MAYBE_CHARGED,
    Action,
    AskTerminal,
    Denial,
    Discrepancy,
    Event,
    Funds,
    IllegalEvent,
    Outcome,
    Payment,
    PaymentType,
    Publish,
    Recording,
    Settle,
    Status,
    TellOriginal,
)
from bridge.money.payment.signature import Signature
from bridge.money.payment.signing import needs_signature
from bridge.money.wording import spoken
from drivers.contract import ALREADY_REVERSED, Approval, Canceled, Declined, Failed, Money

# When a gift card is looked at again whose balance said that nothing was taken: after the longest
# limits of servers and proxies (ten minutes), and before anybody has forgotten the shopper.
SECOND_LOOK_SECONDS = 900.0

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
    return believe(approved, approval)


def amount_discrepancies(payment: Payment, approval: Approval) -> tuple[Discrepancy, ...]:
    """Return what a person must know of an amount that is neither what was asked nor allowed.

    A larger amount is explained by the tip, surcharge, fee and cash-back that the answer names, but
    only in the conversation that took the money: a terminal's memory may show somebody else's. Tips
    have a limit.
    """
    request = payment.request
    taken, asked = approval.amount.minor, request.amount.minor
    if approval.amount.currency != request.amount.currency:
        return ()  # nothing can be compared; a discrepancy of its own says so
    if taken < asked:
        if request.accept_partial:
            return ()
        text = f"the terminal took {spoken(approval.amount)} of {spoken(request.amount)}"
        return (Discrepancy("less_than_asked", text, approval),)
    if taken == asked:
        return ()
    over = taken - asked
    if not _was_told_while_paying(payment, approval):
        text = f"{spoken(approval.amount)} were taken for {spoken(request.amount)}"
        return (Discrepancy("more_than_asked", text, approval),)
    tip_minor = _minor(approval.tip)
    tip_limit_minor = max(request.tip_limit_minor, _minor(request.tip))
    explained = (
        max(min(tip_minor, tip_limit_minor) - _minor(request.tip), 0)
        + _minor(approval.surcharge)
        + _minor(approval.fee)
        + _minor(approval.cash_back)
    )
    if over <= explained:
        return ()
    unexplained = Money(over - explained, approval.amount.currency)
    why = "tip above the limit" if tip_minor > tip_limit_minor else "not named by the terminal"
    text = f"{spoken(unexplained)} more than was asked: {why}"
    return (Discrepancy("more_than_asked", text, approval),)


def _was_told_while_paying(payment: Payment, approval: Approval) -> bool:
    """Tell whether an approval came in the payment's own conversation, or was offered there."""
    if payment.status is not Status.IN_DOUBT:
        return True
    offer = payment.offer
    return (
        offer is not None
        and offer.amount == approval.amount
        and offer.fingerprint == approval.fingerprint
    )


def _minor(part: Money | None) -> int:
    return part.minor if part is not None else 0


def believe(payment: Payment, approval: Approval) -> Outcome:
    """Money moved: say where it is, and who must be told."""
    funds, recording = OUTCOME_OF[payment.request.type]
    actions: tuple[Action, ...] = (Publish(),)
    if recording is Recording.PENDING and payment.signature is None:
        actions = (Settle(), *actions)
    if payment.request.original_payment_id:
        actions = (TellOriginal(), *actions)
    return replace(payment, funds=funds, recording=recording, approval=approval), actions


def believe_no(payment: Payment, event: Declined | Canceled | Failed) -> Outcome:
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
