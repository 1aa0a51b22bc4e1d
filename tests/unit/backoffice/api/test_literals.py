"""Whatever a value holds, the text says that value and nothing more: judged by graphql-core."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    parse,
    parse_value,
)
from hypothesis import given
from hypothesis import strategies as st

from bridge.backoffice.api.literals import EnumValue, Unwritable, Value, is_name, literal, texts_in

TRICKY = [
    "",
    '"',
    '""',
    '"""',
    '\\"""',
    "\\",
    "\\\\",
    "\\u0041",
    "\\n",
    "a\nb",
    "a\r\nb",
    "\r",
    "\t",
    "\x00\x01\x1f\x7f\x80\x9f",
    "\u2028\u2029\x85",
    "\ufeff",
    "\ufffe\uffff",
    "}",
    '"}) { id } } mutation X { purchaseAdd(add: {',
    "# no comment",
    "$variable",
    "...F",
    "😀 ü Ω 中",
    "\u202eabc",
    "null",
    "true",
]

names = st.from_regex(r"[_A-Za-z][_0-9A-Za-z]{0,8}", fullmatch=True)
texts = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.sampled_from('"\\\n\r\t{}[]():$!@#,u0041\u2028\u2029\ufeff\x00 a')),
)
enums = names.filter(lambda n: n not in {"true", "false", "null"}).map(EnumValue)
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)
leaves = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.none(),
    enums,
    decimals.filter(lambda d: len(d.as_tuple().digits) < 20 and int(d.as_tuple().exponent) > -20),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def read(node: ValueNode) -> Any:
    """Return what a parsed literal says, with its kind: an enum is no text, 1.0 no integer."""
    match node:
        case StringValueNode():
            assert not node.block
            return node.value
        case BooleanValueNode():
            return node.value
        case IntValueNode():
            return int(node.value)
        case FloatValueNode():
            return Decimal(node.value)
        case EnumValueNode():
            return EnumValue(node.value)
        case NullValueNode():
            return None
        case ListValueNode():
            return [read(one) for one in node.values]
        case ObjectValueNode():
            found = {one.name.value: read(one.value) for one in node.fields}
            assert len(found) == len(node.fields)
            return found
    raise AssertionError(node)


def depth_of(value: Value) -> int:
    if isinstance(value, Mapping):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def same(written: Value, back: Any) -> bool:
    """Whether both are the same value of the same kind; a Decimal may come back whole."""
    if isinstance(written, Mapping):
        return list(written) == list(back) and all(same(v, back[k]) for k, v in written.items())
    if isinstance(written, list):
        return len(written) == len(back) and all(map(same, written, back))
    if isinstance(written, Decimal):
        return isinstance(back, int | Decimal) and Decimal(back) == written
    return type(written) is type(back) and written == back


@given(values.filter(lambda v: depth_of(v) <= 8))
def test_another_parser_reads_exactly_what_was_meant(value: Value) -> None:
    text = literal(value)
    assert same(value, read(parse_value(text)))
    assert "\n" not in text
    assert "\r" not in text


@given(texts, texts)
def test_no_value_leaves_its_place_in_an_operation(first: str, second: str) -> None:
    text = f"mutation M {{ f(a: {literal({'x': first, 'y': [second, '']})}) {{ id }} }}"
    (operation,) = parse(text).definitions
    (field,) = operation.selection_set.selections  # type: ignore[attr-defined]
    assert [one.name.value for one in field.arguments] == ["a"]
    assert read(field.arguments[0].value) == {"x": first, "y": [second, ""]}


@pytest.mark.parametrize("text", TRICKY)
def test_only_printable_characters_stand_as_they_are(text: str) -> None:
    written = literal(text)
    assert all(ord(one) >= 0x20 and not 0x7F <= ord(one) <= 0x9F for one in written)
    assert not {"\u2028", "\u2029", "\ufeff"} & set(written)


@given(st.text(st.characters(categories=["Cs"]), min_size=1), texts)
def test_half_a_character_is_refused_with_its_field_and_without_the_value(
    half: str, rest: str
) -> None:
    with pytest.raises(Unwritable) as caught:
        literal({"lineItems": [{"sku": f"SECRET{rest}{half}"}]}, "add")
    assert caught.value.field == "add.lineItems.sku"
    assert "SECRET" not in str(caught.value)
    assert half not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["true", "false", "null", "", "1A", "A-B", "A B", "Ä", "A\n", '"A"']
)
def test_what_is_no_enum_value_is_refused(name: str) -> None:
    with pytest.raises(Unwritable) as caught:
        literal({"codeType": EnumValue(name)}, "trans")
    assert caught.value.field == "trans.codeType"


@pytest.mark.parametrize("name", ["", "1a", "a b", "a:b", "ä", "a\n", 'a"', "a}"])
def test_what_is_no_field_name_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(Unwritable):
        literal({name: 1}, "add")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("-6.49"), "-6.49"),
        (Decimal("1.10"), "1.10"),
        (Decimal("0.00"), "0.00"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("12345678901234567890.01"), "12345678901234567890.01"),
        (5, "5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_numbers_are_written_exactly(value: Value, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize(
    "value",
    [
        *map(Decimal, ("NaN", "sNaN", "Infinity", "1E999999", "1E-99")),
        *(2**63, -(2**63), 10**5000, 1.5, float("nan"), b"x", {1, 2}, object()),
    ],
    ids=lambda v: str(type(v).__name__),
)
def test_what_is_no_value_of_ours_is_refused(value: Any) -> None:
    with pytest.raises(Unwritable) as caught:
        literal({"amount": value}, "trans")
    assert caught.value.field == "trans.amount"


def test_what_is_nested_without_end_is_refused() -> None:
    value: Value = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(Unwritable):
        literal(value)


def test_a_huge_text_is_written_in_one_go() -> None:
    text = '"\\\n' * 400_000 + "x" * 1_000_000
    read_back = parse_value(literal(text))
    assert isinstance(read_back, StringValueNode)
    assert read_back.value == text


def test_all_texts_in_a_value_are_found() -> None:
    value: Value = {"a": "1", "b": ["2", {"c": "3"}], "d": 4, "e": EnumValue("E"), "f": None}
    assert list(texts_in(value)) == ["1", "2", "3"]
