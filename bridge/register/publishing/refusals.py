"""What the cashier is told of a payment that did not come about: why, and what helps. Pure.

Only a card that its issuer, or the terminal, would not take makes way for another card. What is
wrong with a line, a host, a PIN or a gift card does not get better with another one; and why an
issuer said no is between the issuer and the shopper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.money import payment as p
from bridge.money.payment import PaymentType

# What was not done. Whoever reads it knows where the money is.
NOT_DONE = {
    PaymentType.SALE: "not charged",
    PaymentType.PREAUTH: "not charged",
    PaymentType.INCREMENT: "hold not raised",
    PaymentType.CAPTURE: "not charged",
    PaymentType.REFUND: "not refunded",
    PaymentType.VOID: "not voided",
    PaymentType.TIP_ADJUST: "tip not added",
    PaymentType.LOAD: "not loaded",
    PaymentType.UNLOAD: "not taken off",
}
NAMES = {
    PaymentType.SALE: "Payment",
    PaymentType.PREAUTH: "Hold",
    PaymentType.INCREMENT: "Raise",
    PaymentType.CAPTURE: "Capture",
    PaymentType.REFUND: "Refund",
    PaymentType.VOID: "Void",
    PaymentType.TIP_ADJUST: "Tip",
    PaymentType.LOAD: "Load",
    PaymentType.UNLOAD: "Unload",
}
# Somebody presents a card and pays with it: another one may do better.
PAYS = frozenset({PaymentType.SALE, PaymentType.PREAUTH})
# The card itself was refused, by whoever decides about it.
CARD_REFUSED = frozenset(
    {
        *("declined", "insufficient_funds", "call_issuer", "suspected_fraud", "capture_card"),
        *("card_expired", "card_not_supported", "pin_tries_exceeded"),
    }
)
AGAIN = "Try again"


@dataclass(frozen=True, slots=True)
class Why:
    """What happened, and what helps; `by_words` shows the terminal's words instead, if any."""

    head: str
    advice: str
    by_words: bool = False


_UNREACHED = Why("Bank not reached", "Try again, or pay another way")
_BUSY = Why("Terminal is busy", "Try again in a moment")
_NOT_FIT = Why("Terminal not ready", "Call a supervisor", by_words=True)
_HERE = Why("Not possible here", "Pay another way", by_words=True)
_UNREAD = Why("Card not read", AGAIN)
_STOPPED = Why("Interrupted", AGAIN)
_WHYS: Mapping[str, Why] = {
    **dict.fromkeys(("host_unreachable", "host_timeout", "offline_limit"), _UNREACHED),
    **dict.fromkeys(("terminal_busy", "queue_full"), _BUSY),
    **dict.fromkeys(("bridge_restarted", "canceled_shutdown", "bridge_draining"), _STOPPED),
    **dict.fromkeys(("card_read_failed", "card_removed_early"), _UNREAD),
    **dict.fromkeys(
        (
            *("terminal_maintenance", "terminal_updating", "terminal_locked"),
            *("terminal_not_logged_in", "terminal_not_paired", "printer_no_paper", "printer_fault"),
        ),
        _NOT_FIT,
    ),
    **dict.fromkeys(
        (
            *("operation_not_supported", "payment_restriction", "policy_limit", "not_allowed"),
            *("invalid_amount", "invalid_request", "feature_disabled"),
        ),
        _HERE,
    ),
    "queue_timeout": Why("Terminal stayed busy", AGAIN),
    "terminal_offline": Why("Terminal not reached", "Look at the terminal and its cable"),
    "no_card_presented": Why("No card presented", AGAIN),
    "wrong_pin": Why("Wrong PIN", AGAIN),
    "void_not_possible": Why("Void not possible", "Call a supervisor", by_words=True),
    "original_not_found": Why("Payment not found", "Call a supervisor", by_words=True),
    "authorization_expired": Why("The hold has ended", "Call a supervisor"),
    "capture_exceeds_authorized": Why("More than is held", "Call a supervisor"),
    "refund_exceeds_captured": Why("More than was charged", "Call a supervisor"),
    "not_charged": Why("Looked up", "Answered by a person"),
}
_GIFT_CARD_WHYS: Mapping[str, Why] = {
    **dict.fromkeys(
        ("host_unreachable", "host_timeout"),
        Why("Back office not reached", "Try again, or pay another way"),
    ),
    "terminal_busy": Why("Gift card is in use", "Try again in a moment"),
    "wrong_pin": Why("Wrong PIN", "Ask for the gift card's PIN again"),
    "gift_card_unknown": Why("Gift card not known", "Check its number"),
    "gift_card_inactive": Why("Gift card not active", "Pay another way"),
    "gift_card_already_active": Why("Gift card sold before", "Take another gift card"),
    "gift_card_insufficient": Why("Not enough on the card", "Pay a part, or another way"),
}


def why_refused(payment: p.Payment) -> tuple[str, str]:
    """Return the two lines for a payment that ended without money."""
    kind = payment.request.type
    not_done = NOT_DONE[kind]
    code = payment.denial.code if payment.denial else ""
    words = payment.denial.text if payment.denial else ""
    if payment.status is p.Status.CANCELED:
        return f"Canceled – {not_done}", "" if code != "canceled_timeout" else "Time is up"
    if is_card_refused(payment):
        if kind in PAYS:
            return "Card declined", f"{not_done.capitalize()} – ask for another card"
        return f"{NAMES[kind]} declined", not_done.capitalize()
    why = _why(payment, code)
    return f"{why.head} – {not_done}", (words if why.by_words else "") or why.advice


def is_card_refused(payment: p.Payment) -> bool:
    """Say whether it was the card that was refused, and nothing technical."""
    if payment.status is not p.Status.DECLINED or payment.denial is None:
        return False
    by_back_office = payment.request.method is p.Method.OFFICE_GIFT_CARD
    return payment.denial.code in CARD_REFUSED and not by_back_office


def _why(payment: p.Payment, code: str) -> Why:
    by_back_office = payment.request.method is p.Method.OFFICE_GIFT_CARD
    gift_card = _GIFT_CARD_WHYS.get(code) if payment.request.method is not p.Method.CARD else None
    if gift_card is not None and (by_back_office or code.startswith("gift_card_")):
        return gift_card
    if code in _WHYS:
        return _WHYS[code]
    if by_back_office:
        return Why("Gift card refused", "Pay another way", by_words=True)
    if payment.status is p.Status.DECLINED:  # a driver's own code: its meaning is not known here
        return Why(f"{NAMES[payment.request.type]} declined", "Pay another way")
    return Why("Terminal fault", AGAIN, by_words=True)
