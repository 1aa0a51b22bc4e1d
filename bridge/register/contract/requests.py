"""Commands from a register: their models, and the one door by which their bytes come in. Pure.

`decode_request` turns a payload into a frozen model or refuses it with a `RequestError` that
names the code, the field by its dotted path, and what to write instead.

One deviation from CONTRACT section 2 ("unknown fields are ignored"): in commands that decide
about money (`payment/start`, `payment/resolve`) an unknown field is refused with
`invalid_request`, its path and the name it probably meant. A mistyped `tip_amuont` that is
ignored is lost money; a refused one is seen on the first day of the integration. `metadata` takes
anything, fields named `x_…` are skipped everywhere, the goods of a sale and all other commands
ignore what they do not know, so a register may still be ahead of the bridge.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, JsonValue

from bridge.errors import RequestError
from bridge.money.amounts import parse_amount
from bridge.register.contract.fields import (
    AmountText,
    Currency,
    Id,
    Language,
    PaymentId,
    QuantityText,
    StrictWire,
    Text,
    UtcTime,
    Wire,
    Word,
)
from drivers.contract import Money

LINES_MAX: Final = 500  # a full trolley has 120; 64 KiB hold about 300 complete lines
LEGS_MAX: Final = 6  # five gift cards and a card: more is a mistake, or a money laundry
METADATA_MAX: Final = 50  # entries; metadata is for references, not for documents
DEADLINE_SECONDS_MIN: Final = 10  # a shopper must at least be able to find the card
DEADLINE_SECONDS_MAX: Final = 600  # no terminal waits longer for a card
DEADLINE_SECONDS_DEFAULT: Final = 120
LIST_MAX: Final = 200  # as many documents as a register may have retained
LIST_DEFAULT: Final = 50


class Request(Wire):
    """What every command carries. `request_id` comes back in the response."""

    operation: ClassVar[str] = ""

    request_id: Word
    sent_at: UtcTime | None = None
    expires_at: UtcTime | None = None
    bridge_epoch: Word | None = None
    operator_id: Word | None = None
    shift_number: Word | None = None
    totals_group_id: Word | None = None
    language: Language | None = None

    def check_amounts(self) -> None:
        """Refuse amounts that are not written as their currency wants.

        Raises:
            RequestError: `invalid_amount`, with the field's path.
        """


class Tip(StrictWire):
    """How a tip is decided. `tip_amount` belongs to mode `fixed`, `percentages` to `ask`."""

    mode: Literal["none", "fixed", "ask"]
    tip_amount: AmountText | None = None
    percentages: tuple[Annotated[int, Field(ge=0, le=100)], ...] | None = Field(
        default=None, max_length=6, strict=False
    )


class Amounts(StrictWire):
    """What to take. `requested_amount` contains a fixed tip and cash-back (nexo's rule)."""

    currency: Currency
    requested_amount: AmountText
    tip: Tip | None = None
    cash_back_amount: AmountText | None = None

    @property
    def requested(self) -> Money:
        """`requested_amount` as money."""
        return parse_amount(self.requested_amount, self.currency, path="amounts.requested_amount")

    @property
    def fixed_tip(self) -> Money | None:
        """The tip contained in `requested`, None unless its mode is `fixed`."""
        if self.tip is None or self.tip.mode != "fixed":
            return None
        return parse_amount(self.tip.tip_amount, self.currency, path="amounts.tip.tip_amount")

    @property
    def cash_back(self) -> Money | None:
        """The cash contained in `requested`."""
        if self.cash_back_amount is None:
            return None
        return parse_amount(self.cash_back_amount, self.currency, path="amounts.cash_back_amount")

    def check(self) -> None:
        """Refuse amounts that are not written as `currency` wants, or that contradict each other.

        Raises:
            RequestError: `invalid_amount` or `invalid_request`, with the field's path.
        """
        if self.requested.minor == 0:
            raise RequestError(
                "invalid_amount",
                "an amount of zero moves no money; nothing was started",
                path="amounts.requested_amount",
            )
        if self.tip is not None and self.tip.mode != "fixed" and self.tip.tip_amount is not None:
            raise RequestError(
                "invalid_request",
                f"a tip_amount needs mode 'fixed', not {self.tip.mode!r}",
                path="amounts.tip.mode",
            )
        if self.tip is not None and self.tip.mode == "fixed" and self.tip.tip_amount is None:
            raise RequestError(
                "invalid_request", "mode 'fixed' needs a tip_amount", path="amounts.tip.tip_amount"
            )
        contained = sum(part.minor for part in (self.fixed_tip, self.cash_back) if part is not None)
        if contained > self.requested.minor:
            raise RequestError(
                "invalid_amount",
                "requested_amount contains tip and cash-back, so it cannot be less than them",
                path="amounts.requested_amount",
            )


class SaleLine(Wire):
    """One line of goods, as the purchase record needs it."""

    item_id: int = Field(ge=0)
    product_code: Word | None = None
    ean_upc: Word | None = None
    product_label: Text | None = None
    quantity: QuantityText
    unit_of_measure: Word = "each"
    unit_price: QuantityText
    item_amount: AmountText
    item_discount_amount: AmountText | None = None
    sale_discount_amount: AmountText | None = None
    is_refund: bool = False
    tax_code: Word | None = None


class Sale(Wire):
    """What was sold. Amounts are without sign; a line that goes back says `is_refund`."""

    total_amount: AmountText
    tax_amount: AmountText | None = None
    item_discount_amount: AmountText | None = None
    sale_discount_amount: AmountText | None = None
    refund_amount: AmountText | None = None
    member_id: Word | None = None
    lines: tuple[SaleLine, ...] = Field(default=(), max_length=LINES_MAX, strict=False)

    def check(self, currency: str) -> None:
        """Refuse amounts that are not written as `currency` wants.

        Raises:
            RequestError: `invalid_amount`, with the field's path.
        """
        _check_fields(self, currency, "sale")
        for index, line in enumerate(self.lines):
            _check_fields(line, currency, f"sale.lines.{index}")


class GiftCard(StrictWire):
    """Which gift card pays. `pin` is used once and kept nowhere; a repeated command may lack it."""

    identification_type: Literal["bar_code", "account_number", "manual", "isotrack2"] = "bar_code"
    stored_value_id: Word = Field(repr=False)
    code_type: Literal["physical", "personal", "external"] = "physical"
    pin: Word | None = Field(default=None, repr=False)


class PlanLeg(StrictWire):
    """One part of a split payment. A card comes last, and may pay what `remaining` says."""

    method: Literal["gift_card", "card"]
    gift_card: GiftCard | None = None
    amount: AmountText | Literal["remaining"] = "remaining"


class PaymentBrands(StrictWire):
    """Which card brands may pay."""

    allow: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    deny: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    allow_categories: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    deny_categories: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)


class PaymentStart(Request, StrictWire):  # the last base decides on unknown fields
    """Take money. The same `payment_id` is the same payment, however often it is sent."""

    operation: ClassVar[str] = "payment/start"

    payment_id: PaymentId
    type: Literal["sale", "preauth"] = "sale"
    method: Literal["card", "gift_card", "any"] = "card"
    terminal_id: Id | None = None
    terminal_pool: Id | None = None
    sale_id: Word | None = None
    sale_reference_id: Word | None = None
    amounts: Amounts
    accept_partial: bool = False
    payment_brands: PaymentBrands | None = None
    entry_modes: tuple[Word, ...] | None = Field(default=None, max_length=8, strict=False)
    force_online: bool = False
    token: Literal["none", "request"] = "none"  # noqa: S105 - the wish for one, not a secret
    gift_card: GiftCard | None = None
    plan: tuple[PlanLeg, ...] | None = Field(default=None, max_length=LEGS_MAX, strict=False)
    capture: Literal["auto", "manual"] = "auto"
    when_busy: Literal["reject", "queue"] = "reject"
    deadline_s: int = Field(
        default=DEADLINE_SECONDS_DEFAULT, ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX
    )
    on_register_lost: Literal["cancel_if_no_card", "continue"] = "cancel_if_no_card"
    override: bool = False
    approved_by: Word | None = None
    sale: Sale | None = None
    sale_lines: Literal["now", "later"] = "now"
    metadata: dict[str, JsonValue] | None = Field(default=None, max_length=METADATA_MAX)

    def check_amounts(self) -> None:
        """Refuse amounts that are not written as their currency wants."""
        self.amounts.check()
        if self.sale is not None:
            self.sale.check(self.amounts.currency)
        if self.sale_lines == "now":
            return
        if self.sale_id is None:
            raise RequestError(
                "invalid_request", "lines that come later need a sale_id", path="sale_id"
            )
        if self.sale is not None and self.sale.lines:
            raise RequestError(
                "invalid_request", "the lines are here already, not later", path="sale_lines"
            )


class GiftCardLoad(Request, StrictWire):  # the last base decides on unknown fields
    """Sell or top up a gift card: put `amounts.requested_amount` on it once its sale is paid.

    The amount is set aside at once, and is on the card when captured payments with the same
    `sale_id` cover the sale; it is given up when they do not within `deadline_s`.
    """

    operation: ClassVar[str] = "gift_card/load"

    payment_id: PaymentId
    sale_id: Word
    gift_card: GiftCard
    amounts: Amounts
    deadline_s: int = Field(
        default=DEADLINE_SECONDS_MAX, ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX
    )
    metadata: dict[str, JsonValue] | None = Field(default=None, max_length=METADATA_MAX)

    def check_amounts(self) -> None:
        """Refuse amounts that are not written as their currency wants, and a tip."""
        self.amounts.check()
        for path in ("tip", "cash_back_amount"):
            if getattr(self.amounts, path) is not None:
                raise RequestError(
                    "invalid_request", "a gift card is filled without it", path=f"amounts.{path}"
                )


class GiftCardBalance(Request):
    """Ask what is on a gift card; the answer's `result` has `balance`. Needs no PIN."""

    operation: ClassVar[str] = "gift_card/balance"

    gift_card: GiftCard


class FollowUp(Request, StrictWire):  # the last base decides on unknown fields
    """An operation on an earlier payment: a payment of its own, with an id of its own.

    `terminal_id` may be left out: then it is the original's. `approved_by` is a supervisor.
    """

    payment_id: PaymentId
    original_payment_id: PaymentId
    terminal_id: Id | None = None
    reason: Word | None = None
    reason_text: Text | None = None
    approved_by: Word | None = None
    deadline_s: int = Field(
        default=DEADLINE_SECONDS_DEFAULT, ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX
    )
    metadata: dict[str, JsonValue] | None = Field(default=None, max_length=METADATA_MAX)


class FollowUpWithAmount(FollowUp):
    """A follow-up over `amounts.requested_amount`."""

    amounts: Amounts

    def check_amounts(self) -> None:
        """Refuse amounts that are not written as their currency wants."""
        self.amounts.check()


class PaymentIncrement(FollowUpWithAmount):
    """Raise a pre-authorization by an amount."""

    operation: ClassVar[str] = "payment/increment"


class PaymentCapture(FollowUpWithAmount):
    """Take money of a pre-authorization; `final` releases what is left of it."""

    operation: ClassVar[str] = "payment/capture"

    final: bool = True


class PaymentRefund(FollowUpWithAmount):
    """Give money back. Without `original_payment_id` only with a supervisor and by policy."""

    operation: ClassVar[str] = "payment/refund"

    original_payment_id: PaymentId | None = None  # type: ignore[assignment]  # looser on purpose


class PaymentVoid(FollowUp):
    """Undo a payment of the open batch, as if it had not been; releases a hold."""

    operation: ClassVar[str] = "payment/void"


class PaymentTipAdjust(FollowUpWithAmount):
    """Add a tip (`amounts.requested_amount`) to a captured payment."""

    operation: ClassVar[str] = "payment/tip_adjust"


AnyFollowUp = PaymentIncrement | PaymentCapture | PaymentRefund | PaymentVoid | PaymentTipAdjust


class PaymentCancel(Request):
    """Ask for a payment to be stopped. What comes of it, its document says."""

    operation: ClassVar[str] = "payment/cancel"

    payment_id: PaymentId
    reason: Word | None = None
    reason_text: Text | None = None


class PaymentStatus(Request):
    """Publish a payment's document again; with `refresh`, ask the terminal first."""

    operation: ClassVar[str] = "payment/status"

    payment_id: PaymentId
    refresh: bool = False


class ListFilter(Wire):
    """Which payments to list."""

    open: bool | None = None
    since: UtcTime | None = None
    sale_id: Word | None = None


class PaymentList(Request):
    """List the register's own payments, newest first."""

    operation: ClassVar[str] = "payment/list"

    filter: ListFilter = ListFilter()
    limit: int = Field(default=LIST_DEFAULT, ge=1, le=LIST_MAX)


class PaymentAcknowledge(Request):
    """Say that revision `rev` of a payment is kept by the register."""

    operation: ClassVar[str] = "payment/acknowledge"

    payment_id: PaymentId
    rev: int = Field(ge=1)


class Evidence(StrictWire):
    """What a person saw."""

    approval_code: Word | None = None
    source: Literal[
        "merchant_slip",
        "customer_slip",
        "terminal_display",
        "terminal_journal",
        "acquirer",
        "other",
    ]
    text: Text | None = None


class PaymentResolve(Request, StrictWire):  # the last base decides on unknown fields
    """A person settles a payment that is in doubt."""

    operation: ClassVar[str] = "payment/resolve"

    payment_id: PaymentId
    outcome: Literal["approved", "not_charged", "refund_if_found"]
    evidence: Evidence
    approved_by: Word
    reason_text: Text | None = None


class SaleAttach(Request, StrictWire):  # the last base decides on unknown fields
    """Tell what was sold, for a sale whose payments began with `sale_lines: "later"`."""

    operation: ClassVar[str] = "sale/attach"

    sale_id: Word
    sale: Sale


class TerminalCheck(Request):
    """Ask how a terminal is, without money. No terminal named: the register's own."""

    operation: ClassVar[str] = "terminal/check"

    terminal_id: Id | None = None
    operation_id: PaymentId | None = None


class TerminalErrand(Request):
    """Something for a terminal that moves no money. No terminal named: the register's own."""

    terminal_id: Id | None = None
    operation_id: PaymentId | None = None


class TerminalTotals(TerminalErrand):
    """Read the totals of the open batch; nothing is closed."""

    operation: ClassVar[str] = "terminal/totals"


class TerminalReconcile(TerminalErrand):
    """End of day: close the batch and compare it with the journal and the back office."""

    operation: ClassVar[str] = "terminal/reconcile"

    type: Literal["sale_reconciliation"] = "sale_reconciliation"
    close: bool = True


class TerminalLogin(TerminalErrand):
    """Log the bridge on to the terminal again and see how it is."""

    operation: ClassVar[str] = "terminal/login"


class TerminalDisplay(TerminalErrand):
    """Show lines on the terminal for some seconds."""

    operation: ClassVar[str] = "terminal/display"

    lines: tuple[Text, ...] = Field(min_length=1, max_length=8, strict=False)
    seconds: int = Field(default=10, ge=1, le=60)


class CardRead(TerminalErrand):
    """Read a card without money: brand and last digits, never the number."""

    operation: ClassVar[str] = "card/read"

    deadline_s: int = Field(default=60, ge=10, le=120)


class ReceiptReprint(Request):
    """Get the receipts of a payment again, marked as duplicates."""

    operation: ClassVar[str] = "receipt/reprint"

    payment_id: PaymentId


AnyErrand = (
    TerminalCheck | TerminalTotals | TerminalReconcile | TerminalLogin | TerminalDisplay | CardRead
)

AnyRequest = (
    PaymentStart
    | GiftCardLoad
    | GiftCardBalance
    | PaymentIncrement
    | PaymentCapture
    | PaymentRefund
    | PaymentVoid
    | PaymentTipAdjust
    | PaymentCancel
    | PaymentStatus
    | PaymentList
    | PaymentAcknowledge
    | PaymentResolve
    | SaleAttach
    | AnyErrand
    | ReceiptReprint
)

REQUESTS: Final[dict[str, type[AnyRequest]]] = {
    model.operation: model
    for model in (
        PaymentStart,
        GiftCardLoad,
        GiftCardBalance,
        PaymentIncrement,
        PaymentCapture,
        PaymentRefund,
        PaymentVoid,
        PaymentTipAdjust,
        PaymentCancel,
        PaymentStatus,
        PaymentList,
        PaymentAcknowledge,
        PaymentResolve,
        SaleAttach,
        TerminalCheck,
        TerminalTotals,
        TerminalReconcile,
        TerminalLogin,
        TerminalDisplay,
        CardRead,
        ReceiptReprint,
    )
}
"""Every command there is, by the operation in its topic."""


def content_hash(request: PaymentStart | GiftCardLoad | AnyFollowUp) -> str:
    """Return what tells two requests with one `payment_id` apart: the same content or another.

    Over type, method, amounts, original and sale; not over guards, request ids and the clerk's
    data, which may differ when a register repeats itself.
    """
    content: dict[str, object] = {"original": None, "sale_id": None, "method": "card"}
    if isinstance(request, PaymentStart):
        content |= {"type": request.type, "method": request.method, "sale_id": request.sale_id}
        if request.gift_card is not None:
            card = request.gift_card
            content["gift_card"] = [card.code_type, card.stored_value_id, request.capture]
        if request.plan is not None:
            content["plan"] = [
                [leg.method, leg.amount, leg.gift_card and leg.gift_card.stored_value_id]
                for leg in request.plan
            ]
    elif isinstance(request, GiftCardLoad):
        card = request.gift_card
        content |= {"type": "load", "method": "gift_card", "sale_id": request.sale_id}
        content["gift_card"] = [card.code_type, card.stored_value_id]
    else:
        kind = request.operation.partition("/")[2]
        content |= {"type": kind, "original": request.original_payment_id}
    if isinstance(request, PaymentCapture):
        content["final"] = request.final
    if not isinstance(request, PaymentVoid):
        amounts = request.amounts
        tip = amounts.tip
        content |= {
            "currency": amounts.currency,
            "requested": amounts.requested.minor,
            "tip": None if tip is None or tip.mode == "none" else [tip.mode, tip.percentages],
            "tip_amount": None if amounts.fixed_tip is None else amounts.fixed_tip.minor,
            "cash_back": None if amounts.cash_back is None else amounts.cash_back.minor,
        }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _check_fields(model: Sale | SaleLine, currency: str, path: str) -> None:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name.endswith("_amount") and value is not None:
            parse_amount(value, currency, path=f"{path}.{name}")
