"""What the API may call things, and what is done where it offers too little. Virtual time."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardTransaction,
    TransType,
    gift_card_trans_add,
    gift_card_trans_capture,
)
from bridge.backoffice.api.names import ApiNames
from bridge.cli.checks.office import gift_card_names
from bridge.config import parse
from bridge.money.payment import Status
from bridge.money.purchase import PurchaseState
from bridge.settings import api_names
from simulators.back_office.dialect import CaptureShape, Dialect, ErrorStyle
from simulators.back_office.records import TransStatus
from tests.matrix.judge import judge
from tests.matrix.shop import Shop, euros, gift, in_shop
from tests.matrix.test_bad_input import SOON, leg, outcome
from tests.support.virtual_store import Json

NO_FLAG, NO_RELEASE = ApiNames(authorize_flag=""), ApiNames(capture_cancel="")
USE = {"method": "gift_card", "gift_card": gift(), "amounts": euros("20.00")}
LOAD = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("20.00")}
PLAN = {"amounts": euros("47.90"), "plan": [leg("6396210000004711", "20.00"), {"method": "card"}]}


@pytest.mark.parametrize("names", [NO_FLAG, NO_RELEASE])
@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("payment/start", {**USE, "capture": "manual"}),
        ("gift_card/load", LOAD),
        ("gift_card/activate", {**LOAD, "gift_card": gift("N1")}),
    ],
)
def test_nothing_is_held_where_it_could_not_be_released(
    tmp_path: Path, names: ApiNames, operation: str, fields: Json
) -> None:
    async def main(shop: Shop) -> None:
        shop.known_names = names
        async with shop.open():
            assert await outcome(shop, operation, fields) == "operation_not_supported"
            assert shop.state.transactions == {}
            assert shop.state.find_gift_card("N1") is None, "nothing is made either"
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize("names", [NO_FLAG, NO_RELEASE])
def test_a_split_that_cannot_be_held_asks_no_card(tmp_path: Path, names: ApiNames) -> None:
    async def main(shop: Shop) -> None:
        shop.known_names = names
        async with shop.open():
            await shop.begin("payment/start", PLAN)
            await asyncio.sleep(SOON)
            (account,) = shop.accounts()
            assert account.payment.denial is not None
            assert account.payment.denial.code == "operation_not_supported"
            assert shop.terminal.ledger.entries == []
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize("names", [NO_FLAG, NO_RELEASE])
def test_a_sale_and_its_refund_are_done_at_once_then(tmp_path: Path, names: ApiNames) -> None:
    async def main(shop: Shop) -> None:
        shop.known_names = names
        async with shop.open():
            sale = await shop.begin("payment/start", USE)
            await asyncio.sleep(SOON)
            back = {"original_payment_id": sale, "gift_card": gift(), "amounts": euros("5.00")}
            await shop.begin("payment/refund", back)
            await asyncio.sleep(SOON)
            assert [one.payment.status for one in shop.accounts()] == [Status.APPROVED] * 2
            judge(shop)

    in_shop(tmp_path, main)


def test_names_of_the_configuration_are_what_is_sent() -> None:
    office = {
        "endpoint": "https://shop.example/api/graphql",
        "login": {"issuer": "https://shop.example/", "client_id": "paybridge"},
        "names": {"authorize_flag": "holdOnly", "capture_id": "transId", "capture_cancel": "undo"},
    }
    terminal = {"driver": "zvt", "tcp": "127.0.0.1:20007"}
    config = parse(
        {
            "site": {"store_code": "S1"},
            "terminals": {"counter-1": terminal},
            "back_office": office,
        }
    )
    assert config.back_office is not None
    names = api_names(config.back_office)
    use = GiftCardTransaction(
        CodeType.PHYSICAL, "1", TransType.USE, "-1.00", "s", "r", authorize_only=True
    )
    assert "holdOnly: true" in gift_card_trans_add(use, names).text
    released = gift_card_trans_capture(GiftCardCapture("T1", cancel=True), names).text
    assert '(trans: {transId: "T1", undo: true})' in released


@pytest.mark.parametrize(
    ("names", "read", "state", "said"),
    [
        (ApiNames(), True, "ok", "has all that holds need"),
        (ApiNames(), False, "look", "back_office.names"),
        (NO_FLAG, True, "look", "giftcardTransAdd has no flag that asks for a hold"),
        (NO_RELEASE, True, "look", "giftcardTransCapture has no argument that releases a hold"),
        (ApiNames(capture_id=""), False, "look", "no argument that names a hold"),
    ],
)
def test_check_says_what_is_missing_and_how_we_know(
    names: ApiNames, read: bool, state: str, said: str
) -> None:
    found = gift_card_names(names, read=read)
    assert found.level == state
    assert said in found.text


@pytest.mark.parametrize("errors", ["fusion", "graphql_net", "apollo", "plain"])
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("shape", ["opaque", "demanding", "no_release", "absent"])
def test_a_capture_that_is_not_understood_takes_no_hold_and_warns_once(
    tmp_path: Path,
    shape: CaptureShape,
    errors: ErrorStyle,
    caplog: pytest.LogCaptureFixture,
    *,
    shown: bool,
) -> None:
    caplog.set_level(logging.WARNING)

    async def main(shop: Shop) -> None:
        shop.office.api.dialect = Dialect(capture=shape, errors=errors)
        shop.office.api.introspection = shown
        async with shop.open():
            for _ in range(2):
                await shop.begin("payment/start", USE)
                await asyncio.sleep(SOON)
            assert await outcome(shop, "payment/start", {**USE, "capture": "manual"}) == (
                "operation_not_supported"
            )
            states = {one.status for one in shop.state.transactions.values()}
            assert states == {TransStatus.COMPLETED}, "no hold that nobody can end"
            sales = [one.payment for one in shop.accounts() if one.payment.captured.minor]
            assert [one.status for one in sales] == [Status.APPROVED] * 2
            (reason,) = [one for one in shop.parts.status.health().reasons if "gift card" in one]
            assert "no gift card's money can be held: " in reason
            assert caplog.text.count("without holds a card is used at once") == 1
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize("errors", ["fusion", "graphql_net", "apollo", "plain"])
def test_a_sale_waits_for_a_name_that_health_tells_and_the_server_learns(
    tmp_path: Path, errors: ErrorStyle
) -> None:
    async def main(shop: Shop) -> None:
        shop.office.api.dialect = Dialect(fields=(("payMethod", "tender"),), errors=errors)
        async with shop.open():
            for name in ("S1", "S2"):
                await shop.begin("payment/start", {"sale_id": name, "amounts": euros("30.00")})
                await asyncio.sleep(30)
            waiting = shop.ledger.payments.open_purchases()
            assert {one.purchase.state for one in waiting} <= {
                PurchaseState.PENDING,
                PurchaseState.SENDING,
            }
            assert len(waiting) == 2
            assert "(payMethod)" in shop.parts.status.health().recording.problem
            shop.office.api.dialect = Dialect(errors=errors)
            await asyncio.sleep(900)
            assert shop.ledger.payments.open_purchases() == []
            assert len(shop.state.purchases) == 2, "each once"
            assert shop.parts.status.health().recording.problem == ""
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize("errors", ["graphql_net", "apollo"])
def test_a_shop_goes_on_where_all_is_called_otherwise_and_changes_while_it_runs(
    tmp_path: Path, errors: ErrorStyle
) -> None:
    async def main(shop: Shop) -> None:
        async with shop.open():
            for shape in ("renamed", "bare", "terse", "documented"):
                shop.office.api.dialect = Dialect(True, shape, errors=errors)
                shop.office.api.decimals_as_numbers = shape == "bare"
                sale = {"sale_id": f"S-{shape}", "amounts": euros("5.00")}
                await shop.begin("payment/start", {**sale, **USE, "amounts": euros("5.00")})
                held = await shop.begin(
                    "payment/start", {**USE, "amounts": euros("2.00"), "capture": "manual"}
                )
                await asyncio.sleep(2 * SOON)
                await shop.begin("payment/void", {"original_payment_id": held})
                await asyncio.sleep(SOON)
            statuses = {one.payment.status for one in shop.accounts()}
            assert statuses == {Status.APPROVED}
            judge(shop)

    in_shop(tmp_path, main)


def test_two_sales_of_one_new_card_at_once_fill_it_once(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        async with shop.open():
            loads = [
                await shop.begin(
                    "gift_card/activate",
                    {"sale_id": name, "gift_card": gift("N1"), "amounts": euros("30.00")},
                )
                for name in ("S1", "S2")
            ]
            await asyncio.sleep(SOON)
            denial = shop.payment(loads[1]).denial
            assert denial is not None
            assert denial.code == "gift_card_already_active"
            await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})
            await asyncio.sleep(2 * SOON)
            judge(shop)
            card = shop.state.find_gift_card("N1")
            assert card is not None
            assert card.balance == 30

    in_shop(tmp_path, main)
