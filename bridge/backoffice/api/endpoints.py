"""A query endpoint of the back office: its name, its arguments, the fields of its rows. Pure.

The documentation prints some fields of some endpoints; of others only the name. What is printed
stands in `documented`, what is assumed in `assumed`: a server whose schema can be read is asked for
what it has of both, any other first for both and then for the documented ones alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from bridge.backoffice.api.rows import Row

T = TypeVar("T")

Kind = Literal["text", "number", "flag", "word"]
"""How an argument is written: in quotes, as digits, as true or false, or bare (an enum's value)."""

PAGE_ARGUMENTS = ("first", "skip")
SINCE = "since"


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T]):
    """One query.

    Attributes:
        root: The field of the schema's query type.
        what: What its rows are, in the plural, for people.
        read: Makes a value of one row; raises `Unreadable` where a field is not as expected.
        documented: Fields of a row that the documentation prints; one with rows of its own is
            written with them, `codes { id code }`.
        assumed: Fields of a row that we expect besides.
        also: Fields that are asked for only where the schema shows them.
        permission: What a login needs for it, "" where the documentation names none.
        arguments: Arguments that narrow the rows down, with their kinds.
        pages: It has `first` and `skip`.
        since: It has `since`, and its answers `until`.
        listed: Its rows lie in `results`; else the field itself is the one row.
        limits: Its answers say whether permissions hide rows.
    """

    root: str
    what: str
    read: Callable[[Row], T]
    documented: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    permission: str = ""
    arguments: Mapping[str, Kind] = field(default_factory=dict)
    pages: bool = True
    since: bool = False
    listed: bool = True
    limits: bool = False


def field_name(selection: str) -> str:
    """Return the name of a field that may be written with fields of its own."""
    return selection.partition("{")[0].strip()
