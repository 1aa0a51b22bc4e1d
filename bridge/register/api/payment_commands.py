"""Commands that begin a money operation, and what tells two with one `payment_id` apart. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Final, Literal

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
from bridge.register.api.results import StartResult

LEGS_MAX: Final = 6  # five gift cards and a card: more is a mistake, or a money laundry


class PlanLeg(StrictWire):
    """One part of a split payment. A card comes last, and may pay what `remaining` says."""

    method: Literal["gift_card", "card"]
    """What pays this part."""
    gift_card: GiftCard | None = None
    """Which gift card; for the method `gift_card` only."""
    amount: AmountText | Literal["remaining"] = "remaining"
    """What this part pays; `remaining` is what the parts before it leave."""


class PaymentBrands(StrictWire):
    """Which card brands may pay."""

    allow: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    """Only these brands, e.g. `girocard`; absent: all."""
    deny: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    """Not these brands."""
    allow_categories: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    """Only brands of these categories, e.g. `schemes`; absent: all."""
    deny_categories: tuple[Word, ...] | None = Field(default=None, max_length=32, strict=False)
    """Not the brands of these categories."""


class PaymentStart(Request, StrictWire):  # the last base decides on unknown fields
    """Take money. The same `payment_id` is the same payment, however often it is sent."""

    operation = "payment/start"
    result = StartResult
    page = "sale"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    type: Literal["sale", "preauth"] = "sale"
    """`sale` takes the money; `preauth` only holds it until `payment/capture` or `payment/void`."""
    method: Literal["card", "gift_card", "any"] = "card"
    """What pays: the card at the terminal, or a gift card: one of the back office, which then
    is named in `gift_card`, or without that one that the named `terminal_id` reads and serves
    itself."""
    terminal_id: Id | None = None
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    terminal_pool: Id | None = None
    """Any free terminal of this pool instead of `terminal_id`."""
    sale_id: Word | None = None
    """The register's number of the sale; all payments of one sale share it. Null where it was not
    told, and then the payment is a sale of its own."""
    sale_reference_id: Word | None = None
    """What joins this sale to others, e.g. the number of an order or a booking; kept with the
    payment and shown in its document. It groups nothing: payments of one sale share `sale_id`."""
    amounts: Amounts
    """What to take, in one currency."""
    accept_partial: bool = False
    """Whether the card may pay less than was asked for; the rest is in `remaining_amount`."""
    payment_brands: PaymentBrands | None = None
    """Which card brands may pay; refused where the terminal cannot tell before."""
    entry_modes: tuple[Word, ...] | None = Field(default=None, max_length=8, strict=False)
    """How a card may be presented; refused where the terminal cannot choose."""
    force_online: bool = False
    """Ask the host in any case; refused where the terminal decides for itself."""
    token: Literal["none", "request"] = "none"  # noqa: S105 - the wish for one, not a secret
    """`request`: ask the terminal for a token of the card."""
    gift_card: GiftCard | None = None
    """Which gift card pays; for `method: gift_card` only."""
    plan: tuple[PlanLeg, ...] | None = Field(default=None, max_length=LEGS_MAX, strict=False)
    """A split over gift cards and one card, which comes last; at most 6 parts that make the
    requested amount."""
    capture: Literal["auto", "manual"] = "auto"
    """`manual`: only hold the gift card's money until `payment/capture`."""
    when_busy: Literal["reject", "queue"] = "reject"
    """`reject`: refuse while the terminal is busy; `queue`: wait for it in line."""
    deadline_s: int = Field(
        default=DEADLINE_SECONDS_DEFAULT, ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX
    )
    """How long the terminal may wait for a card, in seconds, from 10 to 600."""
    on_register_lost: Literal["cancel_if_no_card", "continue"] = "cancel_if_no_card"
    """What becomes of the payment when the register's will is published before a card was
    presented."""
    override: bool = False
    """A supervisor accepts the risk of a second charge; needs `approved_by`."""
    approved_by: Word | None = None
    """The supervisor who answers for it."""
    sale: Sale | None = None
    """What was sold, for the purchase record in the back office."""
    sale_lines: Literal["now", "later"] = "now"
    """`later`: the goods come with `sale/attach`, and the record waits for them."""
    metadata: dict[str, JsonValue] | None = Field(default=None, max_length=METADATA_MAX)
    """The register's own data, at most 50 entries; given back unchanged in the document, null where
    there is none."""

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

    operation = "gift_card/load"
    page = "gift cards"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    sale_id: Word
    """The sale that the gift card is sold in; its payments cover it."""
    gift_card: GiftCard | None = None
    """Which gift card of the back office is filled; null with `terminal_id`."""
    terminal_id: Id | None = None
    """The terminal that reads the gift card and serves it itself; null with `gift_card`."""
    amounts: Amounts
    """How much is put on it, in `requested_amount`; no tip, no cash-back."""
    deadline_s: int = Field(
        default=DEADLINE_SECONDS_MAX, ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX
    )
    """How long the money stays set aside for a sale that is not paid, in seconds, from 10 to
    600."""
    metadata: dict[str, JsonValue] | None = Field(default=None, max_length=METADATA_MAX)
    """The register's own data, at most 50 entries; given back unchanged in the document, null where
    there is none."""

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

    operation = "gift_card/activate"

    gift_card: GiftCard | None = None
    """The new gift card's code, and the PIN it will have, if any."""
    terminal_id: Id | None = None
    """Always null: only the back office makes gift cards."""
    amounts: Amounts
    """How much is put on it, in `requested_amount`; no tip."""


class FollowUp(Request, StrictWire):  # the last base decides on unknown fields
    """An operation on an earlier payment: a payment of its own, with an id of its own.

    `terminal_id` may be left out: then it is the original's. `approved_by` is a supervisor.
    """

    page = "after"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    original_payment_id: PaymentId
    """The earlier payment that this one is about; null where there is none."""
    terminal_id: Id | None = None
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    reason: Word | None = None
    """Why, in a word; kept with the payment."""
    reason_text: Text | None = None
    """Why, in a sentence; kept with the payment."""
    approved_by: Word | None = None
    """The supervisor who answers for it."""
    deadline_s: int = Field(
        default=DEADLINE_SECONDS_DEFAULT, ge=DEADLINE_SECONDS_MIN, le=DEADLINE_SECONDS_MAX
    )
    """How long the terminal may wait for a card, in seconds, from 10 to 600."""
    metadata: dict[str, JsonValue] | None = Field(default=None, max_length=METADATA_MAX)
    """The register's own data, at most 50 entries; given back unchanged in the document, null where
    there is none."""


class FollowUpWithAmount(FollowUp):
    """A follow-up over `amounts.requested_amount`."""

    amounts: Amounts

    def check_amounts(self) -> None:
        """Refuse amounts that are not written as their currency wants."""
        self.amounts.check()


class PaymentIncrement(FollowUpWithAmount):
    """Raise a pre-authorization by an amount."""

    operation = "payment/increment"

    amounts: Amounts
    """By how much the hold is raised, in `requested_amount`."""


class PaymentCapture(FollowUpWithAmount):
    """Take money of a pre-authorization; `final` releases what is left of it."""

    operation = "payment/capture"

    amounts: Amounts
    """How much of the hold is taken, in `requested_amount`."""

    final: bool = True
    """Release what is left of the hold; nothing more will be captured. `false` is refused where the
    terminal's `partial_capture` is `releases_rest`."""


class PaymentRefund(FollowUpWithAmount):
    """Give money back, onto the card that paid.

    Without `original_payment_id`, or onto a gift card that did not pay (store credit), only with a
    supervisor and by policy. What a gift card paid goes back to it; if it has a PIN, name it again
    in `gift_card`.
    """

    operation = "payment/refund"

    amounts: Amounts
    """How much goes back, in `requested_amount`."""

    original_payment_id: PaymentId | None = None  # type: ignore[assignment]  # looser on purpose
    """The payment whose money goes back; without it a supervisor must answer, and the terminal must
    be able to."""
    gift_card: GiftCard | None = None
    """The gift card that gets the money: with its PIN the one that paid, or another one as store
    credit."""


class PaymentVoid(FollowUp):
    """Undo a payment of the open batch, as if it had not been; releases a hold."""

    operation = "payment/void"


class PaymentTipAdjust(FollowUpWithAmount):
    """Add a tip (`amounts.requested_amount`) to a captured payment."""

    operation = "payment/tip_adjust"

    amounts: Amounts
    """The tip that is added, in `requested_amount`."""


class GiftCardUnload(FollowUpWithAmount):
    """Take value off a gift card without a sale, on a supervisor's word."""

    operation = "gift_card/unload"
    page = "gift cards"

    amounts: Amounts
    """How much is taken off, in `requested_amount`."""

    original_payment_id: None = None  # type: ignore[assignment]  # a load is undone by reverse
    """Always null; `gift_card/reverse` undoes a load."""
    gift_card: GiftCard
    """Which gift card the value is taken off."""


class GiftCardReverse(FollowUp):
    """Undo a load: cancel it while it waits for its sale, else take it off the card again.

    The payment that takes it off has the `type` `unload`. If the gift card has a PIN, name the card
    again in `gift_card`.
    """

    operation = "gift_card/reverse"
    page = "gift cards"

    original_payment_id: PaymentId
    """The load that is undone."""

    gift_card: GiftCard | None = None
    """The load's gift card again, for its PIN."""


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
    guards, request ids and the cashier's data, which may differ when a register repeats itself.
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
