"""Answers to queries that no honest server gives: without end, in circles, of every other shape."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simulators.back_office.records import Json

WRONG_VALUES: tuple[object, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, "", "\x1b[2J\r\n\u2028", "x" * 5_000),
    *([], [None], ["x"], {}, {"x": 1}, [[]]),
)
"""What may stand where something else is expected; some of it fits some fields."""

HUGE_CHARS = 900_000
"""Still within an answer of 1 MiB."""


def paths(value: object, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every part of a JSON value, the whole first."""
    yield here
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*here, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*here, number))


def replaced(value: Any, path: tuple[str | int, ...], by: object) -> Any:
    """Return a copy of a JSON value with one part replaced."""
    if not path:
        return by
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = by
    return changed


@dataclass
class Hostility:
    """How queries are answered, by the root field; what is not named is answered honestly.

    Attributes:
        modes: A name of `MODES` for each root field; "*" is every query that shows rows.
    """

    modes: dict[str, str] = field(default_factory=dict)
    _answers: int = 0

    def set(self, operation: str, mode: str) -> None:
        """Answer a query so from now on; "" answers honestly again.

        Raises:
            ValueError: There is no such mode.
        """
        if mode and mode not in MODES:
            raise ValueError(f"hostile modes are {', '.join(sorted(MODES))}")
        self.modes.pop(operation, None)
        if mode:
            self.modes[operation] = mode

    def twist(self, operation: str, data: Json | None) -> Json | None:
        """Return the data as it is answered."""
        mode = self.modes.get(operation) or self.modes.get("*")
        page = (data or {}).get(operation)
        if not mode or not isinstance(page, dict) or data is None:
            return data
        self._answers += 1
        return {**data, operation: MODES[mode](copy.deepcopy(page), self._answers)}


def _endless(page: Json, number: int) -> Json:
    for place, row in enumerate(page.get("results") or []):
        row |= {name: f"{number}-{place}" for name in ("sku", "id", "code") if name in row}
    return {**page, "hasMoreResults": True, "until": f"mark-{number}"}


def _wrong_shapes(page: Json, number: int) -> Json:
    ways = list(paths(page))[1:]
    way = ways[number % len(ways)]
    wrong: Json = replaced(page, way, WRONG_VALUES[number // len(ways) % len(WRONG_VALUES)])
    return wrong


def _huge_strings(page: Json, _number: int) -> Json:
    for row in (page.get("results") or [])[:1]:
        row |= {name: "x" * HUGE_CHARS for name in list(row)[-1:]}
    return page


MODES: dict[str, Callable[[Json, int], object]] = {
    "endless": _endless,
    "until_repeats": lambda page, _: {**page, "hasMoreResults": True, "until": "mark"},
    "same_page": lambda page, number: {**page, "hasMoreResults": True, "until": f"mark-{number}"},
    "empty_more": lambda page, number: {
        **page,
        "results": [],
        "hasMoreResults": True,
        "until": f"mark-{number}",
    },
    "huge_strings": _huge_strings,
    "null_rows": lambda page, _: {**page, "results": [None]},
    "no_list": lambda page, _: {**page, "results": {"0": page.get("results")}},
    "wrong_shapes": _wrong_shapes,
    "limited": lambda page, _: {**page, "limitedByPermission": True},
    "null": lambda _page, _: None,
}
"""What a page becomes, by name; the number grows with every answer."""
