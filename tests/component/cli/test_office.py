"""`paybridge office`: any query as a table, CSV or JSON, whatever a server answers."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.query_endpoints import QUERY_ENDPOINTS
from bridge.backoffice.api.reader import Reader
from bridge.cli.arguments import parser
from bridge.cli.commands.office import ENDPOINTS
from bridge.cli.office import (
    Shown,
    UsageError,
    as_csv,
    as_json,
    as_table,
    conditions,
    read_rows,
)
from simulators.back_office.hostility import MODES
from tests.component.backoffice.test_graphql import Tokens
from tests.component.backoffice.test_query_endpoints import full_world
from tests.support.office import World, play


async def rows_of(world: World, endpoint: str, limit: int = 100, **where: str) -> Shown:
    reader = Reader(world.api(Tokens("good")))
    return await read_rows(reader, endpoint, where, since=None, limit=limit)


def table_text(shown: Shown, width: int = 160) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(as_table(shown))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_documented_query_can_be_asked() -> None:
    assert set(ENDPOINTS) == set(QUERY_ENDPOINTS)
    for name in ENDPOINTS:
        options = parser().parse_args(["office", name, "--where", "a=b", "--limit", "3", "--csv"])
        assert (options.endpoint, options.where, options.limit) == (name, ["a=b"], 3)


WHERE = {"giftcard": {"code": "G1", "codeType": "PHYSICAL"}}


@pytest.mark.parametrize("root", ENDPOINTS)
def test_all_that_the_schema_shows_is_shown(root: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        shown = await rows_of(world, root, 100, **WHERE.get(root, {}))
        assert shown.problem is None
        if root == "item":
            assert {"sku", "name", "warehouses"} <= set(shown.columns)
        if root == "customer":
            assert {"email", "phone"} <= set(shown.columns), "also what the service never reads"
        assert len(list(csv.reader(io.StringIO(as_csv(shown))))) == len(shown.rows) + 1
        assert len(json.loads(as_json(shown))["rows"]) == len(shown.rows)
        table_text(shown)

    play(main)


def test_a_limit_is_kept_and_more_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        for limit in (1, 5, 7, 12, 100):
            shown = await rows_of(world, "item", limit)
            assert len(shown.rows) == min(limit, 12)
            assert shown.more is (limit < 12)

    play(main)


def test_a_walk_by_marks_can_be_gone_on_with_without_losing_a_row(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        reader, since, seen = Reader(world.api(Tokens("good"))), "", []
        for _ in range(10):
            shown = await read_rows(reader, "item", {}, since=since, limit=7)
            seen += [row["sku"] for row in shown.rows]
            since = shown.until
            if not shown.more:
                break
        assert seen == [f"{100_000 + number}" for number in range(12)]

    play(main)


def test_rows_inside_of_rows_are_readable_and_numbers_stand_right(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        text = table_text(await rows_of(world, "item", sku="100003"))
        assert "Mug red 1" in text
        assert "sku 100003" in text
        prices = table_text(await rows_of(world, "itemWarehouse", 3))
        lines = [line for line in prices.splitlines() if "S1" in line]
        assert len({len(line.rstrip()) for line in lines}) == 1, "aligned"

    play(main)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("root", ["item", "customer", "environment"])
def test_no_hostile_answer_breaks_it_or_steers_the_screen(
    root: str, mode: str, tmp_path: Path
) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        world.office.hostility.set(root, mode)
        for limit in (1, 50):
            shown = await rows_of(world, root, limit)
            assert shown.problem is not None or len(shown.rows) <= limit
            for text in (table_text(shown), as_csv(shown), as_json(shown)):
                assert "\x1b" not in text.replace("\\u001b", "") or text == as_csv(shown)
            assert "\x1b" not in table_text(shown)

    play(main)


def shown(*rows: dict[str, Any]) -> Shown:
    return Shown(rows, "", more=False, problem=None)


def test_what_a_spreadsheet_would_calculate_is_text_in_csv_and_amounts_are_numbers() -> None:
    row = {"a": "=HYPERLINK(1)", "b": "-6.49", "c": "@x", "d": Decimal("-6.490"), "e": "+49 1"}
    (_, read) = list(csv.reader(io.StringIO(as_csv(shown(row)))))
    assert read == ["'=HYPERLINK(1)", "-6.49", "'@x", "-6.490", "'+49 1"]


def test_markup_and_control_characters_of_a_server_are_plain_text() -> None:
    text = table_text(shown({"name": "[red]sale[/red] \x1b[2J\n[link=x]y"}))
    assert "[red]sale[/red]" in text
    assert "\x1b" not in text


def test_json_keeps_amounts_as_they_were_written() -> None:
    found = json.loads(as_json(shown({"price": Decimal("2.50"), "when": None})))
    assert found["rows"] == [{"price": "2.50", "when": None}]


@pytest.mark.parametrize("words", [["sku"], ["=1"], ["a=1", "a=2"]])
def test_a_condition_that_says_nothing_clear_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        conditions(words)


def test_a_condition_may_hold_anything_behind_its_name() -> None:
    assert conditions(["name=a=b ", "email="]) == {"name": "a=b ", "email": ""}


def test_a_mistyped_condition_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    async def main() -> None:
        found = await rows_of(full_world(tmp_path), "sale", formDate="2026-03-02")
        assert isinstance(found.problem, CannotTell)
        assert "fromDate" in found.problem.reason

    play(main)


def test_a_day_of_sales_is_asked_by_dates(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        at = datetime(2026, 3, 5, tzinfo=UTC)
        world.office.state.catalogue.sell(saleDate=at, total=Decimal("9.99"))
        found = await rows_of(world, "sale", fromDate="2026-03-05", toDate="2026-03-06")
        assert [row["total"] for row in found.rows] == ["9.99"]

    play(main)


def test_what_may_not_be_seen_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        world.office.permissions["paybridge"] = frozenset()
        found = await rows_of(world, "item")
        assert found.problem is not None
        assert "ViewInventory" in found.problem.reason
        assert found.problem.code == "NOT_AUTHORIZED"

    play(main)
