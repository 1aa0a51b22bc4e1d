"""What the POS server's answers prove of a payment at one of its terminals. Pure.

* A payment is ours when it bears our reference. One that tells none is ours only if nothing that it
  tells speaks against it: terminal, currency and amount are what was asked.
* An error is a *no* only with a code that is known to mean one. Any other ends in doubt: whether
  money moved before the error, the server did not say.
* An authorization is no sale yet: its money is held, and must be captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.api.attempts import NotApplied, Refused
from bridge.backoffice.terminal_payments.settings import (
    HELD,
    TAKEN,
    WELL,
    PosServerSettings,
    word,
)
from drivers import contract as c
from drivers.amounts import MINOR_DIGITS, amount_text, decimal_text

TEXT_CHARS_MAX = 200

Step = Literal["start", "continue", "capture"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; an answer is compared with it.

    Attributes:
        holds: The money shall be held only, as a pre-authorization.
        captures: An authorization that exists is captured: what answers is about its money.
        payment_id: The server's id of the payment that is captured, which may still bear the
            reference that it was begun with; "" where none is captured.
    """

    amount: c.Money
    reference: str
    kind: api.Kind
    holds: bool = False
    captures: bool = False
    payment_id: str = ""

    @property
    def is_taken_later(self) -> bool:
        """True for a sale whose money is held first, and then captured."""
        return self.kind is api.Kind.AUTHORIZATION and not self.holds and not self.captures


@dataclass(frozen=True, slots=True)
class Held:
    """The money is held for us, and the sale needs its capture."""

    approval: c.Approval
    payment_id: str  # as the server calls it


Verdict = c.Approved | c.Declined | c.Canceled | c.Failed | c.Unclear | Held


def wanted_of(operation: c.MoneyOperation, settings: PosServerSettings) -> Wanted | c.Failed:
    """Return what the server must do for `operation`, or why it is not asked."""
    amount = operation.tip if isinstance(operation, c.AdjustTip) else operation.amount
    if amount is None or amount.currency != settings.currency:
        text = f"the POS server's terminals take {settings.currency}"
        return c.Failed("not_sent", text, "invalid_request")
    match operation:
        case c.Pay(gift=False):
            kind = api.Kind.SALE if settings.sale == "immediate" else api.Kind.AUTHORIZATION
            return Wanted(amount, operation.reference, kind)
        case c.Refund() if settings.refunds:
            return Wanted(amount, operation.reference, api.Kind.REFUND)
        case c.Authorize(original=None) if settings.preauthorization:
            return Wanted(amount, operation.reference, api.Kind.AUTHORIZATION, holds=True)
        case c.Capture() if settings.preauthorization:
            name = operation.original.fingerprint
            kind = api.Kind.AUTHORIZATION
            return Wanted(amount, operation.reference, kind, captures=True, payment_id=name)
        case _:
            text = "the POS server documents no such operation at its terminals"
            return c.Failed("not_sent", text, "operation_not_supported")


def first_ask(
    operation: c.MoneyOperation, wanted: Wanted, settings: PosServerSettings
) -> api.Start | api.Capture:
    """Return the one question that begins an operation."""
    digits = MINOR_DIGITS[wanted.amount.currency]
    amount = decimal_text(wanted.amount.minor, digits)
    if isinstance(operation, c.Capture):
        is_part = operation.amount != operation.original.amount
        return api.Capture(operation.original.fingerprint, amount if is_part else "")
    original = operation.original if isinstance(operation, c.Refund) else None
    return api.Start(
        wanted.kind,
        settings.terminal,
        amount,
        wanted.amount.currency,
        wanted.reference,
        original=original.fingerprint if original is not None else "",
    )


def judge_payment(shown: api.ShownPayment, wanted: Wanted, settings: PosServerSettings) -> Verdict:
    """Return what a payment that the server shows proves."""
    bears_ours = shown.reference == wanted.reference or (
        wanted.payment_id != "" and c.mask_cards(shown.payment_id) == wanted.payment_id
    )
    if shown.reference and not bears_ours:
        return c.Unclear("other_transaction", "the POS server shows another reference than ours")
    money = _money(shown, wanted)
    if money is None:
        return c.Unclear("unreadable", "the POS server shows the payment without its amount")
    approval = _approval(shown, money)
    if shown.terminal and shown.terminal.casefold() != settings.terminal.casefold():
        text = "the POS server shows another terminal"
        return c.Unclear("other_transaction", text, seen=approval)
    if not bears_ours and money != wanted.amount:
        text = f"the POS server shows {amount_text(money)} and no reference"
        return c.Unclear("other_transaction", text, seen=approval)
    return _judge_status(shown, approval, wanted, settings)


def _judge_status(
    shown: api.ShownPayment, approval: c.Approval, wanted: Wanted, settings: PosServerSettings
) -> Verdict:
    status = word(shown.status)
    taken = TAKEN | {word(one) for one in settings.taken_statuses}
    held = HELD | {word(one) for one in settings.held_statuses}
    is_well = not shown.status or status in WELL  # whatever was asked for is done
    if wanted.captures and (is_well or status in taken):
        return c.Approved(approval)
    if wanted.holds and (is_well or status in held):
        return c.Approved(approval)
    if wanted.holds and status in taken:
        text = f"the POS server took the money ({_told(shown.status)}) where it was to be held"
        return c.Unclear("taken_not_held", text, seen=approval)
    if not wanted.captures and (status in held or (is_well and wanted.is_taken_later)):
        return Held(approval, shown.payment_id)
    if is_well or status in taken:
        return c.Approved(approval)
    refusal = _refusal(status, f"the payment is {_told(shown.status)}", settings, step="continue")
    if refusal is not None and not wanted.captures:
        return refusal
    text = f"the POS server calls the payment {_told(shown.status)}"
    return c.Unclear("unknown_status", text, seen=approval)


def judge_error(
    error: api.ShownError, settings: PosServerSettings, *, step: Step, held: bool
) -> Verdict:
    """Return what an error proves; `held`: the money of this payment is held already."""
    text = _told(f"{error.code}: {error.text}" if error.text else error.code)
    refusal = None if held else _refusal(word(error.code), text, settings, step=step)
    if refusal is not None:
        return refusal
    words = "the money is held, and its capture failed" if held else "it may have moved money"
    return c.Unclear("server_error", f"{text}: {words}", only_a_person=True)


def _refusal(
    code: str, text: str, settings: PosServerSettings, *, step: Step
) -> c.Declined | c.Canceled | c.Failed | None:
    if code in map(word, settings.declined_codes):
        return c.Declined(code, text)
    if code in map(word, settings.canceled_codes):
        return c.Canceled("terminal", code, text)
    if step == "start" and code in map(word, settings.not_started_codes):
        return c.Failed(code, text)
    return None


def not_begun(told: NotApplied | Refused, wanted: Wanted) -> c.Failed:
    """Return the proof that the one request that begins an operation did nothing."""
    match told:
        case NotApplied(reason=reason):
            return c.Failed("not_applied", reason, "host_unreachable")
        case Refused(code="NOT_AUTHORIZED"):
            text = f"the back office does not grant us {api.PERMISSIONS[wanted.kind]}"
            return c.Failed(told.code, text, "feature_disabled")
        case Refused(code="VALIDATION", path=path):
            return c.Failed(told.code, f"the POS server refused {path or 'what was asked'}")
        case _:
            text = "the POS server does not understand what was asked; see `paybridge check`"
            return c.Failed(told.code, text, "operation_not_supported")


def _money(shown: api.ShownPayment, wanted: Wanted) -> c.Money | None:
    currency = shown.currency.upper() or wanted.amount.currency
    if not shown.amount or currency not in MINOR_DIGITS:
        return None
    minor = Decimal(shown.amount).scaleb(MINOR_DIGITS[currency])
    if wanted.kind is api.Kind.REFUND:
        minor = abs(minor)  # which way it goes is known; some write it with a sign
    if minor < 0 or minor != minor.to_integral_value():
        return None
    return c.Money(int(minor), currency)


def _approval(shown: api.ShownPayment, amount: c.Money) -> c.Approval:
    name = c.mask_cards(shown.payment_id)
    pan = c.MaskedPan.of(shown.card_number) if shown.card_number else None
    return c.Approval(
        amount,
        fingerprint=name,
        transaction_id=name,
        terminal_id=c.mask_cards(shown.terminal),
        approval_code=c.mask_cards(shown.approval_code),
        card=c.Card(brand=c.mask_cards(shown.card_brand).lower(), masked_pan=pan),
        extra={"status": _told(shown.status)} if shown.status else {},
    )


def _told(text: str) -> str:
    """Return words of the server for people: short, printable, without a card number."""
    printable = "".join(one if one.isprintable() else " " for one in text)
    return c.mask_cards(printable)[:TEXT_CHARS_MAX]
