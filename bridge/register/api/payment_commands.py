"""Commands that begin a money operation, and what tells two with one `payment_id` apart. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import ClassVar, Final, Literal

from pydantic import Field, JsonValue

from bridge.errors import RequestError
from bridge.register.api.envelope import (
    DEADLINE_SECONDS_DEFAULT,
    DEADLINE_SECONDS_MAX,
    DEADLINE_SECONDS_MIN,
    METADATA_MAX,
    Amounts,
    GiftCard,
    Request,
    Sale,
)
from bridge.register.api.fields import AmountText, Id, PaymentId, StrictWire, Text, Word

LEGS_MAX: Final = 6  # five gift cards and a card: more is a mistake, or a money laundry


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

    With `terminal_id` instead of `gift_card` a terminal that serves gift cards itself asks for the
    card. It fills it at once, so the sale must be paid before.
    """

    operation: ClassVar[str] = "gift_card/load"

    payment_id: PaymentId
    sale_id: Word
    gift_card: GiftCard | None = None
    terminal_id: Id | None = None
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


class GiftCardActivate(GiftCardLoad):
    """Sell a new gift card: make it, and load it as `gift_card/load` does, in one sale.

    Only where the configuration allows it, and with physical codes. A card that exists already is
    loaded if nothing is on it, and refused otherwise. The payment's `type` is `load`.
    """

    operation: ClassVar[str] = "gift_card/activate"


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
    """Give money back, onto the card that paid.

    Without `original_payment_id`, or onto a gift card that did not pay (store credit), only with a
    supervisor and by policy. What a gift card paid goes back to it; if it has a PIN, name it again
    in `gift_card`.
    """

    operation: ClassVar[str] = "payment/refund"

    original_payment_id: PaymentId | None = None  # type: ignore[assignment]  # looser on purpose
    gift_card: GiftCard | None = None


class PaymentVoid(FollowUp):
    """Undo a payment of the open batch, as if it had not been; releases a hold."""

    operation: ClassVar[str] = "payment/void"


class PaymentTipAdjust(FollowUpWithAmount):
    """Add a tip (`amounts.requested_amount`) to a captured payment."""

    operation: ClassVar[str] = "payment/tip_adjust"


class GiftCardUnload(FollowUpWithAmount):
    """Take value off a gift card without a sale, on a supervisor's word."""

    operation: ClassVar[str] = "gift_card/unload"

    original_payment_id: None = None  # type: ignore[assignment]  # a load is undone by reverse
    gift_card: GiftCard


class GiftCardReverse(FollowUp):
    """Undo a load: cancel it while it waits for its sale, else take it off the card again.

    The payment that takes it off has the `type` `unload`. If the gift card has a PIN, name the card
    again in `gift_card`.
    """

    operation: ClassVar[str] = "gift_card/reverse"

    gift_card: GiftCard | None = None


AnyFollowUp = (
    PaymentIncrement
    | PaymentCapture
    | PaymentRefund
    | PaymentVoid
    | PaymentTipAdjust
    | GiftCardUnload
    | GiftCardReverse
)
WithGiftCard = PaymentRefund | GiftCardUnload | GiftCardReverse


def content_hash(request: PaymentStart | GiftCardLoad | AnyFollowUp) -> str:
    """Return what tells two requests with one `payment_id` apart: the same content or another.

    Over type, method, amounts, original, sale, and the terminal or pool if one was named; not over
    guards, request ids and the clerk's data, which may differ when a register repeats itself.
    """
    content: dict[str, object] = {"original": None, "sale_id": None, "method": "card"}
    if isinstance(request, PaymentStart):
        content |= {"type": request.type, "method": request.method, "sale_id": request.sale_id}
        if request.terminal_pool is not None:
            content["pool"] = request.terminal_pool
        if request.gift_card is not None:
            content["gift_card"] = [*_named(request.gift_card), request.capture]
        if request.plan is not None:
            content["plan"] = [
                [leg.method, leg.amount, leg.gift_card and _named(leg.gift_card)]
                for leg in request.plan
            ]
    elif isinstance(request, GiftCardLoad):
        kind = request.operation.partition("/")[2]
        content |= {"type": kind, "method": "gift_card", "sale_id": request.sale_id}
        if request.gift_card is not None:
            content["gift_card"] = _named(request.gift_card)
    else:
        kind = request.operation.partition("/")[2]
        content |= {"type": kind, "original": request.original_payment_id}
    if request.terminal_id is not None:
        content["terminal"] = request.terminal_id
    if isinstance(request, WithGiftCard) and request.gift_card is not None:
        content["gift_card"] = _named(request.gift_card)
    if isinstance(request, PaymentCapture):
        content["final"] = request.final
    if not isinstance(request, PaymentVoid | GiftCardReverse):
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


def _named(card: GiftCard) -> list[str]:
    """Return what names a gift card; its PIN is left out, a repeated command may lack it."""
    return [card.code_type, card.stored_value_id]
