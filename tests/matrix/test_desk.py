"""Split payments at the desk: registers that vanish, repeat themselves, or ask about others."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.register.mqtt.messages import Delivery
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.matrix.judge import judge
from tests.matrix.shop import REGISTER, TOPICS, Shop, euros, gift, in_shop, new_id
from tests.support.virtual_store import EPOCH, Json

LEGS = [{"method": "gift_card", "gift_card": gift(), "amount": "20.00"}, {"method": "card"}]
SLOW = Scenario(otherwise=Plan(seconds_to_card=40.0))


def leave(shop: Shop, register: str = REGISTER) -> None:
    """Have the broker publish a register's will."""
    will = json.dumps({"state": "offline"}).encode()
    shop.bus.queue.put_nowait(Delivery(TOPICS.register_state(register), will, retained=True))


def plan(**more: object) -> Json:
    """Return the fields of a split payment."""
    return {"payment_id": new_id(), "amounts": euros("47.90"), "plan": LEGS, **more}


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1, 0.3, 0.6, 2.0, 10.0])
def test_a_plan_whose_register_is_gone_holds_and_takes_nothing(
    tmp_path: Path, seconds: float
) -> None:
    async def test(shop: Shop) -> None:
        shop.terminal.shopper.change(SLOW)
        async with shop.open():
            fields = plan()
            await shop.ask("payment/start", fields)
            await asyncio.sleep(seconds)
            leave(shop)
            await asyncio.sleep(60)
            judge(shop)
            assert shop.terminal.ledger.standing() == []
            balances = {one.balance for one in shop.state.gift_cards.values()}
            assert balances == {Decimal("50.00"), Decimal("10.00")}
            shop.terminal.shopper.change(Scenario())
            answer = await shop.ask(
                "payment/start", {"payment_id": new_id(), "amounts": euros("1.00")}
            )
            assert answer["status"] == "accepted", "the terminal is free again"

    in_shop(tmp_path, test)


def test_a_plan_goes_on_without_its_register_where_that_was_asked_for(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        shop.terminal.shopper.change(SLOW)
        async with shop.open():
            await shop.ask("payment/start", plan(on_register_lost="continue"))
            await asyncio.sleep(1)
            leave(shop)
            await asyncio.sleep(60)
            judge(shop)
            assert [one.amount_minor for one in shop.terminal.ledger.standing()] == [2790]

    in_shop(tmp_path, test)


def test_only_who_began_a_plan_hears_of_it(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        shop.terminal.shopper.change(SLOW)
        async with shop.open():
            fields = plan()
            await shop.ask("payment/start", fields)
            for other in (fields, fields | {"amounts": euros("57.90")}):
                answer = await shop.ask("payment/start", other, register="till-9")
                assert answer["error"]["code"] == "not_allowed"
                assert answer["payment_status"] is None
            again = await shop.ask("payment/start", fields)
            assert (again["status"], again["duplicate"]) == ("accepted", True)
            error = (await shop.ask("payment/start", fields | {"amounts": euros("57.90")}))["error"]
            assert error["code"] == "idempotency_conflict"
            assert (error["retry"], error["money_moved"]) == ("after_check", "unknown")
            plain = {name: value for name, value in fields.items() if name != "plan"}
            error = (await shop.ask("payment/start", plain))["error"]
            assert (error["code"], error["retry"]) == ("idempotency_conflict", "after_check")

    in_shop(tmp_path, test)


def test_a_plan_is_known_again_after_a_restart_without_its_terminal(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        fields = plan()
        async with shop.open():
            first = await shop.ask("payment/start", fields)
            await asyncio.sleep(30)
            judge(shop)
        shop.port.unplug()
        async with shop.alive():
            again = await shop.ask("payment/start", fields)
            assert (again["status"], again["duplicate"]) == ("accepted", True)
            assert again["result"] == first["result"]

    in_shop(tmp_path, test)


def test_a_gift_card_is_filled_though_its_register_was_away_before_it_was_paid(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop) -> None:
        async with shop.open():
            load = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00")}
            body = {"request_id": "r", "bridge_epoch": EPOCH, "payment_id": new_id(), **load}
            topic = f"{TOPICS.register(REGISTER)}/request/gift_card/load"
            shop.bus.queue.put_nowait(Delivery(topic, json.dumps(body).encode()))
            leave(shop)  # right behind the command
            shop.asked.append(str(body["payment_id"]))
            await asyncio.sleep(1)
            await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})
            await asyncio.sleep(60)
            judge(shop)
            balances = {one.balance for one in shop.state.gift_cards.values()}
            assert balances == {Decimal("80.00"), Decimal("10.00")}

    in_shop(tmp_path, test)
