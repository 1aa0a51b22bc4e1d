"""What the cashier sees: two lines, a color and buttons for every state of a payment. Pure.

The rules of the contract: red is kept for "someone must act"; every "not paid" line says *not
charged*; every doubt says *do not charge again*; the shopper never sees the host's reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bridge.money.background.signature_reversals import REASON
from bridge.money.payment import (
    FOLLOW_UPS,
    INFERRED,
    Funds,
    Method,
    Payment,
    PaymentType,
    Recording,
    Status,
)
from bridge.money.payment.signature import Signature
from bridge.money.wording import fitted
from bridge.register.api import Button, Display, error_facts
from bridge.register.publishing.holds import Notice
from bridge.register.publishing.refusals import PAYS, why_refused
from bridge.register.publishing.signature_prompt import NO, YES, button_id
from drivers import amounts
from drivers.contract import Capabilities, Money, Stage

# What a till of forty columns shows in one line.
LINE_CHARACTERS_MAX = 40

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "JPY": "¥"}

_SUPERVISOR = Button(id="call_supervisor", label="Supervisor")
_CANCEL = Button(id="cancel", label="Cancel")
_RETRY = Button(id="retry", label="Retry")
_OTHERWISE = Button(id="pay_otherwise", label="Other way")
_RECEIPT = Button(id="receipt", label="Receipt")
_VOID = Button(id="void", label="Void")
_REFUND = Button(id="refund", label="Refund")

DONE = {
    PaymentType.SALE: "Paid",
    PaymentType.PREAUTH: "Held",
    PaymentType.INCREMENT: "Held in addition",
    PaymentType.CAPTURE: "Paid",
    PaymentType.REFUND: "Refunded",
    PaymentType.VOID: "Voided",
    PaymentType.TIP_ADJUST: "Tip added:",
    PaymentType.LOAD: "Loaded",
    PaymentType.UNLOAD: "Taken off",
}

_NOT_AGAIN = {
    PaymentType.REFUND: "Do not refund again",
    PaymentType.VOID: "Do not void again",
    PaymentType.LOAD: "Do not load again",
    PaymentType.UNLOAD: "Do not unload again",
}

_STAGES: dict[Stage, tuple[str, str]] = {
    Stage.CARD_REMOVED_TOO_EARLY: ("Card not read", "Please try again"),
    Stage.TRY_AGAIN: ("Card not read", "Please try again"),
    Stage.SELECT_APPLICATION: ("Customer chooses the card", ""),
    Stage.ENTERING_TIP: ("Customer enters the tip", ""),
    Stage.ENTERING_PIN: ("Customer enters PIN", ""),
    Stage.AUTHORIZING: ("Asking the bank", "Do not remove the card"),
    Stage.CARD_PRESENTED: ("Card is being read", "Do not remove the card"),
    Stage.WAITING_FOR_SIGNATURE: ("Check signature on slip", ""),
    Stage.REMOVE_CARD: ("Customer takes the card", ""),
    Stage.PRINTING: ("Receipt is printing", ""),
    Stage.FINISHING: ("Finishing", "Do not remove the card"),
}
_BEFORE_CARD = frozenset(
    {Stage.STARTING, Stage.WAITING_FOR_CARD, Stage.CARD_REMOVED_TOO_EARLY, Stage.TRY_AGAIN}
)
_BEFORE_BANK = _BEFORE_CARD | {Stage.SELECT_APPLICATION, Stage.ENTERING_TIP, Stage.ENTERING_PIN}
# The stages in which a terminal can be told to stop, by what its driver says of it.
_CANCELABLE: dict[str, frozenset[Stage]] = {
    "any_time": _BEFORE_BANK,
    "until_authorizing": _BEFORE_BANK,
    "until_card": _BEFORE_CARD,
    "at_terminal_only": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Means:
    """What can be asked of whoever has the money: no button is shown that cannot work."""

    cancel: Literal["any_time", "until_card", "until_authorizing", "at_terminal_only"] = (
        "until_authorizing"
    )
    void: bool = True
    refund: bool = True


def means_of(can: Capabilities) -> Means:
    """Return what a terminal with these capabilities can be asked for."""
    return Means(can.cancel, void="void" in can.operations, refund="refund" in can.operations)


ANYTHING = Means()
# What a void may follow; `admission.py` refuses the others.
VOIDABLE = frozenset({PaymentType.SALE, PaymentType.CAPTURE, PaymentType.PREAUTH})


def amount_text(money: Money) -> str:
    """Return an amount for people, e.g. `47,90 €`: a comma, as most of our stores write it."""
    return amounts.amount_text(money, comma=True, symbol=_SYMBOLS.get(money.currency, ""))


def display_of(
    payment: Payment,
    *,
    remaining: Money | None,
    terminal_name: str,
    position: int = 0,
    means: Means = ANYTHING,
    hold_notice: Notice = "",
) -> Display:
    """Return what the cashier's screen shows for the payment as it is now.

    `position` is its place in the line before a busy terminal, 0 when it waits in none; `means`
    is what its terminal can still be asked for, `hold_notice` how near the end of a hold is.
    """
    match payment.status:
        case Status.QUEUED:
            if payment.request.method is Method.OFFICE_GIFT_CARD:
                return _display("info", "queued", "Asking the back office", "", _CANCEL)
            if position:
                place = "You are next" if position == 1 else f"Number {position} in line"
                return _display("info", "queued", f"{terminal_name} is busy", place, _CANCEL)
            return _display("info", "queued", f"Connecting to {terminal_name}", "", _CANCEL)
        case Status.IN_PROGRESS:
            return _running(payment, means)
        case Status.CANCELING:
            return _display("info", "canceling", "Canceling…", "Wait for the terminal")
        case Status.IN_DOUBT:
            return _doubtful(payment)
        case Status.APPROVED:
            return _held(payment, hold_notice) or _paid(payment, remaining, means)
        case Status.DECLINED | Status.CANCELED | Status.FAILED:
            return _refused(payment)


def _held(payment: Payment, hold_notice: Notice) -> Display | None:
    """Return the reminder of a hold that ends; None while there is more important to say."""
    unclear = payment.discrepancies and not payment.decided_by
    if not hold_notice or unclear or payment.cancel_asked or payment.awaits_signature:
        return None
    first = f"Held {amount_text(Money(payment.held_minor, payment.request.amount.currency))}"
    if hold_notice == "soon":
        return _leave("warning", "hold_ends", first, "Ends within a day: capture or void it")
    return _leave("warning", "hold_over", first, "The bank may have released it")


def _refused(payment: Payment) -> Display:
    """Return what is shown of a payment that ended without money, as far as anybody knows."""
    if payment.discrepancies and not payment.decided_by:
        return _disagreement(payment)
    if payment.funds is not Funds.NONE:  # money moved after all, and a person had it booked
        taken = amount_text(payment.approval.amount if payment.approval else payment.request.amount)
        text = f"Decided by {payment.decided_by}"
        return _leave(
            "warning", "charged_after_all", f"{DONE[payment.request.type]} after all: {taken}", text
        )
    first, second = why_refused(payment)
    code = payment.status.value
    return _leave("warning", code, first, fitted(second, LINE_CHARACTERS_MAX), *_ways_on(payment))


def _ways_on(payment: Payment) -> tuple[Button, ...]:
    """Return the buttons after a refusal: what the bridge does by itself, nobody repeats."""
    request = payment.request
    if request.type in FOLLOW_UPS and (request.plan is not None or _is_reversal(payment)):
        return (_SUPERVISOR,)
    denial = payment.denial
    again = denial is None or error_facts(denial.code).retry != "no"
    ways = (_RETRY,) if again else ()
    if request.type in PAYS:
        return (*ways, _OTHERWISE)
    return ways or (_SUPERVISOR,)


def _is_reversal(payment: Payment) -> bool:
    """Say whether the bridge began this void itself, because a signature was refused."""
    return payment.request.content_hash == f"{REASON} {payment.request.original_payment_id}"


def _running(payment: Payment, means: Means) -> Display:
    stage = payment.stage or Stage.STARTING
    if payment.request.method is Method.OFFICE_GIFT_CARD:
        line = amount_text(payment.request.amount)
        waits = payment.request.type is PaymentType.LOAD and payment.offer is not None
        text = "Loaded as soon as the sale is paid" if waits else "Asking the back office"
        # While a hold is being captured or released, it is too late to ask for either.
        stops = () if payment.concluding else (_CANCEL,)
        return _leave("info", stage.value, line, text, *stops)
    buttons = (_CANCEL,) if stage in _CANCELABLE[means.cancel] else ()
    if stage in _STAGES:
        first, second = _STAGES[stage]
        return _leave("info", stage.value, first, second, *buttons)
    if stage is Stage.WAITING_FOR_CARD:
        line = amount_text(payment.request.amount)
        return _leave("info", stage.value, line, "Tap, insert or swipe", *buttons)
    return _display("info", stage.value, amount_text(payment.request.amount), "", *buttons)


def not_again(payment: Payment) -> str:
    """Return what must not be done while it is not known whether it was done."""
    return _NOT_AGAIN.get(payment.request.type, "Do not charge again")


def _doubtful(payment: Payment) -> Display:
    by_gift_card = payment.request.method is Method.OFFICE_GIFT_CARD
    if payment.doubt is None or not payment.doubt.needs_operator:
        text = f"Checking with the {'back office' if by_gift_card else 'terminal'}…"
        return _leave("warning", "in_doubt", not_again(payment), text)
    asked = f"Was {amount_text(payment.request.amount)} approved? {not_again(payment)}"
    return _leave(
        "error",
        "in_doubt_needs_operator",
        "Look it up in the back office" if by_gift_card else "Look at the terminal's slip",
        asked,
        Button(id="answer:approved", label="Yes, code…"),
        Button(id="answer:not_charged", label="No"),
        _SUPERVISOR,
    )


def _paid(payment: Payment, remaining: Money | None, means: Means) -> Display:
    if not payment.decided_by and any(one.kind != INFERRED for one in payment.discrepancies):
        return _disagreement(payment)
    assert payment.approval is not None, "approved always says what was approved"
    taken, asked = payment.approval.amount, payment.request.amount
    done = DONE[payment.request.type]
    if payment.funds is Funds.NONE:  # a person took back what a person had answered
        return _leave("warning", "not_charged", f"Not {done.lower()} after all", "Corrected later")
    if payment.funds is Funds.VOIDED and payment.request.type is not PaymentType.VOID:
        return _leave("info", "voided", f"Voided {amount_text(taken)}", "Not charged")
    if payment.funds in {Funds.REFUNDED, Funds.PARTIALLY_REFUNDED}:
        back = amount_text(Money(payment.refunded_minor, taken.currency))
        return _leave("info", "refunded", f"{done} {amount_text(taken)}", f"Refunded {back}")
    if payment.awaits_signature:
        return _unsigned(payment)
    card = payment.approval.card
    name = card.label or card.brand.title()
    tail = f" ••{card.masked_pan.last4}" if card.masked_pan else ""
    receipt = _RECEIPT
    if payment.signature is Signature.NOT_REVERSED:
        first = f"Still charged {amount_text(taken)}"
        ways = (_REFUND, _SUPERVISOR) if means.refund else (_SUPERVISOR,)
        return _leave("error", "not_reversed", first, "Refund it: signature refused", *ways)
    if payment.recording is Recording.REJECTED:
        return _leave("error", "not_booked", f"{done}, not booked", "Manager informed", receipt)
    if payment.recording is Recording.UNCONFIRMED:
        text = "Manager checks the booking"
        return _leave("error", "booking_unconfirmed", f"{done} {amount_text(taken)}", text, receipt)
    if payment.discrepancies and not payment.decided_by:
        text = "Manager checks the gift card"
        return _leave("warning", INFERRED, f"{done} {amount_text(taken)}", text, receipt)
    is_part = taken.minor < asked.minor and payment.request.type is PaymentType.SALE
    if is_part and remaining is not None and remaining.minor:
        return _leave(
            "warning",
            "partial",
            f"Paid {amount_text(taken)} of {amount_text(asked)}",
            f"{amount_text(remaining)} still to pay",
            Button(id="pay_otherwise", label="Pay rest"),
        )
    if payment.cancel_asked and not payment.acknowledged:
        first = f"{done} {amount_text(taken)} – cancel came too late"
        question, *undo = _undo(payment, means)
        keep = Button(id="keep", label="Keep")
        return _leave("warning", "too_late_to_cancel", first, question, *undo, keep)
    return _leave(
        "success", "approved", f"{done} {amount_text(taken)}", f"{name}{tail}".strip(), receipt
    )


def _undo(payment: Payment, means: Means) -> tuple[str, *tuple[Button, ...]]:
    """Return what to ask the cashier who wanted to stop a payment, and the button that does it."""
    request = payment.request
    if request.plan is not None:
        return ("The rest of the plan decides",)
    by_back_office = request.method is Method.OFFICE_GIFT_CARD
    captured_there = by_back_office and payment.funds is Funds.CAPTURED
    if payment.funds in {Funds.CAPTURED, Funds.HELD} and request.type in VOIDABLE:
        if not captured_there and (means.void or by_back_office):
            return "Void it?", _VOID
        if payment.funds is Funds.CAPTURED and (means.refund or by_back_office):
            return "Refund it?", _REFUND
    return ("",)


def _unsigned(payment: Payment) -> Display:
    name = payment.request.payment_id
    if payment.signature is Signature.REFUSED:
        return _display("warning", "reversing", "Signature refused", "Payment is being reversed…")
    return _display(
        "warning",
        "check_signature",
        "Check signature on slip",
        amount_text(payment.request.amount if not payment.approval else payment.approval.amount),
        Button(id=button_id(name, YES), label="Yes"),
        Button(id=button_id(name, NO), label="No"),
    )


def _disagreement(payment: Payment) -> Display:
    return _leave(
        "error",
        "discrepancy",
        not_again(payment),
        "The terminal contradicts itself: call a supervisor",
        _SUPERVISOR,
    )


def _display(severity: str, code: str, first: str, second: str, *buttons: Button) -> Display:
    lines = tuple(line for line in (first, second) if line)
    return Display.model_validate(
        {
            "severity": severity,
            "code": code,
            "lines": lines,
            "buttons": buttons,
            "may_leave_screen": False,
        }
    )


def _leave(severity: str, code: str, first: str, second: str, *buttons: Button) -> Display:
    stays = _display(severity, code, first, second, *buttons)
    return stays.model_copy(update={"may_leave_screen": True})
