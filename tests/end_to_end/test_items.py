"""Items for registers, with real processes: fresh, and from the copy while the line is down."""

from __future__ import annotations

import asyncio
import os
import stat
import uuid
from pathlib import Path

import pytest

from bridge.backoffice.item_copy.file import COPY_NAME
from simulators.back_office.catalogue import ean13
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.end_to_end.parts import STORE_CODE, Store, open_store
from tests.end_to_end.program import Json
from tests.support.commands import start_fields

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow]

ITEMS: Json = {"enabled": True, "check": "strict", "interval_seconds": 10.0}
COPIED = "copied all of the back office's stocks"  # the items came before


async def open_the_office(store: Store) -> None:
    await store.office.control(
        {
            "do": "permissions",
            "client_id": "paybridge-server",
            "permissions": sorted(ALL_PERMISSIONS),
        },
        {"do": "catalogue", "items": 500, "page_rows": 100},
        {"do": "schema", "barcodes": True},
        {"do": "options", "stores": ["NORTH", "SOUTH"], "locations": "plain"},
    )


async def test_a_register_is_told_of_items_also_while_the_line_is_down(tmp_path: Path) -> None:
    async with open_store(tmp_path, changes={"back_office.items": ITEMS}, ready=False) as store:
        await open_the_office(store)
        await store.start_bridge()
        till = store.till
        await till.until(lambda: (COPIED in store.bridge.log) or None, "the copy")
        by_code = await till.ask("office/item", {"barcode": ean13(123)})
        assert by_code["result"]["items"][0]["sku"] == "100123"
        assert by_code["result"]["source"] == "copy"
        path = tmp_path / "state" / COPY_NAME
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

        status, found = await store.cli("office", "item", "--where", "sku=100123")
        assert (status, found["rows"][0]["sku"]) == (0, "100123")
        refused = await till.ask("payment/start", start("999999", "S1"))
        assert refused["error"]["code"] == "item_unknown"
        assert refused["error"]["detail"]["path"] == "sale.lines.0.product_code"

        await store.office.go_away()
        down = await till.ask("office/item", {"sku": "100123", "fresh": True})
        assert (down["status"], down["result"]["source"]) == ("ok", "copy")
        assert down["result"]["age_s"] >= 0
        unknown = await till.ask("office/item", {"sku": "NEW-1"})
        assert unknown["error"]["code"] == "back_office_unreachable"
        status, _ = await store.cli("office", "item")
        assert status == os.EX_UNAVAILABLE

        await store.bridge.kill()  # and a power cut on top of it
        await store.start_bridge()
        after = await till.ask("office/item", {"sku": "100123"})
        assert after["result"]["source"] == "copy"
        paid = start("100123", "S2")
        assert (await till.ask("payment/start", paid))["status"] == "accepted"
        await till.status(paid["payment_id"], "approved")

        await store.office.control(
            {"do": "back"}, {"do": "item", "number": 900, "sku": "NEW-1", "name": "New"}
        )
        async with asyncio.timeout(30):  # the login, too, is asked again after a pause
            while (await till.ask("office/item", {"sku": "NEW-1"}))["status"] != "ok":  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        await till.until(
            lambda: (f"no store {STORE_CODE}" in store.bridge.log) or None, "the store code"
        )


def start(sku: str, sale_id: str) -> Json:
    line = {"item_id": 1, "product_code": sku, "quantity": "1"}
    money = {"unit_price": "12.00", "item_amount": "12.00"}
    sale = {"total_amount": "12.00", "lines": [{**line, **money}]}
    return start_fields(str(uuid.uuid4()), "12.00", sale_id=sale_id, sale=sale)
