"""What the errors of an answer say, in words of ours. Pure.

A server's message may quote our request, and with it a PIN or a member. So nothing of a message is
kept: it is only compared with the patterns below, and what it names is believed only where that is
a name we wrote ourselves. A code, or a property that the server names, is kept in a strict grammar
and only if it repeats no text of the request.

The patterns are those of GraphQL.NET 2 to 8 and of graphql-js 14 to 17 (Apollo, graphql-core). Both
report a field that an input object does not have under the code of a wrong value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from bridge.backoffice.api.attempts import NotApplied, Refused
from bridge.backoffice.api.operation import Said

WORD_CHARS_MAX = 60
"""Of a code or a property; those that are known have at most 30."""

COMPARED_CHARS_MAX = 4_000
"""Of a message that is compared with the patterns, which look at its beginning."""

ECHO_CHARS_MIN = 3
"""Shorter texts of a request stand in any word by chance."""

CONTENT_CODE = "VALIDATION"
VALUE_TYPE_CODE = "INVALID_VALUE"
"""Our code for a value that its schema does not let pass: about this one request."""
PERMISSION_CODE = "NOT_AUTHORIZED"
INVALID_REQUEST = "INVALID_REQUEST"
"""Our code for a request whose names the server does not know; its schema is not as we expect."""
OTHER_CODE = "OTHER"
"""Our code for a code that we do not repeat."""

_LOGIN_CODES = frozenset({"NOT_AUTHENTICATED", "UNAUTHENTICATED"})
_PERMISSION_CODES = frozenset({PERMISSION_CODE, "FORBIDDEN"})
_PERMISSION_NUMBER = "unauthorized"
"""How Orchard Core's permission rule numbers its error, whatever its code."""
_VALUE_CODES = frozenset({"INVALID_VALUE", "VALUES_OF_CORRECT_TYPE", "ARGUMENTS_OF_CORRECT_TYPE"})
_VALUE_SECTION = re.compile(r"5\.6(?:\.1)?")
_NAME_CODES = frozenset(
    {
        "DEFAULT_VALUES_OF_CORRECT_TYPE",
        "FIELDS_ON_CORRECT_TYPE",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "KNOWN_ARGUMENT_NAMES",
        "KNOWN_DIRECTIVES",
        "KNOWN_TYPE_NAMES",
        "NO_INTROSPECTION",
        "NO_SCHEMA_INTROSPECTION_CUSTOM",
        "PROVIDED_NON_NULL_ARGUMENTS",
        "PROVIDED_REQUIRED_ARGUMENTS",
        "SCALAR_LEAFS",
        "SYNTAX_ERROR",
        "UNIQUE_INPUT_FIELD_NAMES",
        "VARIABLES_ARE_INPUT_TYPES",
        "VARIABLES_IN_ALLOWED_POSITION",
    }
)
"""Codes of GraphQL.NET and Apollo for a text whose names or shapes do not fit: all come before
execution."""
_SECTION = re.compile(r"5(?:\.[0-9]+)+")
"""GraphQL.NET numbers an error by the section of the GraphQL specification; 5 is validation."""
_KNOWN_CODES = _LOGIN_CODES | _PERMISSION_CODES | _VALUE_CODES | _NAME_CODES | {CONTENT_CODE}

_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:(?:\.[A-Za-z_][A-Za-z0-9_]*)|\[[0-9]{1,4}\])*")

_Q = "['\"‘’]"
_N = r"([_A-Za-z][_0-9A-Za-z]*)"
_NAME = f"{_Q}{_N}{_Q}"
_ARGUMENT = (
    rf"Argument {_NAME} has invalid value(?: [^\n]*\.\n|\.?\s*)"
    rf"(?:In (?:field {_NAME}|element #[0-9]+): ?\[?)*"
)
"""How GraphQL.NET leads to the place within an argument; version 2 spells the argument first."""
_SCALARS = (
    "BigInt|Boolean|Byte|Date|DateOnly|DateTime|DateTimeOffset|Decimal|Float|Guid|ID|Int|Long|Money"
    "|Short|String|TimeOnly|Uri"
)
"""Types of which a value may be wrong. Text for any other is no wrong value but a wrong shape: an
enum's value must not be quoted."""
_UNKNOWN = tuple(
    re.compile(text)
    for text in (
        rf"{_ARGUMENT}Unknown field",
        rf"{_ARGUMENT}Expected type {_Q}\w+{_Q}, found {_N}\.?\]*\s*$",  # an enum's value
        rf"Cannot query field {_NAME} on type",
        rf"Unknown argument {_NAME} on field",
        rf"Field {_NAME} is not defined by type",
        rf"Expected value of type {_Q}\w+{_Q} not to include unknown field {_NAME}",
        rf"Value {_NAME} does not exist in",
    )
)
_MISSING = tuple(
    re.compile(text)
    for text in (
        rf"{_ARGUMENT}Missing required field",
        rf"Argument {_NAME} of type .* is required for field",
        rf"Field {_Q}(?:{_N}\.)?{_N}{_Q} of required type",
        rf"Expected value of type {_Q}\w+{_Q} to include required field",
        rf"Argument {_Q}[\w.(:)]+{_Q} of type .* is required",
        rf"Field {_NAME} argument {_NAME} of type .* is required",
    )
)
_OTHER_SHAPE = tuple(
    re.compile(text)
    for text in (
        rf"{_ARGUMENT}Expected {_Q}\w+{_Q}, found not an object",
        rf"{_ARGUMENT}Expected type {_Q}(?!(?:{_SCALARS}){_Q})\w+{_Q}, found",
        rf"Enum {_NAME} cannot represent non-enum value",
        rf"Expected value of type {_Q}\w+!?{_Q}, found (?!null)[^;]*$",
        rf"Expected value of type {_Q}\w+{_Q} to be an object",
        rf"Field {_NAME} must not have a selection",
        rf"Field {_NAME} of type .* must have a selection",
    )
)
_WRONG_VALUE = re.compile(
    rf"{_N} cannot represent "
    rf"|Expected value of type {_Q}\w+!?{_Q}(?:, found .*;|, but encountered error)",
    re.DOTALL,
)
_NO_SUCH_TYPE = re.compile(rf"Unknown type {_NAME}|Syntax Error")


class _Kind(IntEnum):
    """What an error is about, in the order in which it must be mended."""

    LOGIN = 0
    PERMISSION = 1
    NAME = 2
    VALUE = 3
    CONTENT = 4  # the API's own VALIDATION, which its code finds, not its schema


def read_refusal(
    errors: object, said: Said, *, not_begun: bool = False
) -> NotApplied | Refused | None:
    """Return what the errors prove when every one was decided before anything was written.

    `not_begun`: the answer has no `data`, not even null, which says that nothing was carried out
    (GraphQL specification, section 7.1). Then an error without a code is read by its words, if it
    has those of a rule of validation.

    Errors of the schema and of the API's own VALIDATION together contradict each other: the second
    only looks at what the first let pass. That is no proof.
    """
    if not isinstance(errors, list) or not errors:
        return None
    kinds = [_kind_of(error, said, not_begun=not_begun) for error in errors]
    first = min((one for one in kinds if one is not None), default=None)
    if first is None or None in kinds:
        return None
    if _Kind.CONTENT in kinds and len(set(kinds)) > 1:
        return None
    return _refusal(dict(errors[kinds.index(first)]), first, said)


def first_code(errors: object, said: Said) -> str:
    """Return the first error's code, "" when it has none."""
    return next(_codes(errors, said), "")


def codes_in_words(errors: object, said: Said) -> str:
    """Return the codes of up to four errors for a person, without a word of the server's."""
    if not isinstance(errors, list) or not errors:
        return "without the expected data"
    codes = [code or "none" for code in _codes(errors[:4], said)]
    return "with error codes " + (", ".join(codes) or "missing")


def _codes(errors: object, said: Said) -> Iterator[str]:
    for error in errors if isinstance(errors, list) else ():
        extensions = error.get("extensions") if isinstance(error, dict) else None
        if isinstance(extensions, dict):
            code = extensions.get("code")
            yield _code(code, said) if isinstance(code, str) and code else ""


def _code(code: str, said: Said) -> str:
    known = code in _KNOWN_CODES
    return code if known or _is_safe(code, _CODE, said) else OTHER_CODE


def _is_safe(word: object, grammar: re.Pattern[str], said: Said) -> bool:
    """Whether a word of the server's may be kept: in the grammar, and no echo of the request."""
    if not isinstance(word, str) or len(word) > WORD_CHARS_MAX or not grammar.fullmatch(word):
        return False
    plain = word.casefold()
    sent = (text.casefold() for text in said.texts if len(text) >= ECHO_CHARS_MIN)
    return not any(text in plain or plain in text for text in sent)


def _word(value: object) -> str:
    """Return a text of the server's to compare with; "" for what is none."""
    return value[:COMPARED_CHARS_MAX] if isinstance(value, str) else ""


def _is_ours(path: object, said: Said) -> bool:
    """Whether a property is a field that we wrote, or a way to one."""
    if not isinstance(path, str) or len(path) > WORD_CHARS_MAX or not _PROPERTY.fullmatch(path):
        return False
    return all(re.sub(r"\[[0-9]+\]", "", part) in said.names for part in path.split("."))


def _kind_of(error: object, said: Said, *, not_begun: bool) -> _Kind | None:
    if not isinstance(error, dict):
        return None
    given, message = error.get("extensions"), error.get("message")
    extensions = given if isinstance(given, dict) else {}
    code, number = _word(extensions.get("code")), _word(extensions.get("number"))
    if not number and (_SECTION.fullmatch(code) or code.casefold() == _PERMISSION_NUMBER):
        number = code  # GraphQL.NET 2 has no numbers beside its codes
    text = _word(message)
    if "code" not in extensions and not number:
        is_plain = not_begun and error.get("path") is None
        return _kind_by_words(text, said) if is_plain else None
    if code in _LOGIN_CODES:
        return _Kind.LOGIN
    if code in _PERMISSION_CODES or number.casefold() == _PERMISSION_NUMBER:
        return _Kind.PERMISSION
    if code == CONTENT_CODE and not _SECTION.fullmatch(number):
        return _Kind.CONTENT
    if code in _VALUE_CODES or _VALUE_SECTION.fullmatch(number):
        return _Kind.NAME if _is_about_names(text, said) else _Kind.VALUE
    if code in _NAME_CODES or _SECTION.fullmatch(number):
        is_value = _WRONG_VALUE.match(text) is not None and not _is_about_names(text, said)
        return _Kind.VALUE if is_value else _Kind.NAME
    if code == "BAD_USER_INPUT" and error.get("path") is None:
        return _Kind.NAME if _is_about_names(text, said) else _Kind.VALUE
    return None


def _kind_by_words(message: str, said: Said) -> _Kind | None:
    """Return what an error without a code is about; None unless a rule of validation says it so."""
    if _is_about_names(message, said) or _NO_SUCH_TYPE.match(message):
        return _Kind.NAME
    return _Kind.VALUE if _WRONG_VALUE.match(message) else None


def _is_about_names(message: str, said: Said) -> bool:
    if any(pattern.match(message) for pattern in (*_MISSING, *_OTHER_SHAPE)):
        return True
    return bool(_unknown_name(message, said))


def _unknown_name(message: str, said: Said) -> str:
    """Return the name of ours that the message calls unknown, "" when it calls none so."""
    for pattern in _UNKNOWN:
        found = pattern.match(message)
        if found:
            return next((one for one in found.groups()[::-1] if one in said.names), "")
    return ""


def _refusal(error: dict[str, Any], kind: _Kind, said: Said) -> NotApplied | Refused:
    given = error.get("extensions")
    extensions = given if isinstance(given, dict) else {}
    message = _word(error.get("message"))
    match kind:
        case _Kind.LOGIN:
            return NotApplied("the back office wants a login", login_required=True)
        case _Kind.PERMISSION:
            return Refused(PERMISSION_CODE, "the account may not do this")
        case _Kind.NAME:
            return _unknown(message, said)
        case _Kind.VALUE:
            return Refused(VALUE_TYPE_CODE, "a value is not of the type that the back office wants")
        case _Kind.CONTENT:
            return _refused_content(extensions.get("data"), said)


def _unknown(message: str, said: Said) -> Refused:
    name = _unknown_name(message, said)
    if name:
        return Refused(INVALID_REQUEST, f"the back office does not know {name}", name)
    if any(pattern.match(message) for pattern in _MISSING):
        return Refused(INVALID_REQUEST, "the back office wants a field that we do not know")
    if any(pattern.match(message) for pattern in _OTHER_SHAPE):
        return Refused(INVALID_REQUEST, "the back office wants a value in another shape")
    return Refused(INVALID_REQUEST, "the back office does not know a name that we use")


def _refused_content(data: object, said: Said) -> Refused:
    facts = data if isinstance(data, dict) else {}
    path, why = facts.get("Property"), facts.get("ValidationType")
    named = str(path) if _is_ours(path, said) or _is_safe(path, _PROPERTY, said) else ""
    words = f"the back office refuses {f'the value of {named}' if named else 'a value'}"
    if _is_safe(why, _PROPERTY, said):
        words += f" ({why})"
    return Refused(CONTENT_CODE, words, named)
