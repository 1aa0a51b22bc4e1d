"""A recorded purchase is looked up where the server's schema has a way, and guessed nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, execute_sync, parse

from bridge.backoffice.api.operation import Document
from bridge.backoffice.api.purchase_lookup import (
    PurchaseLookup,
    is_shown,
    lookup_query,
    purchase_query,
    read_lookup,
    read_rows_type,
    rows_query,
)

PAGED = """
type Query { purchase(id: String, transactionId: String): PurchaseResult }
type PurchaseResult { limitedByPermission: Boolean results: [Purchase!]! }
type Purchase { id: ID! transactionId: String payAmount: String }
"""


PLAIN = """
type Query { purchase(id: ID!): Purchase! }
type Purchase { id: ID! }
"""


PAGED_LOOKUP = PurchaseLookup("purchase", "String", True, True, True)


def ask(schema: str, document: Document) -> dict[str, Any]:
    result = execute_sync(build_schema(schema), parse(document.text))
    assert result.data is not None, result.errors
    found: dict[str, Any] = result.data[document.root_field]
    return found


def learned(schema: str) -> PurchaseLookup | None:
    shown = ask(schema, lookup_query())
    rows_type = read_rows_type(shown)
    return (rows_type and read_lookup(shown, ask(schema, rows_query(rows_type)))) or None


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (PAGED, PAGED_LOOKUP),
        (PLAIN, PurchaseLookup("purchase", "ID!", False, False, False)),
        ("type Query { purchases(id: ID): [Row] } type Row { id: ID transactionId: ID }",
         PurchaseLookup("purchases", "ID", False, True, False)),
        ("type Query { purchase(first: Int): Row } type Row { id: ID }", None),
        ("type Query { sale(id: String): Row } type Row { id: ID transactionId: String }", None),
        ("type Query { purchase(id: String): Row } type Row { results: String }", None),
    ],
)  # fmt: skip
def test_a_purchase_query_is_known_by_its_shape(
    schema: str, expected: PurchaseLookup | None
) -> None:
    found = learned(schema)
    assert found == expected
    if found is not None:
        result = execute_sync(build_schema(schema), parse(purchase_query(found, "P1").text))
        assert not [e for e in result.errors or () if "Cannot query" in e.message]


@pytest.mark.parametrize("schema", [{}, {"queryType": None}, {"queryType": {"fields": [1, {}]}}])
def test_a_schema_of_no_use_shows_no_purchases(schema: dict[str, Any]) -> None:
    assert read_rows_type(schema) is None
    assert read_lookup(schema, schema) is None


def rows(*found: dict[str, Any], limited: bool = False) -> dict[str, Any]:
    return {"purchase": {"limitedByPermission": limited, "results": list(found)}}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rows({"id": "P1", "transactionId": "T-1"}), True),
        (rows({"id": "P1", "transactionId": "T-2"}), False),
        (rows(), False),
        (rows(limited=True), None),
        (rows({"id": "P2", "transactionId": "T-1"}), None),
        (rows({"id": "P1", "transactionId": None}), None),
        ({"purchase": None}, None),
        ({"purchase": {"results": "x"}}, None),
        ({}, None),
    ],
)
def test_neither_a_stranger_nor_silence_is_our_purchase(
    data: dict[str, Any], expected: bool | None
) -> None:
    assert is_shown(PAGED_LOOKUP, data, "P1", "T-1") is expected
