"""The fields of one row of an answer, each of the kind that is expected, or nothing is told. Pure.

A row comes from outside: a field may be missing, null, of another kind, or without end. Missing and
null are "" or None. Any other kind raises `Unreadable`, which names the field and never its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.backoffice.api.answers import decimal_text

CODE_CHARS_MAX = 128
"""Of an id, a SKU or a code, which names something: cut, it would name something else."""

TEXT_CHARS_MAX = 400
"""Of a text for people, which is cut; labels of items are shorter."""

ROWS_MAX = 2_000
"""Rows inside of a row, such as an item's warehouses."""


class Unreadable(Exception):
    """A field is not of the kind that we know; `field` is where, and the words say what."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field


class Row:
    """One object of an answer, and where it stands in it."""

    def __init__(self, value: object, where: str) -> None:
        """Look at `value`, the object at `where`, e.g. `item.results[3]`.

        Raises:
            Unreadable: It is no object.
        """
        if not isinstance(value, dict):
            raise Unreadable(where, "is no object")
        self.fields: Mapping[str, Any] = value
        self._where = where

    def code(self, name: str, *, required: bool = False) -> str:
        """Return what names something, "" for none.

        Raises:
            Unreadable: It is neither a text nor a whole number, longer than `CODE_CHARS_MAX`, has
                a control character in it, or is missing and `required`.
        """
        text = self._scalar(name)
        if len(text) > CODE_CHARS_MAX:
            raise self._unreadable(name, "is longer than any code")
        if not text.isprintable():
            raise self._unreadable(name, "has a control character in it")
        text = text.strip()
        if required and not text:
            raise self._unreadable(name, "is missing")
        return text

    def text(self, name: str) -> str:
        """Return a text for people, on one line and cut at `TEXT_CHARS_MAX`; "" for none.

        Raises:
            Unreadable: It is neither a text nor a whole number.
        """
        text = self._scalar(name)[: 4 * TEXT_CHARS_MAX]
        shown = "".join(one if one.isprintable() else " " for one in text)
        return " ".join(shown.split())[:TEXT_CHARS_MAX].rstrip()

    def amount(self, name: str) -> str:
        """Return money or a quantity as plain decimal text; "" for none.

        Raises:
            Unreadable: It is neither a number nor decimal text.
        """
        value = self.fields.get(name)
        if value is None or value == "":
            return ""
        if isinstance(value, str) and len(value) > CODE_CHARS_MAX:
            raise self._unreadable(name, "is no number")
        found = decimal_text(value)
        if not found:
            raise self._unreadable(name, "is no number")
        return found

    def flag(self, name: str) -> bool | None:
        """Return yes or no; None for neither.

        Raises:
            Unreadable: It is anything else.
        """
        value = self.fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._unreadable(name, "is neither true nor false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; a part that is null is left out.

        Raises:
            Unreadable: It is no list, too long, or a part of it is no text.
        """
        values = self._list(name)
        where = f"{self._where}.{name}"
        rows = [Row({"": one}, f"{where}[{number}]") for number, one in enumerate(values)]
        return tuple(text for row in rows if (text := row.text("")))

    def rows(self, name: str) -> tuple[Row, ...]:
        """Return the rows inside of this one; () for none.

        Raises:
            Unreadable: It is no list of objects, or too long.
        """
        values = self._list(name)
        where = f"{self._where}.{name}"
        return tuple(Row(one, f"{where}[{number}]") for number, one in enumerate(values))

    def _list(self, name: str) -> list[Any]:
        values = self.fields.get(name)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self._unreadable(name, "is no list")
        if len(values) > ROWS_MAX:
            raise self._unreadable(name, "has too many rows")
        return values

    def _scalar(self, name: str) -> str:
        value = self.fields.get(name)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._unreadable(name, "is no text")
        if isinstance(value, int) and abs(value) >= 1 << 63:
            raise self._unreadable(name, "is no text")
        return str(value)

    def _unreadable(self, name: str, problem: str) -> Unreadable:
        return Unreadable(f"{self._where}.{name}".rstrip("."), problem)
