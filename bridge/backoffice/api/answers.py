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

What an error says is read in `refusals.py`: nothing of a server's message is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge.backoffice.api.attempts import Applied, Attempt, NotApplied, Refused, Unknown
from bridge.backoffice.api.operation import NOTHING_SAID, Said
from bridge.backoffice.api.refusals import codes_in_words, first_code, read_refusal
from bridge.backoffice.http_exchange import HttpAnswer, parse_object, parse_retry_after

ID_CHARS_MAX = 200
"""Of a record's id; a longer one is none, and cannot be told to a person either."""

BALANCE_DIGITS_MAX = 18
"""No gift card holds more; a number like 1e999999 must not be spelled out."""

TOO_LARGE = "TOO_LARGE"

_MOVED = frozenset({301, 307, 308})
_MISPLACED = frozenset({404, 405, 407, 415, 421})


def classify(answer: HttpAnswer, field: str, said: Said = NOTHING_SAID) -> Attempt:
    """Return what the answer to a mutation of `field` proves; see the rules above.

    `said` is what the request held, so that nothing of it is repeated.
    Source: POS_API.md, exactly-once 4; RFC 9110, sections 15.4 and 15.5.
    """
    document = parse_object(answer.body, unique_keys=True)
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
    has_run = _holds_data(data) or _is_deep(errors, (field,))
    if not has_run:
        proof = _not_applied(answer, document, said)
        if proof is not None:
            return proof
    if document is None:
        return Unknown(f"HTTP {answer.status} without a JSON body")
    told = answer.status == 400 and not has_run
    return Unknown(
        f"HTTP {answer.status} {codes_in_words(errors, said)}",
        first_code(errors, said) if told else "",
    )


def _not_applied(
    answer: HttpAnswer, document: Mapping[str, Any] | None, said: Said
) -> NotApplied | Refused | None:
    """Return the proof that nothing was applied; None when there is none."""
    status = answer.status
    if status == 401 and not _has_body(answer, document):
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
    if status not in (400, 401) or document is None:
        return None
    return read_refusal(document.get("errors"), said, not_begun="data" not in document)


def _has_body(answer: HttpAnswer, document: object) -> bool:
    """Whether there is a body that could say something: also JSON that was cut in the middle."""
    return bool(document) or answer.body.lstrip()[:1] in (b"{", b"[")


def proves_nothing_done(
    answer: HttpAnswer,
    document: Mapping[str, Any] | None,
    said: Said,
    *,
    fields: tuple[str, ...],
) -> NotApplied | Refused | None:
    """Return the proof that the mutation at `fields`, from the root on, did nothing, if it is one.

    For a mutation within another field; `document` is the answer's body, and holds no data of it.
    """
    errors = document.get("errors") if document else None
    if _is_deep(errors, fields):
        return None
    return _not_applied(answer, document, said)


def _is_deep(errors: object, fields: tuple[str, ...]) -> bool:
    """Whether an error lies below the mutation at `fields`, or beside it: then it may have run."""
    above = [list(fields[:length]) for length in range(1, len(fields) + 1)]
    for error in errors if isinstance(errors, list) else ():
        path = error.get("path") if isinstance(error, dict) else None
        if path is not None and path not in above:
            return True
    return False


def read_data(
    answer: HttpAnswer, said: Said = NOTHING_SAID
) -> dict[str, Any] | NotApplied | Refused:
    """Return the data of an answered query; a query changes nothing, so no doubt can remain."""
    document = parse_object(answer.body)
    if document and answer.status == 200 and not document.get("errors"):
        data = document.get("data")
        if isinstance(data, dict):
            return data
    if answer.status == 401 and not document:
        return NotApplied("the back office does not accept the token", login_required=True)
    errors = document.get("errors") if document else None
    refusal = read_refusal(errors, said, not_begun=document is not None and "data" not in document)
    if refusal is not None:
        return refusal
    words = f"HTTP {answer.status} {codes_in_words(errors, said)}"
    return NotApplied(words, parse_retry_after(answer), answered=True)


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


def _read_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return text if len(text) <= ID_CHARS_MAX and text.isprintable() else ""


def _holds_data(data: object) -> bool:
    if isinstance(data, dict):
        return any(value is not None for value in data.values())
    return data is not None
