"""What became of a payment, as one word for people. Pure."""

from __future__ import annotations

from enum import Enum

from bridge.money import payment as p
from bridge.money.payment import INFERRED


class Outcome(Enum):
    """What became of a payment; each has a wording in every language of the console."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    CHECKING = "checking"  # in doubt, and it may end by itself
    DOUBT = "doubt"  # in doubt, and a person is asked
    PAID = "paid"
    PAID_IN_PART = "paid_in_part"
    UNSIGNED = "unsigned"  # paid, and nobody has compared the signature yet
    HELD = "held"
    HOLD_USED = "hold_used"
    RAISED = "raised"
    REFUNDED = "refunded"  # this payment gave money back
    UNDONE = "undone"  # this payment undid another one
    VOIDED = "voided"  # this payment was undone
    GIVEN_BACK = "given_back"  # this payment was refunded whole
    TIPPED = "tipped"
    LOADED = "loaded"
    UNLOADED = "unloaded"
    DECLINED = "declined"
    CANCELED = "canceled"
    FAILED = "failed"
    NOT_AFTER_ALL = "not_after_all"  # approved, and a person took that back
    CHARGED_AFTER_ALL = "charged_after_all"  # ended without money, and a person found it
    CONTRADICTION = "contradiction"


_RUNNING = {
    p.Status.QUEUED: Outcome.QUEUED,
    p.Status.IN_PROGRESS: Outcome.RUNNING,
    p.Status.CANCELING: Outcome.CANCELING,
}
_WITHOUT_MONEY = {
    p.Status.DECLINED: Outcome.DECLINED,
    p.Status.CANCELED: Outcome.CANCELED,
    p.Status.FAILED: Outcome.FAILED,
}
_DONE = {
    p.PaymentType.INCREMENT: Outcome.RAISED,
    p.PaymentType.REFUND: Outcome.REFUNDED,
    p.PaymentType.VOID: Outcome.UNDONE,
    p.PaymentType.TIP_ADJUST: Outcome.TIPPED,
    p.PaymentType.LOAD: Outcome.LOADED,
    p.PaymentType.UNLOAD: Outcome.UNLOADED,
}


def is_contradicted(payment: p.Payment) -> bool:
    """Tell whether a person must still look at evidence against what was said."""
    if not payment.is_final or payment.decided_by:
        return False
    if payment.status is p.Status.APPROVED:
        return any(odd.kind != INFERRED for odd in payment.discrepancies)
    return bool(payment.discrepancies)


def outcome_of(payment: p.Payment) -> Outcome:
    """Return what became of a payment, as far as it is known."""
    if payment.status in _RUNNING:
        return _RUNNING[payment.status]
    if payment.status is p.Status.IN_DOUBT:
        asked = payment.doubt is not None and payment.doubt.needs_operator
        return Outcome.DOUBT if asked else Outcome.CHECKING
    if is_contradicted(payment):
        return Outcome.CONTRADICTION
    if payment.status in _WITHOUT_MONEY:
        if payment.funds is not p.Funds.NONE:
            return Outcome.CHARGED_AFTER_ALL
        return _WITHOUT_MONEY[payment.status]
    return _approved(payment)


def _approved(payment: p.Payment) -> Outcome:
    kind, approval = payment.request.type, payment.approval
    if payment.funds is p.Funds.NONE:
        return Outcome.NOT_AFTER_ALL
    if kind in _DONE:
        return _DONE[kind]
    if payment.funds is p.Funds.VOIDED:
        return Outcome.VOIDED
    if payment.funds is p.Funds.REFUNDED:
        return Outcome.GIVEN_BACK
    if payment.awaits_signature:
        return Outcome.UNSIGNED
    if kind is p.PaymentType.PREAUTH:
        return Outcome.HELD if payment.held_minor else Outcome.HOLD_USED
    asked = payment.request.amount.minor
    in_part = kind is p.PaymentType.SALE and approval is not None and approval.amount.minor < asked
    return Outcome.PAID_IN_PART if in_part else Outcome.PAID
