"""Selling, undoing and refunding gift cards, from the command to the books. Virtual time."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.money.payment import Funds, Status
from tests.matrix.judge import judge
from tests.matrix.shop import GIFT, Shop, euros, gift, in_shop, new_id
from tests.matrix.test_bad_input import SOON, leg


@pytest.mark.parametrize(("balance", "code"), [("0.00", ""), ("10.00", "gift_card_already_active")])
def test_a_card_that_exists_is_sold_only_when_nothing_is_on_it(
    tmp_path: Path, balance: str, code: str
) -> None:
    async def main(shop: Shop) -> None:
        shop.issue("N1", balance)
        load = {"sale_id": "S1", "gift_card": gift("N1"), "amounts": euros("30.00")}
        async with shop.open():
            await shop.begin("gift_card/activate", load)
            await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})
            await asyncio.sleep(2 * SOON)
            activated = shop.accounts()[0].payment
            assert (activated.denial.code if activated.denial else "") == code
            judge(shop)

    in_shop(tmp_path, main)


def test_a_new_card_is_one_purchase_and_holds_what_was_paid(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        load = {"sale_id": "S1", "gift_card": gift("N1", "4321"), "amounts": euros("30.00")}
        line = {"item_id": 1, "product_code": "GC30", "quantity": "1", "unit_price": "30.00"}
        sale = {"total_amount": "30.00", "lines": [{**line, "item_amount": "30.00"}]}
        async with shop.open():
            await shop.begin("gift_card/activate", load)
            paid = {"sale_id": "S1", "amounts": euros("30.00"), "sale": sale}
            await shop.begin("payment/start", paid)
            await asyncio.sleep(2 * SOON)
            card = shop.state.find_gift_card("N1")
            assert card is not None
            assert card.balance == 30
            (purchase,) = shop.state.purchases.values()
            assert purchase.pay_amount == Decimal(30)
            judge(shop)

    in_shop(tmp_path, main)


def test_a_load_is_canceled_while_it_waits_and_taken_off_once_it_is_on_the_card(
    tmp_path: Path,
) -> None:
    async def main(shop: Shop) -> None:
        load = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00")}
        async with shop.open():
            waiting = await shop.begin("gift_card/load", load)
            await asyncio.sleep(SOON)
            undo = {"payment_id": new_id(), "original_payment_id": waiting, "gift_card": gift()}
            answer = await shop.ask("gift_card/reverse", undo)
            assert answer["payment_id"] == waiting
            await asyncio.sleep(SOON)
            assert shop.payment(waiting).status is Status.CANCELED
            again = await shop.ask("gift_card/reverse", undo)
            assert (again["status"], again["payment_status"]) == ("accepted", "canceled")

            loaded = await shop.begin("gift_card/load", load)
            paid = await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})
            await asyncio.sleep(2 * SOON)
            assert shop.payment(loaded).funds is Funds.LOADED
            undo = {"payment_id": new_id(), "original_payment_id": loaded, "gift_card": gift()}
            for duplicate in (False, True):
                answer = await shop.ask("gift_card/reverse", undo)
                assert (answer["payment_id"], answer["duplicate"]) == (
                    undo["payment_id"],
                    duplicate,
                )
            await asyncio.sleep(SOON)
            assert shop.payment(loaded).funds is Funds.VOIDED
            assert shop.state.find_gift_card(GIFT).balance == 50  # type: ignore[union-attr]
            once = await shop.ask("gift_card/reverse", {**undo, "payment_id": new_id()})
            assert once["error"]["code"] == "not_allowed"
            back = {"original_payment_id": paid, "amounts": euros("30.00")}
            await shop.begin("payment/refund", back)
            await asyncio.sleep(2 * SOON)
            judge(shop)

    in_shop(tmp_path, main)


def test_a_part_of_a_plan_is_refunded_by_its_hold(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        legs = [leg(GIFT, "20.00"), {"method": "card"}]
        async with shop.open():
            await shop.begin("payment/start", {"amounts": euros("47.90"), "plan": legs})
            await asyncio.sleep(2 * SOON)
            hold = shop.asked[0]
            assert shop.payment(hold).funds is Funds.CAPTURED
            back = {"original_payment_id": hold, "gift_card": gift(), "amounts": euros("12.00")}
            await shop.begin("payment/refund", back)
            await asyncio.sleep(SOON)
            more = {**back, "payment_id": new_id(), "amounts": euros("8.01")}
            answer = await shop.ask("payment/refund", more)
            assert answer["error"]["code"] == "refund_exceeds_captured"
            assert answer["error"]["detail"]["available_amount"] == "8.00"
            judge(shop)

    in_shop(tmp_path, main)


def test_a_plan_that_took_nothing_leaves_its_sale_to_whoever_pays_it(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        legs = [{**leg(GIFT, "20.00"), "gift_card": gift(GIFT, "0000")}, {"method": "card"}]
        async with shop.open():
            start = {"sale_id": "S1", "amounts": euros("49.90"), "plan": legs}
            await shop.begin("payment/start", start)
            await asyncio.sleep(SOON)
            await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("31.00")})
            await asyncio.sleep(2 * SOON)
            (purchase,) = shop.state.purchases.values()
            assert purchase.pay_amount == 31
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize("operation", ["payment/refund", "payment/void"])
def test_money_that_filled_a_card_goes_back_once_it_is_off_the_card(
    tmp_path: Path, operation: str
) -> None:
    async def main(shop: Shop) -> None:
        load = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00")}
        async with shop.open():
            loaded = await shop.begin("gift_card/load", load)
            paid = await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})
            await asyncio.sleep(2 * SOON)
            amounts = {"amounts": euros("30.00")} if operation == "payment/refund" else {}
            back = {"original_payment_id": paid, **amounts}
            answer = await shop.ask(operation, {"payment_id": new_id(), **back})
            assert answer["error"]["code"] == "not_allowed"
            assert answer["error"]["detail"]["suggest"] == "gift_card/reverse"
            undo = {"original_payment_id": loaded, "gift_card": gift()}
            await shop.begin("gift_card/reverse", undo)
            await asyncio.sleep(SOON)
            await shop.begin(operation, back)
            await asyncio.sleep(2 * SOON)
            assert shop.terminal.ledger.taken_minor() == 0
            judge(shop)

    in_shop(tmp_path, main)


def test_goods_sold_beside_a_gift_card_are_refunded_without_it(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        load = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00")}
        async with shop.open():
            await shop.begin("gift_card/load", load)
            paid = await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("50.00")})
            await asyncio.sleep(2 * SOON)
            await shop.begin(
                "payment/refund", {"original_payment_id": paid, "amounts": euros("20.00")}
            )
            await asyncio.sleep(2 * SOON)
            more = {"original_payment_id": paid, "amounts": euros("0.01")}
            answer = await shop.ask("payment/refund", {"payment_id": new_id(), **more})
            assert answer["error"]["detail"]["available_amount"] == "0.00"
            await shop.begin("payment/refund", {**more, "approved_by": "anna"})

    in_shop(tmp_path, main)
