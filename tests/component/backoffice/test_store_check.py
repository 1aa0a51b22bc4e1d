"""A wrong store code or edition is said at the start, and taken back once it is right."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.environment import Environment
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.store_check import WRONG_AGAIN_SECONDS, StoreCheck, edition_warning
from bridge.cli.check_office import environment_found
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.component.backoffice.test_graphql import Tokens, open_world
from tests.support.office import World, play


def world_with(directory: Path, *stores: str) -> World:
    world = open_world(directory)
    world.office.permissions["paybridge"] = ALL_PERMISSIONS
    world.office.state.stores = frozenset(stores)
    return world


def store_check(world: World, code: str) -> StoreCheck:
    books = world.api(Tokens("good"))
    return StoreCheck(books, Reader(books), code)


def test_a_store_code_that_is_right_says_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        look = store_check(world_with(tmp_path, "S1", "S2"), "S1")
        await look.look()
        assert look.warnings() == []

    play(main)


@pytest.mark.parametrize("code", ["S9", "s1"])
def test_a_wrong_store_code_is_said_at_the_start_in_log_and_health_and_only_once(
    code: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        look = store_check(world_with(tmp_path, "S1", "S2"), code)
        with caplog.at_level(logging.INFO):
            await look.look()
            await look.look()
        (said,) = look.warnings()
        assert code in said
        assert "site.store_code" in said
        assert [one.message for one in caplog.records].count(f"back office: {said}") == 1

    play(main)


def test_what_is_wrong_is_looked_at_again_and_forgotten_once_it_is_right(tmp_path: Path) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "S1")
        look = store_check(world, "S9")
        task = asyncio.create_task(look.run())
        await asyncio.sleep(1)
        assert look.warnings()
        world.office.state.stores = frozenset({"S1", "S9"})
        await asyncio.sleep(WRONG_AGAIN_SECONDS)
        assert look.warnings() == []
        task.cancel()

    play(main)


def test_an_office_that_is_away_is_asked_again_and_nothing_is_called_wrong(tmp_path: Path) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "S1")
        world.office.away = True
        look = store_check(world, "S9")
        task = asyncio.create_task(look.run())
        await asyncio.sleep(3_600)
        assert look.warnings() == []
        asked = len(world.wire.sent)
        assert 3 < asked < 60
        world.office.away = False
        await asyncio.sleep(600)
        assert look.warnings()
        world.office.away = True  # what was known stays known
        await asyncio.sleep(600)
        assert look.warnings()
        task.cancel()

    play(main)


@pytest.mark.parametrize(
    ("edition", "takes"),
    [
        *(("Cloud", True), ("cloud edition", True), ("CORPORATE", True), ("Store", False)),
        *(
            ("", None),
            ("POS", None),
            ("Enterprise", None),
            ("Store edition", False),
            ("Cloud*", True),
            ("App Store", None),
        ),
    ],
)
def test_only_an_edition_that_is_known_to_lack_purchases_is_warned_about(
    edition: str, takes: bool | None
) -> None:
    environment = Environment("shop", "9.3", edition)
    assert environment.takes_purchases is takes
    assert bool(edition_warning(environment)) is (takes is False)
    found = environment_found([environment], records=True)
    assert found.level == {True: "ok", None: "look", False: "wrong"}[takes]
    assert environment_found([environment], records=False).level == "ok"


def test_check_says_that_the_environment_cannot_be_told_in_our_words() -> None:
    found = environment_found(CannotTell("the login may not see its environment"), records=True)
    assert (found.code, found.level) == ("edition_unknown", "look")
    assert "cannot tell" in found.text


def test_the_edition_is_said_at_the_start(tmp_path: Path) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "S1")
        world.office.state.catalogue.environment["edition"] = "Store"
        look = store_check(world, "S1")
        await look.look()
        (said,) = look.warnings()
        assert "Cloud" in said

    play(main)
