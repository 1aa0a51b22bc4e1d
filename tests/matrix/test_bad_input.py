"""What cannot be done is said clearly, and before a card is asked for. Virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.money.payment import Funds, Status
from simulators.back_office.records import CodeType
from simulators.back_office.resolvers import ALL_PERMISSIONS, TILL_PERMISSIONS
from tests.matrix.judge import judge
from tests.matrix.shop import GIFT, PIN, SECOND_GIFT, Shop, euros, gift, in_shop, new_id
from tests.support.office import BEGIN
from tests.support.virtual_store import Json

EMPTY, EXPIRED, PERSONAL, EXTERNAL = "E0", "X0", "M-7", "EXT-9"
SOON = 12.0  # seconds in which everything without a fault is over


async def issue_all(shop: Shop) -> None:
    """Have a card of each kind, an empty one and an expired one."""
    shop.office.permissions["paybridge"] = TILL_PERMISSIONS | {"UseExternalGiftCardCodes"}
    shop.issue(EMPTY, "0.00")
    shop.issue(PERSONAL, "30.00", CodeType.PERSONAL)
    shop.issue(EXTERNAL, "30.00", CodeType.EXTERNAL)
    old = shop.issue(EXPIRED, "30.00")
    shop.state.gift_card_set_code(old, CodeType.PHYSICAL, None)
    shop.state.gift_card_set_code(
        old, CodeType.PHYSICAL, EXPIRED, pin=PIN, expires_on=BEGIN - timedelta(days=1)
    )


def use(card: Json, amount: str = "20.00", **more: object) -> Json:
    return {"method": "gift_card", "gift_card": card, "amounts": euros(amount), **more}


@pytest.mark.parametrize(
    ("card", "amount", "code"),
    [
        (gift("0"), "20.00", "gift_card_unknown"),
        (gift(EMPTY), "20.00", "gift_card_insufficient"),
        (gift(EXPIRED), "20.00", "gift_card_inactive"),
        (gift(GIFT, "0000"), "20.00", "wrong_pin"),
        (gift(GIFT, ""), "20.00", "invalid_request"),
        ({"stored_value_id": GIFT}, "20.00", "wrong_pin"),
        ({**gift(), "code_type": "personal"}, "20.00", "gift_card_unknown"),
        ({**gift(), "code_type": "external"}, "20.00", "gift_card_unknown"),
        (gift(), "50.01", "gift_card_insufficient"),
    ],
)
def test_a_card_that_cannot_pay_is_refused_with_its_reason(
    tmp_path: Path, card: Json, amount: str, code: str
) -> None:
    async def main(shop: Shop) -> None:
        await issue_all(shop)
        async with shop.open():
            found = await outcome(shop, "payment/start", use(card, amount))
            assert found == code
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize(
    "card",
    [
        gift(),
        {"stored_value_id": PERSONAL, "code_type": "personal"},
        {"stored_value_id": EXTERNAL, "code_type": "external"},
    ],
)
def test_a_code_of_each_kind_pays_is_refunded_and_is_filled(tmp_path: Path, card: Json) -> None:
    async def main(shop: Shop) -> None:
        await issue_all(shop)
        async with shop.open():
            sale = await shop.begin("payment/start", use(card))
            await asyncio.sleep(SOON)
            back = {"original_payment_id": sale, "gift_card": card, "amounts": euros("5.00")}
            await shop.begin("payment/refund", back)
            load = {"sale_id": "S9", "gift_card": card, "amounts": euros("7.00")}
            await shop.begin("gift_card/load", load)
            await shop.begin("payment/start", {"sale_id": "S9", "amounts": euros("7.00")})
            await asyncio.sleep(2 * SOON)
            judge(shop)
            assert [one.payment.status for one in shop.accounts()] == [Status.APPROVED] * 4
            assert shop.payment(sale).funds is Funds.PARTIALLY_REFUNDED

    in_shop(tmp_path, main)


def leg(code: str, amount: str, **more: object) -> Json:
    return {"method": "gift_card", "gift_card": {**gift(code), **more}, "amount": amount}


@pytest.mark.parametrize(
    ("legs", "path"),
    [
        ((leg(GIFT, "20.00"), leg(SECOND_GIFT, "10.00")), "plan"),
        ((leg(GIFT, "20.00"), leg(GIFT, "10.00"), {"method": "card"}), "plan.1.gift_card"),
        (
            (leg(GIFT, "20.00"), leg("6396 2100-0000 4711", "10.00"), {"method": "card"}),
            "plan.1.gift_card",
        ),
        ((leg("ab", "20.00"), leg("AB", "10.00"), {"method": "card"}), "plan.1.gift_card"),
        ((leg(GIFT, "50.00"), {"method": "card"}), "plan.1.amount"),
        ((leg(GIFT, "20.00"), {"method": "card", "amount": "10.00"}), "plan"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_the_field(
    tmp_path: Path, legs: tuple[Json, ...], path: str
) -> None:
    async def main(shop: Shop) -> None:
        async with shop.open():
            start = {"payment_id": new_id(), "amounts": euros("47.90"), "plan": list(legs)}
            answer = await shop.ask("payment/start", start)
            assert answer["error"]["detail"]["path"] == path
            assert answer["error"]["money_moved"] == "no"
            assert shop.accounts() == []

    in_shop(tmp_path, main)


def test_two_codes_of_one_card_in_a_plan_hold_nothing_and_ask_no_card(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        card_id = shop.issue("6396210000005555", "50.00")
        shop.state.gift_card_set_code(card_id, CodeType.PERSONAL, PERSONAL)
        legs = [
            leg("6396210000005555", "20.00"),
            {
                "method": "gift_card",
                "gift_card": {"stored_value_id": PERSONAL, "code_type": "personal"},
                "amount": "10.00",
            },
            {"method": "card"},
        ]
        async with shop.open():
            await shop.begin("payment/start", {"amounts": euros("47.90"), "plan": legs})
            await asyncio.sleep(2 * SOON)
            judge(shop)
            refused = [one.payment.denial for one in shop.accounts() if one.payment.denial]
            assert [one.code for one in refused] == ["invalid_request"]
            assert shop.state.gift_cards[card_id].balance == 50
            assert shop.terminal.ledger.entries == []

    in_shop(tmp_path, main)


@pytest.mark.parametrize(
    ("missing", "operation", "fields", "said"),
    [
        ("FindGiftCardByCode", "payment/start", use(gift()), "FindGiftCardByCode"),
        ("UsePhysicalGiftCardCodes", "payment/start", use(gift()), "FindGiftCardByCode"),
        ("GiftCardTransUse", "payment/start", use(gift()), "GiftCardTransUse"),
        (
            "GiftCardTransAdd",
            "gift_card/load",
            {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00")},
            "GiftCardTransAdd",
        ),
        (
            "CreateGiftCard",
            "gift_card/activate",
            {"sale_id": "S1", "gift_card": gift("N1"), "amounts": euros("30.00")},
            "CreateGiftCard",
        ),
    ],
)
def test_a_permission_that_is_missing_is_named(
    tmp_path: Path, missing: str, operation: str, fields: Json, said: str
) -> None:
    async def main(shop: Shop) -> None:
        shop.office.permissions["paybridge"] = ALL_PERMISSIONS - {missing}
        async with shop.open():
            assert await outcome(shop, operation, fields) == "feature_disabled"
            (account,) = shop.accounts()
            assert account.payment.denial is not None
            assert said in account.payment.denial.text
            judge(shop)

    in_shop(tmp_path, main)


def test_an_external_code_needs_its_own_permission(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        await issue_all(shop)
        shop.office.permissions["paybridge"] = TILL_PERMISSIONS
        card = {"stored_value_id": EXTERNAL, "code_type": "external"}
        async with shop.open():
            assert await outcome(shop, "payment/start", use(card)) == "feature_disabled"
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize(
    ("operation", "fields", "code"),
    [
        (
            "gift_card/deactivate",
            {"gift_card": gift(), "operation_id": new_id(), "approved_by": "anna"},
            "feature_disabled",
        ),
        (
            "gift_card/unload",
            {"gift_card": gift(), "amounts": euros("5.00")},
            "approval_required",
        ),
        (
            "payment/refund",
            {"gift_card": gift(), "amounts": euros("5.00")},
            "approval_required",
        ),
        (
            "gift_card/activate",
            {
                "sale_id": "S1",
                "gift_card": {"stored_value_id": "N1", "code_type": "personal"},
                "amounts": euros("5.00"),
            },
            "operation_not_supported",
        ),
        ("gift_card/reverse", {"original_payment_id": new_id()}, "original_not_found"),
    ],
)
def test_what_may_not_be_is_refused_at_once(
    tmp_path: Path, operation: str, fields: Json, code: str
) -> None:
    async def main(shop: Shop) -> None:
        async with shop.open():
            answer = await shop.ask(operation, {"payment_id": new_id(), **fields})
            assert answer["error"]["code"] == code
            assert answer["error"]["money_moved"] == "no"

    in_shop(tmp_path, main)


@pytest.mark.parametrize(
    ("operation", "fields", "code"),
    [
        ("payment/void", {}, "void_not_possible"),
        ("payment/refund", {"amounts": euros("20.01")}, "refund_exceeds_captured"),
        ("payment/capture", {"amounts": euros("5.00")}, "not_allowed"),
        ("gift_card/reverse", {}, "not_allowed"),
        (
            "payment/refund",
            {"amounts": euros("5.00"), "gift_card": gift(SECOND_GIFT)},
            "approval_required",
        ),
        ("payment/refund", {"amounts": euros("5.00"), "terminal_id": "counter-1"}, "not_allowed"),
    ],
)
def test_what_a_paid_sale_does_not_carry_is_refused_at_once(
    tmp_path: Path, operation: str, fields: Json, code: str
) -> None:
    async def main(shop: Shop) -> None:
        async with shop.open():
            sale = await shop.begin("payment/start", use(gift()))
            await asyncio.sleep(SOON)
            asked = {"payment_id": new_id(), "original_payment_id": sale, **fields}
            answer = await shop.ask(operation, asked)
            assert answer["error"]["code"] == code
            if code == "void_not_possible":
                assert answer["error"]["detail"]["suggest"] == "refund"
            judge(shop)

    in_shop(tmp_path, main)


def test_activation_and_store_credit_are_off_unless_configured(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        shop.activates = shop.store_credit = False
        load = {"sale_id": "S1", "gift_card": gift("N1"), "amounts": euros("5.00")}
        back = {"gift_card": gift(), "amounts": euros("5.00"), "approved_by": "anna"}
        async with shop.open():
            for operation, fields in (("gift_card/activate", load), ("payment/refund", back)):
                answer = await shop.ask(operation, {"payment_id": new_id(), **fields})
                assert answer["error"]["code"] == "feature_disabled"

    in_shop(tmp_path, main)


async def outcome(shop: Shop, operation: str, fields: Json) -> str:
    """Return the code with which a command or its payment is refused, "" when it is not."""
    answer = await shop.ask(operation, {"payment_id": new_id(), **fields})
    if answer["status"] == "error":
        return str(answer["error"]["code"])
    await asyncio.sleep(SOON)
    denial = shop.payment(answer["payment_id"]).denial
    return denial.code if denial else ""
