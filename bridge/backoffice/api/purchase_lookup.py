"""Whether the back office can be asked for a recorded purchase, and how. Pure.

The documented API has no query for purchases, so by default nobody can ask. A server whose schema
has one is recognized by its shape: `purchase` or `purchases`, with an argument for the record's id,
and rows that show the id. `sale` is never taken for it: that is the Register's own sales.
Source: POS_API.md, "Purchases" and "Exactly-once" 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.backoffice.api.literals import Value
from bridge.backoffice.api.names import rows_of
from bridge.backoffice.api.operation import Document, query

QUERY_NAMES = ("purchase", "purchases")
TRANSACTION_FIELD = "transactionId"  # as `purchaseAdd` calls it
INT_DIGITS_MAX = 10  # of GraphQL's Int, which has 32 bits


@dataclass(frozen=True, slots=True)
class PurchaseLookup:
    """How a server shows one purchase.

    Attributes:
        field: The query.
        id_type: Type of its argument `id`, as GraphQL writes it.
        in_results: The rows lie in `results`, as in the API's other queries, not in the field.
        shows_transaction: The rows say whose purchase it is.
        shows_limits: The answer says when permissions hide rows (`limitedByPermission`).
    """

    field: str
    id_type: str
    in_results: bool
    shows_transaction: bool
    shows_limits: bool


def lookup_query() -> Document:
    """Return the introspection that shows whether purchases can be asked for."""
    names = _nested("name", 4)
    shown = _nested(f"name fields {{ name type {{ {names} }} }}", 2)
    args = "args { name type { kind name ofType { kind name } } }"
    fields = f"queryType {{ fields {{ name {args} type {{ {shown} }} }} }}"
    return query("PaybridgePurchaseQuery", "__schema", {}, fields)


def rows_query(type_name: str) -> Document:
    """Return the introspection that shows the fields of one type.

    A query of its own: servers that follow graphql-js refuse an introspection that lists fields
    of fields of fields (its rule `MaxIntrospectionDepth`).
    """
    return query("PaybridgePurchaseRows", "__type", {"name": type_name}, "fields { name }")


def read_rows_type(schema: Mapping[str, Any]) -> str | None:
    """Return the type whose fields must be known to read the purchases; None without a query.

    `schema` is the value of `__schema` as `lookup_query` asks for it; any shape is survived.
    """
    found = _find_query(schema)
    if found is None:
        return None
    shown = _fields(found.get("type"))
    return _type_name(shown["results"] if _is_paged(shown) else found.get("type")) or None


def read_lookup(schema: Mapping[str, Any], rows_type: Mapping[str, Any]) -> PurchaseLookup | None:
    """Return how purchases can be asked for, None when the schema shows no way that we know.

    `rows_type` is the value of `__type` as `rows_query` asks for it.
    """
    found = _find_query(schema)
    record = _fields(rows_type)
    if found is None or "id" not in record:
        return None
    shown = _fields(found.get("type"))
    return PurchaseLookup(
        field=str(found["name"]),
        id_type=_id_type(found),
        in_results=_is_paged(shown),
        shows_transaction=TRANSACTION_FIELD in record,
        shows_limits="limitedByPermission" in shown,
    )


def purchase_query(lookup: PurchaseLookup, record_id: str) -> Document:
    """Return the query for the purchase with this id."""
    row = "id transactionId" if lookup.shows_transaction else "id"
    shown = f"results {{ {row} }}" if lookup.in_results else row
    if lookup.shows_limits:
        shown = f"limitedByPermission {shown}"
    is_number = lookup.id_type.startswith("Int") and record_id.isascii() and record_id.isdigit()
    wanted: Value = int(record_id) if is_number and len(record_id) <= INT_DIGITS_MAX else record_id
    return query("PaybridgePurchase", lookup.field, {"id": wanted}, shown)


def is_shown(
    lookup: PurchaseLookup, data: Mapping[str, Any], record_id: str, transaction_id: str
) -> bool | None:
    """Say whether the answer to `purchase_query` shows our purchase; None when it does not say.

    A record of another transaction is not ours, whatever its id. Without rows it is a no only
    where the server would have said that permissions hide some.
    """
    found = data.get(lookup.field)
    if lookup.field not in data or not isinstance(found, dict | list | None):
        return None
    limited = found.get("limitedByPermission") if isinstance(found, dict) else None
    rows: object = found
    if lookup.in_results:
        rows = found.get("results") if isinstance(found, dict) else None
        if rows is None:
            return None
    listed = rows if isinstance(rows, list) else [rows] if rows is not None else []
    records = [one for one in listed if isinstance(one, dict)]
    if len(records) < len(listed):
        return None
    ours = [one for one in records if str(one.get("id")) == record_id]
    if not ours:
        return False if not listed and limited is not True else None
    if not lookup.shows_transaction or not transaction_id:
        return True
    names = {one.get(TRANSACTION_FIELD) for one in ours}
    if not all(isinstance(name, str) for name in names):
        return None
    return transaction_id in names


def _find_query(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    for row in rows_of(schema.get("queryType"), "fields"):
        if row.get("name") in QUERY_NAMES and _id_type(row):
            return row
    return None


def _is_paged(shown: Mapping[str, object]) -> bool:
    return "id" not in shown and "results" in shown


def _type_name(kind: object) -> str:
    """Return the name of a type below its wrappings, which have none."""
    while isinstance(kind, dict):
        name = kind.get("name")
        if isinstance(name, str):
            return name
        kind = kind.get("ofType")
    return ""


def _nested(what: str, depth: int) -> str:
    """Return a selection that looks through the wrappings (list, non-null) of a type."""
    return what if depth == 1 else f"{what} ofType {{ {_nested(what, depth - 1)} }}"


def _id_type(row: Mapping[str, Any]) -> str:
    for argument in rows_of(row, "args"):
        kind = argument.get("type")
        if argument.get("name") != "id" or not isinstance(kind, dict):
            continue
        inner = kind.get("ofType")
        if kind.get("kind") == "NON_NULL" and isinstance(inner, dict):
            name = inner.get("name")
            return f"{name}!" if isinstance(name, str) else ""
        name = kind.get("name")
        return name if isinstance(name, str) else ""
    return ""


def _fields(kind: object) -> dict[str, object]:
    """Return the fields of a type below its wrappings, with their types."""
    while isinstance(kind, dict):
        rows = rows_of(kind, "fields")
        if rows:
            return {name: row.get("type") for name, row in _named(rows)}
        kind = kind.get("ofType")
    return {}


def _named(rows: Iterable[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, row) for row in rows if isinstance(name := row.get("name"), str)]
