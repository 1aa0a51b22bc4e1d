"""What the bridge publishes about payments: documents, receipts, events, responses. Pure.

Every path that publishes builds one of these models and calls `encode`; the published schemas
come from the same classes. A field that is not known is `null`, never left out, so a register can
tell "not yet" from "not in this version".
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from bridge.register.api.fields import SPEC, AmountText, Currency, UtcTime, Wire

MoneyMoved = Literal["no", "yes", "unknown"]
Retry = Literal["same_id", "new_id", "after_check", "no"]
Status = Literal[
    "queued",
    "in_progress",
    "canceling",
    "in_doubt",
    "approved",
    "declined",
    "canceled",
    "failed",
]
Funds = Literal[
    "none",
    "held",
    "captured",
    "partially_refunded",
    "refunded",
    "voided",
    "expired",
    "returned",
    "unknown",
    "loaded",
    "unloaded",
]
RecordingStatus = Literal["not_required", "pending", "recorded", "unconfirmed", "rejected"]
CancelReason = Literal[
    "cashier",
    "cardholder",
    "timeout",
    "terminal",
    "register_lost",
    "queue_timeout",
    "shutdown",
    "expired",
    "operator",
]
Severity = Literal["info", "success", "warning", "error"]


def encode(document: Wire) -> bytes:
    """Return the document's JSON in UTF-8, as it goes on the wire."""
    return document.model_dump_json(by_alias=True).encode()


# --- a payment


class PaymentAmounts(Wire):
    """All sums of a payment; `remaining_amount` is what the sale still needs."""

    currency: Currency
    requested_amount: AmountText
    authorized_amount: AmountText | None = None
    captured_amount: AmountText | None = None
    tip_amount: AmountText | None = None
    surcharge_amount: AmountText | None = None
    cash_back_amount: AmountText | None = None
    total_fees_amount: AmountText | None = None
    refunded_amount: AmountText | None = None
    remaining_amount: AmountText | None = None


class CardFacts(Wire):
    """What may be known of the card; never more than its last four digits."""

    payment_brand: str | None = None
    payment_brand_label: str | None = None
    brand_category: str | None = None
    masked_pan: str | None = Field(default=None, pattern=r"^\**[0-9*]{0,4}$")
    entry_mode: str | None = None
    cardholder_verification: str | None = None
    aid: str | None = None
    payment_account_reference: str | None = None
    token: str | None = None


class GiftCardFacts(Wire):
    """What the back office said of the gift card; `transaction_id` is its own, for a person."""

    transaction_id: str | None = None
    balance_before: str | None = None
    balance_after: str | None = None


class AcquirerFacts(Wire):
    """What the host said."""

    acquirer_id: str | None = None
    merchant_id: str | None = None
    acquirer_poi_id: str | None = None
    approval_code: str | None = None
    response_code: str | None = None
    stan: str | None = None
    rrn: str | None = None
    host_reconciliation_id: str | None = None


class PoiTransaction(Wire):
    """The terminal's own name for the transaction. Its clock has no offset: a text, not a time."""

    poi_id: str
    transaction_id: str
    time_stamp: str | None = None


class ErrorBody(Wire):
    """Why something was refused or failed, and what that means.

    A register that does not know `code` acts on `money_moved` and `retry`.
    """

    code: str
    error_condition: str | None = None
    message: str
    detail: dict[str, JsonValue] = Field(default_factory=dict)
    money_moved: MoneyMoved
    retry: Retry
    retry_after_s: int | None = None


class Recording(Wire):
    """Whether the money is in the books."""

    status: RecordingStatus
    record_id: str | None = None
    attempts: int = 0
    recorded_at: UtcTime | None = None
    next_attempt_at: UtcTime | None = None
    error: ErrorBody | None = None


class Button(Wire):
    """What the clerk may press; `id` is a verb."""

    id: str
    label: str


class Display(Wire):
    """What the register paints, so that no register has to know the states."""

    severity: Severity
    code: str
    lines: tuple[str, ...] = Field(max_length=2)
    countdown_s: int | None = None
    buttons: tuple[Button, ...] = ()
    may_leave_screen: bool


class ReceiptReference(Wire):
    """Where a receipt lies and what must be done with it."""

    copy_: str = Field(alias="copy")
    format: Literal["text/plain"] = "text/plain"
    columns: int = 40
    requires_signature: bool = False
    must_print_now: bool = False
    topic: str


class SeenTransaction(Wire):
    """A transaction that may be the payment in doubt, and may be somebody else's."""

    amount: AmountText
    currency: Currency
    transaction_id: str | None = None
    trace: str | None = None
    approval_code: str | None = None
    time_stamp: str | None = None
    payment_brand_label: str | None = None
    masked_pan: str | None = None


class InDoubt(Wire):
    """Why the outcome is not known and what is being done about it."""

    since: UtcTime
    cause: str
    next_check_at: UtcTime | None = None
    attempts: int = 0
    needs_operator: bool = False
    seen: SeenTransaction | None = None


class PersonsAnswer(Wire):
    """What a person said became of a payment in doubt."""

    outcome: Literal["approved", "not_charged", "refund_if_found"]
    operator_id: str
    approval_code: str | None = None
    amount: AmountText | None = None
    source: str | None = None


class Resolution(Wire):
    """Who said what became of the payment."""

    by: Literal["terminal", "host", "operator", "bridge"]
    at: UtcTime | None = None
    operator_id: str | None = None
    evidence: dict[str, JsonValue] | None = None
    checked: Literal["due", "agreed", "contradicted", "cannot_tell"] | None = None
    answers: tuple[PersonsAnswer, ...] = ()


class Discrepancy(Wire):
    """Evidence that contradicts a final state; a person decides, history is not rewritten."""

    since: UtcTime
    said: Status
    evidence: Status
    text: str = ""
    decided: str | None = None


class HistoryEntry(Wire):
    """One step of a payment."""

    status: Status
    stage: str | None = None
    at: UtcTime


class PaymentDocument(Wire):
    """A payment, whole, retained, replaced on every change; `rev` grows by one each time."""

    spec: str = SPEC
    rev: int = Field(ge=1)
    payment_id: str
    register_id: str
    terminal_id: str | None = None
    type: str
    method: str
    sale_id: str | None = None
    original_payment_id: str | None = None
    plan_id: str | None = None
    status: Status
    stage: str | None = None
    queue_position: int | None = None
    result: Literal["success", "partial", "failure"] | None = None
    funds: Funds
    hold_expires_at: UtcTime | None = None
    final: bool
    amounts: PaymentAmounts
    card: CardFacts | None = None
    gift_card: GiftCardFacts | None = None
    acquirer: AcquirerFacts | None = None
    poi_transaction_id: PoiTransaction | None = None
    offline: bool = False
    training: bool = False
    recording: Recording
    display: Display
    receipts: tuple[ReceiptReference, ...] = ()
    in_doubt: InDoubt | None = None
    cancel_reason: CancelReason | None = None
    resolution: Resolution | None = None
    error: ErrorBody | None = None
    discrepancy: Discrepancy | None = None
    possible_duplicate: bool = False
    created_at: UtcTime
    updated_at: UtcTime
    history: tuple[HistoryEntry, ...] = ()
    operator_id: str | None = None
    shift_number: str | None = None
    metadata: dict[str, JsonValue] | None = None


class PlanLegState(Wire):
    """One part of a split payment; it has a document of its own once it has begun."""

    payment_id: str
    method: Literal["card", "gift_card"]
    amount: AmountText
    status: Status | None = None
    funds: Funds | None = None


class PlanDocument(Wire):
    """A split payment as a whole, retained from its first moment on."""

    rev: int
    plan_id: str
    register_id: str
    sale_id: str | None = None
    status: Literal["in_progress", "in_doubt", "paid", "not_paid", "incomplete"]
    final: bool
    currency: Currency
    requested_amount: AmountText
    captured_amount: AmountText
    held_amount: AmountText
    legs: tuple[PlanLegState, ...]
    created_at: UtcTime
    updated_at: UtcTime


class ReceiptFields(Wire):
    """What a receipt says, for registers that lay out their own. Times are the terminal's own."""

    type: str
    amount: AmountText
    currency: Currency
    tip_amount: AmountText | None = None
    surcharge_amount: AmountText | None = None
    payment_brand_label: str | None = None
    masked_pan: str | None = Field(default=None, pattern=r"^\**[0-9*]{0,4}$")
    entry_mode: str | None = None
    cardholder_verification: str | None = None
    aid: str | None = None
    terminal_id: str | None = None
    merchant_id: str | None = None
    transaction_id: str | None = None
    trace: str | None = None
    approval_code: str | None = None
    time_stamp: str | None = None


class ReceiptDocument(Wire):
    """A receipt to print, retained until the payment is acknowledged."""

    payment_id: str
    copy_: str = Field(alias="copy")
    format: Literal["text/plain"] = "text/plain"
    columns: int = 40
    lines: tuple[str, ...]
    requires_signature: bool = False
    must_print_now: bool = False
    duplicate: bool = False
    fields: ReceiptFields | None = None


class PromptDefault(Wire):
    """What is taken for the answer when nobody gives one."""

    confirmed: bool


class PromptDocument(Wire):
    """An open question for the clerk, retained until somebody answers or it expires."""

    prompt_id: str
    payment_id: str
    input_command: Literal["get_confirmation"] = "get_confirmation"
    text: str
    buttons: tuple[Button, ...]
    expires_at: UtcTime
    default_answer: PromptDefault
    consequence: str


class PaymentEvent(Wire):
    """A line for logs and screens that like streams; never needed for correctness."""

    seq: int = Field(ge=1)
    at: UtcTime
    type: Literal[
        "payment_created",
        "payment_stage",
        "payment_status",
        "prompt_opened",
        "prompt_closed",
        "receipt_ready",
        "recording_recorded",
        "recording_rejected",
        "discrepancy_found",
        "terminal_available",
        "terminal_lost",
    ]
    payment_id: str | None = None
    terminal_id: str | None = None
    rev: int | None = None
    prompt_id: str | None = None
    status: Status | None = None
    stage: str | None = None
    text: str | None = None


# --- responses


class Response(Wire):
    """The answer to a command: taken, done or refused. Never the result of a payment.

    `accepted`: it is in the journal and work goes on, watch the document. `ok`: done, the answer
    is `result`. `error`: refused, nothing was done.
    """

    request_id: str
    op: str
    status: Literal["accepted", "ok", "error"]
    payment_id: str | None = None
    payment_status: Status | None = None
    rev: int | None = None
    duplicate: bool = False
    result: dict[str, JsonValue] | None = None
    error: ErrorBody | None = None
    time: UtcTime
