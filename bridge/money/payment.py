"""One payment: what is asked, what happens to it, what is known of it. Values only, no rules.

The rules stand in `table.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from pydantic import JsonValue

from bridge.money.sale import SaleDetails
from drivers.contract import (
    Approval,
    Baseline,
    Money,
    MoneyEvidence,
    Offered,
    Progress,
    Receipt,
    Stage,
    StillRunning,
    Unclear,
)


class Status(Enum):
    """Did this operation work? The eight answers of the contract."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    CANCELING = "canceling"
    IN_DOUBT = "in_doubt"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELED = "canceled"
    FAILED = "failed"


FINAL = frozenset({Status.APPROVED, Status.DECLINED, Status.CANCELED, Status.FAILED})
MAYBE_CHARGED = frozenset({Status.IN_PROGRESS, Status.CANCELING, Status.IN_DOUBT})


class Funds(Enum):
    """Where is the money now?"""

    NONE = "none"
    HELD = "held"
    CAPTURED = "captured"
    RETURNED = "returned"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    LOADED = "loaded"  # on the gift card that was filled
    UNLOADED = "unloaded"  # off the gift card again


# Money went from the shopper to the store, whatever became of it later.
MOVED = frozenset({Funds.CAPTURED, Funds.PARTIALLY_REFUNDED, Funds.REFUNDED, Funds.VOIDED})


class Recording(Enum):
    """Is it in the books?"""

    NOT_REQUIRED = "not_required"
    PENDING = "pending"
    RECORDED = "recorded"
    UNCONFIRMED = "unconfirmed"
    REJECTED = "rejected"


class PaymentType(Enum):
    """What the register asked for."""

    SALE = "sale"
    PREAUTH = "preauth"
    INCREMENT = "increment"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    TIP_ADJUST = "tip_adjust"
    LOAD = "load"  # fills a gift card, once its sale is paid
    UNLOAD = "unload"  # takes value off a gift card that nobody pays with; undoes a load


TAKES = frozenset({PaymentType.SALE, PaymentType.CAPTURE})  # brings money to a sale
GIVES = frozenset({PaymentType.REFUND, PaymentType.VOID})  # takes money back out of the books
GIFT_CARDS = "gift-cards"  # stands where the name of a terminal does; no terminal may have it
INFERRED = "inferred"  # in `Approval.extra`: why it is believed, where no answer said so
STARTS = frozenset({PaymentType.SALE, PaymentType.PREAUTH, PaymentType.LOAD})
FOLLOW_UPS = frozenset(PaymentType) - STARTS


@dataclass(frozen=True, slots=True)
class GiftCardCode:
    """Which gift card: its kind of code and the code, a secret of the shopper.

    The journal keeps the code, because only the card's balance can tell what became of an attempt
    whose answer was lost. A PIN is never kept.
    """

    kind: Literal["PHYSICAL", "PERSONAL", "EXTERNAL"]
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlanLeg:
    """One payment of a plan: a hold on a gift card, or what the card pays."""

    payment_id: str
    method: Literal["card", "gift_card"]
    amount: Money


@dataclass(frozen=True, slots=True)
class Plan:
    """Several payments that are one: gift cards are held, the card pays, then they are captured.

    It stands in the request of each of them, so that any one tells what the others are.
    """

    plan_id: str
    legs: tuple[PlanLeg, ...]  # in the order in which they begin; a card is the last

    @property
    def total(self) -> Money:
        """What all legs together bring."""
        return Money(sum(leg.amount.minor for leg in self.legs), self.legs[0].amount.currency)


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a register asked for, as it was accepted. Never changes."""

    payment_id: str
    register_id: str
    terminal_id: str
    type: PaymentType
    amount: Money
    content_hash: str  # equal for two requests with the same meaning
    sale_id: str = ""
    tip: Money | None = None
    accept_partial: bool = False
    sale: SaleDetails | None = None
    lines_later: bool = False  # the register will tell what was sold after the payment
    deadline_seconds: int = 120
    operator_id: str = ""
    shift_number: str = ""
    totals_group_id: str = ""
    language: str = ""
    possible_duplicate: bool = False
    approved_by: str = ""
    cancel_when_register_lost: bool = True  # while no card was presented
    original_payment_id: str = ""  # follow-ups only; "" for a refund without one
    original: Approval | None = None  # what the terminal must be told of it
    original_sale_key: str = ""
    is_last: bool = True  # a capture that releases the rest of the hold
    reason: str = ""
    gift_card: GiftCardCode | None = None
    activates: bool = False  # a load that may make the gift card first
    plan: Plan | None = None  # for its legs, and for what ends their holds
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def method(self) -> Literal["card", "gift_card"]:
        """What is paid with; a gift card's work waits in its own queue."""
        return "gift_card" if self.terminal_id == GIFT_CARDS else "card"

    @property
    def sale_key(self) -> str:
        """What groups the payments of one sale: register and sale, or the payment alone.

        A follow-up belongs to the sale of its original.
        """
        if self.original_sale_key:
            return self.original_sale_key
        return f"{self.register_id}/{self.sale_id}" if self.sale_id else self.payment_id


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is known about not knowing."""

    cause: str
    inquiries: int = 0
    needs_operator: bool = False
    evidence_lost: bool = False  # another payment ran on the terminal: it can no longer tell


@dataclass(frozen=True, slots=True)
class Denial:
    """Why no money moved: the code of the contract and the terminal's own words."""

    code: str
    text: str = ""
    terminal_code: str = ""
    cancel_reason: str = ""  # for `canceled` only


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Evidence that contradicts what was already said. A person decides."""

    kind: str
    text: str
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, folded from its events."""

    request: PaymentRequest
    status: Status = Status.QUEUED
    funds: Funds = Funds.NONE
    recording: Recording = Recording.NOT_REQUIRED
    stage: Stage | None = None
    baseline: Baseline | None = None
    offer: Approval | None = None
    concluding: Literal["", "capture", "release"] = ""  # how a gift card's hold is being ended
    approval: Approval | None = None
    denial: Denial | None = None
    cancel_asked: str = ""  # who wanted it stopped; "" nobody
    doubt: Doubt | None = None
    resolved_by: str = ""  # "terminal" | "operator", once final
    approved_by: str = ""  # the person who resolved it
    discrepancies: tuple[Discrepancy, ...] = ()
    decided_by: str = ""  # who dealt with the discrepancies, "" while nobody has
    receipts: tuple[Receipt, ...] = ()
    record_id: str = ""
    recording_error: str = ""
    acknowledged: bool = False
    refunded_minor: int = 0  # given back by approved refunds
    added_minor: int = 0  # added to a hold by increments
    used_minor: int = 0  # of a hold, by captures
    tip_minor: int = 0  # added afterwards
    attached: SaleDetails | None = None  # what was sold, told after the payment began
    lines_overdue: bool = False  # nobody waits for what was sold any more

    @property
    def sale(self) -> SaleDetails | None:
        """What this payment knows of its sale, None when it was told nothing."""
        return self.request.sale or self.attached

    @property
    def is_final(self) -> bool:
        """True when the status never changes again."""
        return self.status in FINAL

    @property
    def is_for_goods(self) -> bool:
        """True for what takes or holds money for a sale, and not for what gives it back."""
        return self.request.type in TAKES or self.request.type is PaymentType.PREAUTH

    @property
    def is_settled(self) -> bool:
        """True when nothing is left to do for anybody: final, in the books, no open question."""
        return (
            self.is_final
            and self.recording in {Recording.NOT_REQUIRED, Recording.RECORDED}
            and (not self.discrepancies or self.decided_by != "")
            and not (self.request.plan is not None and self.funds is Funds.HELD)
        )

    @property
    def may_have_moved(self) -> bool:
        """True while a person must say whether money moved that the status says did not."""
        return (
            self.is_final
            and self.status is not Status.APPROVED
            and not self.decided_by
            and any(odd.approval is not None for odd in self.discrepancies)
        )

    @property
    def captured(self) -> Money:
        """What this operation took from a card, tip included; zero when it took nothing."""
        if self.request.type in TAKES and self.approval is not None and self.funds in MOVED:
            return self.approval.amount
        return Money(0, self.request.amount.currency)

    @property
    def refundable_minor(self) -> int:
        """What approved refunds have left of what was taken."""
        if self.funds is Funds.VOIDED:
            return 0
        return self.captured.minor - self.refunded_minor

    @property
    def held_minor(self) -> int:
        """What a hold still holds, with what raised it; zero for what only raised another one."""
        if self.request.type is not PaymentType.PREAUTH:
            return 0
        if self.funds is not Funds.HELD or self.approval is None:
            return 0
        return self.approval.amount.minor + self.added_minor - self.used_minor


# --- events that are not the terminal's


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
class EvidenceLost:
    """Another payment was started on the terminal: its last transaction no longer tells."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person answered the doubt, with evidence."""

    outcome: Literal["approved", "not_charged", "refund_if_found"]
    by: str
    approval_code: str = ""
    source: str = ""


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


@dataclass(frozen=True, slots=True)
class LinesAttached:
    """The register told what was sold, later than it began to take money for it."""

    sale: SaleDetails


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


Event = (
    Requested
    | Started
    | Concluding
    | NotReached
    | CancelAsked
    | Restarted
    | DoubtAged
    | EvidenceLost
    | Resolved
    | RecordingChanged
    | Acknowledged
    | Decided
    | FollowedUp
    | LinesAttached
    | LinesOverdue
    | Progress
    | Receipt
    | Offered
    | MoneyEvidence
    | Unclear
    | StillRunning
)


# --- actions


@dataclass(frozen=True, slots=True)
class StartOnTerminal:
    """Live: hold the conversation that takes the money. Once."""


@dataclass(frozen=True, slots=True)
class AskTerminal:
    """Live: find out what became of it."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class StopOnTerminal:
    """Live: ask the running conversation to stop."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Durable: the register's document changed."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Durable: money was captured; see whether its sale is covered and must be recorded."""


@dataclass(frozen=True, slots=True)
class TellOriginal:
    """Durable: the payment that this one follows up must know; done in the same commit."""


LiveAction = StartOnTerminal | AskTerminal | StopOnTerminal
DurableAction = Publish | Settle | TellOriginal
Action = LiveAction | DurableAction
Outcome = tuple[Payment, tuple[Action, ...]]


class IllegalEvent(AssertionError):
    """An event that this state cannot have: a bug, never an operating error."""
