"""Lines that come after the payment: the register's side of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop, in_a_shop, payment_id

LINE = {
    "item_id": 1,
    "product_code": "A",
    "quantity": "1",
    "unit_price": "47.90",
    "item_amount": "47.90",
}
SALE = {"total_amount": "47.90", "lines": [LINE]}


def test_a_payment_waits_for_its_lines_and_is_recorded_with_them(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, sale_id="S1", sale_lines="later")
        document = await shop.until("till-1", 1, status="approved")
        assert document["recording"]["status"] == "pending"
        assert shop.ledger.payments.take_pending_purchases() == []
        answer = await shop.ask("till-1", "sale/attach", sale_id="S1", sale=SALE)
        assert (answer["status"], answer["duplicate"]) == ("ok", False)
        assert answer["payment_id"] == payment_id(1)
        assert shop.ledger.payments.take_pending_purchases() == [f"S012-{payment_id(1)}"]
        again = await shop.ask("till-1", "sale/attach", sale_id="S1", sale=SALE)
        assert (again["status"], again["duplicate"]) == ("ok", True)
        assert shop.ledger.payments.take_pending_purchases() == []

    in_a_shop(tmp_path, test)


@pytest.mark.parametrize(
    ("sale_id", "sale", "code", "path"),
    [
        ("S9", SALE, "sale_not_found", "sale_id"),
        ("S1", {**SALE, "total_amount": "48.00"}, "invalid_request", "sale.total_amount"),
        ("S1", {**SALE, "lines": []}, "invalid_request", "sale.lines"),
        ("S1", {**SALE, "total_amount": "47.9"}, "invalid_amount", "sale.total_amount"),
        (
            "S1",
            {"total_amount": "40.00", "lines": [{**LINE, "item_amount": "40.00"}]},
            "invalid_request",
            "sale.total_amount",
        ),
    ],
)
def test_lines_that_do_not_fit_are_refused_by_their_field(
    tmp_path: Path, sale_id: str, sale: dict[str, object], code: str, path: str
) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, sale_id="S1", sale_lines="later")
        await shop.until("till-1", 1, status="approved")
        answer = await shop.ask("till-1", "sale/attach", sale_id=sale_id, sale=sale)
        assert answer["error"]["code"] == code
        assert answer["error"]["detail"]["path"] == path
        assert shop.ledger.payments.take_pending_purchases() == []

    in_a_shop(tmp_path, test)


def test_lines_of_another_register_are_not_for_this_sale(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, sale_id="S1", sale_lines="later")
        await shop.until("till-1", 1, status="approved")
        answer = await shop.ask("till-2", "sale/attach", sale_id="S1", sale=SALE)
        assert answer["error"]["code"] == "sale_not_found"

    in_a_shop(tmp_path, test)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"sale_lines": "later"}, "sale_id"),
        ({"sale_lines": "later", "sale_id": "S1", "sale": SALE}, "sale_lines"),
    ],
)
def test_a_start_that_contradicts_itself_is_refused(
    tmp_path: Path, fields: dict[str, Any], path: str
) -> None:
    async def test(shop: Shop) -> None:
        answer = await shop.pay("till-1", 1, **fields)
        assert answer["error"]["code"] == "invalid_request"
        assert answer["error"]["detail"]["path"] == path
        assert shop.charged() == []

    in_a_shop(tmp_path, test)


def test_a_register_may_state_what_cash_and_vouchers_paid(tmp_path: Path) -> None:
    stated = {
        "total_amount": "47.90",
        "other_tenders": [
            {"kind": "cash", "amount": "15.00"},
            {"kind": "voucher", "amount": "5.00"},
        ],
        "cash_rounding": {"direction": "down", "amount": "0.02"},
    }

    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "27.88", sale_id="S1", sale=SALE)
        document = await shop.until("till-1", 1, status="approved")
        assert document["amounts"]["remaining_amount"] == "20.02"
        wrong = {**stated, "cash_rounding": {"direction": "down", "amount": "0.2"}}
        answer = await shop.ask("till-1", "sale/attach", sale_id="S1", sale=wrong)
        assert answer["error"]["detail"]["path"] == "sale.cash_rounding.amount"
        answer = await shop.ask("till-1", "sale/attach", sale_id="S1", sale=stated)
        assert answer["status"] == "ok"
        assert shop.ledger.payments.take_pending_purchases() == [f"S012-{payment_id(1)}"]
        account = shop.ledger.payments.purchase_of(payment_id(1))
        assert account is not None
        content = account.purchase.content
        assert (content.pay_amount.minor, content.sale.lines[0].sku) == (4788, "A")
        document = await shop.until("till-1", 1, status="approved")
        assert document["amounts"]["remaining_amount"] == "0.00"

    in_a_shop(tmp_path, test)
