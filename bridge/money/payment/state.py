"""Where a payment stands: its status, its money, its place in the books. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from bridge.money.payment.request import TAKES, Method, PaymentRequest, PaymentType
from bridge.money.payment.signature import UNDECIDED, Signature
from bridge.money.purchase import OtherTenders, SaleDetails
from drivers.contract import ALREADY_REVERSED, Approval, Baseline, Money, Receipt, Stage


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
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    EXPIRED = "expired"
    RETURNED = "returned"
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


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is known about not knowing."""

    cause: str
    inquiries: int = 0
    measured_seconds: int = 0  # how old it is at least, measured over all runs of the service
    needs_operator: bool = False
    evidence_lost: bool = False  # another payment ran on the terminal: it can no longer tell
    seen: Approval | None = None  # in the terminal's memory: this payment, or somebody else's
    memory_asked: bool = False  # an earlier question for it may still be answered


@dataclass(frozen=True, slots=True)
class Denial:
    """Why no money moved: the code of the contract and the terminal's own words."""

    code: str
    text: str = ""
    terminal_code: str = ""
    cancel_reason: str = ""  # for `canceled` only
    batch_closed: bool = False  # the terminal shows that the original's batch is closed


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Evidence that contradicts what was already said. A person decides."""

    kind: str
    text: str
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class OperatorAnswer:
    """What a person said became of a payment, and where it was seen."""

    outcome: Literal["approved", "not_charged", "refund_if_found"]
    by: str
    approval_code: str = ""
    source: str = ""
    amount: Money | None = None
    why: str = ""  # in the person's words


BALANCE_UNCHANGED = "balance_unchanged"
"""Why a doubt about a gift card ended: no money had gone when its balance was read."""


class AnswerCheck(Enum):
    """What the terminal says of a person's answer, once it can be asked again."""

    NONE = ""  # nobody answered, or it could not tell when somebody did
    DUE = "due"
    AGREED = "agreed"
    CONTRADICTED = "contradicted"
    CANNOT_TELL = "cannot_tell"


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
    taken: bool | None = None  # whether the terminal took the command; None: not known
    handle: str = ""  # by which its conversation can be taken up again, the driver's own text
    concluding: Literal["", "capture", "release"] = ""  # how a gift card's hold is being ended
    approval: Approval | None = None
    denial: Denial | None = None
    cancel_asked: str = ""  # who wanted it stopped; "" for none
    doubt: Doubt | None = None
    resolved_by: str = ""  # "terminal" | "operator", once final
    approved_by: str = ""  # the person who resolved it
    answers: tuple[OperatorAnswer, ...] = ()  # what persons said became of it; the last one counts
    answer_check: AnswerCheck = AnswerCheck.NONE
    answer_checks: int = 0  # how often the terminal was asked about it and could not tell
    discrepancies: tuple[Discrepancy, ...] = ()
    decided_by: str = ""  # who dealt with the discrepancies, "" while nobody has
    receipts: tuple[Receipt, ...] = ()
    record_id: str = ""
    recording_error: str = ""
    acknowledged: bool = False
    refunded_minor: int = 0  # given back by approved refunds
    added_minor: int = 0  # added to a hold by increments
    raised: Approval | None = None  # the newest of them: the terminal now knows the hold by it
    used_minor: int = 0  # of a hold, by captures
    tip_minor: int = 0  # added afterwards
    attached: SaleDetails | None = None  # what was sold, told after the payment began
    tenders: OtherTenders | None = None  # stated after it began, for its whole sale
    lines_overdue: bool = False  # nobody waits for what was sold any more
    pruned: bool = False  # its receipts and personal data are gone
    hold_ended: bool = False  # what stood in the way of `owes_release` is done
    looked_again: bool = False  # what stood in the way of `owes_look` is done
    signature: Signature | None = None  # None: nobody is asked about one
    signature_by: str = ""  # who compared it, "" while nobody has

    @property
    def sale(self) -> SaleDetails | None:
        """What this payment knows of its sale, None without any statement."""
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
            and not self.owes_release
            and not self.owes_look
            and not self.awaits_signature
            and self.answer_check is not AnswerCheck.DUE
        )

    def made(self, fingerprint: str) -> bool:
        """Tell whether a terminal's transaction is this payment's, by all that was heard of it."""
        heard = (self.approval, self.offer, *(odd.approval for odd in self.discrepancies))
        known = {one.fingerprint for one in heard if one is not None}
        return fingerprint != "" and fingerprint in known

    @property
    def was_answered_as_paid(self) -> bool:
        """True when the last person who was asked said that it was approved."""
        return bool(self.answers) and self.answers[-1].outcome == "approved"

    @property
    def awaits_signature(self) -> bool:
        """True while the money was taken on a signature that may still be refused.

        What was given back meanwhile, whole, waits for nothing.
        """
        gone = {Funds.VOIDED, Funds.REFUNDED}
        return self.signature in UNDECIDED and self.funds not in gone

    @property
    def signature_is_asked(self) -> bool:
        """True while a cashier is still asked about the signature."""
        return self.signature is Signature.ASKED and self.awaits_signature

    @property
    def owes_release(self) -> bool:
        """True while a gift card's hold may stand that a person called not charged."""
        return (
            self.status is Status.FAILED
            and self.resolved_by == "operator"
            and self.request.method is Method.OFFICE_GIFT_CARD
            and self.offer is not None
            and not self.hold_ended
        )

    @property
    def owes_look(self) -> bool:
        """True while a gift card must be looked at again that only a balance called not charged."""
        return (
            self.status is Status.FAILED
            and self.request.method is Method.OFFICE_GIFT_CARD
            and self.denial is not None
            and self.denial.terminal_code == BALANCE_UNCHANGED
            and not self.looked_again
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
    def may_be_reversed(self) -> bool:
        """True while a person must say whether somebody took it back at the terminal."""
        called = any(odd.kind == ALREADY_REVERSED for odd in self.discrepancies)
        return called and not self.decided_by

    @property
    def captured(self) -> Money:
        """What this operation took from a card, tip included; zero when it took nothing."""
        if self.request.type in TAKES and self.approval is not None and self.funds in MOVED:
            return self.approval.amount
        return Money(0, self.request.amount.currency)

    @property
    def goods_minor(self) -> int:
        """What of the captured money pays for goods, whatever went back since.

        Tip, surcharge, fee and cash-back pay somebody or something else.
        """
        taken = self.captured.minor
        if self.approval is None or not taken:
            return 0
        parts = (self.approval.tip or self.request.tip, *self.approval.extras)
        return max(taken - sum(part.minor for part in parts if part is not None), 0)

    @property
    def tips_minor(self) -> int:
        """All tips in the captured money: the terminal's word, or the order's, and later ones."""
        if self.approval is None or not self.captured.minor:
            return 0
        told = self.approval.tip or self.request.tip
        return (told.minor if told is not None else 0) + self.tip_minor

    @property
    def taken_minor(self) -> int:
        """What was taken from the card, with the tips that were added afterwards."""
        return self.captured.minor + (self.tip_minor if self.captured.minor else 0)

    @property
    def captured_so_far(self) -> Money | None:
        """What was taken, of a hold what was captured of it; None while nothing can be said."""
        currency = self.request.amount.currency
        if self.request.type is PaymentType.PREAUTH:
            return Money(self.used_minor, currency) if self.is_final else None
        if self.request.type in TAKES and self.funds in MOVED:
            return Money(self.taken_minor, currency)
        return None

    @property
    def refundable_minor(self) -> int:
        """What approved refunds have left of what was taken, tips included."""
        if self.funds is Funds.VOIDED:
            return 0
        return self.taken_minor - self.refunded_minor

    @property
    def kept(self) -> tuple[int, int, int]:
        """What is left of goods, of tips, and of the other parts, in minor units.

        A refund gives back the goods first; what it leaves of a tip is the staff's.
        """
        left = max(self.refundable_minor, 0)
        tips = min(self.tips_minor, left)
        extras = self.approval.extras if self.approval is not None else ()
        others = min(sum(part.minor for part in extras), left - tips)
        return left - tips - others, tips, others

    @property
    def told_approval(self) -> Approval | None:
        """What a terminal is told of this payment when something follows it.

        A raised hold is known by its newest number, with all that was ever held.
        """
        if self.approval is None or self.raised is None:
            return self.approval
        total = self.approval.amount.minor + self.added_minor
        return replace(self.raised, amount=Money(total, self.approval.amount.currency))

    @property
    def held_minor(self) -> int:
        """What a hold still holds, with what raised it; zero for what only raised another one."""
        if self.request.type is not PaymentType.PREAUTH:
            return 0
        if self.funds is not Funds.HELD or self.approval is None:
            return 0
        return self.approval.amount.minor + self.added_minor - self.used_minor


def known_sale(payments: Iterable[Payment]) -> SaleDetails | None:
    """Return what the payments of one sale, in the order of acceptance, know of it together.

    Of other tenders the last statement counts; what was stated by itself is later than any start.
    """
    found = list(payments)
    details = next((one.sale for one in found if one.sale is not None), None)
    if details is None:
        return None
    sales = [one.sale for one in found if one.sale is not None]
    stated = [one.elsewhere for one in sales if one.elsewhere is not None]
    stated += [one.tenders for one in found if one.tenders is not None]
    return replace(details, elsewhere=stated[-1]) if stated else details
