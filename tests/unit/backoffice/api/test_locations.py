"""A store code is called wrong only where all locations were read and others were among them."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.backoffice.api.attempts import CannotTell, NotApplied, Refused
from bridge.backoffice.api.locations import (
    Location,
    LocationPage,
    NotShown,
    Shown,
    find,
    read_page,
    why_not,
)

MAIN, NORTH = Location("S1", "Main"), Location("S2", "North")


def page(*locations: Location, more: bool | None = False, limited: bool = False) -> LocationPage:
    return LocationPage(locations, more, limited)


def test_a_store_that_is_shown_is_there_with_its_name_whatever_else_is_hidden() -> None:
    assert find("S1", [page(NORTH, more=True), page(MAIN, more=None, limited=True)]) == Shown(MAIN)


def test_a_store_is_missing_only_when_every_location_was_read() -> None:
    assert find("S9", [page(MAIN, more=True), page(NORTH)]) == NotShown((MAIN, NORTH))


@pytest.mark.parametrize(
    "pages",
    [
        [page()],
        [page(MAIN, limited=True)],
        [page(MAIN, more=True, limited=True), page(NORTH)],
        [page(MAIN, more=True)],
        [page(MAIN, more=None)],
        [page(MAIN, Location("", "without a code"))],
    ],
    ids=["none", "limited", "limited before", "not the end", "no word of an end", "unread"],
)
def test_hidden_or_unread_locations_are_not_told_as_missing(pages: list[LocationPage]) -> None:
    assert isinstance(find("S9", pages), CannotTell)


@pytest.mark.parametrize("written", ["s1", " S1", "S1 "])
def test_another_spelling_is_said_and_not_called_missing(written: str) -> None:
    assert find(written, [page(NORTH, MAIN)]) == Shown(MAIN)


def test_the_exact_code_is_taken_before_another_spelling() -> None:
    assert find("S1", [page(Location("s1", "Old"), MAIN)]) == Shown(MAIN)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"location": None},
        {"location": []},
        {"location": "S1"},
        {"location": {}},
        {"location": {"results": None}},
        {"location": {"results": {"code": "S1"}}},
    ],
)
def test_an_answer_of_another_shape_tells_nothing(data: dict[str, Any]) -> None:
    assert read_page(data) is None


def test_rows_of_another_shape_count_as_unread() -> None:
    rows = [{"code": "S1", "name": None}, None, {"code": {"x": 1}}, {"code": True}, {"code": 7}]
    read = read_page({"location": {"results": rows, "hasMoreResults": "no"}})
    assert read == page(
        Location("S1", ""),
        Location("", ""),
        Location("", ""),
        Location("", ""),
        Location("7", ""),
        more=None,
    )


def test_a_name_of_the_server_cannot_command_the_screen() -> None:
    row = {"code": "S1", "name": "\x1b[2JMain\r\nok " + "x" * 500}
    read = read_page({"location": {"results": [row]}})
    assert read is not None
    (shown,) = read.locations
    assert shown.name.startswith("[2JMainok x")
    assert len(shown.name) <= 60


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NotApplied("the back office is busy"), "the back office is busy"),
        (Refused("NOT_AUTHORIZED", "quoted S-SECRET"), "may not see locations"),
        (Refused("INVALID_REQUEST", "quoted S-SECRET"), "no such list of locations"),
        (Refused("VALIDATION", "quoted S-SECRET"), "VALIDATION"),
    ],
)
def test_why_nothing_can_be_told_is_in_words_of_ours(
    answer: NotApplied | Refused, said: str
) -> None:
    assert said in why_not(answer).reason
    assert "SECRET" not in why_not(answer).reason
