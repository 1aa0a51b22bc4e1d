"""What the API is asked for a gift card payment, made from the payment alone. Pure."""

from __future__ import annotations

from typing import Literal

from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardTransaction,
    TransType,
)
from bridge.backoffice.gift_cards import evidence as e
from bridge.money import payment as p
from bridge.money.amounts import format_amount
from drivers import contract as c
from drivers.contract import Money

SOURCE_ID = "paybridge"  # how the back office's lists name us
# What is done without a hold where the server has none: the balance tells what became of it.
AT_ONCE = frozenset({p.PaymentType.SALE, p.PaymentType.REFUND, p.PaymentType.UNLOAD})


def transaction_for(
    request: p.PaymentRequest, amount: Money, pin: str, *, at_once: bool
) -> GiftCardTransaction:
    """Return what the API is sent to hold, or use at once, `amount` of a card; once only."""
    card = card_of(request)
    adds = e.adds(request)
    return GiftCardTransaction(
        CodeType(card.kind),
        card.code,
        TransType.ADD if adds else TransType.USE,
        f"{'' if adds else '-'}{format_amount(amount)}",
        SOURCE_ID,
        request.payment_id,
        pin,
        authorize_only=not at_once,
    )


def ends_a_hold(request: p.PaymentRequest) -> bool:
    """True for a payment that only ends the hold of another one."""
    return request.type in {p.PaymentType.CAPTURE, p.PaymentType.VOID}


def permission_for(request: p.PaymentRequest) -> str:
    """Return what the bridge's account needs for a payment's transaction."""
    return e.ADD_PERMISSION if e.adds(request) else e.USE_PERMISSION


def may_give_up(payment: p.Payment) -> bool:
    """True when a capture was refused the first time, and nobody has paid for it."""
    is_load = payment.request.type is p.PaymentType.LOAD
    return payment.doubt is None and payment.offer is not None and not is_load


def may_release_instead(payment: p.Payment) -> bool:
    """True for a sale whose capture cannot be confirmed: its own hold, which nobody else counts on.

    A server ends a hold once. So a release that it confirms proves that the capture was not done;
    a hold of a plan or a pre-authorization is left to a person.
    """
    return payment.request.type is p.PaymentType.SALE and payment.offer is not None


def was_captured_first(payment: p.Payment) -> bool:
    """True while a sale's hold is released only because its capture could not be confirmed."""
    released = may_release_instead(payment) and way_of(payment) == "release"
    return released and payment.doubt is not None and not payment.cancel_asked


def card_of(request: p.PaymentRequest) -> p.GiftCardCode:
    """Return the gift card of a payment that is one of gift cards."""
    assert request.gift_card is not None, "a gift card payment names its card"
    return request.gift_card


def before_of(payment: p.Payment) -> e.Before:
    """Return what was known of the card before its money was touched."""
    assert payment.baseline is not None, "the balance is stored before anything is sent"
    return e.read_before(payment.baseline.fingerprint)


def account_of(payment: p.Payment) -> str:
    """Return the server's id of a payment's gift card, "" where it is not known, or none is.

    A terminal's baseline is its driver's own text.
    """
    if payment.baseline is None or payment.request.method is not p.Method.OFFICE_GIFT_CARD:
        return ""
    return before_of(payment).account


def way_of(payment: p.Payment) -> Literal["capture", "release"]:
    """Return how the payment ends a hold."""
    if payment.request.type is p.PaymentType.VOID:
        return "release"
    return payment.concluding or "capture"


def hold_id(payment: p.Payment) -> str:
    """Return the server's id of the hold: the payment's own, or its original's."""
    ends = ends_a_hold(payment.request)
    hold = payment.request.original if ends else payment.offer
    assert hold is not None, "only a hold can be ended"
    return hold.fingerprint


def capture_for(payment: p.Payment, how: Literal["capture", "release"]) -> GiftCardCapture:
    """Return what the API is sent to end a hold; the same for the same payment."""
    request = payment.request
    amount = ""
    if request.original is not None and request.type is p.PaymentType.CAPTURE:
        part = request.amount != request.original.amount
        amount = f"-{format_amount(request.amount)}" if part else ""
    return GiftCardCapture(hold_id(payment), amount, cancel=how == "release")


def insufficient(before: e.Before) -> c.Declined:
    """Return the refusal of a card that holds too little; nothing was sent."""
    text = f"the card holds {before.balance:f}"
    return c.Declined("insufficient", text, "gift_card_insufficient")
