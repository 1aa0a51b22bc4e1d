"""Terminals that the POS server drives: what it is asked, and what its answers prove. Pure.

The server has one field, `terminalPayment`, with a mutation for each step. Each of them answers
with the payment, an error, or a continuation that says how long to wait; `continue` asks for the
payment's status and changes nothing, so it alone may be asked again.

    start     begins a payment at a terminal; asked once
    continue  asks how it stands
    capture   takes the money of an authorization; asked once

Source: the vendor's page "Make Terminal Payments" (POS_API.md, terminal payments). Nothing public
shows arguments or fields: their names are in `terminal_payment_names.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from bridge.backoffice.api.answers import decimal_text, proves_nothing_done
from bridge.backoffice.api.attempts import NotApplied, Refused, Unknown
from bridge.backoffice.api.literals import EnumValue, Value, literal, texts_in
from bridge.backoffice.api.operation import NOTHING_SAID, Document, Said, Unsupported, query
from bridge.backoffice.api.terminal_payment_names import (
    NAMESPACE,
    Call,
    Finding,
    TerminalPaymentNames,
)
from bridge.backoffice.http_exchange import HttpAnswer, parse_object

TEXT_CHARS_MAX = 200  # of a word or number that the server tells; more is no such thing
HANDLE_CHARS_MAX = 2_000  # a continuation may be an encrypted token
WAIT_SECONDS_MAX = 3_600  # a longer wait is not one that anybody meant
MILLISECONDS = 1_000


class Kind(Enum):
    """What a payment at a terminal is to be; each has a permission of its own."""

    SALE = "SALE"
    REFUND = "REFUND"
    AUTHORIZATION = "AUTHORIZATION"


PERMISSIONS: Mapping[Kind, str] = {
    Kind.SALE: "MakeSaleTerminalPayment",
    Kind.REFUND: "MakeRefundTerminalPayment",
    Kind.AUTHORIZATION: "the Make…TerminalPayment permission for authorizations",
}
"""What the bridge's account needs. The documentation that could be read cuts the third off."""


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a payment; `amount` is decimal text above zero, whatever way the money goes.

    Attributes:
        terminal: The server's name or id of the terminal.
        reference: Our id of the payment, the same in every answer that shows it.
        original: The server's id of the payment that a refund gives back, "" for none.
    """

    kind: Kind
    terminal: str
    amount: str
    currency: str
    reference: str
    original: str = ""


@dataclass(frozen=True, slots=True)
class Continue:
    """Ask how a payment stands; `handle` is the server's own text."""

    handle: str


@dataclass(frozen=True, slots=True)
class Capture:
    """Take the money of the authorization `payment_id`; `amount` "" takes all of it."""

    payment_id: str
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Ask whether the server answers and has what is needed. Changes nothing."""


@dataclass(frozen=True, slots=True)
class Find:
    """Look for the payment that bears our `reference`, where the server has a query for it."""

    reference: str


Ask = Start | Continue | Capture | Look | Find


@dataclass(frozen=True, slots=True)
class ShownPayment:
    """A payment as the server shows it; "" for whatever it does not tell.

    `card_number` is as the server writes it and may be whole: mask it before anything else.
    """

    payment_id: str
    status: str = ""
    amount: str = ""
    currency: str = ""
    reference: str = ""
    terminal: str = ""
    approval_code: str = ""
    card_brand: str = ""
    card_number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ShownError:
    """The server's error about a payment: it ended otherwise than with money, or nobody knows."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Continuation:
    """It is not over; ask again with `handle` in `wait_seconds`, None when no wait was told."""

    handle: str
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reachable:
    """The server answers; `problem` says what it lacks, "" when it lacks nothing that is known."""

    problem: str = ""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The server shows no payment with our reference now; it may have one later."""


@dataclass(frozen=True, slots=True)
class NotOffered:
    """The server has no query for payments that we understand."""


Told = (
    ShownPayment
    | ShownError
    | Continuation
    | Reachable
    | NotFound
    | NotOffered
    | NotApplied
    | Refused
    | Unknown
)


def document_for(ask: Start | Continue | Capture, names: TerminalPaymentNames) -> Document:
    """Return the mutation of one step.

    Raises:
        Unsupported: The server is known to have no argument for what must be said.
    """
    match ask:
        case Start():
            kind = names.kinds.get(ask.kind.value, "")
            if not kind:
                raise Unsupported(f"the POS server starts no {ask.kind.value.lower()} at terminals")
            said: dict[str, Value] = {
                "terminal": ask.terminal,
                "kind": EnumValue(kind) if names.kind_is_enum else kind,
                "amount": ask.amount,
                "reference": ask.reference,
            }
            optional = {"currency": ask.currency, "original": ask.original}
            said |= {what: text for what, text in optional.items() if text}
            return _document("TerminalPaymentStart", names.start, said, names)
        case Continue():
            return _document(
                "TerminalPaymentContinue", names.continue_, {"handle": ask.handle}, names
            )
        case Capture():
            captured: dict[str, Value] = {"payment": ask.payment_id}
            if ask.amount:
                if not names.capture.arguments.get("amount"):
                    raise Unsupported("the POS server captures no part of an authorization")
                captured["amount"] = ask.amount
            return _document("TerminalPaymentCapture", names.capture, captured, names)


def find_document(ask: Find, finding: Finding) -> Document:
    """Return the query for the payment with our reference; it changes nothing."""
    shown = " ".join(dict.fromkeys(finding.fields.values()))
    if finding.in_results:
        limits = "limitedByPermission " if finding.shows_limits else ""
        shown = f"{limits}results {{ {shown} }}"
    arguments = {finding.argument: ask.reference}
    return query("PaybridgeTerminalPayment", finding.field, arguments, shown)


def read_found(data: Mapping[str, Any], ask: Find, finding: Finding) -> Told:
    """Return the one payment with our reference that the answer to `find_document` shows."""
    found: object = data.get(finding.field)
    if finding.in_results:
        if not isinstance(found, dict) or not isinstance(found.get("results"), list):
            return Unknown("the answer holds no payments")
        if found.get("limitedByPermission") is True:
            return Unknown("we may not see all payments")
        found = found["results"]
    rows = found if isinstance(found, list) else [found] if found is not None else []
    called = finding.fields["reference"]
    ours = [row for row in rows if isinstance(row, dict) and row.get(called) == ask.reference]
    if not ours:
        return NotFound()
    if len(ours) > 1:
        return Unknown(f"{len(ours)} payments bear our reference")
    shown = _read_payment(ours[0], finding.fields)
    if isinstance(shown, ShownPayment) and not shown.status:
        return Unknown("the payment is shown without its status")
    return shown


def call_of(ask: Start | Continue | Capture, names: TerminalPaymentNames) -> Call:
    """Return which step asks for this."""
    match ask:
        case Start():
            return names.start
        case Continue():
            return names.continue_
        case Capture():
            return names.capture


def _document(
    operation: str, call: Call, said: Mapping[str, Value], names: TerminalPaymentNames
) -> Document:
    named = {
        call.arguments[what]: value for what, value in said.items() if call.arguments.get(what)
    }
    given = {call.wrapper: named} if call.wrapper else named
    arguments = ", ".join(f"{name}: {literal(value, name)}" for name, value in given.items())
    shown = " ".join(
        f"{each} {{ {' '.join(dict.fromkeys(fields.values()))} }}"
        for each, fields in (
            (names.payment, names.payment_fields),
            (names.error, names.error_fields),
            (names.continuation, names.continuation_fields),
        )
    )
    text = f"mutation {operation} {{ {NAMESPACE} {{ {call.field}({arguments}) {{ {shown} }} }} }}"
    called = {NAMESPACE, call.field, call.wrapper, *named, *names.kinds.values()} - {""}
    return Document(operation, NAMESPACE, text, Said(frozenset(called), frozenset(texts_in(named))))


def read_told(
    answer: HttpAnswer, call: Call, names: TerminalPaymentNames, said: Said = NOTHING_SAID
) -> Told:
    """Return what the answer to one step says; what cannot be read proves nothing.

    `said` is what the request held, so that nothing of it is repeated.
    """
    document = parse_object(answer.body)
    errors = document.get("errors") if document else None
    data = document.get("data") if document else None
    space = data.get(NAMESPACE) if isinstance(data, dict) else None
    result = space.get(call.field) if isinstance(space, dict) else None
    if answer.status == 200 and not errors and isinstance(result, dict):
        return _read_result(result, names)
    if result is None and not _holds_more(data, call):
        proof = proves_nothing_done(answer, document, said, fields=(NAMESPACE, call.field))
        if proof is not None:
            return proof
    return Unknown(f"HTTP {answer.status} without a result")


def _holds_more(data: object, call: Call) -> bool:
    """Whether there is data beside an empty answer to this step."""
    if not isinstance(data, dict):
        return data is not None
    space = data.get(NAMESPACE)
    others = [value for name, value in data.items() if name != NAMESPACE]
    if isinstance(space, dict):
        others += [value for name, value in space.items() if name != call.field]
    elif space is not None:
        return True
    return any(value is not None for value in others)


def _read_result(result: Mapping[str, Any], names: TerminalPaymentNames) -> Told:
    found = {
        each: result.get(each)
        for each in (names.payment, names.error, names.continuation)
        if result.get(each) is not None
    }
    if len(found) != 1:
        return Unknown(f"the answer holds {len(found)} of payment, error and continuation")
    ((which, value),) = found.items()
    if not isinstance(value, dict):
        return Unknown(f"{which} is no object")
    if which == names.payment:
        return _read_payment(value, names.payment_fields)
    if which == names.error:
        code = _text(value.get(names.error_fields.get("code", "")))
        return ShownError(code, _text(value.get(names.error_fields.get("text", ""))))
    return _read_continuation(value, names)


def _read_payment(row: Mapping[str, Any], names: Mapping[str, str]) -> ShownPayment | Unknown:
    def told(what: str) -> str:
        return _text(row.get(names.get(what, "")))

    payment_id = told("payment")
    if not payment_id:
        return Unknown("the payment has no id")
    for what in ("status", "reference", "terminal", "currency"):
        if row.get(names.get(what, "")) is not None and not told(what):
            return Unknown(f"the payment's {what} cannot be read")
    return ShownPayment(
        payment_id,
        status=told("status"),
        amount=decimal_text(row.get(names.get("amount", ""))),
        currency=told("currency"),
        reference=told("reference"),
        terminal=told("terminal"),
        approval_code=told("approval_code"),
        card_brand=told("card_brand"),
        card_number=told("card_number"),
    )


def _read_continuation(
    row: Mapping[str, Any], names: TerminalPaymentNames
) -> Continuation | Unknown:
    fields = names.continuation_fields
    handle = row.get(fields.get("handle", ""))
    if isinstance(handle, int) and not isinstance(handle, bool):
        handle = str(handle)
    if not isinstance(handle, str) or not handle or len(handle) > HANDLE_CHARS_MAX:
        return Unknown("the continuation has no handle that can be used")
    try:
        handle.encode()
    except UnicodeEncodeError:
        return Unknown("the continuation's handle is no text")
    wait = decimal_text(row.get(fields.get("wait", "")))
    if not wait:
        return Continuation(handle)
    seconds = Decimal(wait) / (MILLISECONDS if names.wait_is_in_milliseconds else 1)
    return Continuation(handle, float(min(max(seconds, Decimal(0)), Decimal(WAIT_SECONDS_MAX))))


def _text(value: object) -> str:
    """Return a word or number that the server tells; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    text = str(value)
    return text if len(text) <= TEXT_CHARS_MAX else ""
