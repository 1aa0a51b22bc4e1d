"""A sale's items and member, compared before money moves; what nobody knows stops no sale."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.backoffice.item_copy.file import COPY_NAME
from simulators.back_office.faults import fault_named
from tests.component.register.test_office_questions import ITEMS, error_of, with_office
from tests.support.office import World
from tests.support.shop import Shop

STRICT = {**ITEMS, "check": "strict"}


def sale(*codes: str | None, member: str = "", ean: str | None = None) -> dict[str, Any]:
    lines = [
        {
            "item_id": number,
            "product_code": code,
            "ean_upc": ean,
            "quantity": "1",
            "unit_price": "10.00",
            "item_amount": "10.00",
        }
        for number, code in enumerate(codes, 1)
    ]
    return {
        "total_amount": f"{len(codes)}0.00",
        "lines": lines,
        **({"member_id": member} if member else {}),
    }


async def pay(shop: Shop, number: int, *codes: str | None, **more: Any) -> dict[str, Any]:
    what = {name: more.pop(name) for name in ("member", "ean") if name in more}
    amount = f"{len(codes)}0.00"
    return await shop.pay(
        "till-1", number, amount, sale_id=f"S{number}", sale=sale(*codes, **what), **more
    )


def paths_of(answer: dict[str, Any]) -> list[str]:
    assert answer["status"] == "accepted", answer
    return [one["path"] for one in (answer["result"] or {"warnings": []})["warnings"]]


def test_a_sale_of_what_is_there_is_told_nothing(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await pay(shop, 1, "100001", "100002")
        assert answer["status"] == "accepted"
        assert answer["result"] is None

    with_office(tmp_path, test, **STRICT)


def test_advisory_warns_in_the_answer_and_in_health_and_the_money_moves(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await pay(shop, 1, "100001", "no-such", None, ean="4006381333931")
        assert paths_of(answer) == ["sale.lines.1.product_code", "sale.lines.2.ean_upc"]
        await shop.until("till-1", 1, status="approved")
        (said,) = [one for one in shop.parts.status.health().reasons if "no-such" in one]
        assert "4006381333931" in said

    with_office(tmp_path, test, **ITEMS)


def test_strict_refuses_before_a_card_is_asked_for_and_names_the_line(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await pay(shop, 1, "100001", "no-such", "neither")
        assert error_of(answer) == "item_unknown"
        assert answer["error"]["retry"] == "same_id"
        detail = answer["error"]["detail"]
        assert detail["path"] == "sale.lines.1.product_code"
        assert detail["skus"] == ["no-such", "neither"]
        assert shop.document("till-1", 1) == {}
        assert shop.charged() == []
        corrected = await pay(shop, 1, "100001", "100002", "100003")
        assert corrected["status"] == "accepted", "nothing was stored under this payment_id"

    with_office(tmp_path, test, **STRICT)


def test_a_supervisor_sells_what_strict_would_refuse(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await pay(shop, 1, "no-such", override=True, approved_by="anna")
        assert paths_of(answer) == ["sale.lines.0.product_code"]
        assert error_of(await pay(shop, 2, "no-such", approved_by="anna")) == "item_unknown"

    with_office(tmp_path, test, **STRICT)


def test_a_payment_that_exists_is_read_whatever_has_become_of_its_items(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        assert (await pay(shop, 1, "100001"))["status"] == "accepted"
        await shop.until("till-1", 1, status="approved")
        world.office.state.catalogue.items.remove(1)
        world.office.control({"do": "catalogue", "forget_marks": True})
        await asyncio.sleep(400)
        again = await pay(shop, 1, "100001")
        assert (again["status"], again["duplicate"]) == ("accepted", True)
        assert error_of(await pay(shop, 2, "100001")) == "item_unknown"

    with_office(tmp_path, test, **STRICT)


def test_a_new_item_is_known_soon_after_its_first_refusal(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.control({"do": "item", "number": 700, "sku": "NEW-1", "name": "New"})
        assert error_of(await pay(shop, 1, "NEW-1")) == "item_unknown"
        await asyncio.sleep(2)
        assert (await pay(shop, 1, "NEW-1"))["status"] == "accepted"

    with_office(tmp_path, test, **STRICT)


@pytest.mark.parametrize("trouble", ["old", "never made", "no permission", "damaged", "off"])
def test_a_copy_that_cannot_tell_stops_no_sale(trouble: str, tmp_path: Path) -> None:
    items = {**STRICT, "check": "off"} if trouble == "off" else STRICT

    async def test(shop: Shop, world: World) -> None:
        copy = shop.parts.reading.inquiries._copy if shop.parts.reading else None
        assert copy is not None
        match trouble:
            case "old":
                world.office.away = True
                shop.ahead = timedelta(hours=25)
            case "never made":
                copy.progress.clear()
            case "no permission":
                world.office.permissions["paybridge"] = frozenset()
                copy.progress.clear()
            case "damaged":
                _break(tmp_path / COPY_NAME)
        for number in range(1, 3):
            answer = await pay(shop, number, "no-such")
            assert answer["status"] == "accepted"
            assert answer["result"] is None
            await shop.until("till-1", number, status="approved")

    with_office(tmp_path, test, **items)


def _break(path: Path) -> None:
    path.with_name(f"{path.name}-wal").write_bytes(b"")
    path.write_bytes(b"\xff" * 60_000)
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("select 1 from item")


def test_a_plan_is_checked_as_a_whole_before_its_first_part(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.state.gift_card_add(code="G1", balance=Decimal("5.00"))
        plan = [
            {"method": "gift_card", "amount": "5.00", "gift_card": {"stored_value_id": "G1"}},
            {"method": "card", "amount": "remaining"},
        ]
        answer = await pay(shop, 1, "no-such", plan=plan)
        assert error_of(answer) == "item_unknown"
        assert world.office.state.transactions == {}

    with_office(tmp_path, test, **STRICT)


def test_lines_that_come_later_are_warned_about_and_never_refused(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        answer = await shop.pay("till-1", 1, "10.00", sale_id="S1", sale_lines="later")
        assert answer["status"] == "accepted"
        await shop.until("till-1", 1, status="approved")
        attached = await shop.ask("till-1", "sale/attach", sale_id="S1", sale=sale("no-such"))
        assert attached["status"] == "ok"
        (warning,) = attached["result"]["warnings"]
        assert warning["path"] == "sale.lines.0.product_code"

    with_office(tmp_path, test, **STRICT)


def test_a_member_that_was_looked_up_and_is_not_there_is_warned_about(tmp_path: Path) -> None:
    async def test(shop: Shop, _world: World) -> None:
        await shop.ask("till-1", "office/customer", member_id="NOBODY")
        answer = await pay(shop, 1, "100001", member="NOBODY")
        assert paths_of(answer) == ["sale.member_id"]
        assert "NOBODY" not in answer["result"]["warnings"][0]["text"]

    with_office(tmp_path, test, **ITEMS)


def test_a_member_that_nobody_asked_for_is_looked_up_meanwhile(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        assert paths_of(await pay(shop, 1, "100001", member="NOBODY")) == []
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(3)
        (said,) = [one for one in shop.parts.status.health().reasons if "1 member" in one]
        assert "NOBODY" not in said, "every register reads that"
        asked = len(world.wire.sent)
        assert paths_of(await pay(shop, 2, "100001", member="NOBODY")) == ["sale.member_id"]
        await asyncio.sleep(3)
        assert len(world.wire.sent) == asked, "what was told is remembered for an hour"
        assert paths_of(await pay(shop, 3, "100001", member="C000000003")) == []

    with_office(tmp_path, test, **ITEMS)


def test_a_member_is_not_called_unknown_while_the_office_is_away(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.away = True
        assert paths_of(await pay(shop, 1, "100001", member="NOBODY")) == []
        await asyncio.sleep(5)
        assert paths_of(await pay(shop, 2, "100001", member="NOBODY")) == []
        assert not any("member" in one for one in shop.parts.status.health().reasons)

    with_office(tmp_path, test, **ITEMS)


def test_a_payment_does_not_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    async def test(shop: Shop, world: World) -> None:
        world.office.faults.add(fault_named("slow", operation="*", times=-1, delay_seconds=15.0))
        copy = shop.parts.reading.inquiries._copy if shop.parts.reading else None
        assert copy is not None
        loop: Any = asyncio.get_running_loop()
        loop._executors_free_at[copy._reader] = loop.time() + 60.0
        began = loop.time()
        answer = await pay(shop, 1, "no-such")
        assert answer["status"] == "accepted"
        assert loop.time() - began < 1.0

    with_office(tmp_path, test, **STRICT)
