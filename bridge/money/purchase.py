"""Which payments cover which sale, and what is recorded in the back office. Pure.

A *purchase* is the record of one sale in the back office. It is made once, when the captured
payments of the sale reach its total. The back office detects no duplicates, so the rules are:

* `Sending` is on disk before the first byte of an attempt.
* An attempt without proof either way is `unconfirmed` and waits for a person. It is never sent
  again by itself.
* After a crash, `Restarted` turns a purchase that was being sent into `unconfirmed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from drivers.contract import Money


@dataclass(frozen=True, slots=True)
class SaleLine:
    """One line of a sale; amounts in minor units of the sale's currency."""

    line_number: int
    sku: str
    quantity: str  # decimal text, as the register wrote it
    unit_of_measure: str
    unit_price: str  # decimal text, may be finer than a cent; "" when it is the item amount
    item_amount_minor: int  # what the line costs, its own discount already taken off
    label: str = ""
    item_discount_minor: int = 0
    sale_discount_minor: int = 0  # the line's share of the sale's discount
    is_refund: bool = False


@dataclass(frozen=True, slots=True)
class OtherTender:
    """What a sale was paid with that the bridge does not see: cash, a voucher."""

    kind: Literal["cash", "voucher", "other"]
    minor: int


@dataclass(frozen=True, slots=True)
class OtherTenders:
    """All that a register stated of a sale's other tenders; a later statement replaces it."""

    tenders: tuple[OtherTender, ...] = ()
    rounding_minor: int = 0  # what cash rounding added to the total; below zero: took off

    @property
    def paid_minor(self) -> int:
        """What they paid together, in minor units."""
        return sum(one.minor for one in self.tenders)


@dataclass(frozen=True, slots=True)
class SaleDetails:
    """What a register states about the sale that is being paid."""

    total: Money
    lines: tuple[SaleLine, ...]
    tax_minor: int = 0  # contained in the lines, or on top of them; see `adds_up`
    item_discount_minor: int = 0
    sale_discount_minor: int = 0
    refund_minor: int = 0
    member_id: str = ""
    elsewhere: OtherTenders | None = None  # None: none were stated

    @property
    def to_pay(self) -> Money:
        """What the payments that the bridge sees must bring: the total, less other tenders."""
        if self.elsewhere is None:
            return self.total
        left = self.total.minor + self.elsewhere.rounding_minor - self.elsewhere.paid_minor
        return Money(max(left, 0), self.total.currency)

    @property
    def sub_total_minor(self) -> int:
        """Sum of the lines, refunds subtracted."""
        return sum(
            -line.item_amount_minor if line.is_refund else line.item_amount_minor
            for line in self.lines
        )

    @property
    def adds_up(self) -> bool:
        """True when the lines, less the discount, make the total; with tax in them or on top."""
        net = self.sub_total_minor - self.sale_discount_minor
        return self.total.minor in {net, net + self.tax_minor}


@dataclass(frozen=True, slots=True)
class CapturedPayment:
    """What a captured payment brings to its sale."""

    payment_id: str
    amount: Money
    tip_minor: int
    surcharge_minor: int  # what pays neither goods nor staff: surcharge, fee and cash-back
    label: str  # how it was paid, for the record: brand or method
    captured_at: str  # local wall-clock time, ISO 8601 without offset


# Whose date a booking carries: our clock's, or, where that cannot be right, the terminal's or the
# back office's; `doubtful_clock` where no other clock gave one.
DateSource = Literal["clock", "terminal", "server", "doubtful_clock"]


@dataclass(frozen=True, slots=True)
class PurchaseContent:
    """Everything the back office is told. Made once; every attempt sends exactly this."""

    transaction_id: str
    store_code: str
    purchased_on: str
    pay_amount: Money
    sale: SaleDetails
    tip_minor: int
    pay_method: str
    date_from: DateSource = "clock"  # a mark for people: whose date this is


class PurchaseState(Enum):
    """Where the record of one sale stands."""

    PENDING = "pending"
    SENDING = "sending"
    RECORDED = "recorded"
    UNCONFIRMED = "unconfirmed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Purchase:
    """The record of one sale, folded from its events."""

    content: PurchaseContent
    sale_key: str
    payment_ids: tuple[str, ...]
    state: PurchaseState = PurchaseState.PENDING
    attempts: int = 0
    record_id: str = ""
    error: str = ""
    answered_by: str = ""
    mended_by: str = ""  # who corrected it last; what it said before is in the journal


@dataclass(frozen=True, slots=True)
class PurchaseDue:
    """The captured payments cover the sale."""

    content: PurchaseContent
    sale_key: str
    payment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sending:
    """An attempt begins; on disk before its first byte."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Proof that the back office has it."""

    record_id: str


@dataclass(frozen=True, slots=True)
class NotApplied:
    """Proof that this attempt changed nothing; another may follow."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unproven:
    """The attempt ended without proof either way."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The back office said no for a reason that sending again does not cure."""

    code: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A person looked it up: it is there (`record_id`), or it is to be sent again."""

    by: str
    record_id: str = ""
    send_again: bool = False
    checked: Literal["", "found", "cannot_tell"] = ""  # what the back office says of `record_id`
    why: str = ""  # in the person's words; asked for where many are answered at once


@dataclass(frozen=True, slots=True)
class Mended:
    """A person corrected what was rejected; it is sent so, under the transaction id it has.

    The purchase as it was due stays in the journal before it. "" and None change nothing.
    """

    by: str
    why: str
    store_code: str = ""
    skus: tuple[tuple[int, str], ...] = ()  # line number and its article
    member_id: str | None = None  # "" records the sale without a member


@dataclass(frozen=True, slots=True)
class PurchaseRestarted:
    """The service died and lives again."""


PurchaseEvent = (
    PurchaseDue
    | Sending
    | Recorded
    | NotApplied
    | Unproven
    | Refused
    | Answered
    | Mended
    | PurchaseRestarted
)


class IllegalPurchaseEvent(AssertionError):
    """An event that this state cannot have: a bug, never an operating error."""


def open_purchase(event: PurchaseDue) -> Purchase:
    """Return the purchase that a covered sale owes to the books."""
    return Purchase(event.content, event.sale_key, event.payment_ids)


def advance_purchase(purchase: Purchase, event: PurchaseEvent) -> Purchase:
    """Return the purchase after `event`. Pure and total.

    Raises:
        IllegalPurchaseEvent: The state cannot have the event; nothing was changed.
    """
    state = PurchaseState
    match purchase.state, event:
        case state.PENDING, Sending():
            return replace(purchase, state=state.SENDING, attempts=purchase.attempts + 1, error="")
        case state.SENDING, NotApplied(reason):
            return replace(purchase, state=state.PENDING, error=reason)
        case state.SENDING, Unproven(reason):
            return replace(purchase, state=state.UNCONFIRMED, error=reason)
        case state.SENDING, PurchaseRestarted():
            return replace(purchase, state=state.UNCONFIRMED, error="the service was restarted")
        case state.SENDING, Refused(code, message, path):
            where = f" ({path})" if path else ""
            return replace(purchase, state=state.REJECTED, error=f"{code}: {message}{where}")
        case ((state.SENDING | state.UNCONFIRMED), Recorded(record_id)):
            # The back office's own word: no person's answer, and none that a person corrects.
            return replace(
                purchase, state=state.RECORDED, record_id=record_id, error="", answered_by=""
            )
        case ((state.UNCONFIRMED | state.REJECTED), Answered()):
            return _answered(purchase, event)
        case state.REJECTED, Mended():
            # Only what the server provably looked at and refused: another content for what may be
            # in the books would be a second purchase.
            content = mended(purchase.content, event)
            return replace(
                purchase, state=state.PENDING, content=content, mended_by=event.by, error=""
            )
        case (state.RECORDED, Answered()) if purchase.answered_by:  # a person corrects a person
            return _answered(purchase, event)
        case (
            (state.PENDING | state.RECORDED | state.UNCONFIRMED | state.REJECTED),
            PurchaseRestarted(),
        ):
            return purchase
        case _:
            raise IllegalPurchaseEvent(f"{purchase.state.value} cannot have {type(event).__name__}")


def _answered(purchase: Purchase, event: Answered) -> Purchase:
    if event.send_again:
        return replace(
            purchase, state=PurchaseState.PENDING, answered_by=event.by, record_id="", error=""
        )
    return replace(
        purchase,
        state=PurchaseState.RECORDED,
        record_id=event.record_id,
        answered_by=event.by,
        error="",
    )


def mended(content: PurchaseContent, event: Mended) -> PurchaseContent:
    """Return what is sent after a person corrected it; the transaction id stays."""
    skus = dict(event.skus)
    sale = content.sale
    lines = tuple(replace(one, sku=skus.get(one.line_number, one.sku)) for one in sale.lines)
    member_id = sale.member_id if event.member_id is None else event.member_id
    return replace(
        content,
        store_code=event.store_code or content.store_code,
        sale=replace(sale, lines=lines, member_id=member_id),
    )


def outstanding_minor(total: Money, payments: Sequence[CapturedPayment]) -> int:
    """Return what is still to be paid of `total`, in minor units; never negative.

    Tips and surcharges pay the staff and the scheme, not the sale.
    """
    return max(total.minor - paid_minor(payments), 0)


def paid_minor(payments: Sequence[CapturedPayment]) -> int:
    """Return what the payments bring to their sale, without tips and surcharges."""
    return sum(one.amount.minor - one.tip_minor - one.surcharge_minor for one in payments)


def settle_return(
    sale_key: str,
    payment_id: str,
    amount: Money,
    *,
    label: str,
    returned_at: str,
    store_code: str,
    summary_sku: str,
) -> PurchaseDue:
    """Return the purchase that records money given back: one refund line over the amount.

    The back office marks the line `isRefund` and states the sum as `refundAmount`; what was paid
    is zero. How it wants a return linked to its sale is not documented, so it is not.
    """
    line = SaleLine(
        1, summary_sku, "1", "EA", "", amount.minor, label="Card refund", is_refund=True
    )
    nothing = Money(0, amount.currency)
    details = SaleDetails(nothing, (line,), refund_minor=amount.minor)
    content = PurchaseContent(
        transaction_id=f"{store_code}-{payment_id}",
        store_code=store_code,
        purchased_on=returned_at,
        pay_amount=nothing,
        sale=details,
        tip_minor=0,
        pay_method=label,
    )
    return PurchaseDue(content, sale_key, (payment_id,))


def settle_tip(
    sale_key: str,
    payment_id: str,
    amount: Money,
    *,
    label: str,
    added_at: str,
    store_code: str,
    tip_sku: str,
) -> PurchaseDue:
    """Return the purchase that records a tip which was added after its sale was recorded."""
    content = PurchaseContent(
        transaction_id=f"{store_code}-{payment_id}",
        store_code=store_code,
        purchased_on=added_at,
        pay_amount=amount,
        sale=SaleDetails(amount, (_tip_line(1, tip_sku, amount.minor),)),
        tip_minor=amount.minor,
        pay_method=label,
    )
    return PurchaseDue(content, sale_key, (payment_id,))


def _tip_line(number: int, sku: str, minor: int) -> SaleLine:
    return SaleLine(number, sku, "1", "EA", "", minor, label="Tip")


def _with_tip(details: SaleDetails, tip_minor: int, sku: str) -> SaleDetails:
    """Return what was sold with the tip as a line of its own."""
    number = max((line.line_number for line in details.lines), default=0) + 1
    total = Money(details.total.minor + tip_minor, details.total.currency)
    lines = (*details.lines, _tip_line(number, sku, tip_minor))
    return replace(details, total=total, lines=lines)


def settle_correction(
    sale_key: str,
    payment_id: str,
    amount: Money,
    *,
    number: int,
    goes_back: bool,
    label: str,
    moment: str,
    store_code: str,
    summary_sku: str,
) -> PurchaseDue:
    """Return the purchase that makes right what the books were told of a payment, `number` times.

    It has a name of its own: the first record stays where it is.
    """
    words = {"store_code": store_code, "summary_sku": summary_sku, "label": label}
    if goes_back:
        due = settle_return(sale_key, payment_id, amount, returned_at=moment, **words)
    else:
        line = SaleLine(1, summary_sku, "1", "EA", "", amount.minor, label="Card payment")
        details = SaleDetails(amount, (line,))
        content = PurchaseContent("", store_code, moment, amount, details, 0, label)
        due = PurchaseDue(content, sale_key, (payment_id,))
    name = f"{store_code}-{payment_id}-c{number}"
    return replace(due, content=replace(due.content, transaction_id=name))


def settle(
    sale_key: str,
    details: SaleDetails | None,
    payments: Sequence[CapturedPayment],
    *,
    store_code: str,
    summary_sku: str,
    tip_sku: str = "",
) -> PurchaseDue | None:
    """Return the purchase that is due when `payments` cover the sale, else None.

    With `tip_sku` tips are booked: as a line of that article, and in what was paid. A sale without
    details is recorded as one line over what was paid, so that no captured payment stays out of the
    books because a register sent no lines.
    """
    assert payments, "a purchase needs a captured payment"
    first = payments[0]
    paid = paid_minor(payments)
    if details is None:
        total = Money(paid, first.amount.currency)
        line = SaleLine(1, summary_sku, "1", "EA", "", paid, label="Card payment")
        details = SaleDetails(total, (line,))
    elif outstanding_minor(details.to_pay, payments) > 0:
        return None
    labels = [one.label for one in payments]
    if details.elsewhere is not None:
        paid += details.elsewhere.paid_minor
        labels += [one.kind.upper() for one in details.elsewhere.tenders]
    tip_minor = sum(p.tip_minor for p in payments)
    if tip_sku and tip_minor:
        details = _with_tip(details, tip_minor, tip_sku)
        paid += tip_minor
    content = PurchaseContent(
        transaction_id=f"{store_code}-{first.payment_id}",
        store_code=store_code,
        purchased_on=payments[-1].captured_at,
        pay_amount=Money(paid, first.amount.currency),
        sale=details,
        tip_minor=tip_minor,
        pay_method="+".join(dict.fromkeys(labels)),
    )
    return PurchaseDue(content, sale_key, tuple(p.payment_id for p in payments))
