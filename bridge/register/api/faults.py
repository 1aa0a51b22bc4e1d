"""Why a command cannot be read, in our own words: which field, and how to write it. Pure.

What a library calls a fault is for its programmers, and changes with its version.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import RequestError
from bridge.register.api.envelope import Request
from bridge.register.api.salvage import path_at

SHOWN_CHARACTERS_MAX: Final = 40  # of a register's own text in an error message
_ALIKE: Final = 0.6  # difflib's own measure of a good match
OURS: Final = frozenset({"invalid_amount", "time", "currency"})  # their texts are in `fields.py`

# What the decoder calls it, and what that means. Source: the messages of Python's json module.
_JSON_FAULTS: Final = {
    "Expecting property name enclosed in double quotes": "a field's name in double quotes is "
    "missing",
    "Illegal trailing comma before end of object": "a comma stands before the end",
    "Illegal trailing comma before end of array": "a comma stands before the end",
    "Expecting ':' delimiter": "a colon is missing",
    "Expecting ',' delimiter": "a comma or the end is missing",
    "Expecting value": "a value is missing",
    "Unexpected UTF-8 BOM": "leave out the byte order mark (BOM)",
    "Extra data": "something stands behind the end of the message",
    "Invalid control character at": "a text holds a control character; write it as an escape",
    "Unterminated string starting at": "a text has no closing quote",
}

_TYPES: Final = {
    "missing": "this field is missing",
    "string_type": "write it as a text, in quotes",
    "int_type": "write it as a whole number, without quotes",
    "int_from_float": "write it as a whole number",
    "bool_type": "write true or false, without quotes",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "tuple_type": "must be a JSON array",
    "list_type": "must be a JSON array",
}
_BOUNDS: Final = {
    "string_too_short": "write at least {min_length} characters",
    "string_too_long": "write at most {max_length} characters",
    "too_short": "name at least {min_length} of them",
    "too_long": "name at most {max_length} of them",
    "greater_than_equal": "the least is {ge}",
    "less_than_equal": "the most is {le}",
    "literal_error": "this may be {expected}",
}
_PATTERNS: Final = {
    "payment_id": "write a UUID in lower case, like '018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e'",
    "operation_id": "write a UUID in lower case, like '018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e'",
    "original_payment_id": "write the UUID of the earlier payment, in lower case",
    "terminal_id": "write its name with a-z, 0-9 and -, at most 32 characters",
    "terminal_pool": "write its name with a-z, 0-9 and -, at most 32 characters",
    "language": "write a language like 'de-DE'",
    "quantity": "write a decimal text like '2' or '0.750'",
    "unit_price": "write a decimal text like '3.95'",
}


def json_fault(text: str, error: json.JSONDecodeError) -> RequestError:
    """Return the refusal of a text that is no JSON; `path` is the field that it broke in."""
    if not text.strip():
        return RequestError("invalid_json", "the message is empty; write one JSON object")
    known = next((ours for theirs, ours in _JSON_FAULTS.items() if theirs in error.msg), None)
    where = f"at line {error.lineno} column {error.colno}"
    return RequestError(
        "invalid_json",
        f"{known or 'this is no JSON'}, {where}",
        path=path_at(text, error.pos),
    )


def refusal(error: ValidationError, model: type[Request]) -> RequestError:
    """Choose the one fault to name: a field we do not know first, since it explains the others."""
    faults = error.errors(include_url=False, include_context=True)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    fault = (unknown or faults)[0]
    path = ".".join(str(part)[:SHOWN_CHARACTERS_MAX] for part in fault["loc"])
    code = "invalid_amount" if fault["type"] == "invalid_amount" else "invalid_request"
    return RequestError(code, _words(fault, model), path=path)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names what is spelled alike, "" where nothing is."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=_ALIKE)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(text: str) -> str:
    """Return the start of a register's own text, in quotes."""
    cut = text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…"
    return repr(cut)


def _words(fault: ErrorDetails, model: type[Request]) -> str:
    kind = fault["type"]
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    context: dict[str, Any] = fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"there is no field {shown(name)} here" + _did_you_mean_field(
            name, model, fault["loc"][:-1]
        )
    if kind == "missing":
        return f"the field {name!r} is missing"
    if kind in OURS:
        return fault["msg"]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(name, "this field is written otherwise; see its schema")
    return _TYPES.get(kind, "this value is not possible here; see the schema of the command")


def _did_you_mean_field(
    name: str, model: type[BaseModel], owner_path: tuple[int | str, ...]
) -> str:
    """Look for the field beside the wrong one first, then anywhere in the command."""
    everywhere = dict(_fields_below(model, ""))
    prefix = "".join(f"{part}." for part in owner_path)
    beside = [
        path.removeprefix(prefix)
        for path in everywhere
        if path.startswith(prefix) and "." not in path.removeprefix(prefix)
    ]
    if words := did_you_mean(name, beside):
        return words
    close = difflib.get_close_matches(name, set(everywhere.values()), n=1, cutoff=_ALIKE)
    paths = [path for path, last in everywhere.items() if close and last == close[0]]
    return f"; did you mean {paths[0]!r}?" if paths else ""


def _fields_below(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the last name of every field, arrays left out."""
    for name, field in model.model_fields.items():
        yield prefix + name, name
        for choice in (field.annotation, *get_args(field.annotation)):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                yield from _fields_below(choice, f"{prefix}{name}.")
