"""The query endpoints against the simulated back office: every row once, or nobody can tell."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.environment import ENVIRONMENT, Environment
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.api.sales import SALE, RegisterSale, on_day
from simulators.back_office.faults import NAMED, fault_named
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.component.backoffice.test_graphql import Tokens, open_world
from tests.support.office import World, play


def seeing_world(directory: Path) -> World:
    world = open_world(directory)
    world.office.permissions["paybridge"] = ALL_PERMISSIONS
    return world


def reader(world: World) -> Reader:
    return Reader(world.api(Tokens("good")))


def sell(world: World, day: int, total: str) -> None:
    at = datetime(2026, 3, day, tzinfo=UTC)
    world.office.state.catalogue.sell(saleDate=at, total=Decimal(total))


@pytest.mark.parametrize("introspection", [True, False])
def test_a_days_sales_of_the_register_are_all_read(tmp_path: Path, introspection: bool) -> None:
    async def main() -> None:
        world = seeing_world(tmp_path)
        world.office.api.introspection = introspection
        world.office.state.catalogue.page_rows_max = 2
        sell(world, 1, "9.00")
        for number in range(5):
            sell(world, 2, f"{number}.50")
        sell(world, 3, "9.00")
        found = await reader(world).all(SALE, on_day(date(2026, 3, 2)))
        assert not isinstance(found, CannotTell)
        assert [one.total for one in found] == ["0.50", "1.50", "2.50", "3.50", "4.50"]
        assert found[0] == RegisterSale(
            "2", "R1", "R1-000002", "", "2026-03-02T00:00:00+00:00", "0.50"
        )
        assert world.office.state.ledger == []

    play(main)


def test_the_sales_since_a_mark_are_the_newer_ones(tmp_path: Path) -> None:
    async def main() -> None:
        world = seeing_world(tmp_path)
        world.office.state.catalogue.page_rows_max = 2
        for number in range(3):
            sell(world, 2, f"{number}.00")
        ask = reader(world)
        pages = [page async for page in ask.pages(SALE, since="")]
        marks = [page.until for page in pages if not isinstance(page, CannotTell)]
        assert len(marks) == 2
        sell(world, 2, "7.00")
        newer = [page async for page in ask.pages(SALE, since=marks[-1])]
        (page,) = newer
        assert not isinstance(page, CannotTell)
        assert [row.total for row in page.rows] == ["7.00"]

    play(main)


@pytest.mark.parametrize("introspection", [True, False])
def test_the_environment_says_version_and_edition(tmp_path: Path, introspection: bool) -> None:
    async def main() -> None:
        world = seeing_world(tmp_path)
        world.office.api.introspection = introspection
        found = await reader(world).all(ENVIRONMENT)
        assert found == (Environment("simulated", "9.3.1", "Cloud"),)

    play(main)


def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        world = seeing_world(tmp_path)
        world.office.permissions["paybridge"] = ALL_PERMISSIONS - {"ViewSales"}
        found = await reader(world).all(SALE)
        assert isinstance(found, CannotTell)
        assert "ViewSales" in found.reason

    play(main)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_fault_of_the_server_makes_some_rows_pass_for_all(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = seeing_world(tmp_path)
        world.office.state.catalogue.page_rows_max = 2
        for number in range(5):
            sell(world, 2, f"{number}.00")
        faults = {"late_seconds": 60.0} if name.startswith("late") else {}
        world.office.faults.add(fault_named(name, operation="sale", times=-1, after=1, **faults))
        found = await reader(world).all(SALE)
        assert isinstance(found, CannotTell) or len(found) == 5

    play(main)
