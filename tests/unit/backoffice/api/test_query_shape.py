"""What a schema shows is read whatever its shape; a name that is none is never written anywhere."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.query_shape import (
    QueryShape,
    RootField,
    TypeShape,
    chosen_fields,
    read_roots,
    read_type,
    rows_type,
)

TEXT = {"kind": "SCALAR", "name": "String"}
ITEM = Endpoint(
    "item",
    "items",
    lambda row: row.code("sku"),
    documented=("sku", "name", "warehouses { sku basePrice }"),
    also=("upc", "ean"),
)


def of(kind: str, inner: Any) -> dict[str, Any]:
    return {"kind": kind, "name": None, "ofType": inner}


def test_arguments_are_read_with_how_they_are_written() -> None:
    args = [
        {"name": "sku", "type": of("NON_NULL", TEXT)},
        {"name": "first", "type": {"kind": "SCALAR", "name": "Int"}},
        {"name": "open", "type": {"kind": "SCALAR", "name": "Boolean"}},
        {"name": "codeType", "type": {"kind": "ENUM", "name": "GiftCardCodeType"}},
        {"name": "filter", "type": {"kind": "INPUT_OBJECT", "name": "Filter"}},
        {"name": "codes", "type": of("LIST", TEXT)},
    ]
    answer = of("NON_NULL", {"kind": "OBJECT", "name": "ItemResult"})
    rows = [{"name": "item", "args": args, "type": answer}]
    found = read_roots({"__schema": {"queryType": {"fields": rows}}})
    told = {"sku": "text", "first": "number", "open": "flag", "codeType": "word"}
    assert found == {"item": RootField(told, "ItemResult")}  # type: ignore[arg-type]


def test_fields_are_read_as_leaves_or_objects_but_not_those_that_need_arguments() -> None:
    fields = [
        {"name": "sku", "args": [], "type": of("NON_NULL", TEXT)},
        {"name": "price", "args": [{"name": "for", "type": {"kind": "NON_NULL"}}], "type": TEXT},
        {"name": "label", "args": [{"name": "in", "type": {"kind": "ENUM"}}], "type": TEXT},
        {"name": "rows", "type": of("LIST", of("NON_NULL", {"kind": "OBJECT", "name": "Stock"}))},
        {"name": "any", "type": {"kind": "UNION", "name": "Thing"}},
    ]
    found = read_type({"__type": {"fields": fields}})
    assert found == TypeShape(("sku", "label"), {"rows": "Stock"})


def test_only_what_is_there_is_asked_for_and_everything_where_that_is_wanted() -> None:
    shape = QueryShape(
        {},
        TypeShape(("until",), {"results": "Item"}),
        TypeShape(("sku", "upc", "weight"), {"warehouses": "Stock"}),
        {"warehouses": TypeShape(("sku", "bin"))},
    )
    assert chosen_fields(ITEM, shape, everything=False) == "sku warehouses { sku } upc"
    assert chosen_fields(ITEM, shape, everything=True) == "sku upc weight warehouses { sku bin }"
    assert rows_type(RootField({}, "ItemResult"), shape.envelope, ITEM) == "Item"
    assert rows_type(RootField({}, "ItemResult"), TypeShape(("id",)), ITEM) == ""


def test_a_name_that_is_no_name_is_not_taken_from_a_schema() -> None:
    evil = 'sku } } mutation { purchaseAdd(add: "x'
    row = {"name": evil, "args": [{"name": evil, "type": TEXT}], "type": TEXT}
    assert read_type({"__type": {"fields": [row]}}) is None
    bad = {"name": "item", "args": [{"name": evil, "type": TEXT}], "type": TEXT}
    assert read_roots({"__schema": {"queryType": {"fields": [bad, row]}}}) == {
        "item": RootField({}, "String")
    }


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["NON_NULL", "LIST", "x", "a b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "__schema",
                    "queryType",
                    "__type",
                    "fields",
                    "args",
                    "name",
                    "type",
                    "kind",
                    "ofType",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(WILD)
def test_any_answer_is_survived(found: Any) -> None:
    data = found if isinstance(found, dict) else {"__schema": found, "__type": found}
    read_roots(data)
    read_type(data)
