"""Whatever stands in an argument, the query stays one query with that very value."""

from __future__ import annotations

import pytest
from graphql import FieldNode, OperationDefinitionNode, StringValueNode, parse
from hypothesis import given
from hypothesis import strategies as st

from bridge.backoffice.api.endpoints import Endpoint, Kind
from bridge.backoffice.api.paging import Turn
from bridge.backoffice.api.query_text import VALUE_CHARS_MAX, BadArgument, query, value_of

ITEM = Endpoint("item", "items", lambda row: row.code("sku"), documented=("sku",), since=True)
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=VALUE_CHARS_MAX)


@given(PLAIN, PLAIN)
def test_a_value_is_read_back_as_it_was_given(value: str, mark: str) -> None:
    document = query(
        ITEM, {"sku": (value, "text")}, Turn(mark), first=5, fields="sku", envelope=frozenset()
    )
    (operation,) = parse(document.text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    (field,) = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    told = {one.name.value: one.value for one in field.arguments or ()}
    assert list(told) == ["sku", "since", "first"]
    for name, expected in (("sku", value), ("since", mark)):
        node = told[name]
        assert isinstance(node, StringValueNode)
        assert node.value == expected


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ('sku: "x") { id } other(sku', "x", "text"),
        ("", "x", "text"),
        ("sku", "x" * (VALUE_CHARS_MAX + 1), "text"),
        ("first", "1.5", "number"),
        ("first", "٣", "number"),
        ("first", "9" * 30, "number"),
        ("open", "yes", "flag"),
        ("codeType", "PHYSICAL) { id }", "word"),
        ("codeType", "", "word"),
    ],
)
def test_what_cannot_be_written_is_refused_by_its_name(name: str, value: str, kind: Kind) -> None:
    with pytest.raises(BadArgument):
        value_of(name, value, kind)


def test_half_a_character_is_refused_by_its_argument() -> None:
    where: dict[str, tuple[str, Kind]] = {"sku": ("\ud800", "text")}
    with pytest.raises(BadArgument, match="sku"):
        query(ITEM, where, Turn(None), first=None, fields="sku", envelope=frozenset())


def test_without_pages_nothing_is_counted() -> None:
    flat = Endpoint("environment", "it", lambda row: row.text("name"), pages=False, listed=False)
    document = query(flat, {}, Turn(None), first=None, fields="", envelope=frozenset())
    assert document.text == "query PaybridgeEnvironment { environment { __typename } }"
