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

REHEARSED = "rehearsed"
"""How the answer would call what must not be carried out, with a number."""

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
        said: What it holds.
        call: Its root field with the arguments, as the server calls them.
        shown: What that is asked to show, "" where it has no fields.
        keys: Every key under which `renamed` was looked into.
    """

    operation: str
    root_field: str
    text: str = field(repr=False)
    said: Said = NOTHING_SAID
    call: str = field(default="", repr=False)
    shown: str = ""
    keys: frozenset[str] = frozenset()


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


def rehearsal(operation: str, documents: Sequence[Document]) -> Document:
    """Return one mutation that only lets a server compare these mutations with its schema.

    Every field is left out by the directive that GraphQL requires of all servers, so nothing is
    done: the answer is empty, or says what does not fit. Source: GraphQL specification, October
    2021, section 3.13.1.
    """
    parts = []
    for number, one in enumerate(documents):
        shown = f" {{ {one.shown} }}" if one.shown else ""
        parts.append(f"{REHEARSED}{number}: {one.call} @skip(if: true){shown}")
    names = frozenset[str]().union(*(one.said.names for one in documents))
    texts = frozenset[str]().union(*(one.said.texts for one in documents))
    return Document(
        operation, "", f"mutation {operation} {{ {' '.join(parts)} }}", Said(names, texts)
    )


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
    book = _Book(renamed)
    there = book.look_up(root_field, root_field)
    if not there:
        raise Unsupported(f"this back office has no {root_field}")
    given = _rename(arguments, root_field, "", book)
    assert isinstance(given, Mapping)
    written = ", ".join(f"{name}: {literal(value, name)}" for name, value in given.items())
    shown = _select(_TOKEN.findall(selection)[::-1], root_field, book)
    call = f"{there}({written})" if written else there
    alias = f"{root_field}: " if there != root_field else ""
    text = f"{kind} {operation} {{ {alias}{call}{f' {{ {shown} }}' if shown else ''} }}"
    said = Said(frozenset(book.names), frozenset(texts_in(arguments)))
    return Document(operation, root_field, text, said, call, shown, frozenset(book.keys))


class _Book:
    """Looks names up, and notes which ones were used under which keys."""

    def __init__(self, renamed: Renamed) -> None:
        self._renamed = renamed
        self.keys: set[str] = set()
        self.names: set[str] = set()

    def look_up(self, key: str, ours: str) -> str:
        """Return what the server calls it, "" when it has no such thing."""
        self.keys.add(key)
        there = self._renamed.get(key, ours)
        if there:
            self.names.add(there)
        return there


def _rename(value: Value, root: str, path: str, book: _Book) -> Value:
    """Return a value with its fields and enum values called as the server does."""
    if isinstance(value, EnumValue):
        there = book.look_up(f"{value.kind}.{value.name}", value.name)
        if not there:
            raise Unsupported(f"this back office has no {value.kind} {value.name}")
        return EnumValue(there, value.kind)
    if isinstance(value, Mapping):
        found: dict[str, Value] = {}
        for name, inner in value.items():
            inside = f"{path}.{name}" if path else name
            there = book.look_up(f"{root}({inside})", name)
            if not there:
                continue
            if not is_name(there):
                raise Unwritable(inside, "has a name that GraphQL does not allow")
            if there in found:
                raise Unwritable(inside, "is called like another field")
            found[there] = _rename(inner, root, inside, book)
        return found
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rename(inner, root, path, book) for inner in value]
    return value


def _select(tokens: list[str], path: str, book: _Book) -> str:
    """Return a selection, with its fields called as the server does, up to its closing brace.

    `tokens` are those still to come, the next one last.
    """
    parts = []
    while tokens and (ours := tokens.pop()) != "}":
        there = book.look_up(f"{path}.{ours}", ours)
        inner = ""
        if tokens and tokens[-1] == "{":
            tokens.pop()
            inner = f" {{ {_select(tokens, f'{path}.{ours}', book)} }}"
        if there:
            parts.append(_aliased(ours, there) + inner)
    return " ".join(parts)


def _aliased(ours: str, there: str) -> str:
    return ours if ours == there else f"{ours}: {there}"
