"""The `result` of a response, one model per command. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bridge.register.api.documents import (
    Funds,
    ReceiptDocument,
    RecordingStatus,
    Status,
)
from bridge.register.api.fields import AmountText, Currency, UtcTime, Wire


class StartedLeg(Wire):
    """One part of a plan, with a document of its own."""

    payment_id: str
    """The name of the part's own document."""
    method: Literal["card", "gift_card"]
    """What pays this part."""
    amount: AmountText
    """What this part takes, in the currency of the command."""


class SaleWarning(Wire):
    """Something in a sale that the back office may not take; the sale goes on."""

    code: Literal["item_unknown", "member_unknown"]
    """What it is about; an open list."""
    path: str
    """The field of the command, e.g. `sale.lines.1.product_code`."""
    text: str
    """For the cashier, in a sentence."""


class StartResult(Wire):
    """How a payment begins: where it waits, and what the parts of a plan are called."""

    queue_position: int | None = None
    """The payment's place in the line before a busy terminal; null when it waits in none."""
    plan_id: str | None = None
    """The plan, which has the command's `payment_id`; null without one."""
    legs: tuple[StartedLeg, ...] = ()
    """The parts of a plan, in the order in which they begin."""
    warnings: tuple[SaleWarning, ...] = ()
    """What the back office may not take of this sale; the payment goes on."""


class ListedPayment(Wire):
    """A payment in a list; its document has the rest."""

    payment_id: str
    """Which payment."""
    terminal_id: str
    """On which terminal; `gift-cards` for those of the back office."""
    type: str
    """What was asked for, e.g. `sale`, `preauth`."""
    method: str
    """What is paid with."""
    sale_id: str | None = None
    """The register's number of the sale; null where it gave none."""
    plan_id: str | None = None
    """The plan that it is a part of; null outside of one."""
    original_payment_id: str | None = None
    """The payment that it follows up; null for a start."""
    status: Status
    """Whether it worked."""
    funds: Funds
    """Where the money is now; it goes on changing after `status` is final."""
    recording: RecordingStatus
    """Whether it is in the books."""
    amount: AmountText
    """What was asked for."""
    captured_amount: AmountText | None = None
    """What was taken, of a hold what was captured of it; null where nothing was, or is not known
    yet."""
    held_amount: AmountText | None = None
    """What is still held; null where nothing is."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    hold_expires_at: UtcTime | None = None
    """When a hold may end: some days after it began, as configured for the terminal. Null where
    nothing is held, and where nobody knows."""
    created_at: UtcTime
    """When the command was accepted."""
    updated_at: UtcTime
    """When the document changed last."""


class PaymentListResult(Wire):
    """The register's own payments, newest first."""

    payments: tuple[ListedPayment, ...] = ()
    """The payments, newest first."""


class SaleAttachResult(Wire):
    """Where the sale stands on its way to the books."""

    recording: RecordingStatus
    """Whether the sale is in the books already."""
    warnings: tuple[SaleWarning, ...] = ()
    """What the back office may not take of it."""


class ReceiptReprintResult(Wire):
    """The receipts of a payment, marked as duplicates."""

    receipts: tuple[ReceiptDocument, ...]
    """The receipts, one for each copy."""


class GiftCardBalanceResult(Wire):
    """What is on a gift card of the back office."""

    balance: str
    """What is on the card, decimal text."""
    masked_pan: str
    """The end of the card's number."""


class GiftCardCodeResult(Wire):
    """The code of a gift card was revoked, or replaced."""

    masked_pan: str
    """The end of the code that nobody can pay with any more."""
    replaced_by: str | None
    """The end of the code that took its place; null where there is none."""
    balance: str
    """What the card held when its code was changed, decimal text; it stays with the card."""


class TerminalResult(Wire):
    """The terminal did it."""

    terminal_id: str
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""


class TerminalNoteResult(TerminalResult):
    """How many gaps of the terminal's sums are now noted."""

    noted: int
    """How many gaps nobody had noted before."""


class TerminalCheckResult(TerminalResult):
    """How a terminal is."""

    ready: bool
    """Whether it would take a payment now."""
    problem: str | None = None
    """A short name of what is wrong; null when nothing is."""
    text: str | None = None
    """What is wrong, in words; null when nothing is."""
    answered: bool
    """Whether it answered; else this is what was known before."""


class DiagnosisResult(TerminalResult):
    """What the terminal found in a test."""

    passed: bool
    """Whether it found nothing wrong; of a diagnosis, that it reached its host."""
    text: str | None = None
    """What it said, in words; null where it said nothing."""
    facts: dict[str, str] = Field(default_factory=dict)
    """What else it said, by name; an open list."""


class CardReadResult(TerminalResult):
    """What may be known of a card that was read."""

    payment_brand: str | None = None
    """The card's brand in lower case, e.g. `visa`; null where it does not tell."""
    payment_brand_label: str | None = None
    """What the card calls itself; null where it does not tell."""
    masked_pan: str | None = None
    """At most the last four digits of the card, the others as `*`; null where the terminal does not
    tell."""
    entry_mode: str | None = None
    """`contactless`, `icc` (the chip), `magstripe` or `manual`; null where the terminal does not
    tell."""


class CardBalanceResult(CardReadResult):
    """What is left on a gift card that the terminal read."""

    balance: AmountText
    """What is left on the card."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""


class LastTransactionResult(CardReadResult):
    """The last transaction in the terminal's memory, and whose it is."""

    payment_id: str | None = None
    """The payment that it belongs to; null for a stranger's."""
    text: str | None = None
    """What it was, where it was no approval; null otherwise."""
    amount: AmountText | None = None
    """What it took; null when the memory is empty."""
    currency: str | None = None
    """Of the amount; null when the memory is empty."""
    poi_id: str | None = None
    """The terminal's own id; null where it does not tell."""
    transaction_id: str | None = None
    """Its number; null where there is none."""
    trace: str | None = None
    """Its trace number; null where there is none."""
    approval_code: str | None = None
    """Its approval code; null where there is none."""
    time_stamp: str | None = None
    """When, by the terminal's own clock; null where it does not tell."""
