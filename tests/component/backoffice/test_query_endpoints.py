"""Every query endpoint: all its rows, or *cannot tell* in our words, whatever a server answers."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.backoffice.api.attempts import Answered, CannotTell
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.customers import CUSTOMER, Customer
from bridge.backoffice.api.items import ITEM, ITEM_WAREHOUSE, STOCKED_ITEM, ItemStock
from bridge.backoffice.api.paging import Bounds
from bridge.backoffice.api.query_endpoints import QUERY_ENDPOINTS
from bridge.backoffice.api.reader import Reader
from simulators.back_office.catalogue import Table
from simulators.back_office.hostility import MODES, WRONG_VALUES, paths, replaced
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.component.backoffice.test_graphql import Tokens, open_world
from tests.support.office import ENDPOINT, World, play

BOUNDS = Bounds(pages=40, rows=400, megabytes=5)
SECRET = "a server sentence that nobody may see"


def full_world(directory: Path) -> World:
    """Return an office that has something to show at every endpoint."""
    world = open_world(directory)
    world.office.permissions["paybridge"] = ALL_PERMISSIONS
    world.office.state.stores = frozenset({"S1", "S2", "S3"})
    catalogue = world.office.state.catalogue
    catalogue.page_rows_max = 5
    for number in range(4):
        at = datetime(2026, 3, 2, tzinfo=UTC)
        catalogue.sell(saleDate=at, total=Decimal(number), customerId=f"{number}")
    for name in ("product", "productGroup"):
        rows = Table(lambda number: {"id": f"{number}", "name": f"Row {number}"}, 3)
        catalogue.products[name] = rows
    world.office.state.gift_card_add(code="G1", balance=Decimal("5.00"), member_id="C1")
    return world


def reader(world: World) -> Reader:
    return Reader(world.api(Tokens("good")))


@pytest.mark.parametrize("introspection", [True, False])
@pytest.mark.parametrize("root", QUERY_ENDPOINTS)
def test_every_row_is_read_once(root: str, introspection: bool, tmp_path: Path) -> None:
    counts = {"environment": 1, "location": 3, "item": 12, "itemWarehouse": 24, "itemSerialLot": 4}
    counts |= {"product": 3, "productGroup": 3, "customer": 20, "sale": 4, "giftcard": 1}

    async def main() -> None:
        world = full_world(tmp_path)
        world.office.api.introspection = introspection
        found = await reader(world).all(QUERY_ENDPOINTS[root])
        assert not isinstance(found, CannotTell), found
        assert len(found) == counts.get(root, 0)
        assert len(set(found)) == len(found)
        assert len(world.office.state.ledger) == 1, "nothing beside the card that was made"

    play(main)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("root", ["item", "itemWarehouse", "customer", "sale", "location"])
def test_no_hostile_answer_passes_for_everything(root: str, mode: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        honest = await reader(world).all(QUERY_ENDPOINTS[root], bounds=BOUNDS)
        world.office.hostility.set(root, mode)
        ask = reader(world)
        for since in (None, ""):
            if since is not None and not QUERY_ENDPOINTS[root].since:
                continue
            rows: list[object] = []
            told: object = None
            pages = 0
            async for page in ask.pages(QUERY_ENDPOINTS[root], since=since, bounds=BOUNDS):
                pages += 1
                told = page if isinstance(page, CannotTell) else None
                rows += () if isinstance(page, CannotTell) else page.rows
            assert pages <= BOUNDS.pages + 1
            if told is None and mode not in {"limited", "huge_strings", "wrong_shapes"}:
                assert tuple(rows) == honest

    play(main)


def answering(world: World, twist: Any) -> BackOffice:
    """Return the API, whose answers to queries that show rows are twisted on their way."""

    async def handle(request: httpx.Request) -> httpx.Response:
        sent = httpx.Request("POST", request.url, headers=request.headers, content=request.content)
        answer = await world.http.send(sent)
        document = json.loads(answer.content)
        if "__schema" in answer.text or "__type" in answer.text:
            return answer
        return httpx.Response(200, json=twist(document))

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return BackOffice(http, ENDPOINT, Tokens("good"), deadline_seconds=20.0)


@pytest.mark.parametrize("root", ["environment", "item", "itemWarehouse", "customer", "sale"])
def test_any_value_at_any_place_is_read_or_named_and_never_quoted(
    root: str, tmp_path: Path
) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        world.office.state.catalogue.page_rows_max = 1
        wrong_one: list[Any] = [None, None]

        def twist(document: Any) -> Any:
            return replaced(document, wrong_one[0], wrong_one[1]) if wrong_one[0] else document

        ask = Reader(answering(world, twist))
        endpoint = QUERY_ENDPOINTS[root]
        seen: list[Any] = []

        def look(document: Any) -> Any:
            seen.append(copy.deepcopy(document))
            return document

        await Reader(answering(world, look)).first(endpoint)
        places = [way for way in paths(seen[0]) if way]
        assert len(places) > 3
        named = 0
        for way in places:
            for value in (*WRONG_VALUES, {"secret": SECRET}, [SECRET]):
                wrong_one[:] = [way, value]
                found = await ask.first(endpoint)
                if isinstance(found, CannotTell):
                    named += 1
                    assert SECRET not in found.reason
                    assert len(found.reason) < 300
        assert named > len(places)

    play(main)


@pytest.mark.parametrize("as_numbers", [True, False])
def test_prices_are_the_same_as_texts_and_as_numbers(as_numbers: bool, tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        world.office.api.decimals_as_numbers = as_numbers
        found = await reader(world).first(ITEM_WAREHOUSE, first=1)
        assert not isinstance(found, CannotTell)
        (row,) = found.rows
        assert (Decimal(row.price), Decimal(row.quantity)) == (Decimal("1.99"), Decimal(0))
        assert row == ItemStock("100000", "S1", row.price, row.quantity)

    play(main)


def test_an_item_is_found_with_its_stock_by_sku(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        found = await reader(world).first(STOCKED_ITEM, {"sku": "100003"})
        assert not isinstance(found, CannotTell)
        (row,) = found.rows
        assert row.item.sku == "100003"
        assert [one.warehouse for one in row.stock] == ["S1", "S2"]

    play(main)


def test_a_member_is_found_by_id_and_by_mail(tmp_path: Path) -> None:
    async def main() -> None:
        ask = reader(full_world(tmp_path))
        for where in ({"memberId": "C000000003"}, {"email": "david.moser.3@example.com"}):
            found = await ask.first(CUSTOMER, where)
            assert not isinstance(found, CannotTell)
            mail = "david.moser.3@example.com"
            assert found.rows == (Customer("5003", "C000000003", "Active", "David Moser", mail),)
            assert "david" not in repr(found.rows).lower()
            assert asdict(found.rows[0])["full_name"] == "David Moser"

    play(main)


def test_an_argument_that_the_schema_does_not_have_is_named_with_those_it_has(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        found = await reader(full_world(tmp_path)).first(ITEM, {"colour": "red"})
        assert isinstance(found, CannotTell)
        assert found.reason == "item takes no argument colour; it takes sku, warehouseCode"

    play(main)


@pytest.mark.parametrize("root", QUERY_ENDPOINTS)
def test_a_server_that_is_away_tells_nothing(root: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        world.office.away = True
        assert isinstance(await reader(world).all(QUERY_ENDPOINTS[root]), CannotTell)

    play(main)


def test_without_its_permission_an_endpoint_says_which(tmp_path: Path) -> None:
    async def main() -> None:
        world = full_world(tmp_path)
        world.office.permissions["paybridge"] = frozenset()
        for root, endpoint in QUERY_ENDPOINTS.items():
            found = await reader(world).all(endpoint, {"code": "G1"} if root == "giftcard" else {})
            if endpoint.permission:
                assert isinstance(found, CannotTell), root
                assert endpoint.permission in found.reason or root == "giftcard"

    play(main)


def test_what_is_asked_is_a_question_only(tmp_path: Path) -> None:
    async def main() -> None:
        texts: list[str] = []
        world = full_world(tmp_path)
        books = world.api(Tokens("good"))

        class Noting:
            async def ask(self, document: Any) -> Any:
                texts.append(document.text)
                return await books.ask(document)

        for endpoint in QUERY_ENDPOINTS.values():
            await Reader(Noting()).all(endpoint)
        assert texts
        assert all(text.startswith("query ") for text in texts)
        assert isinstance(await books.ask(_ping()), Answered)

    play(main)


def _ping() -> Any:
    from bridge.backoffice.api.documents import ping

    return ping()
