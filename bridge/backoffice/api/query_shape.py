"""What a server's schema shows of one query endpoint, and how it is asked for. Pure.

Introspection goes type by type: servers that follow graphql-js refuse one that lists fields of
fields of fields (its rule `MaxIntrospectionDepth`), and a whole schema may not fit an answer.
Source: GraphQL specification of October 2021, section 4, "Introspection".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.backoffice.api.endpoints import Endpoint, Kind, field_name
from bridge.backoffice.api.names import rows_of
from bridge.backoffice.api.operation import Document, query

NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,127}")
"""A name. Source: GraphQL specification of October 2021, section 2.1.9; the bound is ours."""

FIELDS_MAX = 200
"""Of one type that are looked at; the largest that is known has some thirty."""

_WRAPPINGS_MAX = 4  # [T!]!
_LEAVES = frozenset({"SCALAR", "ENUM"})
_NUMBERS = frozenset({"Int", "Long", "Short", "Byte", "BigInt"})


@dataclass(frozen=True, slots=True)
class TypeShape:
    """The fields of a type that can be asked for without arguments.

    Attributes:
        leaves: Fields that are scalars or enums.
        objects: Fields with fields of their own, by name, with the name of their type.
    """

    leaves: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueryShape:
    """What a server offers for one endpoint.

    Attributes:
        arguments: By name, with how each is written.
        envelope: Of the answer itself; empty where the field is the row.
        row: Of a row.
        inside: Of the rows' own rows, by the name of the field.
    """

    arguments: Mapping[str, Kind]
    envelope: TypeShape
    row: TypeShape
    inside: Mapping[str, TypeShape] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RootField:
    """A field of the query type: its arguments, and the type of its answer."""

    arguments: Mapping[str, Kind]
    type_name: str


def roots_query() -> Document:
    """Return the introspection that shows which queries there are."""
    kind = _wrapped("kind name", _WRAPPINGS_MAX)
    fields = f"fields {{ name args {{ name type {{ {kind} }} }} type {{ {kind} }} }}"
    return query("PaybridgeQueries", "__schema", {}, f"queryType {{ {fields} }}")


def type_query(name: str) -> Document:
    """Return the introspection that shows the fields of one type, by the name the server gave."""
    assert NAME.fullmatch(name), "read from a schema, where it was looked at"
    kind = _wrapped("kind name", _WRAPPINGS_MAX)
    fields = f"fields {{ name args {{ name type {{ kind }} }} type {{ {kind} }} }}"
    return query("PaybridgeType", "__type", {"name": name}, fields)


def read_roots(data: Mapping[str, Any]) -> dict[str, RootField] | None:
    """Return the queries that an answer to `roots_query` shows; None when it shows none at all."""
    schema = data.get("__schema")
    fields = rows_of(schema.get("queryType"), "fields") if isinstance(schema, dict) else []
    found = {}
    for row in fields:
        name, type_name = _name(row), _inner(row.get("type"))[1]
        if name and type_name:
            found[name] = RootField(_arguments(row), type_name)
    return found or None


def read_type(data: Mapping[str, Any]) -> TypeShape | None:
    """Return the fields that an answer to `type_query` shows; None when it shows none at all."""
    leaves: list[str] = []
    objects: dict[str, str] = {}
    for row in rows_of(data.get("__type"), "fields")[:FIELDS_MAX]:
        name = _name(row)
        kind, type_name = _inner(row.get("type"))
        wants = [one.get("type") for one in rows_of(row, "args")]
        if not name or any(
            isinstance(one, dict) and one.get("kind") == "NON_NULL" for one in wants
        ):
            continue
        if kind in _LEAVES:
            leaves.append(name)
        elif type_name and kind == "OBJECT":
            objects[name] = type_name
    return TypeShape(tuple(leaves), objects) if leaves or objects else None


def rows_type(root: RootField, answer: TypeShape, endpoint: Endpoint[Any]) -> str:
    """Return the type of the rows; "" where the answer has no list that we know."""
    if not endpoint.listed:
        return root.type_name
    return answer.objects.get("results", "")


def wanted_inside(endpoint: Endpoint[Any]) -> tuple[str, ...]:
    """Return the fields of a row that are asked for with fields of their own."""
    written = (*endpoint.documented, *endpoint.assumed, *endpoint.also)
    return tuple(field_name(one) for one in written if "{" in one)


def chosen_fields(endpoint: Endpoint[Any], shape: QueryShape, *, everything: bool) -> str:
    """Return the selection of a row: what we read of what there is, or all that there is."""
    if everything:
        parts = list(shape.row.leaves)
        for name, inside in shape.inside.items():
            if inside.leaves:
                parts.append(f"{name} {{ {' '.join(inside.leaves)} }}")
        return " ".join(parts)
    parts = []
    for written in dict.fromkeys((*endpoint.documented, *endpoint.assumed, *endpoint.also)):
        name = field_name(written)
        if "{" not in written:
            parts += [name] if name in shape.row.leaves else []
            continue
        there = shape.inside.get(name, TypeShape()).leaves
        inner = written.partition("{")[2].rpartition("}")[0].split()
        kept = [one for one in inner if one in there]
        parts += [f"{name} {{ {' '.join(kept)} }}"] if kept else []
    return " ".join(parts)


def _arguments(row: Mapping[str, Any]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for argument in rows_of(row, "args"):
        name = _name(argument)
        kind, type_name = _inner(argument.get("type"))
        if not name or kind not in _LEAVES or _is_list(argument.get("type")):
            continue
        if kind == "ENUM":
            found[name] = "word"
        elif type_name in _NUMBERS:
            found[name] = "number"
        else:
            found[name] = "flag" if type_name == "Boolean" else "text"
    return found


def _is_list(kind: object) -> bool:
    while isinstance(kind, dict):
        if kind.get("kind") == "LIST":
            return True
        kind = kind.get("ofType")
    return False


def _inner(kind: object) -> tuple[str, str]:
    """Return the kind and the name of a type below its wrappings."""
    for _ in range(_WRAPPINGS_MAX + 1):
        if not isinstance(kind, dict):
            break
        if kind.get("kind") not in {"NON_NULL", "LIST"}:
            found = kind.get("kind")
            return (found if isinstance(found, str) else ""), _name(kind)
        kind = kind.get("ofType")
    return "", ""


def _name(row: Mapping[str, Any]) -> str:
    name = row.get("name")
    return name if isinstance(name, str) and NAME.fullmatch(name) else ""


def _wrapped(what: str, depth: int) -> str:
    return what if depth == 1 else f"{what} ofType {{ {_wrapped(what, depth - 1)} }}"
