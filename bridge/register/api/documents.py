"""What the bridge publishes about payments: documents, receipts, events, responses. Pure.

Every path that publishes builds one of these models and calls `encode`; the published schemas
come from the same classes. A field that is not known is `null`, never left out, so a register can
tell "not yet" from "not in this version".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from bridge.money.payment import state
from bridge.register.api.fields import SPEC, AmountText, Currency, UtcTime, Wire, Words

MoneyMoved = Literal["no", "yes", "unknown"]
Retry = Literal["same_id", "new_id", "after_check", "no"]
Status = Annotated[state.Status, Words()]
Funds = Annotated[state.Funds, Words()]
RecordingStatus = Annotated[state.Recording, Words()]
AnswerCheck = Annotated[state.AnswerCheck, Words()]
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
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    requested_amount: AmountText
    """What was asked for, a fixed tip and cash-back included."""
    authorized_amount: AmountText | None = None
    """What the card's issuer approved; less than requested if `partial`, null until approved."""
    captured_amount: AmountText | None = None
    """What was taken from the shopper; of a hold, what was captured of it. Null while nothing
    was."""
    tip_amount: AmountText | None = None
    """All tips, later ones too, contained in `authorized_amount`; null until approved."""
    surcharge_amount: AmountText | None = None
    """What the shop adds for this card, contained in the amount; null where that is not known."""
    cash_back_amount: AmountText | None = None
    """Cash for the shopper, contained in `authorized_amount`; null until approved."""
    total_fees_amount: AmountText | None = None
    """A fee that terminal or host took for the service, contained in `authorized_amount`; null
    until approved."""
    refunded_amount: AmountText | None = None
    """What went back so far; null until approved."""
    remaining_amount: AmountText | None = None
    """What the sale still needs, held money counted as paid; zero once it was paid, also when money
    went back since; null until final, and where there is no sale."""


class CardFacts(Wire):
    """What may be known of the card; never more than its last four digits."""

    payment_brand: str | None = None
    """The brand in lower case, e.g. `girocard`, `visa`; an open list, null where the terminal does
    not tell."""
    payment_brand_label: str | None = None
    """The brand as the terminal prints it, e.g. `VISA`; null where it does not tell."""
    brand_category: str | None = None
    """`schemes` or `gift_card`; null where the brand is not known."""
    masked_pan: str | None = Field(default=None, pattern=r"^\**[0-9*]{0,4}$")
    """At most the last four digits of the card, the others as `*`; null where the terminal does not
    tell."""
    entry_mode: str | None = None
    """`contactless`, `icc` (the chip), `magstripe` or `manual`; null where the terminal does not
    tell."""
    cardholder_verification: str | None = None
    """`none`, `signature`, `online_pin`, `offline_pin` or `on_device` (a phone); null where the
    terminal does not tell."""
    aid: str | None = None
    """The application on the chip, in hexadecimal; null where the terminal does not tell."""
    payment_account_reference: str | None = None
    """The account behind the card, as a reference without its number; null where the terminal does
    not tell."""
    token: str | None = None
    """A token of the card; null where none was asked for or given."""


class GiftCardFacts(Wire):
    """What the back office said of the gift card; `transaction_id` is its own, for a person."""

    transaction_id: str | None = None
    """The back office's number of the movement, for a person who looks it up; null where it told
    none."""
    balance_before: str | None = None
    """What was on the card before, decimal text; null where it was not told."""
    balance_after: str | None = None
    """What is on the card now, decimal text; null where it was not told."""


class AcquirerFacts(Wire):
    """What the host said."""

    acquirer_id: str | None = None
    """Who settles the money; null where the terminal does not tell."""
    merchant_id: str | None = None
    """The shop's contract number; null where the terminal does not tell."""
    acquirer_poi_id: str | None = None
    """The terminal's number at its network; null where it does not tell."""
    approval_code: str | None = None
    """The issuer's approval code, as the slip shows it; null where none was given."""
    response_code: str | None = None
    """The host's or the terminal's own code of the answer; null where there is none."""
    stan: str | None = None
    """The trace number of the transaction; null where the terminal does not tell."""
    rrn: str | None = None
    """The host's reference number; null where the terminal does not tell."""
    host_reconciliation_id: str | None = None
    """The batch that it is settled in; null where the terminal does not tell."""


class PoiTransaction(Wire):
    """The terminal's own name for the transaction. Its clock has no offset: a text, not a time."""

    poi_id: str
    """The terminal's own id."""
    transaction_id: str
    """Its number of the transaction, e.g. the receipt number."""
    time_stamp: str | None = None
    """The terminal's own clock, whose offset nobody knows: a text, not a time. Null where it does
    not tell."""


class ErrorBody(Wire):
    """Why something was refused or failed, and what that means.

    A register that does not know `code` acts on `money_moved` and `retry`.
    """

    code: str
    """From the table of error codes; an open list."""
    error_condition: str | None = None
    """nexo's ErrorCondition; null where none fits."""
    message: str
    """For a technician, in English."""
    detail: dict[str, JsonValue] = Field(default_factory=dict)
    """Facts about the error; `path` names the field at fault."""
    money_moved: MoneyMoved
    """What the error says about the money."""
    retry: Retry
    """What may be sent next."""
    retry_after_s: int | None = None
    """When it is worth another try, in seconds; null where nobody knows."""


class Recording(Wire):
    """Whether the money is in the books."""

    status: RecordingStatus
    """`pending` comes by itself; `unconfirmed` and `rejected` need a person."""
    record_id: str | None = None
    """The purchase's number in the back office; null until recorded."""
    attempts: int = 0
    """How often it was sent."""
    recorded_at: UtcTime | None = None
    """When the back office confirmed it; null until then."""
    next_attempt_at: UtcTime | None = None
    """When it is sent again; null where that is not planned."""
    error: ErrorBody | None = None
    """Why it is not recorded; null where nothing went wrong."""


class Button(Wire):
    """What the cashier may press; `id` is a verb."""

    id: str
    """What it means; the table of buttons says what to send. An open list: do not show what you do
    not know."""
    label: str
    """What stands on it, in the cashier's language."""


class Display(Wire):
    """What the register paints, so that no register has to know the states."""

    severity: Severity
    """The color: `error` is kept for what a person must act on."""
    code: str
    """For registers that want words of their own; an open list."""
    lines: tuple[str, ...] = Field(max_length=2)
    """Two lines to show, in the cashier's language."""
    countdown_s: int | None = None
    """Seconds to count down on the screen, from when the document was published; null for no
    countdown."""
    buttons: tuple[Button, ...] = ()
    """What the cashier may press now."""
    may_leave_screen: bool
    """Whether the cashier may do something else meanwhile."""


class ReceiptReference(Wire):
    """Where a receipt lies and what must be done with it."""

    copy_: str = Field(alias="copy")
    """Whom it is for: `customer`, `merchant`, or `signature` for the merchant's copy that the
    shopper signs."""
    format: Literal["text/plain"] = "text/plain"
    """Always `text/plain`."""
    columns: int = 40
    """Characters of its longest line."""
    requires_signature: bool = False
    """The shopper signs this copy."""
    must_print_now: bool = False
    """The sale cannot go on before it is printed."""
    topic: str
    """Where the receipt is retained."""


class SeenTransaction(Wire):
    """A transaction that may be the payment in doubt, and may be somebody else's."""

    amount: AmountText
    """What was taken, decimal text."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    transaction_id: str | None = None
    """The terminal's number of it, e.g. the receipt number; null where it does not tell."""
    trace: str | None = None
    """The trace number; null where the terminal does not tell."""
    approval_code: str | None = None
    """The approval code on its slip; null where it is not told."""
    time_stamp: str | None = None
    """When, by the terminal's own clock, ISO 8601 without offset; null where it does not tell."""
    payment_brand_label: str | None = None
    """What its card is called; null where it is not known."""
    masked_pan: str | None = None
    """At most the last four digits of the card, the others as `*`; null where the terminal does not
    tell."""


class InDoubt(Wire):
    """Why the outcome is not known and what is being done about it."""

    since: UtcTime
    """Since when it is not known."""
    cause: str
    """What happened, e.g. `link_lost`; an open list."""
    next_check_at: UtcTime | None = None
    """When the terminal is asked again, at the latest; null while it is being asked, and where
    nobody will."""
    attempts: int = 0
    """How often the terminal was asked."""
    needs_operator: bool = False
    """The terminal could not tell in time; a person must look at its slip."""
    seen: SeenTransaction | None = None
    """What the terminal's memory shows and nobody can prove to be this payment: it may have been
    typed in at the terminal. A person compares it with the slip; null where there is none."""


class PersonsAnswer(Wire):
    """What a person said became of a payment in doubt."""

    outcome: Literal["approved", "not_charged", "refund_if_found"]
    """What the person said."""
    operator_id: str
    """Who said it."""
    approval_code: str | None = None
    """The approval code on the slip; null where none was told."""
    amount: AmountText | None = None
    """What the slip says was taken; null where it is what was asked."""
    source: str | None = None
    """What the person looked at; null where that was not told."""


class Resolution(Wire):
    """Who said what became of the payment."""

    by: Literal["terminal", "host", "operator", "bridge"]
    """Who knew: the terminal, the host (the back office for a gift card), a person, or the bridge
    itself."""
    at: UtcTime | None = None
    """When; null where only the history tells."""
    operator_id: str | None = None
    """The person; null unless `by` is `operator`."""
    evidence: dict[str, JsonValue] | None = None
    """What the person saw; null unless `by` is `operator`."""
    checked: AnswerCheck | None = None
    """What the terminal says of the person's answer: `due` until it can be asked again, `agreed`,
    `contradicted` (a discrepancy says how), or `cannot_tell`; null where no person answered, or
    where it could not tell any more when one did."""
    answers: tuple[PersonsAnswer, ...] = ()
    """What persons said became of it, the oldest first; the last one counts."""


class Discrepancy(Wire):
    """Evidence that contradicts a final state; a person decides, history is not rewritten."""

    since: UtcTime
    """When the evidence came."""
    said: Status
    """What the register had been told."""
    evidence: Status
    """What the evidence says instead."""
    text: str = ""
    """The evidence in words, for a technician."""
    decided: str | None = None
    """What a person decided; null while nobody has."""


class HistoryEntry(Wire):
    """One step of a payment."""

    status: Status
    """What was known from then on."""
    stage: str | None = None
    """Where the terminal was; null where it told none."""
    at: UtcTime
    """Since when it was known."""


class PaymentDocument(Wire):
    """A payment, whole, retained, replaced on every change; `rev` grows by one each time."""

    spec: str = SPEC
    """The minor version of the contract; minors only add."""
    rev: int = Field(ge=1)
    """Grows by one with every change, from 1; ignore a document with a lower one than you have. Of
    one revision `queue_position`, `countdown_s` and `next_check_at` may come anew."""
    payment_id: str
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    register_id: str
    """Whose payment it is."""
    terminal_id: str | None = None
    """The terminal that does it; `gift-cards` where the back office does, null while none is
    chosen."""
    type: str
    """What was asked for: `sale`, `preauth`, `increment`, `capture`, `refund`, `void`, `tip_adjust`
    or `load`; an open list."""
    method: str
    """What pays: `card` or `gift_card`."""
    sale_id: str | None = None
    """The register's number of the sale; all payments of one sale share it. Null where it was not
    told, and then the payment is a sale of its own."""
    sale_reference_id: str | None = None
    """What joins this sale to others, as the register said it; null where it was not told."""
    original_payment_id: str | None = None
    """The earlier payment that this one is about; null where there is none."""
    plan_id: str | None = None
    """The `payment_id` of the split that this is a part of; null outside of one."""
    status: Status
    """Did the operation work? See the states in the guide."""
    stage: str | None = None
    """Where the terminal is; null unless `in_progress`; an open list."""
    queue_position: int | None = None
    """Its place in the line before a busy terminal, from 1; null outside of one."""
    result: Literal["success", "partial", "failure"] | None = None
    """`success`, `partial` (less than was asked for) or `failure`; null until final."""
    funds: Funds
    """Where the money is now; it goes on changing after `status` is final."""
    hold_expires_at: UtcTime | None = None
    """When a hold may end: some days after it began, as configured for the terminal. Null where
    nothing is held, and where nobody knows."""
    final: bool
    """`status` will not change any more."""
    amounts: PaymentAmounts
    """All sums of the payment, in one currency."""
    card: CardFacts | None = None
    """What may be known of the card; null before it was read, and where nothing was approved."""
    gift_card: GiftCardFacts | None = None
    """What the back office said of the gift card; null for a card payment, and before it
    answered."""
    acquirer: AcquirerFacts | None = None
    """What the host said; null where it said nothing."""
    poi_transaction_id: PoiTransaction | None = None
    """The terminal's own name of the transaction, as its slip shows it; null before there is
    one."""
    offline: bool = False
    """Approved without asking the host."""
    training: bool = False
    """Not real money."""
    recording: Recording
    """Whether the money is in the books."""
    display: Display
    """What the cashier's screen shows now, ready to paint."""
    receipts: tuple[ReceiptReference, ...] = ()
    """Which receipts there are, where they lie, and what must be done with them."""
    in_doubt: InDoubt | None = None
    """Why the outcome is not known and what is being done about it; null unless `status` is
    `in_doubt`."""
    cancel_reason: CancelReason | None = None
    """Who or what canceled it; null unless it was canceled."""
    resolution: Resolution | None = None
    """Who said what became of the payment; null until final."""
    error: ErrorBody | None = None
    """Why no money moved, or that it is not known; null otherwise."""
    discrepancy: Discrepancy | None = None
    """Evidence that contradicts a final status; a person decides. Null where there is none."""
    possible_duplicate: bool = False
    """Same amount on the same terminal within 90 s, and no sale_id to tell the two apart."""
    created_at: UtcTime
    """When the command was accepted."""
    updated_at: UtcTime
    """When the document changed last."""
    history: tuple[HistoryEntry, ...] = ()
    """What was known when, oldest first, at most 64 lines."""
    operator_id: str | None = None
    """Who is at the register; null where it was not told. Kept with the payment."""
    shift_number: str | None = None
    """The register's shift; null where it was not told. Kept with the payment."""
    metadata: dict[str, JsonValue] | None = None
    """The register's own data, at most 50 entries; given back unchanged in the document, null where
    there is none."""


class PlanLegState(Wire):
    """One part of a split payment; it has a document of its own once it has begun."""

    payment_id: str
    """The part's own payment."""
    method: Literal["card", "gift_card"]
    """What pays it."""
    amount: AmountText
    """What it shall bring."""
    status: Status | None = None
    """Its payment's status; null while it has not begun."""
    funds: Funds | None = None
    """Where its money is; null while it has not begun."""


class PlanDocument(Wire):
    """A split payment as a whole, retained from its first moment on."""

    rev: int
    """Grows with every change of any part; a lower one is old news."""
    plan_id: str
    """The `payment_id` of the start that began the plan."""
    register_id: str
    """The register that began it."""
    sale_id: str | None = None
    """The register's number of the sale; all payments of one sale share it. Null where it was not
    told, and then the payment is a sale of its own."""
    status: Literal["in_progress", "in_doubt", "paid", "not_paid", "incomplete"]
    """`paid`: all parts are taken; `not_paid`: nothing was taken, and nothing is held;
    `incomplete`: a person must look, a part was taken or stays held; `in_doubt`: what became of a
    part is not known. Never infer it from the parts."""
    final: bool
    """Whether `status` is an end."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    requested_amount: AmountText
    """What all parts together shall bring."""
    captured_amount: AmountText
    """What they brought, tips and fees not counted."""
    held_amount: AmountText
    """What is held now, and neither taken nor released."""
    legs: tuple[PlanLegState, ...]
    """The parts in the order in which they begin."""
    created_at: UtcTime
    """When the first part was accepted."""
    updated_at: UtcTime
    """When a part changed last."""


class ReceiptFields(Wire):
    """What a receipt says, for registers that lay out their own. Times are the terminal's own."""

    type: str
    """What was done, as in the payment's document."""
    amount: AmountText
    """What was approved in all, without sign."""
    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    tip_amount: AmountText | None = None
    """The tip, contained in `amount`; null where there is none."""
    surcharge_amount: AmountText | None = None
    """What the shop adds for this card, contained in the amount; null where that is not known."""
    payment_brand_label: str | None = None
    """What the card is called; null where it is not known."""
    masked_pan: str | None = Field(default=None, pattern=r"^\**[0-9*]{0,4}$")
    """At most the last four digits of the card, the others as `*`; null where the terminal does not
    tell."""
    entry_mode: str | None = None
    """`contactless`, `icc` (the chip), `magstripe` or `manual`; null where the terminal does not
    tell."""
    cardholder_verification: str | None = None
    """`none`, `signature`, `online_pin`, `offline_pin` or `on_device` (a phone); null where the
    terminal does not tell."""
    aid: str | None = None
    """The application on the chip, in hexadecimal; null where the terminal does not tell."""
    terminal_id: str | None = None
    """The terminal's own id, not its name here; null where it does not tell."""
    merchant_id: str | None = None
    """The shop's contract number; null where the terminal does not tell."""
    transaction_id: str | None = None
    """The terminal's number of the transaction; null where there is none."""
    trace: str | None = None
    """The trace number; null where the terminal does not tell."""
    approval_code: str | None = None
    """The issuer's approval code, as the slip shows it; null where none was given."""
    time_stamp: str | None = None
    """The terminal's own clock, whose offset nobody knows: a text, not a time. Null where it does
    not tell."""


class ReceiptDocument(Wire):
    """A receipt to print, retained until the payment is acknowledged."""

    payment_id: str
    """The payment's name for ever: a UUID in lower case, made by the register and on its disk
    before it sends."""
    copy_: str = Field(alias="copy")
    """Whom it is for: `customer`, `merchant`, or `signature` for the merchant's copy that the
    shopper signs."""
    format: Literal["text/plain"] = "text/plain"
    """Always `text/plain`."""
    columns: int = 40
    """Characters of its longest line."""
    lines: tuple[str, ...]
    """The receipt, line by line, without line ends."""
    requires_signature: bool = False
    """The shopper signs this copy."""
    must_print_now: bool = False
    """The sale cannot go on before it is printed."""
    duplicate: bool = False
    """It was printed before, and says so in its first line."""
    fields: ReceiptFields | None = None
    """What it says, for registers that lay out their own; null where nothing was approved."""


class PromptDefault(Wire):
    """What is taken for the answer when nobody gives one."""

    confirmed: bool
    """`true` is yes."""


class PromptDocument(Wire):
    """An open question for the cashier, retained until somebody answers or it expires."""

    prompt_id: str
    """The bridge's name of a question to the cashier."""
    payment_id: str
    """The payment that the question is about."""
    input_command: Literal["get_confirmation"] = "get_confirmation"
    """What kind of answer is wanted; one kind so far."""
    text: str
    """What the cashier is asked."""
    buttons: tuple[Button, ...]
    """What the cashier may press; `yes` is `confirmed: true`."""
    expires_at: UtcTime
    """After this moment the default answer is taken."""
    default_answer: PromptDefault
    """What counts when nobody answers in time."""
    consequence: str
    """What the answers, and none at all, lead to; show it."""


class PaymentEvent(Wire):
    """A line for logs and screens that like streams; never needed for correctness."""

    seq: int = Field(ge=1)
    """Grows from event to event over all registers, also over restarts; none comes twice."""
    at: UtcTime
    """When it happened."""
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
    """What happened."""
    payment_id: str | None = None
    """The payment; null for what concerns none."""
    terminal_id: str | None = None
    """The terminal; null for what concerns none."""
    rev: int | None = None
    """The revision of the document that says it; null where none does."""
    prompt_id: str | None = None
    """The question that was asked or is closed; null for other events."""
    status: Status | None = None
    """The payment's status; null where none is concerned."""
    stage: str | None = None
    """The payment's stage; null where there is none."""
    text: str | None = None
    """The event in words, for a log; null where the type says it all."""


# --- responses


class Response(Wire):
    """The answer to a command: taken, done or refused. Never the result of a payment.

    `accepted`: it is in the journal and work goes on, watch the document. `ok`: done, the answer
    is `result`. `error`: refused, nothing was done.
    """

    request_id: str
    """The register's own name of this message, at most 64 characters; it comes back in the
    response."""
    op: str
    """The command's operation."""
    status: Literal["accepted", "ok", "error"]
    """`accepted`, `ok` or `error`; never the result of a payment."""
    payment_id: str | None = None
    """The payment; null where the command names none."""
    payment_status: Status | None = None
    """The payment's status when the response was made; the document knows better. Null where there
    is no payment."""
    rev: int | None = None
    """The revision of the document when the response was made; null where there is none."""
    duplicate: bool = False
    """The bridge had this payment already; nothing was started."""
    result: dict[str, JsonValue] | None = None
    """The answer of a command that is done, e.g. the list of payments; null otherwise."""
    error: ErrorBody | None = None
    """Why it was refused; null unless `status` is `error`."""
    time: UtcTime
    """The bridge's clock when it answered."""
