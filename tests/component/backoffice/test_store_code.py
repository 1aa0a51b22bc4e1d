"""The store code is compared with what the back office shows, and guessed nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.locations import (
    LOCATION_PAGES_MAX,
    Location,
    NotShown,
    Shown,
)
from bridge.cli.checks.office import store_code_found
from simulators.back_office.faults import NAMED, fault_named
from simulators.back_office.graphql import Locations
from simulators.back_office.resolvers import TILL_PERMISSIONS
from tests.component.backoffice.test_graphql import PURCHASE, Tokens, open_world
from tests.support.office import ENDPOINT, World, play

SEEING = TILL_PERMISSIONS | {"ViewLocations"}


def world_with(directory: Path, *stores: str, locations: Locations = "plain") -> World:
    world = open_world(directory)
    world.office.state.stores = frozenset(stores)
    world.office.api.locations = locations
    world.office.permissions["paybridge"] = SEEING
    return world


@pytest.mark.parametrize("locations", ["plain", "limited"])
def test_a_store_code_that_the_back_office_shows_is_ok_with_its_name(
    tmp_path: Path, locations: Locations
) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "S1", "S2", locations=locations)
        found = await world.api(Tokens("good")).find_store("S1")
        assert found == Shown(Location("S1", "Store S1"))
        told = store_code_found("S1", found)
        assert (told.code, told.text) == ("store_ok", "the back office has it: Store S1")
        assert world.office.state.ledger == []

    play(main)


@pytest.mark.parametrize("locations", ["plain", "limited"])
def test_a_wrong_store_code_is_said_with_what_to_do_before_it_rejects_a_sale(
    tmp_path: Path, locations: Locations
) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "NORTH", "SOUTH", locations=locations)
        found = await world.api(Tokens("good")).find_store("S1")
        assert isinstance(found, NotShown)
        told = store_code_found("S1", found)
        assert told.level == "wrong"
        assert "correct site.store_code" in told.remedy
        assert "NORTH (Store NORTH), SOUTH" in told.text

    play(main)


def test_a_chain_is_read_to_its_last_page(tmp_path: Path) -> None:
    async def main() -> None:
        stores = [f"S{number:03}" for number in range(95)]
        api = world_with(tmp_path, *stores).api(Tokens("good"))
        assert await api.find_store("S094") == Shown(Location("S094", "Store S094"))
        missing = await api.find_store("S095")
        assert isinstance(missing, NotShown)
        assert [one.code for one in missing.others] == stores
        assert store_code_found("S095", missing).text.endswith("and 87 more")

    play(main)


def no_stores(world: World) -> None:
    world.office.state.stores = frozenset()


def no_permission(world: World) -> None:
    world.office.permissions["paybridge"] = TILL_PERMISSIONS


def no_query(world: World) -> None:
    world.office.api.locations = "none"


def no_server(world: World) -> None:
    world.office.away = True


@pytest.mark.parametrize("hide", [no_stores, no_permission, no_query, no_server])
def test_what_is_not_shown_is_not_told_as_wrong(
    tmp_path: Path, hide: Callable[[World], None]
) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "NORTH")
        hide(world)
        found = await world.api(Tokens("good")).find_store("S1")
        assert isinstance(found, CannotTell)
        told = store_code_found("S1", found)
        assert told.level == "look"
        assert told.text.startswith("cannot tell")

    play(main)


def test_a_schema_without_locations_leaves_everything_as_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "S1", locations="none")
        api, tokens = world.api(Tokens("good")), Tokens("good", "fresh")
        names = await api.learn_names()
        assert isinstance(await world.api(tokens).find_store("S1"), CannotTell)
        assert isinstance(await api.find_store("S1"), CannotTell)
        assert tokens.rejected == []
        assert await api.learn_names() == names
        await api.purchase_add(PURCHASE)
        assert len(world.office.state.purchases_of("T-1")) == 1

    play(main)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_fault_of_the_back_office_calls_a_good_store_code_wrong(
    name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        world = world_with(tmp_path, "S1", "S2")
        world.office.faults.add(fault_named(name, times=-1))
        found = await world.api(Tokens("good")).find_store("S1")
        assert isinstance(found, Shown | CannotTell)

    play(main)


@pytest.mark.parametrize("turns", [True, False], ids=["always new rows", "always the same"])
def test_pages_that_never_end_are_not_read_for_ever(turns: bool) -> None:
    async def main() -> None:
        asked = 0

        def handle(_request: httpx.Request) -> httpx.Response:
            nonlocal asked
            asked += 1
            rows = [{"code": f"X{asked if turns else 0}", "name": "n"}]
            data = {"location": {"hasMoreResults": True, "results": rows}}
            return httpx.Response(200, json={"data": data})

        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
            api = BackOffice(http, ENDPOINT, Tokens("good"), deadline_seconds=5)
            assert isinstance(await api.find_store("S1"), CannotTell)
        assert asked == (LOCATION_PAGES_MAX if turns else 2)

    play(main)


def test_a_login_that_sees_some_stores_only_is_told_so_and_not_that_ours_is_missing() -> None:
    async def main() -> None:
        def handle(_request: httpx.Request) -> httpx.Response:
            found = {"hasMoreResults": False, "results": [{"code": "S2", "name": "North"}]}
            data = {"location": {**found, "limitedByPermission": True}}
            return httpx.Response(200, json={"data": data})

        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
            api = BackOffice(http, ENDPOINT, Tokens("good"), deadline_seconds=5)
            found = await api.find_store("S1")
        assert found == CannotTell("the login may not see all locations")

    play(main)


def test_another_spelling_is_worth_a_look() -> None:
    told = store_code_found("s1", Shown(Location("S1", "Main")))
    assert told.code == "store_spelled_otherwise"
    assert told.text.endswith("writes it S1")
