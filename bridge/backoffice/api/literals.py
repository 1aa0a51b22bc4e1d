"""Values as GraphQL literals, as every published example of the API writes them. Pure.

A literal needs no name of an input type, and those names are nowhere public. Everything that comes
from outside goes through `literal`: nothing in a value can end it, and what GraphQL cannot spell is
refused with the field's name, never with the value, which may be a PIN.

Source: GraphQL specification, October 2021, sections 2.1 and 2.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bridge.errors import BridgeError

DEPTH_MAX = 8
"""Objects and lists within each other; the API's deepest input has three."""

INTEGER_MAX = 2**63
"""Larger numbers are amounts of no store; GraphQL's own Int ends at 2**31."""

DIGITS_MAX = 40
"""Of a number before and after its point, so that 1e999999 is refused and not spelled out."""

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_NO_ENUM_VALUES = frozenset({"true", "false", "null"})
_NEEDS_ESCAPE = re.compile('[\x00-\x1f"\\\\\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]')
"""Quotes, backslashes, line ends, and what some readers take for a line end or cannot take. All
else stands as it is, also beyond U+FFFF: `\\u` and four digits would need a pair there, which
older servers do not put together."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Unwritable(BridgeError):
    """A value that GraphQL cannot spell; nothing was sent.

    Attributes:
        field: Where it stood, e.g. `add.lineItems.sku`; "" where no field has a name yet.
        reason: What is wrong with it, in words of ours; never the value.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A value of an enum, written without quotes; `kind` is which enum, as we call it."""

    name: str
    kind: str = ""


Value = str | bool | int | Decimal | EnumValue | None | Sequence["Value"] | Mapping[str, "Value"]
"""What can be written. A float cannot: amounts are text or Decimal."""


def is_name(text: str) -> bool:
    """Say whether GraphQL takes `text` for a name."""
    return _NAME.fullmatch(text) is not None


def literal(value: Value, field: str = "") -> str:
    """Return `value` as GraphQL text on one line; `field` is where it stands, for errors.

    Raises:
        Unwritable: It holds a lone surrogate, a wrong name, a number that is not finite or has more
            than 40 digits on a side, a float, an unknown type, or is nested deeper than eight.
    """
    return _write(value, field, 0)


def texts_in(value: Value) -> Iterator[str]:
    """Yield every text within a value, so that an answer can be searched for it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from texts_in(inner)


def _write(value: Value, field: str, depth: int) -> str:
    if depth > DEPTH_MAX:
        raise Unwritable(field, "is nested too deep")
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value, field)
        case int():
            if not -INTEGER_MAX < value < INTEGER_MAX:
                raise Unwritable(field, "is too large a number")
            return str(int(value))  # also of an IntEnum, whose own text is its name
        case Decimal():
            return _number(value, field)
        case EnumValue(name=name):
            if not is_name(name) or name in _NO_ENUM_VALUES:
                raise Unwritable(field, "is no name that an enum can have")
            return name
        case Mapping():
            return f"{{{', '.join(_fields(value, field, depth))}}}"
        case list() | tuple():
            return f"[{', '.join(_write(inner, field, depth + 1) for inner in value)}]"
    raise Unwritable(field, "is of a type that GraphQL does not have")


def _fields(value: Mapping[str, Value], field: str, depth: int) -> Iterator[str]:
    for name, inner in value.items():
        if not is_name(name):
            raise Unwritable(field, "has a field whose name GraphQL does not allow")
        yield f"{name}: {_write(inner, f'{field}.{name}' if field else name, depth + 1)}"


def _text(value: str, field: str) -> str:
    if _SURROGATE.search(value):
        raise Unwritable(field, "holds half a character (a lone surrogate)")
    return f'"{_NEEDS_ESCAPE.sub(_escape, value)}"'


def _escape(found: re.Match[str]) -> str:
    one = found.group()
    return _SHORT.get(one) or f"\\u{ord(one):04x}"


def _number(value: Decimal, field: str) -> str:
    if not value.is_finite():
        raise Unwritable(field, "is no finite number")
    digits, exponent = value.as_tuple().digits, value.as_tuple().exponent
    assert isinstance(exponent, int)  # a finite number has one
    if len(digits) + max(exponent, 0) > DIGITS_MAX or -exponent > DIGITS_MAX:
        raise Unwritable(field, "has too many digits")
    return format(value, "f")
