"""The rules about signatures. Pure.

* An approved card payment that a signature verifies is a question to the clerk. Until it is
  answered the money counts as taken, so that nobody pays twice, but the books do not hear of it.
* The first answer counts. "Yes", or nobody in time, and the payment is like any other.
* "No" asks for a void, a payment of its own. Approved, it takes this one out of everything; if no
  void comes through, the money is in the books like any other and a person must give it back.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.money.payment import (
    Action,
    IllegalEvent,
    Outcome,
    Payment,
    PaymentType,
    Publish,
    Recording,
    Settle,
)
from bridge.money.payment.signature import ReversalFailed, Signature, SignatureJudged
from drivers.contract import Approval

# A card is presented, and a void can undo it. A refund that the shopper signs takes nothing.
SIGNED_TYPES = frozenset({PaymentType.SALE, PaymentType.PREAUTH})


def needs_signature(payment: Payment, approval: Approval) -> bool:
    """Say whether somebody must compare a signature now that `payment` is approved."""
    request = payment.request
    if request.type not in SIGNED_TYPES or request.method != "card":
        return False
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
            return _stands(replace(payment, signature=found, signature_by=by))
        case ReversalFailed(), Signature.REFUSED if payment.awaits_signature:
            return _stands(replace(payment, signature=Signature.NOT_REVERSED))
        case _:
            return payment, ()


def _stands(payment: Payment) -> Outcome:
    pending = payment.recording is Recording.PENDING
    books: tuple[Action, ...] = (Settle(),) if pending else ()
    return payment, (*books, Publish())
