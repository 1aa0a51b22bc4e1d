"""What can happen to a payment; the terminal's own events are in `drivers/contract.py`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.money.payment.request import PaymentRequest, PaymentType
from bridge.money.payment.signature import ReversalFailed, SignatureJudged
from bridge.money.payment.state import OperatorAnswer, Payment, Recording
from bridge.money.purchase import OtherTenders, SaleDetails
from drivers.contract import (
    Approval,
    Baseline,
    Money,
    MoneyEvidence,
    Offered,
    Progress,
    Receipt,
    StillRunning,
    Taken,
    Unclear,
)


@dataclass(frozen=True, slots=True)
class Requested:
    """A register's command was accepted."""

    request: PaymentRequest


@dataclass(frozen=True, slots=True)
class Started:
    """The send marker: the first byte may leave once this is on disk."""

    baseline: Baseline | None


@dataclass(frozen=True, slots=True)
class Concluding:
    """A gift card's hold is about to be ended in this way; on disk before it is asked for.

    Another way is taken only with proof that the first one was refused.
    """

    how: Literal["capture", "release"]


@dataclass(frozen=True, slots=True)
class NotReached:
    """The terminal could not be talked to, and nothing was sent this time."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody wants it stopped: cashier, timeout, register_lost, operator, shutdown."""

    reason: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The service died and lives again; whatever was live is gone."""


@dataclass(frozen=True, slots=True)
class DoubtAged:
    """The doubt is old enough for a person to look."""


@dataclass(frozen=True, slots=True)
class DoubtMeasured:
    """The doubt is that old at least, whatever became of clocks and of the service meanwhile."""

    seconds: int


@dataclass(frozen=True, slots=True)
class EvidenceLost:
    """Another payment was started on the terminal: its last transaction proves nothing any more."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person answered the doubt, with evidence."""

    outcome: Literal["approved", "not_charged", "refund_if_found"]
    by: str
    approval_code: str = ""
    source: str = ""
    amount: Money | None = None  # what the slip says was taken; None: what was asked or offered
    check: bool = False  # the terminal can still tell, and is asked once it is back
    why: str = ""  # in the person's words


@dataclass(frozen=True, slots=True)
class Corrected:
    """A person says that what a person had answered is wrong; both answers are kept."""

    answer: OperatorAnswer


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """The hold of a payment that a person called not charged was released, or cannot be."""

    code: str = ""  # why it cannot be released; "" once it is


@dataclass(frozen=True, slots=True)
class LookedAgain:
    """A gift card whose unchanged balance had ended a doubt was looked at once more, much later.

    Attributes:
        found: `as_before`; `taken`: lower by exactly the amount; `moved`: by another one.
        text: For the person who must look it up; "" when nothing was found.
        approval: What was taken, as far as the balance shows it.
    """

    found: Literal["as_before", "taken", "moved"]
    text: str = ""
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class RecordingChanged:
    """The purchase that this payment belongs to moved on."""

    recording: Recording
    record_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The register has seen the final document."""

    rev: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A person decided about a discrepancy: book the money, or note that it was dealt with."""

    decision: Literal["book", "noted"]
    by: str
    why: str = ""  # in the person's words


@dataclass(frozen=True, slots=True)
class LinesAttached:
    """The register told what was sold, later than it began to take money for it."""

    sale: SaleDetails


@dataclass(frozen=True, slots=True)
class TendersStated:
    """The register told what else paid the sale; this replaces what it told before."""

    tenders: OtherTenders


@dataclass(frozen=True, slots=True)
class LinesOverdue:
    """The books have waited long enough: what was captured is recorded as it is."""


@dataclass(frozen=True, slots=True)
class FollowedUp:
    """An approved follow-up changed where this payment's money is; stored with its approval."""

    type: PaymentType
    payment_id: str
    amount: Money
    is_last: bool = True
    approval: Approval | None = None  # of an increment: the terminal now knows the hold by it


@dataclass(frozen=True, slots=True)
class FollowUpUndone:
    """A follow-up that a person had called approved never happened; stored with the correction."""

    type: PaymentType
    payment_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class FoundReversed:
    """A follow-up was refused because somebody took this payment back before; stored with that."""

    payment_id: str  # of the follow-up


@dataclass(frozen=True, slots=True)
class Pruned:
    """All that is left of an old payment: it stands for everything that happened to it.

    No event of a payment's life, but where it begins for a reader that comes later.
    """

    payment: Payment
    rev: int
    created_at: str  # ISO 8601 UTC
    ended_at: str
    ended_seq: int


Event = (
    Requested
    | Started
    | Concluding
    | NotReached
    | CancelAsked
    | Restarted
    | DoubtAged
    | DoubtMeasured
    | EvidenceLost
    | Resolved
    | Corrected
    | HoldEnded
    | LookedAgain
    | RecordingChanged
    | Acknowledged
    | Decided
    | FollowedUp
    | FollowUpUndone
    | FoundReversed
    | LinesAttached
    | LinesOverdue
    | TendersStated
    | SignatureJudged
    | ReversalFailed
    | Progress
    | Receipt
    | Taken
    | Offered
    | MoneyEvidence
    | Unclear
    | StillRunning
)
