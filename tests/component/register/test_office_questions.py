"""A register's questions about items and members: answered in time, and never by a guess."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.backoffice.inquiries import QUESTION_SECONDS, WAITING_MAX
from bridge.backoffice.item_copy.file import COPY_NAME
from bridge.settings import JOURNAL_NAME
from simulators.back_office.catalogue import ean13
from simulators.back_office.faults import fault_named
from simulators.back_office.resolvers import ALL_PERMISSIONS
from simulators.broker import Message
from tests.published import check
from tests.support.office import World
from tests.support.shop import TOPICS, Plans, Shop, in_a_shop

ITEMS = {"enabled": True, "interval_seconds": 300.0}
SYNC_SECONDS = 5.0
Test = Callable[[Shop, World], Awaitable[None]]


def open_office(folder: Path) -> World:
    world = World(folder)
    world.office._authenticate = {"good": "paybridge"}.get
    world.office.permissions["paybridge"] = ALL_PERMISSIONS
    world.office.api.barcodes = True
    return world


def with_office(folder: Path, test: Test, **items: Any) -> None:
    """Run `test` in a shop that has a back office; with `items` it keeps a copy."""

    async def main(shop: Shop) -> None:
        assert shop.office is not None
        if items:
            await asyncio.sleep(SYNC_SECONDS)
        await test(shop, shop.office)

    table = {"items": items} if items else {}
    plans = Plans(office=open_office, records=False, back_office=table)
    in_a_shop(folder, main, plans, quick_disk=True)


def error_of(answer: dict[str, Any]) -> str:
    assert answer["status"] == "error", answer
    assert answer["error"]["money_moved"] == "no"
    return str(answer["error"]["code"])


@pytest.mark.parametrize("items", [{}, ITEMS], ids=["without a copy", "with a copy"])
@pytest.mark.parametrize(
    "by", [{"sku": "100003"}, {"barcode": f"{ean13(3)}\r\n"}, {"sku": " 100003"}]
)
def test_an_item_is_told_with_label_price_and_quantity(
    by: dict[str, str], items: dict[str, Any], tmp_path: Path
) -> None:
    async def test(shop: Shop, world: World) -> None:
        before = len(world.wire.sent)
        answer = await shop.ask("till-1", "office/item", **by)
        assert answer["status"] == "ok", answer
        result = answer["result"]
        (item,) = result["items"]
        assert (item["sku"], item["label"], item["barcode"]) == ("100003", "Mug red 1", ean13(3))
        assert [one["warehouse"] for one in item["stock"]] == ["S1", "S2"]
        assert item["stock"][0]["price"] == "2.02"
        assert (item["price"], item["quantity"]) == (None, None), "of which warehouse?"
        assert result["source"] == ("copy" if items else "office")
        assert result["age_s"] <= SYNC_SECONDS + 1
        assert (len(world.wire.sent) == before) is bool(items)

    with_office(tmp_path, test, **items)


def test_the_stores_own_warehouse_gives_price_and_quantity(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await shop.ask("till-1", "office/item", sku="100003")
        (item,) = answer["result"]["items"]
        assert (item["price"], item["quantity"]) == ("2.02", "24")

    with_office(tmp_path, test, **ITEMS, warehouse="s2")


def test_when_the_line_is_down_the_copy_answers_with_its_age(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.away = True
        shop.ahead = timedelta(hours=30)  # too old to deny anything by
        answer = await shop.ask("till-1", "office/item", sku="100003")
        assert answer["result"]["source"] == "copy"
        assert answer["result"]["age_s"] >= 30 * 3600
        unknown = await shop.ask("till-1", "office/item", sku="999999")
        assert error_of(unknown) == "back_office_unreachable"
        fresh = await shop.ask("till-1", "office/item", sku="100003", fresh=True)
        assert fresh["result"]["source"] == "copy", "better than nothing, and it says so"

    with_office(tmp_path, test, **ITEMS)


def test_a_price_is_never_told_as_younger_than_it_is(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.faults.add(fault_named("unavailable_503", operation="itemWarehouse", times=-1))
        world.office.control({"do": "item", "number": 3, "name": "Renamed", "basePrice": "7.77"})
        await asyncio.sleep(7_000)
        answer = await shop.ask("till-1", "office/item", sku="100003")
        result = answer["result"]
        assert result["items"][0]["label"] == "Renamed"
        assert result["items"][0]["stock"][0]["price"] == "2.02"
        assert result["age_s"] > 6_000, "the items are fresh, their prices are not"

    with_office(tmp_path, test, **ITEMS)


def test_a_price_that_is_copied_no_more_is_not_told(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        assert shop.parts.reading is not None
        sync = shop.parts.reading.item_sync
        assert sync is not None
        sync._settings = replace(sync._settings, endpoints=("item",))
        answer = await shop.ask("till-1", "office/item", sku="100003")
        assert answer["result"]["source"] == "copy"
        assert answer["result"]["items"][0]["stock"] == []

    with_office(tmp_path, test, **ITEMS)


def test_what_is_wanted_fresh_is_asked_of_the_back_office(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.control({"do": "item", "number": 3, "name": "Renamed", "basePrice": "7.77"})
        old = await shop.ask("till-1", "office/item", sku="100003")
        assert old["result"]["items"][0]["label"] == "Mug red 1"
        new = await shop.ask("till-1", "office/item", sku="100003", fresh=True)
        assert new["result"]["source"] == "office"
        assert new["result"]["items"][0]["label"] == "Renamed"
        assert new["result"]["items"][0]["stock"][0]["price"] == "7.77"

    with_office(tmp_path, test, **ITEMS)


def test_an_item_that_was_made_since_is_found_at_the_back_office(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.control({"do": "item", "number": 700, "sku": "NEW-1", "name": "New"})
        answer = await shop.ask("till-1", "office/item", sku="NEW-1")
        assert answer["result"]["source"] == "office"
        assert error_of(await shop.ask("till-1", "office/item", sku="999999")) == "item_not_found"

    with_office(tmp_path, test, **ITEMS)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sku": "1", "barcode": "2"},
        {"sku": ""},
        {"sku": "   "},
        {"sku": "x" * 65},
        {"sku": 7},
        {"sku": "1\x00"},
        {"sku": "1", "fresh": "yes"},
        {"barcode": {"x": 1}},
    ],
)
def test_a_question_that_asks_for_nothing_clear_is_refused_by_its_field(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await shop.ask("till-1", "office/item", **fields)
        assert error_of(answer) in {"invalid_request", "invalid_json"}
        assert answer["error"]["detail"]["path"] in {"sku", "barcode", "fresh"}

    with_office(tmp_path, test)


def test_without_a_back_office_it_says_so(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        shop.desk._questions._inquiries = None
        assert (
            error_of(await shop.ask("till-1", "office/item", sku="1")) == "operation_not_supported"
        )

    in_a_shop(tmp_path, main)


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        *(("null_rows", "back_office_unreachable"), ("no_list", "back_office_unreachable")),
        *(("huge_strings", "back_office_unreachable"), ("null", "back_office_unreachable")),
    ],
)
def test_a_hostile_answer_is_no_answer(mode: str, code: str, tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.hostility.set("item", mode)
        answer = await shop.ask("till-1", "office/item", sku="100003")
        assert answer["status"] == "ok" or error_of(answer) == code

    with_office(tmp_path, test)


def test_a_server_that_ignores_what_was_asked_for_is_not_believed(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        catalogue = world.office.state.catalogue
        catalogue.items_called = lambda **_: [catalogue.items.row(1)]  # type: ignore[method-assign]
        answer = await shop.ask("till-1", "office/item", sku="100003")
        assert error_of(answer) == "back_office_unreachable"
        real = world.office.state.catalogue.page

        def everybody(table: Any, **given: Any) -> Any:
            return real(table, **{**given, "keep": lambda _row: True})

        catalogue.page = everybody  # type: ignore[method-assign]
        for by in ({"member_id": "C000000009"}, {"email": "nobody@example.com"}):
            answer = await shop.ask("till-1", "office/customer", **by)
            assert error_of(answer) == "back_office_unreachable"

    with_office(tmp_path, test)


def test_a_slow_back_office_is_not_waited_for_and_payments_go_on(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        loop = asyncio.get_running_loop()
        world.office.faults.add(fault_named("slow", operation="*", times=-1, delay_seconds=15.0))
        began = loop.time()
        asked = [
            asyncio.ensure_future(shop.ask("till-2", "office/item", sku=f"{100_000 + n % 9}"))
            for n in range(8)
        ]
        await asyncio.sleep(0.1)
        paid = await shop.pay("till-1", 1)
        assert paid["status"] == "accepted"
        assert loop.time() - began < 1.0, "a payment waits for no question"
        answers = await asyncio.gather(*asked)
        assert {error_of(one) for one in answers} == {"back_office_unreachable"}
        assert loop.time() - began < 3.0
        await shop.until("till-1", 1, status="approved")

    with_office(tmp_path, test)


def test_who_hammers_is_refused_and_everybody_is_answered(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.faults.add(fault_named("slow", operation="*", times=-1, delay_seconds=15.0))
        many = WAITING_MAX + 30
        asked = [shop.ask("till-2", "office/item", sku=f"{n}") for n in range(many)]
        answers = await asyncio.gather(*asked)
        codes = [error_of(one) for one in answers]
        assert codes.count("queue_full") >= 1
        assert set(codes) == {"queue_full", "back_office_unreachable"}
        assert asyncio.get_running_loop().time() < SYNC_SECONDS + 4 * QUESTION_SECONDS

    with_office(tmp_path, test)


@pytest.mark.parametrize(
    "by",
    [
        {"member_id": "C000000003"},
        {"customer_id": "5003"},
        {"email": "David.Moser.3@example.com"},
        {"gift_card": {"stored_value_id": "G1"}},
    ],
)
def test_a_member_is_found_by_number_mail_or_card(by: dict[str, Any], tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.state.gift_card_add(code="G1", member_id="C000000003")
        world.office.state.catalogue.customers.change(3, {"email": "david.moser.3@example.com"})
        if "email" in by:
            by["email"] = by["email"].lower()
        answer = await shop.ask("till-1", "office/customer", **by)
        assert answer["status"] == "ok", answer
        (member,) = answer["result"]["members"]
        assert member == {
            "member_id": "C000000003",
            "customer_id": "5003",
            "status": "Active",
            "full_name": "David Moser",
        }

    with_office(tmp_path, test)


def test_a_member_that_is_not_there_is_only_called_so_by_the_back_office(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        ask = shop.ask
        assert error_of(await ask("till-1", "office/customer", member_id="X")) == "member_not_found"
        world.office.state.gift_card_add(code="G2")
        card = {"stored_value_id": "G2"}
        assert (
            error_of(await ask("till-1", "office/customer", gift_card=card)) == "member_not_found"
        )
        world.office.hostility.set("customer", "limited")
        answer = await ask("till-1", "office/customer", member_id="X")
        assert error_of(answer) == "back_office_unreachable"
        world.office.hostility.set("customer", "")
        world.office.permissions["paybridge"] = ALL_PERMISSIONS - {"ViewCustomers"}
        answer = await ask("till-1", "office/customer", member_id="X")
        assert error_of(answer) == "feature_disabled"
        assert "ViewCustomers" in answer["error"]["message"]
        world.office.away = True
        answer = await ask("till-1", "office/customer", member_id="X")
        assert error_of(answer) == "back_office_unreachable"

    with_office(tmp_path, test)


@pytest.mark.parametrize(
    "fields",
    [{}, {"member_id": "1", "email": "a@b.c"}, {"email": "x"}, {"email": "a@b.c" + "x" * 300}],
)
def test_a_member_is_asked_for_by_exactly_one_thing(fields: dict[str, Any], tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await shop.ask("till-1", "office/customer", **fields)
        assert error_of(answer) == "invalid_request"

    with_office(tmp_path, test)


def test_nothing_of_a_shopper_but_the_ids_is_kept_logged_or_retained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    canaries = ["Zyxwv", "zyxwv.canary@example.com", "+43 1 555 9999"]

    async def test(shop: Shop, world: World) -> None:
        row = {"fullName": "Zyxwv Canary", "email": canaries[1], "phone": canaries[2]}
        world.office.state.catalogue.customers.change(3, row)
        answer = await shop.ask("till-1", "office/customer", email=canaries[1])
        assert answer["result"]["members"][0]["full_name"] == "Zyxwv Canary", "it was told"
        for fault in ("slow", "html_200", "validation", "fusion_error", "truncated"):
            more = {"delay_seconds": 9.0} if fault == "slow" else {}
            world.office.faults.add(fault_named(fault, operation="customer", **more))
            await shop.ask("till-1", "office/customer", email=canaries[1])
        broken = f'{{"request_id": "r", "email": "{canaries[1]}", }}'.encode()
        topic = f"{TOPICS.register('till-1')}/request/office/customer"
        shop.broker.send(Message(topic, broken))
        await shop.pay("till-1", 1, sale_id="S", sale={**SALE, "member_id": "C000000003"})
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(3)
        retained = b"".join(one.payload for one in shop.broker.retained.values())
        kept = retained + caplog.text.encode()
        kept += files_in(tmp_path)
        for canary in canaries:
            assert canary.encode() not in kept
        assert b"C000000003" in kept, "the id is what may be kept"

    with caplog.at_level(logging.DEBUG, logger="bridge"):
        with_office(tmp_path, test, **ITEMS)


def files_in(folder: Path) -> bytes:
    """Return everything that the bridge has on its disk."""
    names = [path for path in folder.iterdir() if path.is_file()]
    assert {JOURNAL_NAME, COPY_NAME} <= {path.name for path in names}
    return b"".join(path.read_bytes() for path in names)


SALE: dict[str, Any] = {
    "total_amount": "47.90",
    "lines": [
        {
            "item_id": 1,
            "product_code": "100003",
            "quantity": "1",
            "unit_price": "47.90",
            "item_amount": "47.90",
        }
    ],
}


def test_answers_are_of_the_published_contract(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        for operation, fields in (
            ("office/item", {"sku": "100003"}),
            ("office/item", {"sku": "nope"}),
            ("office/customer", {"member_id": "C000000003"}),
            ("office/customer", {}),
        ):
            answer = await shop.ask("till-1", operation, **fields)
            topic = f"paybridge/v1/registers/till-1/response/{operation}"
            check(topic, json.dumps(answer).encode())

    with_office(tmp_path, test)
