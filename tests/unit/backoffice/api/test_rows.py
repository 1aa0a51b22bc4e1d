"""A field of another kind than we know is named, and tells nothing; its value is never shown."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bridge.backoffice.api.rows import CODE_CHARS_MAX, ROWS_MAX, TEXT_CHARS_MAX, Row, Unreadable

SECRET = "anna@example.com"

READERS: dict[str, Callable[[Row], object]] = {
    "code": lambda row: row.code("f"),
    "text": lambda row: row.text("f"),
    "amount": lambda row: row.amount("f"),
    "flag": lambda row: row.flag("f"),
    "texts": lambda row: row.texts("f"),
    "rows": lambda row: row.rows("f"),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_field_that_is_missing_or_null_is_nothing(kind: str) -> None:
    for fields in ({}, {"f": None}):
        assert not READERS[kind](Row(fields, "item.results[3]"))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("code", {"x": SECRET}),
        ("code", [SECRET]),
        ("code", True),
        ("code", Decimal("1.5")),
        ("code", "x" * (CODE_CHARS_MAX + 1)),
        ("code", f"{SECRET}\x1b[2J"),
        ("code", 1 << 63),
        ("text", {"x": SECRET}),
        ("text", False),
        ("amount", SECRET),
        ("amount", True),
        ("amount", {"x": SECRET}),
        ("amount", "9" * 500),
        ("amount", Decimal("1e999999")),
        ("amount", "NaN"),
        ("flag", SECRET),
        ("flag", 1),
        ("texts", SECRET),
        ("texts", [{"x": SECRET}]),
        ("rows", {"x": SECRET}),
        ("rows", [SECRET]),
        ("rows", [{}] * (ROWS_MAX + 1)),
    ],
)
def test_a_field_of_another_kind_is_named_without_its_value(kind: str, value: object) -> None:
    with pytest.raises(Unreadable, match=r"item\.results\[3\]\.f") as raised:
        READERS[kind](Row({"f": value}, "item.results[3]"))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(("value", "read"), [("A-1", "A-1"), (" A-1 ", "A-1"), (1700, "1700")])
def test_a_code_may_be_a_text_or_a_whole_number(value: object, read: str) -> None:
    assert Row({"f": value}, "r").code("f") == read


def test_a_code_that_is_needed_must_be_there() -> None:
    with pytest.raises(Unreadable, match="is missing"):
        Row({"f": "  "}, "r").code("f", required=True)


@pytest.mark.parametrize(
    ("value", "read"),
    [("6.49", "6.49"), (Decimal("6.490"), "6.490"), (-3, "-3"), ("", ""), ("1E2", "100")],
)
def test_an_amount_may_be_a_text_or_a_number(value: Any, read: str) -> None:
    assert Row({"f": value}, "r").amount("f") == read


def test_a_text_for_people_is_one_line_and_not_without_end() -> None:
    shown = Row({"f": "\x1b[2JBlue\r\nmug " + "x" * 100_000}, "r").text("f")
    assert shown.startswith("[2JBlue mug x")
    assert len(shown) <= TEXT_CHARS_MAX


@pytest.mark.parametrize("value", [None, [], "row", 7])
def test_what_is_no_object_is_no_row(value: object) -> None:
    with pytest.raises(Unreadable, match="is no object"):
        Row(value, "item.results[0]")
