"""A walk ends with everything that was read, or with: nobody can tell. None goes on for ever."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.paging import (
    EMPTY_PAGES_MAX,
    MARK_CHARS_MAX,
    ROWS_READ_MAX,
    Bounds,
    End,
    Page,
    Turn,
    Walk,
    read_page,
)
from bridge.backoffice.api.rows import Unreadable

ITEM = Endpoint("item", "items", lambda row: row.code("sku"), documented=("sku",), since=True)


def page(*rows: str, more: bool | None = None, until: str = "") -> Page[str]:
    return Page(rows, more, until, None)


def walk(
    since: str | None = None, bounds: Bounds | None = None, *, can_skip: bool = True
) -> Walk[str]:
    return Walk(bounds or Bounds(), since=since, can_skip=can_skip, what="items")


def test_without_marks_rows_are_counted_until_the_server_says_that_was_all() -> None:
    way = walk()
    assert way.next(page("a", "b", more=True), 1) == Turn(None, 2)
    assert way.next(page("c", more=True), 1) == Turn(None, 3)
    assert way.next(page("d", more=False, until="m"), 1) == End("m")


def test_a_server_that_says_nothing_of_more_is_asked_until_a_page_is_empty() -> None:
    way = walk()
    assert way.next(page("a"), 1) == Turn(None, 1)
    assert way.next(page(), 1) == End("")


def test_with_marks_each_page_begins_where_the_last_one_ended() -> None:
    way = walk("")
    assert way.next(page("a", more=True, until="m1"), 1) == Turn("m1")
    assert way.next(page("b", until="m2"), 1) == Turn("m2")
    assert way.next(page(until="m2"), 1) == End("m2")


def test_a_server_that_gives_its_mark_on_the_last_page_only_is_paged_by_rows() -> None:
    way = walk("m0")
    assert way.next(page("a", more=True), 1) == Turn("m0", 1)
    assert way.next(page("b", more=False, until="m1"), 1) == End("m1")


def test_a_mark_that_stays_says_that_nothing_is_newer() -> None:
    assert walk("m1").next(page("a", until="m1"), 1) == End("m1")


@pytest.mark.parametrize("circle", [("m1", "m1"), ("m1", "m2", "m1"), ("m1", "m0")])
def test_marks_that_come_back_are_a_circle(circle: tuple[str, ...]) -> None:
    way = walk("m0")
    for number, mark in enumerate(circle[:-1]):
        assert isinstance(way.next(page(str(number), more=True, until=mark), 1), Turn)
    told = way.next(page("last", more=True, until=circle[-1]), 1)
    assert isinstance(told, CannotTell)
    assert "circle" in told.reason


@pytest.mark.parametrize("since", [None, ""])
def test_a_server_that_answers_the_same_page_again_shows_no_end(since: str | None) -> None:
    way = walk(since)
    assert isinstance(way.next(page("a", "b", more=True, until="m1"), 1), Turn)
    told = way.next(page("a", "b", more=True, until="m2"), 1)
    assert isinstance(told, CannotTell)
    assert "same page" in told.reason


def test_more_that_is_promised_and_never_shown_is_not_believed() -> None:
    way = walk("")
    for number in range(EMPTY_PAGES_MAX - 1):
        assert isinstance(way.next(page(more=True, until=f"m{number}"), 1), Turn)
    assert isinstance(way.next(page(more=True, until="m"), 1), CannotTell)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [(Bounds(pages=3), "3 pages"), (Bounds(rows=6), "6 rows"), (Bounds(megabytes=3), "bytes")],
)
def test_a_server_without_end_is_given_up(bounds: Bounds, said: str) -> None:
    way = walk("", bounds)
    for number in range(2):
        turn = way.next(page(f"a{number}", f"b{number}", more=True, until=f"m{number}"), 1_000_000)
        assert isinstance(turn, Turn)
    told = way.next(page("x", "y", more=True, until="m"), 1_000_000)
    assert isinstance(told, CannotTell)
    assert said in told.reason


def test_rows_beyond_an_endpoint_without_pages_are_not_told_as_all() -> None:
    assert walk(can_skip=False).next(page("a"), 1) == End("")
    assert isinstance(walk(can_skip=False).next(page("a", more=True), 1), CannotTell)


PAGES = st.lists(
    st.builds(
        Page,
        st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
        st.sampled_from([True, False, None]),
        st.sampled_from(["", "m1", "m2", "m3"]),
        st.none(),
    ),
    min_size=12,
    max_size=12,
)


@given(PAGES, st.sampled_from([None, "", "m1"]), st.booleans())
def test_every_walk_ends_whatever_the_server_answers(
    pages: list[Page[str]], since: str | None, can_skip: bool
) -> None:
    way = walk(since, bounds=Bounds(pages=10), can_skip=can_skip)
    for one in pages:
        turn = way.next(one, 1)
        if not isinstance(turn, Turn):
            return
        assert turn.skip == 0 or can_skip
    raise AssertionError("it went beyond its bound")


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "rows",
        {},
        {"results": None},
        {"results": {"sku": "A"}},
        {"results": ["A"]},
        {"results": [None]},
        {"results": [{"sku": {"x": 1}}]},
        {"results": [], "hasMoreResults": "no"},
        {"results": [], "until": 7},
        {"results": [], "until": "half a character \ud800"},
        {"results": [], "until": "m" * (MARK_CHARS_MAX + 1)},
        {"results": [], "limitedByPermission": 0},
        {"results": [{"sku": "A"}] * (ROWS_READ_MAX + 1)},
    ],
)
def test_an_answer_of_another_shape_is_no_page(found: Any) -> None:
    with pytest.raises(Unreadable, match="item"):
        read_page(ITEM, {"item": found}, None)
    with pytest.raises(Unreadable, match="item"):
        read_page(ITEM, {}, None)


def test_a_page_says_what_it_was_asked_with() -> None:
    data = {"item": {"results": [{"sku": "A"}], "hasMoreResults": True, "until": "m2"}}
    assert read_page(ITEM, data, "m1") == Page(("A",), True, "m2", None, since="m1")
