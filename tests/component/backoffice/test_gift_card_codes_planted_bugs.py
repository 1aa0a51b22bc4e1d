"""Bugs on purpose in the change of a gift card's code: each must fail the test of its rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.backoffice.gift_cards.code_change import CodeChangeSteps
from bridge.money.code_changes import CodeChanges
from bridge.money.gift_card_code import CodeChange, CodeChanged, CodeChanging, CodeKept
from tests.component.backoffice import test_gift_card_codes as rules

Make = Callable[[Any], Any]


def _still_there_is_a_no(original: Any) -> Any:
    async def look(self: CodeChangeSteps, change: CodeChange) -> None:
        await original(self, change)
        if change.wish.name in {one.wish.name for one in self._changes.open()}:
            await self._changes.end(CodeKept(change.wish.name, "host_timeout", "not done"))

    return look


def _no_answer_is_a_yes(original: Any) -> Any:
    async def look(self: CodeChangeSteps, change: CodeChange) -> None:
        await self._changes.end(CodeChanged(change.wish.name))

    return look


def _asks_again_under_its_name(original: Any) -> Any:
    async def look(self: CodeChangeSteps, change: CodeChange) -> None:
        await original(self, change)
        if change.wish.name in {one.wish.name for one in self._changes.open()}:
            await self._ask(change.wish, "")

    return look


def _begins_in_memory_only(original: Any) -> Any:
    async def begin(self: CodeChanges, wish: CodeChanging) -> None:
        self._changes = {**self._changes, wish.name: CodeChange(wish, 0, "")}

    return begin


def _changes_cards_in_use(_original: Any) -> Any:
    return lambda _self, _wish, _account: False


BUGS: dict[str, tuple[Any, str, Make, Callable[[Path], None]]] = {
    "what is still there was not done": (
        *(CodeChangeSteps, "look", _still_there_is_a_no),
        rules.test_a_change_that_is_carried_out_late_is_found,
    ),
    "no answer is a yes": (
        *(CodeChangeSteps, "look", _no_answer_is_a_yes),
        partial(
            rules.test_what_nobody_knows_is_neither_yes_nor_no_and_may_be_wished_again,
            fault="none+drop",
        ),
    ),
    "it is asked for again under its name": (
        *(CodeChangeSteps, "look", _asks_again_under_its_name),
        partial(
            rules.test_what_nobody_knows_is_neither_yes_nor_no_and_may_be_wished_again,
            fault="none+drop",
        ),
    ),
    "a wish is not on disk before it is asked for": (
        *(CodeChanges, "begin", _begins_in_memory_only),
        partial(
            rules.test_a_death_at_any_point_leaves_a_change_that_is_found_or_unknown,
            effect="none",
            operation=rules.EDIT,
        ),
    ),
    "a card with an open payment loses its code": (
        *(CodeChangeSteps, "_is_in_use", _changes_cards_in_use),
        rules.test_a_card_with_a_payment_that_is_not_over_keeps_its_code,
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_fails_the_test_of_its_rule(
    bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, make, test = BUGS[bug]
    test(tmp_path / "sound")
    monkeypatch.setattr(owner, name, make(getattr(owner, name)))
    with pytest.raises(AssertionError):
        test(tmp_path / "planted")
