"""Commands about payments, sales and gift cards that are known: they begin no money. Pure."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from bridge.register.api.envelope import GiftCard, Request, Sale
from bridge.register.api.fields import (
    AmountText,
    Id,
    PaymentId,
    StrictWire,
    Text,
    UtcTime,
    Wire,
    Word,
)
from bridge.register.api.results import (
    GiftCardBalanceResult,
    GiftCardCodeResult,
    PaymentListResult,
    ReceiptReprintResult,
    SaleAttachResult,
)

LIST_MAX: Final = 200  # as many documents as a register may have retained
LIST_DEFAULT: Final = 50


class GiftCardBalance(Request):
    """Ask what is on a gift card; the answer's `result` has `balance`. Needs no PIN."""

    operation = "gift_card/balance"
    result = GiftCardBalanceResult
    page = "gift cards"

    gift_card: GiftCard
    """Which gift card; its PIN is not needed."""


class GiftCardDeactivate(Request):
    """Revoke a lost gift card's code: nobody pays with it any more, and its balance stays there."""

    operation = "gift_card/deactivate"
    result = GiftCardCodeResult
    page = "gift cards"

    operation_id: PaymentId
    """Names this change for ever: the same one again has the same answer and changes nothing more.
    A UUID in lower case."""
    gift_card: GiftCard
    """Which gift card; its PIN is not needed."""
    approved_by: Word
    """The supervisor who answers for it."""


class GiftCardReplace(GiftCardDeactivate):
    """Put another code in the place of a lost gift card's; the balance is then that code's."""

    operation = "gift_card/replace"

    replacement: GiftCard
    """The new plastic: a physical code that no card has, with its PIN where it has one."""


class PaymentCancel(Request):
    """Ask for a payment to be stopped. Its document says whether it was."""

    operation = "payment/cancel"
    page = "doubt"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    reason: Word | None = None
    """Why, in a word; kept with the payment."""
    reason_text: Text | None = None
    """Why, in a sentence; kept with the payment."""


class PaymentStatus(Request):
    """Publish a payment's document again; with `refresh`, ask the terminal first."""

    operation = "payment/status"
    page = "doubt"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    refresh: bool = False
    """Also ask the terminal now, when the payment is in doubt."""


class ListFilter(Wire):
    """Which payments to list."""

    open: bool | None = None
    """`true`: only those that are not settled; else all."""
    since: UtcTime | None = None
    """Only those that were started at this moment or later."""
    sale_id: Word | None = None
    """Only the payments of this sale."""


class PaymentList(Request):
    """List the register's own payments, newest first."""

    operation = "payment/list"
    result = PaymentListResult
    page = "after"

    filter: ListFilter = ListFilter()
    """Which payments; absent: all of this register."""
    limit: int = Field(default=LIST_DEFAULT, ge=1, le=LIST_MAX)
    """How many at most, newest first."""


class PaymentAcknowledge(Request):
    """Say that revision `rev` of a payment is kept by the register."""

    operation = "payment/acknowledge"
    page = "sale"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    rev: int = Field(ge=1)
    """The revision of the document that is on the register's disk."""


class Evidence(StrictWire):
    """What a person saw."""

    approval_code: Word | None = None
    """The approval code on the slip; needed for `approved`."""
    amount: AmountText | None = None
    """What the slip says was taken, for `approved`; without it, what was asked."""
    source: Literal[
        "merchant_slip",
        "customer_slip",
        "terminal_display",
        "terminal_journal",
        "acquirer",
        "other",
    ]
    """What the person looked at."""
    text: Text | None = None
    """What else the person saw, in a sentence."""


class PaymentResolve(Request, StrictWire):  # the last base decides on unknown fields
    """A person settles a payment that is in doubt."""

    operation = "payment/resolve"
    page = "doubt"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    outcome: Literal["approved", "not_charged", "refund_if_found"]
    """What the person found out; `refund_if_found` settles it now as not charged, and money that
    shows up later goes back."""
    evidence: Evidence
    """Where the person saw it."""
    approved_by: Word
    """The supervisor who answers for it."""
    reason_text: Text | None = None
    """Why, in a sentence; kept with the payment."""


class PromptReply(StrictWire):
    """What the cashier pressed."""

    confirmed: bool
    """`true` is yes."""


class PromptAnswer(Request, StrictWire):  # the last base decides on unknown fields
    """Answer a question that lies under `prompts/`. The first answer counts."""

    operation = "prompt/answer"
    page = "after"

    prompt_id: Id
    """The bridge's name of a question to the cashier."""
    answer: PromptReply
    """What the cashier pressed; the first answer counts."""


class SaleAttach(Request, StrictWire):  # the last base decides on unknown fields
    """Tell what was sold, for a sale whose payments began with `sale_lines: "later"`."""

    operation = "sale/attach"
    result = SaleAttachResult
    page = "sale"

    sale_id: Word
    """The sale that was started with `sale_lines: later`."""
    sale: Sale
    """What was sold, for the purchase record in the back office."""


class ReceiptReprint(Request):
    """Get the receipts of a payment again, marked as duplicates."""

    operation = "receipt/reprint"
    result = ReceiptReprintResult
    page = "sale"

    payment_id: PaymentId
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
