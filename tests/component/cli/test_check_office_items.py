"""What a check says of the back office's items, and of those that sales are booked under."""

from __future__ import annotations

import pytest

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.items import Item
from bridge.backoffice.api.paging import Page
from bridge.cli.check_office import items_found, sku_found

KEY = "back_office.summary_sku"
AWAY = CannotTell("the back office is busy")


def page(*skus: str, limited: bool | None = None) -> Page[Item]:
    rows = tuple(Item(sku, "Mug", "", "", "") for sku in skus)
    return Page(rows, more=False, until="", limited=limited)


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (page("A"), "items_ok"),
        (page(), "items_unreadable"),
        (page("A", limited=True), "items_unreadable"),
        (AWAY, "items_unreadable"),
    ],
)
def test_items_that_cannot_be_read_are_said_with_the_setting(
    seen: Page[Item] | CannotTell, code: str
) -> None:
    found = items_found(seen)
    assert found.code == code
    assert found.key == ("" if code == "items_ok" else "back_office.items.enabled")


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (page("CARD"), "sku_ok"),
        (page(), "sku_unknown"),
        (page("card"), "sku_unknown"),
        (page("OTHER", "CARD-2"), "sku_cannot_tell"),
        (page(limited=True), "sku_cannot_tell"),
        (AWAY, "sku_cannot_tell"),
    ],
)
def test_a_sku_is_only_called_missing_when_the_back_office_says_so(
    seen: Page[Item] | CannotTell, code: str
) -> None:
    found = sku_found(KEY, "CARD", seen)
    assert found.code == code
    assert found.what == "summary_sku CARD"
    assert found.level == ("ok" if code == "sku_ok" else "look")
