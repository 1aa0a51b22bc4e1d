"""One named operation of the API, built from values and ready to be posted. Pure.

Arguments are written as literals; there are no variables, whose types the documentation does not
name. `renamed` says what a server calls otherwise, by these keys:

    purchaseAdd                   a root field
    purchaseAdd(add)              an argument of it
    purchaseAdd(add.memberId)     a field of an input object; "" leaves it out
    giftcard.results.balance      a field of the answer; "" leaves it out
    CodeType.EXTERNAL             an enum's value

What is renamed is asked for under its documented name (an alias), so that answers, and the paths
of errors, read the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bridge.backoffice.api.literals import EnumValue, Unwritable, Value, is_name, literal, texts_in

Renamed = Mapping[str, str]

_NOTHING: Renamed = {}
_TOKEN = re.compile(r"[_A-Za-z][_0-9A-Za-z]*|[{}]")


class Unsupported(Exception):
    """The server is known to have no such thing as was asked for; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an operation holds, to compare an answer with.

    Attributes:
        names: Every name of the API that it uses, as the server calls it.
        texts: Every text among its values; what an answer repeats of them is not shown.
    """

    names: frozenset[str] = frozenset()
    texts: frozenset[str] = field(default=frozenset(), repr=False)


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Document:
    """One named operation; its text may hold a PIN and is never shown.

    Attributes:
        operation: Its name in the text.
        root_field: The one field that it asks for, as the answer calls it.
        text: The whole operation.
    """

    operation: str
    root_field: str
    text: str = field(repr=False)
    said: Said = NOTHING_SAID


def query(
    operation: str,
    root_field: str,
    arguments: Mapping[str, Value],
    selection: str,
    renamed: Renamed = _NOTHING,
) -> Document:
    """Return a query of one root field; `selection` is what it shows, e.g. `results { id }`.

    Raises:
        Unwritable: A value cannot be written.
        Unsupported: The server is known to have no such root field.
    """
    return _document("query", operation, root_field, arguments, selection, renamed=renamed)


def mutation(
    operation: str,
    root_field: str,
    arguments: Mapping[str, Value],
    selection: str,
    renamed: Renamed = _NOTHING,
) -> Document:
    """Return a mutation of one root field, as `query` does."""
    return _document("mutation", operation, root_field, arguments, selection, renamed=renamed)


def _document(
    kind: Literal["query", "mutation"],
    operation: str,
    root_field: str,
    arguments: Mapping[str, Value],
    selection: str,
    *,
    renamed: Renamed,
) -> Document:
    assert is_name(operation)
    assert is_name(root_field)
    there = renamed.get(root_field, root_field)
    if not there:
        raise Unsupported(f"this back office has no {root_field}")
    names = {there}
    given = _rename(arguments, root_field, "", renamed, names)
    assert isinstance(given, Mapping)
    written = ", ".join(f"{name}: {literal(value, name)}" for name, value in given.items())
    shown = _select(_TOKEN.findall(selection)[::-1], root_field, renamed, names)
    text = (
        f"{kind} {operation} {{ {_aliased(root_field, there)}"
        f"{f'({written})' if written else ''}{f' {{ {shown} }}' if shown else ''} }}"
    )
    said_so = Said(frozenset(names), frozenset(texts_in(arguments)))
    return Document(operation, root_field, text, said_so)


def _rename(value: Value, root: str, path: str, renamed: Renamed, names: set[str]) -> Value:
    """Return a value with its fields and enum values called as the server does."""
    if isinstance(value, EnumValue):
        called = EnumValue(renamed.get(f"{value.kind}.{value.name}") or value.name, value.kind)
        names.add(called.name)
        return called
    if isinstance(value, Mapping):
        found: dict[str, Value] = {}
        for name, inner in value.items():
            inside = f"{path}.{name}" if path else name
            there = renamed.get(f"{root}({inside})", name)
            if not there:
                continue
            if not is_name(there):
                raise Unwritable(inside, "has a name that GraphQL does not allow")
            if there in found:
                raise Unwritable(inside, "is called like another field")
            names.add(there)
            found[there] = _rename(inner, root, inside, renamed, names)
        return found
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rename(inner, root, path, renamed, names) for inner in value]
    return value


def _select(tokens: list[str], path: str, renamed: Renamed, names: set[str]) -> str:
    """Return a selection, with its fields called as the server does, up to its closing brace.

    `tokens` are those still to come, the next one last.
    """
    parts = []
    while tokens and (ours := tokens.pop()) != "}":
        there = renamed.get(f"{path}.{ours}", ours)
        inner = ""
        if tokens and tokens[-1] == "{":
            tokens.pop()
            inner = f" {{ {_select(tokens, f'{path}.{ours}', renamed, names)} }}"
        if there:
            names.add(there)
            parts.append(_aliased(ours, there) + inner)
    return " ".join(parts)


def _aliased(ours: str, there: str) -> str:
    return ours if ours == there else f"{ours}: {there}"
