"""Servers that call, shape and word things otherwise: no sale is rejected, no hold is left over."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.backoffice.api.attempts import Applied, Refused, Unknown
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardTransaction,
    Purchase,
    PurchaseLine,
    TransType,
)
from bridge.backoffice.api.names import ApiNames
from simulators.back_office.dialect import CaptureShape, Dialect, ErrorStyle
from tests.support.office import ENDPOINT, World, play

LINE = PurchaseLine(1, "SKU", False, "1.99", "1.99", "0.00", "0.00", "1", "EA")
PURCHASE = Purchase(
    *("T-1", "S1", "2026-03-02T09:14:02", "1.99", "0.00", "0.00", "1.99", "0.00", "0.00"),
    (LINE,),
    pay_method="VISA",
)
HOLD = GiftCardTransaction(
    CodeType.PHYSICAL, "G1", TransType.USE, "-4.00", "b", "r1", "1234", authorize_only=True
)
STYLES: list[ErrorStyle] = ["fusion", "graphql_net", "apollo", "plain"]
CAN_END: list[CaptureShape] = ["documented", "renamed", "bare", "terse"]
CANNOT_END: list[CaptureShape] = ["opaque", "demanding", "no_release", "absent"]


class Token:
    async def access_token(self) -> str:
        return "t"

    async def reject(self, token: str) -> None:
        raise AssertionError(token)


def at(
    directory: Path,
    dialect: Dialect,
    *,
    introspection: bool = True,
    names: ApiNames | None = None,
) -> tuple[World, BackOffice]:
    world = World(directory)
    world.office._authenticate = lambda _token: "paybridge"
    world.office.api.dialect = dialect
    world.office.api.introspection = introspection
    world.office.state.gift_card_add(code="G1", pin="1234", balance=Decimal("10.00"))
    api = BackOffice(world.http, ENDPOINT, Token(), deadline_seconds=5, names=names)
    return world, api


def balance(world: World) -> Decimal:
    card = world.office.state.find_gift_card("G1")
    assert card is not None
    return card.balance


@pytest.mark.parametrize("errors", STYLES)
@pytest.mark.parametrize("introspection", [True, False])
def test_the_names_of_input_types_do_not_matter(
    tmp_path: Path, introspection: bool, errors: ErrorStyle
) -> None:
    async def main() -> None:
        dialect = Dialect(other_types=True, errors=errors)
        world, api = at(tmp_path, dialect, introspection=introspection)
        assert isinstance(await api.purchase_add(PURCHASE), Applied)
        held = await api.gift_card_trans_add(HOLD)
        assert isinstance(held, Applied)
        ended = await api.gift_card_trans_capture(GiftCardCapture(held.record_id, cancel=True))
        assert isinstance(ended, Applied)
        assert balance(world) == 10
        assert len(world.wire.sent) == 3, "nothing had to be asked or repeated"

    play(main)


@pytest.mark.parametrize("errors", STYLES)
def test_a_field_that_the_server_does_not_know_is_named_and_rejects_nothing(
    tmp_path: Path, errors: ErrorStyle
) -> None:
    async def main() -> None:
        dialect = Dialect(fields=(("payMethod", "tender"),), errors=errors)
        _, api = at(tmp_path, dialect)
        outcome = await api.purchase_add(PURCHASE)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.path) == ("INVALID_REQUEST", "payMethod")
        assert "payMethod" in outcome.message
        assert "VISA" not in repr(outcome)
        named = ApiNames(renamed={"purchaseAdd(add.payMethod)": "tender"})
        world, api = at(tmp_path, dialect, names=named)
        assert isinstance(await api.purchase_add(PURCHASE), Applied)
        (purchase,) = world.office.state.purchases_of("T-1")
        assert purchase.request["payMethod"] == "VISA"

    play(main)


@pytest.mark.parametrize("errors", STYLES)
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (replace(PURCHASE, pay_amount="one euro"), "INVALID_VALUE"),
        (replace(PURCHASE, purchased_on="yesterday"), "INVALID_VALUE"),
        (replace(PURCHASE, store_code="S-\ud800"), "INVALID_VALUE"),
    ],
)
def test_a_value_that_does_not_fit_is_about_this_one_sale(
    tmp_path: Path, errors: ErrorStyle, bad: Purchase, code: str
) -> None:
    async def main() -> None:
        _, api = at(tmp_path, Dialect(errors=errors))
        outcome = await api.purchase_add(bad)
        assert isinstance(outcome, Refused | Unknown)
        if errors != "plain" or "\ud800" in bad.store_code:
            assert isinstance(outcome, Refused)
            assert outcome.code == code
        assert "euro" not in repr(outcome)
        assert "yesterday" not in repr(outcome)

    play(main)


@pytest.mark.parametrize("errors", STYLES)
@pytest.mark.parametrize("introspection", [True, False])
@pytest.mark.parametrize("shape", [*CAN_END, *CANNOT_END])
@pytest.mark.parametrize("cancel", [True, False])
def test_a_hold_is_ended_or_never_taken(
    tmp_path: Path, shape: CaptureShape, introspection: bool, errors: ErrorStyle, cancel: bool
) -> None:
    async def main() -> None:
        dialect = Dialect(capture=shape, errors=errors, other_types=True)
        world, api = at(tmp_path, dialect, introspection=introspection)
        await api.refresh_names()
        # Other names are known from the schema only; where that is hidden, the settings say them.
        may = shape in CAN_END if introspection else shape == "documented"
        assert api.can_hold is may, api.lacks
        assert api.names_are_read
        assert world.office.state.transactions == {}, "asking changes nothing"
        if may:
            held = await api.gift_card_trans_add(HOLD)
            assert isinstance(held, Applied)
            ended = await api.gift_card_trans_capture(
                GiftCardCapture(held.record_id, cancel=cancel)
            )
            assert isinstance(ended, Applied)
            assert balance(world) == (10 if cancel else 6)

    play(main)


@pytest.mark.parametrize("shape", CAN_END)
def test_a_hidden_schema_is_no_obstacle_where_the_settings_know_the_names(
    tmp_path: Path, shape: CaptureShape
) -> None:
    given = {
        "documented": ApiNames(),
        "renamed": ApiNames(
            capture_argument="capture",
            capture_id="transactionId",
            capture_amount="amountToCapture",
            capture_cancel="voidHold",
        ),
        "bare": ApiNames(capture_argument=""),
        "terse": ApiNames(capture_shows=("id",)),
    }

    async def main() -> None:
        world, api = at(tmp_path, Dialect(capture=shape), introspection=False, names=given[shape])
        await api.refresh_names()
        assert api.can_hold
        held = await api.gift_card_trans_add(HOLD)
        assert isinstance(held, Applied)
        ended = await api.gift_card_trans_capture(GiftCardCapture(held.record_id, cancel=True))
        assert isinstance(ended, Applied)
        assert balance(world) == 10

    play(main)


def test_what_is_lacking_is_warned_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def main() -> None:
        world, api = at(tmp_path, Dialect(capture="demanding"))
        for _ in range(3):
            await api.learn_names()
        assert caplog.text.count("supervisorKey") == 1
        assert "supervisorKey" in api.lacks[0]
        world.office.api.dialect = Dialect()
        await asyncio.sleep(3_601)
        await api.refresh_names()
        assert api.can_hold, "what the server learned is noticed within an hour"

    play(main)


@pytest.mark.parametrize("errors", STYLES)
@pytest.mark.parametrize(
    ("before", "after"),
    [("documented", "renamed"), ("renamed", "documented"), ("bare", "renamed")],
)
def test_a_hold_is_ended_though_the_schema_changed_meanwhile(
    tmp_path: Path, errors: ErrorStyle, before: CaptureShape, after: CaptureShape
) -> None:
    async def main() -> None:
        world, api = at(tmp_path, Dialect(capture=before, errors=errors))
        await api.refresh_names()
        held = await api.gift_card_trans_add(HOLD)
        assert isinstance(held, Applied)
        world.office.api.dialect = Dialect(capture=after, errors=errors)
        await asyncio.sleep(60)
        ended = await api.gift_card_trans_capture(GiftCardCapture(held.record_id, cancel=True))
        assert isinstance(ended, Applied)
        assert balance(world) == 10

    play(main)


@pytest.mark.parametrize("errors", STYLES)
def test_a_hold_is_taken_though_the_flag_was_renamed_meanwhile(
    tmp_path: Path, errors: ErrorStyle
) -> None:
    async def main() -> None:
        world, api = at(tmp_path, Dialect(errors=errors))
        await api.refresh_names()
        world.office.api.dialect = Dialect(errors=errors, hold_flag="isAuthorization")
        await asyncio.sleep(60)
        held = await api.gift_card_trans_add(HOLD)
        assert isinstance(held, Applied)
        (trans,) = world.office.state.transactions.values()
        assert trans.status.value == "AUTHORIZED"
        world.office.api.dialect = Dialect(errors=errors, hold_flag="")
        await asyncio.sleep(60)
        outcome = await api.gift_card_trans_add(HOLD)
        assert isinstance(outcome, Refused), "a hold is never turned into a use"
        assert len(world.office.state.transactions) == 1
        assert not api.can_hold

    play(main)


def test_while_a_dozen_purchases_fail_the_schema_is_read_once(tmp_path: Path) -> None:
    async def main() -> None:
        world, api = at(tmp_path, Dialect(fields=(("channel", "outlet"),)))
        dozen = [
            replace(PURCHASE, transaction_id=f"T-{number}", channel="STORE") for number in range(12)
        ]
        outcomes = await asyncio.gather(*map(api.purchase_add, dozen))
        assert {one.path for one in outcomes if isinstance(one, Refused)} == {"channel"}
        assert len(world.wire.sent) <= 12 + 2

    play(main)


@pytest.mark.parametrize("as_numbers", [True, False])
def test_decimals_may_be_numbers_or_text(tmp_path: Path, as_numbers: bool) -> None:
    async def main() -> None:
        world, api = at(tmp_path, Dialect(other_types=True))
        world.office.api.decimals_as_numbers = as_numbers
        held = await api.gift_card_trans_add(HOLD)
        assert isinstance(held, Applied)
        assert Decimal(held.balance) == 6

    play(main)
