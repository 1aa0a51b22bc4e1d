"""How an answer of the back office is read: as proof of something, or as no proof. Pure.

The rules, in the order in which they are tried; the first that fits decides:

    200, no errors, data.FIELD.id  applied
    any data that is not null, or an error whose path is deeper than FIELD
                                   unknown: the mutation ran, something of its result was denied
    401, empty or not JSON         not applied, log in again
    429                            not applied, wait
    301, 307, 308, and 302 to another origin; 404, 405, 407, 415, 421
                                   not applied: whoever answers is not our API, or not here
    413                            refused: this one request is too large
    400 or 401, errors only, every code one that is decided before anything is written
                                   NOT_AUTHENTICATED: not applied, log in again; else refused
    anything else                  unknown

No proof are 303 and a 302 to the same origin (a server that has done something may redirect to its
result), other redirects, 5xx, mixed codes, a cut body. A gateway that repeats a request by itself
can hide an applied one behind the status of its last try; nothing here can see that.

Only `extensions.code` of an error is a promise of the API; its message is for people.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.http_exchange import HttpAnswer, parse_object, parse_retry_after
from bridge.money.wording import fitted

MESSAGE_CHARS_MAX = 200
"""A server's message goes into journal and logs; its first sentence is enough for a person."""
MESSAGE_READ_MAX = 4 * MESSAGE_CHARS_MAX  # of a message without end, before it is cut at a word

BALANCE_DIGITS_MAX = 18
"""No gift card holds more; a number like 1e999999 must not be spelled out."""

LOGIN_CODE = "NOT_AUTHENTICATED"
INVALID_REQUEST = "INVALID_REQUEST"
"""Our code for a request whose names the server does not know; its schema is not as we expect."""

_REFUSAL_CODES = frozenset({"NOT_AUTHORIZED", "VALIDATION"})
VALUE_CODE = "VALIDATION"
TOO_LARGE = "TOO_LARGE"
_VALUE_CODES = frozenset({"INVALID_VALUE", "VALUES_OF_CORRECT_TYPE", "ARGUMENTS_OF_CORRECT_TYPE"})
"""GraphQL.NET's codes for a value that does not fit its type: this one request is wrong."""
_VALUE_SECTION = "5.6.1"
_NAME_CODES = frozenset(
    {
        "SYNTAX_ERROR",
        "FIELDS_ON_CORRECT_TYPE",
        "KNOWN_ARGUMENT_NAMES",
        "KNOWN_TYPE_NAMES",
        "PROVIDED_NON_NULL_ARGUMENTS",
        "PROVIDED_REQUIRED_ARGUMENTS",
        "SCALAR_LEAFS",
        "VARIABLES_ARE_INPUT_TYPES",
        "VARIABLES_IN_ALLOWED_POSITION",
    }
)
"""GraphQL.NET's codes for a text whose names or shapes do not fit; all come before execution."""

_MOVED = frozenset({301, 307, 308})
_MISPLACED = frozenset({404, 405, 407, 415, 421})

_VALIDATION_SECTION = re.compile(r"5\.[0-9.]+")
"""GraphQL.NET numbers a query that does not fit the schema by the section of the GraphQL
specification it breaks; section 5 is validation, which comes before execution."""


def classify(answer: HttpAnswer, field: str) -> Attempt:
    """Return what the answer to a mutation of `field` proves; see the rules above.

    Source: POS_API.md, exactly-once 4; RFC 9110, sections 15.4 and 15.5.
    """
    document = parse_object(answer.body)
    errors = document.get("errors") if document else None
    data = document.get("data") if document else None
    result = data.get(field) if isinstance(data, dict) else None
    if answer.status == 200 and not errors and isinstance(result, dict):
        record_id = _read_id(result.get("id"))
        if record_id:
            return Applied(
                record_id,
                balance=decimal_text(result.get("balance")),
                gift_card_id=_read_id(result.get("giftcardId")),
            )
    has_run = _holds_data(data) or _is_deep(errors, field)
    if not has_run:
        proof = _not_applied(answer, has_body=bool(document), errors=errors)
        if proof is not None:
            return proof
    if document is None:
        return Unknown(f"HTTP {answer.status} without a JSON body")
    said = answer.status == 400 and not has_run
    return Unknown(
        f"HTTP {answer.status} {_describe_errors(errors)}", _code_of(errors) if said else ""
    )


def _not_applied(
    answer: HttpAnswer, *, has_body: bool, errors: object
) -> NotApplied | Refused | None:
    """Return the proof that nothing was applied; None when there is none."""
    status = answer.status
    if status == 401 and not has_body:
        return NotApplied("the back office does not accept the token", login_required=True)
    if status == 429:
        return NotApplied("the back office is busy", parse_retry_after(answer))
    if status in _MOVED or (status == 302 and answer.leads_elsewhere):
        words = f"the endpoint answers HTTP {status}: it moved, or a portal is in the way"
        return NotApplied(words)
    if status in _MISPLACED:
        words = f"the endpoint answers HTTP {status}: nothing of the API is there"
        return NotApplied(words, misplaced=True)
    if status == 413:
        return Refused(TOO_LARGE, "the back office takes no request of this size")
    return _read_refusal(errors) if status in (400, 401) else None


def _is_deep(errors: object, field: str) -> bool:
    """Whether an error lies below the root field: then the mutation ran."""
    for error in errors if isinstance(errors, list) else ():
        path = error.get("path") if isinstance(error, dict) else None
        if path is not None and path != [field]:
            return True
    return False


def read_data(answer: HttpAnswer) -> dict[str, Any] | NotApplied | Refused:
    """Return the data of an answered query; a query changes nothing, so no doubt can remain."""
    document = parse_object(answer.body)
    if document and answer.status == 200 and not document.get("errors"):
        data = document.get("data")
        if isinstance(data, dict):
            return data
    if answer.status == 401 and not document:
        return NotApplied("the back office does not accept the token", login_required=True)
    errors = document.get("errors") if document else None
    refusal = _read_refusal(errors)
    if refusal is not None:
        return refusal
    return NotApplied(f"HTTP {answer.status} {_describe_errors(errors)}", parse_retry_after(answer))


def decimal_text(value: object) -> str:
    """Return an amount from the wire, number or string, as plain decimal text; "" if it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return ""
    if not number.is_finite() or len(number.as_tuple().digits) > BALANCE_DIGITS_MAX:
        return ""
    if number and abs(number.adjusted()) > BALANCE_DIGITS_MAX:
        return ""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number has one
    return format(number, "f") if abs(exponent) <= BALANCE_DIGITS_MAX else ""


def _read_refusal(errors: object) -> NotApplied | Refused | None:
    """Return what the errors prove when every single one was decided before any write."""
    if not isinstance(errors, list) or not errors:
        return None
    refusals = [_read_error(error) for error in errors]
    if not all(refusals):
        return None
    for refusal in refusals:
        if isinstance(refusal, NotApplied):
            return refusal
    return refusals[0]


def _read_error(error: object) -> NotApplied | Refused | None:
    if not isinstance(error, dict):
        return None
    extensions = error.get("extensions")
    if not isinstance(extensions, dict):
        return None
    code = extensions.get("code")
    message = fitted(str(error.get("message", ""))[:MESSAGE_READ_MAX], MESSAGE_CHARS_MAX)
    if code == LOGIN_CODE:
        return NotApplied("the back office wants a login", login_required=True)
    if code in _REFUSAL_CODES:
        return Refused(str(code), message, _read_property(extensions.get("data")))
    section = str(extensions.get("number", ""))
    if code in _VALUE_CODES or section == _VALUE_SECTION:
        return Refused(VALUE_CODE, message)
    if code in _NAME_CODES or _VALIDATION_SECTION.fullmatch(section):
        return Refused(INVALID_REQUEST, message)
    return None


def _read_property(data: object) -> str:
    name = data.get("Property") if isinstance(data, dict) else None
    return name[:MESSAGE_CHARS_MAX] if isinstance(name, str) else ""


def _read_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def _holds_data(data: object) -> bool:
    if isinstance(data, dict):
        return any(value is not None for value in data.values())
    return data is not None


def _code_of(errors: object) -> str:
    """Return the first error's code, "" when there is none."""
    first = errors[0] if isinstance(errors, list) and errors else None
    extensions = first.get("extensions") if isinstance(first, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code[:40] if isinstance(code, str) else ""


def _describe_errors(errors: object) -> str:
    if not isinstance(errors, list) or not errors:
        return "without the expected data"
    codes = [
        str(extensions.get("code", "none"))[:40]
        for error in errors[:4]
        if isinstance(error, dict) and isinstance(extensions := error.get("extensions"), dict)
    ]
    return "with error codes " + (", ".join(codes) or "missing")
