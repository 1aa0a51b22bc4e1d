"""A signature that somebody must compare: what is known of it, and what happens to it. Values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Signature(Enum):
    """Where the question "is this the shopper's signature?" stands."""

    ASKED = "asked"  # nobody has answered yet
    ACCEPTED = "accepted"  # a cashier said yes
    UNANSWERED = "unanswered"  # nobody said anything in time, and the payment stands
    REFUSED = "refused"  # the payment is to be reversed, and may be already
    NOT_REVERSED = "not_reversed"  # it was refused, and the money could not be given back so


UNDECIDED = frozenset({Signature.ASKED, Signature.REFUSED})


@dataclass(frozen=True, slots=True)
class SignatureJudged:
    """Somebody compared the signature, or nobody did in time (`by` is "")."""

    accepted: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class ReversalFailed:
    """A refused payment cannot be voided: its money stays taken until a person gives it back."""

    code: str  # of the published contract
