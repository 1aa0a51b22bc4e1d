"""One query endpoint's operation as GraphQL writes it. Pure.

The arguments are written inside the operation, as every published example does: so no name of a
type is needed. Source: GraphQL specification of October 2021, section 2.9, "Input Values".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bridge.backoffice.api.documents import Document
from bridge.backoffice.api.endpoints import SINCE, Endpoint, Kind
from bridge.backoffice.api.paging import Turn
from bridge.backoffice.api.query_shape import NAME

VALUE_CHARS_MAX = 512
_ENVELOPE = ("hasMoreResults", "until", "limitedByPermission")


class BadArgument(Exception):
    """An argument cannot be written; the words say which, and how it is."""


def written(name: str, value: str, kind: Kind) -> str:
    """Return one argument as GraphQL writes it.

    Raises:
        BadArgument: The name or the value cannot be written so.
    """
    if not NAME.fullmatch(name):
        raise BadArgument(f"{name!r} is no argument's name")
    if len(value) > VALUE_CHARS_MAX:
        raise BadArgument(f"{name}: at most {VALUE_CHARS_MAX} characters")
    match kind:
        case "text":
            return f"{name}: {json.dumps(value, ensure_ascii=False)}"
        case "number":
            digits = value.removeprefix("-")
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
                raise BadArgument(f"{name}: write a whole number")
            return f"{name}: {int(value)}"
        case "flag":
            if value not in {"true", "false"}:
                raise BadArgument(f"{name}: write true or false")
            return f"{name}: {value}"
        case "word":
            if not NAME.fullmatch(value):
                raise BadArgument(f"{name}: write one word, e.g. PHYSICAL")
            return f"{name}: {value}"


def query(
    endpoint: Endpoint[Any],
    where: Mapping[str, tuple[str, Kind]],
    turn: Turn,
    *,
    first: int | None,
    fields: str,
    envelope: frozenset[str],
) -> Document:
    """Return the query for one page.

    `where` narrows the rows down, `first` is the size of a page (None: the endpoint has none),
    `fields` what is asked of a row and `envelope` what of the answer beside its rows.

    Raises:
        BadArgument: A name or a value cannot be written.
    """
    parts = [written(name, value, kind) for name, (value, kind) in where.items()]
    if turn.since is not None:
        # Longer than any value that a person writes: it is the server's own.
        parts.append(f"{SINCE}: {json.dumps(turn.since, ensure_ascii=False)}")
    if first is not None:
        parts.append(f"first: {first}")
    if first is not None and turn.skip:
        parts.append(f"skip: {turn.skip}")
    selection = fields or "__typename"
    if endpoint.listed:
        beside = [one for one in _ENVELOPE if one in envelope]
        selection = " ".join([*beside, f"results {{ {selection} }}"])
    arguments = f"({', '.join(parts)})" if parts else ""
    name = f"Paybridge{endpoint.root[:1].upper()}{endpoint.root[1:]}"
    text = f"query {name} {{ {endpoint.root}{arguments} {{ {selection} }} }}"
    return Document(name, endpoint.root, text)
