"""Receipts where the terminal wrote none: text and fields from what was approved. Pure.

What a terminal wrote is never touched. A receipt holds no more of a card than its last four
digits, whatever a terminal says of it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.amounts import format_amount, parse_amount
from bridge.money.store.records import PaymentRecord
from drivers.amounts import MINOR_DIGITS, amount_text
from drivers.contract import Approval, MaskedPan, Money, Receipt

Columns = Literal[32, 40, 48]
COLUMNS_DEFAULT: Columns = 40  # what 80 mm paper holds in the printers' normal letters
PAN_DIGITS_MIN = 12  # ISO/IEC 7812; a row of digits this long in a card's label is cut
_LONG_NUMBER = re.compile(rf"(?:\d[ -]?){{{PAN_DIGITS_MIN},}}")

_ENGLISH = {
    "sale": "Card payment",
    "preauth": "Reservation",
    "increment": "Reservation raised",
    "capture": "Card payment",
    "refund": "Refund",
    "void": "Void",
    "tip_adjust": "Tip",
    "gift_card": "Gift card payment",
    "load": "Gift card filled",
    "unload": "Taken off the gift card",
    "balance": "Balance left",
    "customer": "Customer copy",
    "merchant": "Merchant copy",
    "duplicate": "*** DUPLICATE ***",
    "time": "Date",
    "terminal": "Terminal",
    "transaction": "Receipt no.",
    "trace": "Trace no.",
    "merchant_id": "Merchant no.",
    "card": "Card",
    "number": "Number",
    "entry": "Read",
    "contactless": "contactless",
    "icc": "chip",
    "magstripe": "magnetic stripe",
    "manual": "by hand",
    "aid": "AID",
    "approval": "Approval code",
    "tip": "Tip included",
    "surcharge": "Surcharge included",
    "fee": "Fee included",
    "cash_back": "Cash paid out",
    "amount": "Amount",
    "approved": "Approved",
    "signature": "Signature",
    "payment": "Payment",
}
_GERMAN = {
    "sale": "Kartenzahlung",
    "preauth": "Reservierung",
    "increment": "Reservierung erhöht",
    "capture": "Kartenzahlung",
    "refund": "Gutschrift",
    "void": "Storno",
    "tip_adjust": "Trinkgeld",
    "gift_card": "Zahlung mit Geschenkkarte",
    "load": "Geschenkkarte geladen",
    "unload": "Geschenkkarte entladen",
    "balance": "Restguthaben",
    "customer": "Kundenbeleg",
    "merchant": "Händlerbeleg",
    # The word of the contract stays, so that every till and auditor finds it.
    "duplicate": "*** DUPLICATE / KOPIE ***",
    "time": "Datum",
    "terminal": "Terminal",
    "transaction": "Beleg-Nr.",
    "trace": "Trace-Nr.",
    "merchant_id": "VU-Nr.",
    "card": "Karte",
    "number": "Nummer",
    "entry": "Gelesen",
    "contactless": "kontaktlos",
    "icc": "Chip",
    "magstripe": "Magnetstreifen",
    "manual": "von Hand",
    "aid": "AID",
    "approval": "Genehmigung",
    "tip": "davon Trinkgeld",
    "surcharge": "davon Zuschlag",
    "fee": "davon Entgelt",
    "cash_back": "davon Bargeld",
    "amount": "Betrag",
    "approved": "Zahlung erfolgt",
    "signature": "Unterschrift",
    "payment": "Zahlung",
}


@dataclass(frozen=True, slots=True)
class ReceiptStyle:
    """How a store's receipts look."""

    heading: tuple[str, ...] = ()  # who the store is
    columns: Mapping[str, Columns] = field(default_factory=dict)  # by register

    def columns_of(self, register_id: str) -> Columns:
        """Return how many letters a line of this register's paper has."""
        return self.columns.get(register_id, COLUMNS_DEFAULT)


PLAIN = ReceiptStyle()
_Compose = Callable[
    [PaymentRecord, Approval, Literal["customer", "merchant"], ReceiptStyle], tuple[str, ...]
]


def receipts_of(account: PaymentRecord, style: ReceiptStyle) -> tuple[Receipt, ...]:
    """Return the receipts of a payment: the terminal's own, else ours once it is approved."""
    return _receipts(account, style, _compose)


def outlines_of(account: PaymentRecord, style: ReceiptStyle) -> tuple[Receipt, ...]:
    """Return the same receipts, as wide as they are, with one line in each of ours.

    A document names receipts with every change, and composing them is most of what it costs.
    """
    return _receipts(account, style, _rule)


def _receipts(
    account: PaymentRecord, style: ReceiptStyle, compose: _Compose
) -> tuple[Receipt, ...]:
    payment = account.payment
    told = _told_apart(payment.receipts)
    if payment.approval is None or payment.status is not p.Status.APPROVED:
        return told
    found = told or (
        Receipt("customer", compose(account, payment.approval, "customer", style)),
        Receipt("merchant", compose(account, payment.approval, "merchant", style)),
    )
    signed = payment.approval.card.verification == "signature"
    if not signed and payment.signature is None:
        return found
    own = Receipt("merchant", compose(account, payment.approval, "merchant", style))
    return _to_be_signed(found, own)


def _told_apart(printed: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    """Return what a terminal printed with one receipt for each copy, and not a line lost.

    Two that nothing tells apart are the merchant's and then the customer's, as terminals print
    them. Two of one copy stand on one paper; what was only printed again stands there once.
    """
    names = [one.copy for one in printed]
    if names == ["administration"] * 2 and printed[0].lines != printed[1].lines:
        first, second = printed
        return replace(first, copy="merchant"), replace(second, copy="customer")
    papers: dict[tuple[str, bool], Receipt] = {}
    for one in dict.fromkeys(printed):
        key = (one.copy, one.requires_signature)
        paper = papers.setdefault(key, one)
        if paper is not one:
            lines = (*paper.lines, "", *one.lines)
            must_print = paper.must_print or one.must_print
            papers[key] = replace(paper, lines=lines, must_print=must_print)
    return tuple(papers.values())


def width_of(receipt: Receipt) -> int:
    """Return how many columns a receipt needs, at least 24."""
    return max([len(line) for line in receipt.lines] or [24])


def _to_be_signed(found: tuple[Receipt, ...], own: Receipt) -> tuple[Receipt, ...]:
    """Return receipts with one that the shopper signs, to be printed at once.

    Terminals that print line by line cannot say which it is: then it is the merchant's. `own`
    takes its place where the terminal wrote none.
    """
    if not any(one.requires_signature for one in found):
        found = tuple(replace(one, requires_signature=one.copy == "merchant") for one in found)
    if not any(one.requires_signature for one in found):
        found = (*found, replace(own, requires_signature=True))
    return tuple(replace(one, must_print=one.must_print or one.requires_signature) for one in found)


def masked(pan: MaskedPan | None) -> str | None:
    """Return a card's number as the contract shows it: the last four digits, whatever is known."""
    return MaskedPan.of(pan.text).text if pan is not None else None


def marked_as_duplicate(lines: tuple[str, ...], columns: int, language: str) -> tuple[str, ...]:
    """Return a receipt's lines below a line that says that it was printed before."""
    return (_words(language)["duplicate"].center(columns).rstrip(), "", *lines)


def fields_of(account: PaymentRecord) -> dict[str, str | None]:
    """Return what a receipt of an approved payment says, by name; {} when it is not approved.

    For registers that lay out their own receipts. Amounts are decimal text without sign.
    """
    payment = account.payment
    approval = payment.approval
    if approval is None or payment.status is not p.Status.APPROVED:
        return {}
    if approval.amount.currency not in MINOR_DIGITS:
        return {}  # a person is asked what that was
    card = approval.card
    return {
        "type": payment.request.type.value,
        "amount": format_amount(approval.amount),
        "currency": approval.amount.currency,
        "tip_amount": format_amount(approval.tip) if approval.tip else None,
        "surcharge_amount": format_amount(approval.surcharge) if approval.surcharge else None,
        "payment_brand_label": _card_name(approval) or None,
        "masked_pan": masked(card.masked_pan),
        "entry_mode": card.entry_mode or None,
        "cardholder_verification": card.verification or None,
        "aid": card.application_id or None,
        "terminal_id": approval.terminal_id or None,
        "merchant_id": approval.merchant_id or None,
        "transaction_id": approval.transaction_id or None,
        "trace": approval.trace or None,
        "approval_code": approval.approval_code or None,
        "time_stamp": approval.time_text or account.ended_at,
    }


def _rule(
    account: PaymentRecord,
    _approval: Approval,
    _copy: Literal["customer", "merchant"],
    style: ReceiptStyle,
) -> tuple[str, ...]:
    """Return the line that is as wide as a receipt of ours, and no other is wider."""
    return ("-" * style.columns_of(account.payment.request.register_id),)


def _compose(
    account: PaymentRecord,
    approval: Approval,
    copy: Literal["customer", "merchant"],
    style: ReceiptStyle,
) -> tuple[str, ...]:
    request = account.payment.request
    columns = style.columns_of(request.register_id)
    words = _words(request.language)
    german = words is _GERMAN
    kind = request.type.value
    if request.method is p.Method.OFFICE_GIFT_CARD and request.type in p.TAKES:
        kind = "gift_card"
    card = approval.card
    rule = "-" * columns
    lines = [text for line in style.heading for text in _centered(line, columns)]
    lines += [""] if lines else []
    lines += _centered(words[copy], columns)
    lines += [*_centered(words.get(kind, kind), columns), ""]
    for label, value in (
        ("time", _time(approval.time_text or account.ended_at)),
        ("terminal", approval.terminal_id),
        ("merchant_id", approval.merchant_id),
        ("transaction", approval.transaction_id),
        ("trace", approval.trace),
        ("card", _card_name(approval)),
        ("number", f"****{card.masked_pan.last4}" if card.masked_pan else ""),
        ("entry", words.get(card.entry_mode, "")),
        ("aid", card.application_id),
        ("approval", approval.approval_code),
        ("balance", _balance(approval, german=german)),
    ):
        if value:
            lines += _row(words[label], value, columns)
    lines.append(rule)
    for label, money in (
        ("tip", approval.tip),
        ("surcharge", approval.surcharge),
        ("fee", approval.fee),
        ("cash_back", approval.cash_back),
    ):
        if money is not None and money.minor:
            lines += _row(words[label], _amount(money, german=german), columns)
    lines += _row(words["amount"], _amount(approval.amount, german=german), columns)
    lines += [rule, *_centered(words["approved"], columns)]
    signed = card.verification == "signature" or account.payment.signature is not None
    if copy == "merchant" and signed:
        lines += ["", "", "_" * columns, words["signature"]]
    lines += ["", *_row(words["payment"], request.payment_id, columns)]
    return tuple(line.rstrip() for line in lines)


def _words(language: str) -> dict[str, str]:
    return _GERMAN if language.lower().partition("-")[0] == "de" else _ENGLISH


def _card_name(approval: Approval) -> str:
    """Return what the card is called, with everything cut that could be its number."""
    name = _printable(approval.card.label or approval.card.brand.title())
    return _LONG_NUMBER.sub("****", name)


def _amount(money: Money, *, german: bool) -> str:
    return amount_text(money, comma=german)


def _balance(approval: Approval, *, german: bool) -> str:
    """Return what is left on a gift card, "" where it is not known."""
    told = approval.extra.get("balance_after", "")
    try:
        return _amount(parse_amount(told, approval.amount.currency), german=german) if told else ""
    except RequestError:
        return told  # below zero, or with more digits: as the back office wrote it


def _time(text: str) -> str:
    """Return a moment without its letters and fractions; one in UTC says so."""
    shown = text[:19].replace("T", " ")
    return f"{shown} UTC" if text.endswith("Z") else shown


def _centered(text: str, columns: int) -> list[str]:
    return [line.center(columns) for line in textwrap.wrap(_printable(text), columns)]


def _row(label: str, value: str, columns: int) -> list[str]:
    """Return label and value on one line if they fit, else on two or more."""
    value = _printable(value)
    if len(label) + 1 + len(value) <= columns:
        return [label + value.rjust(columns - len(label))]
    return [label, *(line.rjust(columns) for line in textwrap.wrap(value, columns))]


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
