"""Commands about payments, sales and gift cards that are known: they begin no money. Pure."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

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

LIST_MAX: Final = 200  # as many documents as a register may have retained
LIST_DEFAULT: Final = 50


class GiftCardBalance(Request):
    """Ask what is on a gift card; the answer's `result` has `balance`. Needs no PIN."""

    operation: ClassVar[str] = "gift_card/balance"

    gift_card: GiftCard


class GiftCardDeactivate(Request):
    """Make a gift card unusable. Always refused: the back office documents no way to do it."""

    operation: ClassVar[str] = "gift_card/deactivate"

    gift_card: GiftCard


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
    amount: AmountText | None = None
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


class PromptReply(StrictWire):
    """What the clerk pressed."""

    confirmed: bool


class PromptAnswer(Request, StrictWire):  # the last base decides on unknown fields
    """Answer a question that lies under `prompts/`. The first answer counts."""

    operation: ClassVar[str] = "prompt/answer"

    prompt_id: Id
    answer: PromptReply


class SaleAttach(Request, StrictWire):  # the last base decides on unknown fields
    """Tell what was sold, for a sale whose payments began with `sale_lines: "later"`."""

    operation: ClassVar[str] = "sale/attach"

    sale_id: Word
    sale: Sale


class ReceiptReprint(Request):
    """Get the receipts of a payment again, marked as duplicates."""

    operation: ClassVar[str] = "receipt/reprint"

    payment_id: PaymentId
