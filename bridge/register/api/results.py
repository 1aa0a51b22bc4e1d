"""What stands in `result` of a response, by command. Pure.

A command that is not named in `RESULTS` has none: its response is the whole answer, and what
becomes of it a document tells.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, create_model

from bridge.register.api.documents import (
    Funds,
    ReceiptDocument,
    RecordingStatus,
    Response,
    Status,
)
from bridge.register.api.fields import AmountText, Currency, UtcTime, Wire
from bridge.register.api.state_documents import ReconciliationDocument


class StartedLeg(Wire):
    """One part of a plan, with a document of its own."""

    payment_id: str
    method: Literal["card", "gift_card"]
    amount: AmountText


class StartResult(Wire):
    """How a payment begins: where it waits, and what the parts of a plan are called."""

    queue_position: int | None = None
    plan_id: str | None = None
    legs: tuple[StartedLeg, ...] = ()


class ListedPayment(Wire):
    """A payment in a list; its document has the rest."""

    payment_id: str
    terminal_id: str
    type: str
    method: str
    sale_id: str | None = None
    plan_id: str | None = None
    original_payment_id: str | None = None
    status: Status
    funds: Funds
    recording: RecordingStatus
    amount: AmountText
    captured_amount: AmountText | None = None
    held_amount: AmountText | None = None
    currency: Currency
    hold_expires_at: UtcTime | None = None
    created_at: UtcTime
    updated_at: UtcTime


class PaymentListResult(Wire):
    """The register's own payments, newest first."""

    payments: tuple[ListedPayment, ...] = ()


class SaleAttachResult(Wire):
    """Where the sale stands on its way to the books."""

    recording: RecordingStatus


class ReceiptReprintResult(Wire):
    """The receipts of a payment, marked as duplicates."""

    receipts: tuple[ReceiptDocument, ...]


class GiftCardBalanceResult(Wire):
    """What is on a gift card of the back office."""

    balance: str
    masked_pan: str


class TerminalResult(Wire):
    """The terminal did it."""

    terminal_id: str


class TerminalNoteResult(TerminalResult):
    """How many gaps of the terminal's sums are now noted."""

    noted: int


class TerminalCheckResult(TerminalResult):
    """How a terminal is."""

    ready: bool
    problem: str | None = None
    text: str | None = None
    answered: bool


class DiagnosisResult(TerminalResult):
    """What the terminal found when it called its host."""

    passed: bool
    text: str | None = None
    facts: dict[str, str] = Field(default_factory=dict)


class CardReadResult(TerminalResult):
    """What may be known of a card that was read."""

    payment_brand: str | None = None
    payment_brand_label: str | None = None
    masked_pan: str | None = None
    entry_mode: str | None = None


class CardBalanceResult(CardReadResult):
    """What is left on a gift card that the terminal read."""

    balance: AmountText
    currency: Currency


class LastTransactionResult(CardReadResult):
    """The last transaction in the terminal's memory, and whose it is."""

    payment_id: str | None = None
    text: str | None = None
    amount: AmountText | None = None
    currency: str | None = None
    poi_id: str | None = None
    transaction_id: str | None = None
    trace: str | None = None
    approval_code: str | None = None
    time_stamp: str | None = None


RESULTS: Final[dict[str, type[Wire]]] = {
    "payment/start": StartResult,
    "payment/list": PaymentListResult,
    "sale/attach": SaleAttachResult,
    "receipt/reprint": ReceiptReprintResult,
    "gift_card/balance": GiftCardBalanceResult,
    "card/read": CardReadResult,
    "card/balance": CardBalanceResult,
    "terminal/note": TerminalNoteResult,
    "terminal/check": TerminalCheckResult,
    "terminal/login": TerminalCheckResult,
    "terminal/diagnose": DiagnosisResult,
    "terminal/display": TerminalResult,
    "terminal/last_transaction": LastTransactionResult,
    "terminal/totals": ReconciliationDocument,
    "terminal/reconcile": ReconciliationDocument,
}


def _response_with(result: type[Wire]) -> type[Response]:
    """Return the response whose `result` is that; its name ends with Response."""
    name = result.__name__.removesuffix("Result").removesuffix("Document")
    wanted: Any = result | None
    return create_model(
        f"{name}Response",
        __base__=Response,
        __doc__=f"{Response.__doc__} Here `result` is: {result.__doc__}",
        result=(wanted, None),
    )


_WITH: Final = {result: _response_with(result) for result in set(RESULTS.values())}
PLAIN: Final[type[Response]] = create_model(
    "PlainResponse",
    __base__=Response,
    __doc__=f"{Response.__doc__} Here there is no `result`.",
    result=(None, None),
)


def response_of(operation: str) -> type[Response]:
    """Return the model of the response to a command."""
    result = RESULTS.get(operation)
    return PLAIN if result is None else _WITH[result]
