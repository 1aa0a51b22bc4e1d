"""What the clerk sees: two lines, a color and buttons for every state of a payment. Pure.

The rules of the contract: red is kept for "someone must act"; every "not paid" line says *not
charged*; every doubt says *do not charge again*; the shopper never sees the host's reasons.
"""

from __future__ import annotations

from bridge.money.amounts import digits_of
from bridge.money.payment import INFERRED, Funds, Payment, PaymentType, Recording, Status
from bridge.money.signature import Signature
from bridge.register.contract import Button, Display, format_amount
from bridge.register.prompts import NO, YES, button_id
from drivers.contract import Money, Stage

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "JPY": "¥"}

_SUPERVISOR = Button(id="call_supervisor", label="Supervisor")
_CANCEL = Button(id="cancel", label="Cancel")
_RETRY = (Button(id="retry", label="Retry"), Button(id="pay_otherwise", label="Other way"))

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
_CANCELABLE = frozenset(
    {
        Stage.STARTING,
        Stage.WAITING_FOR_CARD,
        Stage.CARD_REMOVED_TOO_EARLY,
        Stage.TRY_AGAIN,
        Stage.SELECT_APPLICATION,
        Stage.ENTERING_TIP,
        Stage.ENTERING_PIN,
    }
)


def amount_text(money: Money) -> str:
    """Return an amount for people, e.g. `47,90 €`: a comma, as most of our stores write it."""
    text = format_amount(money)
    if digits_of(money.currency):
        text = text.replace(".", ",")
    return f"{text} {_SYMBOLS.get(money.currency, money.currency)}"


def display_of(
    payment: Payment, *, remaining: Money, terminal_name: str, position: int = 0
) -> Display:
    """Return what the clerk's screen shows for the payment as it is now.

    `position` is its place in the line before a busy terminal, 0 when it waits in none.
    """
    match payment.status:
        case Status.QUEUED:
            if payment.request.method == "gift_card":
                return _display("info", "queued", "Asking the back office", "", _CANCEL)
            if position:
                place = "You are next" if position == 1 else f"Number {position} in line"
                return _display("info", "queued", f"{terminal_name} is busy", place, _CANCEL)
            return _display("info", "queued", f"Connecting to {terminal_name}", "", _CANCEL)
        case Status.IN_PROGRESS:
            return _running(payment)
        case Status.CANCELING:
            return _display("info", "canceling", "Canceling…", "Wait for the terminal")
        case Status.IN_DOUBT:
            return _doubtful(payment)
        case Status.APPROVED:
            return _paid(payment, remaining)
        case Status.DECLINED:
            text = "Not charged – ask for another card"
            return _leave("warning", "declined", "Card declined", text, *_RETRY)
        case Status.CANCELED:
            return _leave("warning", "canceled", "Canceled – not charged", "", *_RETRY)
        case Status.FAILED:
            why = payment.denial.text if payment.denial else ""
            by_gift_card = payment.request.method == "gift_card"
            line = f"{'Gift card' if by_gift_card else 'Terminal'} fault – not charged"
            if payment.discrepancies:
                return _disagreement()
            return _leave("warning", "failed", line, why[:40], *_RETRY)


def _running(payment: Payment) -> Display:
    stage = payment.stage or Stage.STARTING
    if payment.request.method == "gift_card":
        line = amount_text(payment.request.amount)
        waits = payment.request.type is PaymentType.LOAD and payment.offer is not None
        text = "Loaded as soon as the sale is paid" if waits else "Asking the back office"
        return _leave("info", stage.value, line, text, _CANCEL)
    buttons = (_CANCEL,) if stage in _CANCELABLE else ()
    if stage in _STAGES:
        first, second = _STAGES[stage]
        return _leave("info", stage.value, first, second, *buttons)
    if stage is Stage.WAITING_FOR_CARD:
        line = amount_text(payment.request.amount)
        return _leave("info", stage.value, line, "Tap, insert or swipe", *buttons)
    return _display("info", stage.value, amount_text(payment.request.amount), "", *buttons)


def _doubtful(payment: Payment) -> Display:
    by_gift_card = payment.request.method == "gift_card"
    if payment.doubt is None or not payment.doubt.needs_operator:
        text = f"Checking with the {'back office' if by_gift_card else 'terminal'}…"
        return _leave("warning", "in_doubt", "Do not charge again", text)
    asked = f"Was {amount_text(payment.request.amount)} approved? Do not charge again"
    return _leave(
        "error",
        "in_doubt_needs_operator",
        "Look it up in the back office" if by_gift_card else "Look at the terminal's slip",
        asked,
        Button(id="answer:approved", label="Yes, code…"),
        Button(id="answer:not_charged", label="No"),
        _SUPERVISOR,
    )


def _paid(payment: Payment, remaining: Money) -> Display:
    if any(one.kind != INFERRED for one in payment.discrepancies):
        return _disagreement()
    assert payment.approval is not None, "approved always says what was approved"
    taken, asked = payment.approval.amount, payment.request.amount
    done = DONE[payment.request.type]
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
    receipt = Button(id="receipt", label="Receipt")
    if payment.signature is Signature.NOT_REVERSED:
        first = f"Still charged {amount_text(taken)}"
        return _leave("error", "not_reversed", first, "Refund it: signature refused", _SUPERVISOR)
    if payment.recording is Recording.REJECTED:
        return _leave("error", "not_booked", f"{done}, not booked", "Manager informed", receipt)
    if payment.recording is Recording.UNCONFIRMED:
        text = "Manager checks the booking"
        return _leave("error", "booking_unconfirmed", f"{done} {amount_text(taken)}", text, receipt)
    if payment.discrepancies and not payment.decided_by:
        text = "Manager checks the gift card"
        return _leave("warning", INFERRED, f"{done} {amount_text(taken)}", text, receipt)
    if taken.minor < asked.minor and payment.request.type is PaymentType.SALE:
        return _leave(
            "warning",
            "partial",
            f"Paid {amount_text(taken)} of {amount_text(asked)}",
            f"{amount_text(remaining)} still to pay",
            Button(id="pay_otherwise", label="Pay rest"),
        )
    if payment.cancel_asked:
        first = f"{done} {amount_text(taken)} – cancel came too late"
        keep = Button(id="keep", label="Keep")
        return _leave("warning", "too_late_to_cancel", first, "Void it?", keep)
    return _leave(
        "success", "approved", f"{done} {amount_text(taken)}", f"{name}{tail}".strip(), receipt
    )


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


def _disagreement() -> Display:
    return _leave(
        "error",
        "discrepancy",
        "Do not charge again",
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
