"""The copy of the items against the simulated back office: whole, fresh, or known not to be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.backoffice.api.reader import Reader
from bridge.backoffice.item_copy.copy import ItemCopy, open_item_copy
from bridge.backoffice.item_copy.file import COPY_NAME
from bridge.backoffice.item_copy.sync import (
    ENDPOINTS,
    MARK_FAILURES_MAX,
    PAGE_ROWS,
    ItemSync,
    SyncSettings,
)
from simulators.back_office.catalogue import Table
from simulators.back_office.faults import NAMED, fault_named
from simulators.back_office.hostility import MODES
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.component.backoffice.test_graphql import Tokens, open_world
from tests.support.office import ENDPOINT, World, play

SETTINGS = SyncSettings(
    ("item", "itemWarehouse"), 300.0, full_every=timedelta(days=7), max_age=timedelta(hours=24)
)


def stocked_world(directory: Path, items: int = 12) -> World:
    world = open_world(directory)
    world.office.permissions["paybridge"] = ALL_PERMISSIONS
    world.office.state.catalogue.resize(items)
    world.office.state.catalogue.page_rows_max = 5
    return world


@asynccontextmanager
async def kept(
    world: World, settings: SyncSettings = SETTINGS, *, free: int = 10**12
) -> AsyncIterator[tuple[ItemSync, ItemCopy]]:
    """Yield one life of the copy; the file in the world's folder outlives it."""
    async with open_item_copy(world.directory / COPY_NAME, lambda _folder: free, ENDPOINT) as copy:
        assert copy is not None
        reader = Reader(world.api(Tokens("good")))
        yield ItemSync(copy, reader, settings, world.now), copy


def test_everything_is_copied_and_found(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            assert sync.is_stale("item")
            assert await copy.unknown(["100000"]) == ("100000",)
            assert await sync.round()
            assert not sync.is_stale("item")
            assert await copy.unknown(["100000", "100011", "100012"]) == ("100012",)
            found = await copy.find(sku="100003")
            assert found is not None
            (item,) = found
            assert item.label == "Mug red 1"
            assert [one.warehouse for one in item.stock] == ["S1", "S2"]
            assert sync.warnings() == []

    play(main)


def test_what_changes_later_is_read_without_reading_the_rest_again(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            catalogue = world.office.state.catalogue
            catalogue.items.change(3, {"name": "Renamed"})
            catalogue.items.change(700, {"sku": "NEW-1", "name": "New", "upc": "4006381333931"})
            catalogue.stock.change(6, {"basePrice": Decimal("77.00")})
            before = len(world.wire.sent)
            assert await sync.round()
            assert len(world.wire.sent) - before == 2, "one page of each endpoint"
            for sku, label in (("100003", "Renamed"), ("NEW-1", "New")):
                found = await copy.find(sku=sku)
                assert found is not None
                assert found[0].label == label
            found = await copy.find(sku="100003")
            assert found is not None
            assert found[0].stock[0].price == "77.00"

    play(main)


def test_a_process_that_dies_goes_on_where_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path, 40)
        world.office.faults.add(fault_named("unavailable_503", operation="item", times=-1, after=4))
        async with kept(world) as (sync, copy):
            assert not await sync.round()
            assert not copy.of("item").is_complete
            assert await copy.count("item") == 20
        world.office.faults.clear()
        asked = len(world.wire.sent)
        async with kept(world) as (sync, copy):
            assert await sync.round()
            assert await copy.count("item") == 40
            assert await copy.unknown(["100039"]) == ()
        pages_of_items, pages_of_stock, introspection = 4, 1, 5  # stock was whole before
        assert len(world.wire.sent) - asked == pages_of_items + pages_of_stock + introspection

    play(main)


def test_a_mark_that_the_server_forgot_means_reading_everything_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            catalogue = world.office.state.catalogue
            catalogue.items.remove(5)
            catalogue.items.change(2, {"name": "Renamed"})
            catalogue.epoch += 1
            with caplog.at_level(logging.INFO):
                assert await sync.round()
            assert "knows its mark of item no more" in caplog.text
            assert await copy.unknown(["100005"]) == ("100005",), "and what was removed is gone"
            assert await copy.count("item") == 11

    play(main)


def test_a_mark_that_fails_for_another_reason_is_given_up_after_some_rounds(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world, SyncSettings(("item",), 300.0, timedelta(7), timedelta(1))) as (
            sync,
            copy,
        ):
            await sync.round()
            mark = copy.of("item").mark
            world.office.faults.add(
                fault_named("fusion_error", operation="item", times=MARK_FAILURES_MAX)
            )
            for _ in range(MARK_FAILURES_MAX):
                assert not await sync.round()
                assert copy.of("item").mark == mark
            assert await sync.round()
            assert copy.of("item").generation == 2

    play(main)


def test_what_was_removed_is_gone_after_the_next_full_walk(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            world.office.state.catalogue.items.remove(5)
            await sync.round()
            assert await copy.unknown(["100005"]) == ()
            await asyncio.sleep(timedelta(days=7).total_seconds())
            await sync.round()
            assert await copy.unknown(["100005"]) == ("100005",)

    play(main)


def test_an_office_that_suddenly_shows_nothing_empties_no_copy(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            world.office.state.catalogue.resize(0)
            world.office.state.catalogue.epoch += 1
            assert not await sync.round()
            assert await copy.unknown(["100005"]) == ()
            assert await copy.count("item") == 12
            await asyncio.sleep(2 * 86_400)
            assert sync.is_stale("item")
            assert any("suddenly shows no items" in one for one in sync.warnings())

    play(main)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_fault_makes_a_part_pass_for_the_whole(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        late = {"late_seconds": 60.0} if name.startswith("late") else {}
        world.office.faults.add(fault_named(name, operation="item", times=-1, after=1, **late))
        async with kept(world) as (sync, copy):
            well = await sync.round()
            assert copy.of("item").is_complete is (await copy.count("item") == 12)
            assert not well or copy.of("item").is_complete
            world.office.faults.clear()
            assert await sync.round()
            assert await copy.count("item") == 12

    play(main)


@pytest.mark.parametrize("mode", MODES)
def test_no_hostile_answer_spoils_a_copy_that_was_whole(mode: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            world.office.hostility.set("item", mode if mode != "endless" else "until_repeats")
            world.office.state.catalogue.epoch += 1
            for _ in range(3):
                await sync.round()
            assert await copy.unknown([f"{100_000 + n}" for n in range(12)]) == ()
            world.office.hostility.set("item", "")
            await asyncio.sleep(8 * 86_400)
            assert await sync.round()
            assert await copy.count("item") == 12

    play(main)


def test_a_missing_permission_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        world.office.permissions["paybridge"] = ALL_PERMISSIONS - {"ViewInventory"}
        async with kept(world) as (sync, _copy):
            assert not await sync.round()
            assert any("ViewInventory" in one for one in sync.warnings())
            world.office.permissions["paybridge"] = ALL_PERMISSIONS
            assert await sync.round()
            assert sync.warnings() == []

    play(main)


def test_a_full_disk_stops_the_copy_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world, free=1_000) as (sync, copy):
            assert not await sync.round()
            assert any("disk" in one for one in sync.warnings())
            assert await copy.unknown(["100000"]) == ("100000",)
            assert sync.is_stale("item"), "and so nobody denies anything by it"

    play(main)


def test_a_file_that_is_damaged_while_we_run_is_read_anew(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path, 400)
        async with kept(world) as (sync, copy):
            await sync.round()
            path = tmp_path / COPY_NAME
            (path.with_name(path.name + "-wal")).write_bytes(b"")
            path.write_bytes(b"\xff" * 60_000)
            assert await copy.unknown(["100399"]) is None, "nobody can tell, and nothing breaks"
            for _ in range(3):
                await sync.round()
            assert await copy.unknown(["100399", "no such"]) == ("no such",)

    play(main)


def test_every_endpoint_can_be_copied_and_those_without_marks_not_too_often(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        rows = Table(lambda number: {"id": f"{number}", "name": f"Row {number}"}, 3)
        world.office.state.catalogue.products["product"] = rows
        settings = SyncSettings(tuple(ENDPOINTS), 300.0, timedelta(days=7), timedelta(hours=24))
        async with kept(world, settings) as (sync, copy):
            assert await sync.round()
            assert await copy.count("product") == 3
            assert await copy.count("itemSerialLot") == 4
            before = len(world.wire.sent)
            await sync.round()
            assert len(world.wire.sent) - before == 3, "only those with marks"

    play(main)


def test_rounds_come_at_their_interval_and_at_once_when_a_sale_wants_it(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            task = asyncio.create_task(sync.run())
            await asyncio.sleep(60)
            assert copy.of("item").is_complete
            world.office.state.catalogue.items.change(700, {"sku": "NEW-1", "name": "New"})
            sync.wake()
            await asyncio.sleep(2)
            assert await copy.unknown(["NEW-1"]) == ()
            asked = len(world.wire.sent)
            for _ in range(50):
                sync.wake()
                await asyncio.sleep(0.01)
            assert len(world.wire.sent) == asked, "nobody hammers the office by wrong SKUs"
            world.office.state.catalogue.items.change(701, {"sku": "NEW-2", "name": "New"})
            await asyncio.sleep(310)
            assert await copy.unknown(["NEW-2"]) == ()
            task.cancel()

    play(main)


def test_a_server_that_changes_its_schema_while_we_run_is_read_anew(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            world.office.api.introspection = False
            world.office.state.catalogue.items.change(3, {"name": "Renamed"})
            assert await sync.round()
            found: Any = await copy.find(sku="100003")
            assert found[0].label == "Renamed"

    play(main)


def test_fields_that_a_server_takes_away_while_we_run_are_asked_for_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        async with kept(world) as (sync, copy):
            await sync.round()
            world.office.api.missing = frozenset({"Item.longName", "ItemWarehouse.basePrice"})
            world.office.state.catalogue.items.change(3, {"name": "Renamed"})
            world.office.state.catalogue.stock.change(6, {"quantityAvailable": Decimal(7)})
            assert await sync.round()
            found: Any = await copy.find(sku="100003")
            assert (found[0].label, found[0].long_label) == ("Renamed", "")
            assert (found[0].stock[0].price, found[0].stock[0].quantity) == ("", "7")
            world.office.api.missing = frozenset({"Item.sku"})
            world.office.state.catalogue.items.change(3, {"name": "Nameless"})
            assert not await sync.round(), "without its SKU an item is none"
            assert await copy.unknown(["100003"]) == ()

    play(main)


def test_a_disk_that_cannot_be_asked_stops_the_copy_and_nothing_else(tmp_path: Path) -> None:
    def broken(_folder: Path) -> int:
        raise OSError(5, "Input/output error")

    async def main() -> None:
        world = stocked_world(tmp_path)
        async with open_item_copy(tmp_path / COPY_NAME, broken, ENDPOINT) as copy:
            assert copy is not None
            sync = ItemSync(copy, Reader(world.api(Tokens("good"))), SETTINGS, world.now)
            assert not await sync.round()
            assert any("disk" in one for one in sync.warnings())

    play(main)


@pytest.mark.parametrize("introspection", [True, False])
def test_names_that_the_site_says_are_believed(introspection: bool, tmp_path: Path) -> None:
    async def main() -> None:
        world = stocked_world(tmp_path)
        world.office.api.introspection = introspection
        world.office.api.missing = frozenset({"Item.longName"})
        renamed = {"item.results.longName": "", "item.results.name": "stockUom"}
        reader = Reader(world.api(Tokens("good")), renamed)
        found = await reader.all(ENDPOINTS["item"])
        assert isinstance(found, tuple)
        assert found[0].name == "EA"

    play(main)


def test_pages_are_of_a_bounded_size() -> None:
    assert PAGE_ROWS <= 500
