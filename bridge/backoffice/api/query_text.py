"""One query endpoint's operation. Pure; how values are written, `literals.py` knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.backoffice.api import operation
from bridge.backoffice.api.endpoints import SINCE, Endpoint, Kind
from bridge.backoffice.api.literals import EnumValue, Unwritable, Value
from bridge.backoffice.api.operation import Document, Renamed, Unsupported
from bridge.backoffice.api.paging import Turn
from bridge.backoffice.api.query_shape import NAME

VALUE_CHARS_MAX = 512
NOTHING_RENAMED: Renamed = {}
_ENVELOPE = ("hasMoreResults", "until", "limitedByPermission")


class BadArgument(Exception):
    """An argument cannot be written; the words say which, and how it is."""


def value_of(name: str, value: str, kind: Kind) -> Value:
    """Return the value of one argument that somebody wrote as text.

    Raises:
        BadArgument: The name or the value cannot be written so.
    """
    if not NAME.fullmatch(name):
        raise BadArgument(f"{name!r} is no argument's name")
    if len(value) > VALUE_CHARS_MAX:
        raise BadArgument(f"{name}: at most {VALUE_CHARS_MAX} characters")
    match kind:
        case "text":
            return value
        case "number":
            digits = value.removeprefix("-")
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
                raise BadArgument(f"{name}: write a whole number")
            return int(value)
        case "flag":
            if value not in {"true", "false"}:
                raise BadArgument(f"{name}: write true or false")
            return value == "true"
        case "word":
            if not NAME.fullmatch(value):
                raise BadArgument(f"{name}: write one word, e.g. PHYSICAL")
            return EnumValue(value)


def query(
    endpoint: Endpoint[Any],
    where: Mapping[str, tuple[str, Kind]],
    turn: Turn,
    *,
    first: int | None,
    fields: str,
    envelope: frozenset[str],
    renamed: Renamed = NOTHING_RENAMED,
) -> Document:
    """Return the query for one page.

    `where` narrows the rows down, `first` is the size of a page (None: the endpoint has none),
    `fields` what is asked of a row and `envelope` what of the answer beside its rows. `renamed`
    says what the server calls otherwise, as `operation.py` has it.

    Raises:
        BadArgument: A name or a value cannot be written, or the site says that there is no such
            query.
    """
    given = {name: value_of(name, value, kind) for name, (value, kind) in where.items()}
    if turn.since is not None:
        given[SINCE] = turn.since  # longer than what a person writes: it is the server's own
    if first is not None:
        given["first"] = first
    if first is not None and turn.skip:
        given["skip"] = turn.skip
    selection = fields or "__typename"
    if endpoint.listed:
        beside = [one for one in _ENVELOPE if one in envelope]
        selection = " ".join([*beside, f"results {{ {selection} }}"])
    name = f"Paybridge{endpoint.root[:1].upper()}{endpoint.root[1:]}"
    try:
        return operation.query(name, endpoint.root, given, selection, renamed)
    except (Unwritable, Unsupported) as error:
        raise BadArgument(str(error)) from None
