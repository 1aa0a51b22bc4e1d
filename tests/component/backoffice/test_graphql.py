"""The API wire against the simulated back office and all its faults."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.backoffice.api.attempts import (
    Applied,
    Attempt,
    GiftCardBalance,
    NotApplied,
    Refused,
    Unknown,
)
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
from bridge.errors import BackOfficeUnavailable, ConfigError, LoginRequired, Rejected
from simulators.back_office.faults import NAMED, UNLIMITED, fault_named
from tests.support.office import World, play

LINE = PurchaseLine(1, 'SKU "1" \\ ü', False, "1.99", "1.99", "0.00", "0.00", "1", "EA")
PURCHASE = Purchase(
    "T-1", "S1", "2026-03-02T09:14:02", "1.99", "0.00", "0.00", "1.99", "0.00", "0.00", (LINE,)
)
USE = GiftCardTransaction(CodeType.PHYSICAL, "G1", TransType.USE, "-6.49", "paybridge", "r1", "1")


class Tokens:
    """Hands out the given tokens, the next one after each rejection."""

    def __init__(self, *tokens: str | Exception) -> None:
        self._tokens = list(tokens)
        self.rejected: list[str] = []

    async def access_token(self) -> str:
        token = self._tokens[0]
        if isinstance(token, Exception):
            raise token
        return token

    async def reject(self, token: str) -> None:
        self.rejected.append(token)
        if len(self._tokens) > 1:
            self._tokens.pop(0)


def open_world(directory: Path) -> World:
    world = World(directory)
    world.office._authenticate = {"good": "paybridge", "fresh": "paybridge"}.get
    return world


def recorded(world: World) -> list[str]:
    return [p.id for p in world.office.state.purchases_of("T-1")]


def test_a_purchase_is_recorded_once_with_every_field(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        outcome = await world.api(Tokens("good")).purchase_add(PURCHASE)
        (purchase,) = world.office.state.purchases_of("T-1")
        assert outcome == Applied(purchase.id)
        (line,) = purchase.request["lineItems"]
        assert line["sku"] == 'SKU "1" \\ ü'
        assert line["extPrice"] == "1.99"

    play(main)


EXPECTED: dict[str, tuple[type[Attempt], int]] = {
    "apply_then_drop": (Unknown, 1),
    "apply_then_reset": (Unknown, 1),
    "drop_before_apply": (Unknown, 0),
    "apply_late": (Unknown, 0),
    "drop_then_apply_late": (Unknown, 0),
    "timeout_then_apply_late": (Unknown, 0),
    "lost_commit": (Applied, 0),
    "error_after_commit": (Unknown, 1),
    "without_id": (Unknown, 1),
    "denied_below_root": (Unknown, 1),
    "null_below_root": (Unknown, 1),
    "truncated": (Unknown, 1),
    "validation": (Refused, 0),
    "not_authorized": (Refused, 0),
    "not_authenticated": (NotApplied, 0),
    "unknown_code": (Unknown, 0),
    "fusion_error": (Unknown, 0),
    "fusion_error_applied": (Unknown, 1),
    "empty_401": (NotApplied, 0),
    "permission_401": (Refused, 0),
    "not_authenticated_401": (NotApplied, 0),
    "html_200": (Unknown, 0),
    "too_many_429": (NotApplied, 0),
    "server_error_500": (Unknown, 0),
    "server_error_500_applied": (Unknown, 1),
    "unavailable_503": (Unknown, 0),
    "unavailable_503_applied": (Unknown, 1),
    "html_503": (Unknown, 0),
    "gzip_503": (Unknown, 0),
    "problem_503": (Unknown, 0),
    "moved_307": (NotApplied, 0),
    "portal_302": (NotApplied, 0),
    "not_found_404": (NotApplied, 0),
    "proxy_407": (NotApplied, 0),
    "hold_applied_late": (Applied, 1),
    "capture_always_refused": (Applied, 1),
    "purchase_lost": (Applied, 0),
    "slow": (Applied, 1),
}


def test_every_fault_of_the_simulator_has_an_expected_outcome() -> None:
    assert set(EXPECTED) == set(NAMED)


@pytest.mark.parametrize("name", EXPECTED)
def test_no_fault_makes_us_say_more_than_is_proven(name: str, tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.faults.add(fault_named(name, times=-1))
        outcome = await world.api(Tokens("good")).purchase_add(PURCHASE)
        kind, effects = EXPECTED[name]
        assert isinstance(outcome, kind)
        assert len(recorded(world)) == effects
        assert len(world.wire.sent) == 1

    play(main)


def test_a_busy_server_says_how_long_to_wait(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.faults.add(fault_named("too_many_429"))
        outcome = await world.api(Tokens("good")).purchase_add(PURCHASE)
        assert outcome == NotApplied("the back office is busy", 2.0)

    play(main)


def test_a_back_office_that_is_away_took_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.away = True
        outcome = await world.api(Tokens("good")).purchase_add(PURCHASE)
        assert isinstance(outcome, NotApplied)
        assert not outcome.login_required

    play(main)


def test_a_late_answer_is_unknown_at_the_deadline(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.faults.add(fault_named("slow", delay_seconds=60))
        outcome = await world.api(Tokens("good"), deadline_seconds=20).purchase_add(PURCHASE)
        assert isinstance(outcome, Unknown)
        assert asyncio.get_running_loop().time() == pytest.approx(20)
        assert len(recorded(world)) == 1

    play(main)


def test_an_expired_token_is_renewed_and_the_purchase_sent_again(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        tokens = Tokens("stale", "fresh")
        assert isinstance(await world.api(tokens).purchase_add(PURCHASE), Applied)
        assert tokens.rejected == ["stale"]
        assert len(recorded(world)) == 1

    play(main)


def test_a_token_is_renewed_at_most_once_per_request(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.faults.add(fault_named("not_authenticated_401", times=2))
        tokens = Tokens("good", "fresh", "fresher")
        outcome = await world.api(tokens).purchase_add(PURCHASE)
        assert isinstance(outcome, NotApplied)
        assert outcome.login_required
        assert len(world.wire.sent) == 2
        assert tokens.rejected == ["good", "fresh"]

    play(main)


def test_an_account_that_may_not_use_the_api_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.faults.add(fault_named("empty_401", times=UNLIMITED))
        tokens = Tokens("good", "fresh", "fresher")
        api = world.api(tokens)
        outcome = await api.purchase_add(PURCHASE)
        assert isinstance(outcome, NotApplied)
        assert outcome.denied
        assert not outcome.login_required
        assert "ExecuteGraphQL" in outcome.reason
        assert tokens.rejected == ["good"], "the one that was just given is kept"
        with pytest.raises(BackOfficeUnavailable, match="ExecuteGraphQL"):
            await api.ping()
        assert recorded(world) == []

    play(main)


def test_a_missing_permission_does_not_cost_the_token(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.permissions["paybridge"] = frozenset()
        tokens = Tokens("good", "fresh")
        outcome = await world.api(tokens).purchase_add(PURCHASE)
        assert isinstance(outcome, Refused)
        assert outcome.code == "NOT_AUTHORIZED"
        assert tokens.rejected == []
        assert len(world.wire.sent) == 1

    play(main)


@pytest.mark.parametrize(
    ("error", "login_required"),
    [(LoginRequired("log in"), True), (BackOfficeUnavailable("provider is away"), False)],
)
def test_without_a_token_nothing_is_sent(
    error: Exception, login_required: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        outcome = await world.api(Tokens(error)).purchase_add(PURCHASE)
        assert outcome == NotApplied(str(error), login_required=login_required)
        assert world.wire.sent == []

    play(main)


def test_a_wrong_guess_of_a_name_is_refused_and_learned_away(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        names = ApiNames(authorize_flag="hold")
        api = BackOffice(
            world.http,
            "http://127.0.0.1/api/graphql",
            Tokens("good"),
            deadline_seconds=5,
            names=names,
        )
        world.office.state.gift_card_add(code="G1", pin="1", balance=Decimal("10.00"))
        hold = replace(USE, authorize_only=True)
        world.office.api.introspection = False
        outcome = await api.gift_card_trans_add(hold)
        assert isinstance(outcome, Refused)
        assert outcome.code == "INVALID_REQUEST"
        assert (await api.learn_names()).missing == (
            "no hold can be made: the back office does not know hold",
        )
        world.office.api.introspection = True
        assert await api.learn_names() == ApiNames()
        assert isinstance(await api.gift_card_trans_add(hold), Applied)

    play(main)


@pytest.mark.parametrize("as_numbers", [False, True])
def test_a_gift_card_is_held_captured_and_released(tmp_path: Path, as_numbers: bool) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.api.decimals_as_numbers = as_numbers
        world.office.state.gift_card_add(code="G1", pin="1", balance=Decimal("10.00"))
        api = world.api(Tokens("good"))
        hold = GiftCardTransaction(
            CodeType.PHYSICAL, "G1", TransType.USE, "-4.00", "b", "r1", "1", authorize_only=True
        )

        async def balance() -> Decimal:
            found = await api.gift_card_balance("G1", CodeType.PHYSICAL)
            assert isinstance(found, GiftCardBalance)
            return Decimal(found.balance)

        held = await api.gift_card_trans_add(hold)
        assert isinstance(held, Applied)
        assert Decimal(held.balance) == 6
        released = await api.gift_card_trans_capture(GiftCardCapture(held.record_id, cancel=True))
        assert isinstance(released, Applied)
        assert await balance() == 10
        held = await api.gift_card_trans_add(hold)
        assert isinstance(held, Applied)
        assert isinstance(
            await api.gift_card_trans_capture(GiftCardCapture(held.record_id)), Applied
        )
        assert await balance() == 6

    play(main)


def test_a_wrong_pin_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        world.office.state.gift_card_add(code="G1", pin="9", balance=Decimal("10.00"))
        outcome = await world.api(Tokens("good")).gift_card_trans_add(USE)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.path) == ("VALIDATION", "pin")

    play(main)


def test_a_card_that_is_not_there_differs_from_one_we_may_not_see(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        api = world.api(Tokens("good"))
        missing = await api.gift_card_balance("G9", CodeType.PHYSICAL)
        assert isinstance(missing, Refused)
        assert missing.code == "NOT_FOUND"
        world.office.away = True
        assert isinstance(await api.gift_card_balance("G9", CodeType.PHYSICAL), NotApplied)

    play(main)


def test_ping_changes_nothing_and_tells_what_is_wrong(tmp_path: Path) -> None:
    async def main() -> None:
        world = open_world(tmp_path)
        await world.api(Tokens("good")).ping()
        with pytest.raises(LoginRequired):
            await world.api(Tokens("stale")).ping()
        world.office.faults.add(fault_named("permission_401"))
        with pytest.raises(Rejected):
            await world.api(Tokens("good")).ping()
        for name in ("html_200", "unavailable_503", "drop_before_apply", "too_many_429"):
            world.office.faults.add(fault_named(name))
            with pytest.raises(BackOfficeUnavailable):
                await world.api(Tokens("good")).ping()
        assert world.office.state.ledger == []

    play(main)


def test_a_request_is_a_post_of_one_named_operation(tmp_path: Path) -> None:
    async def main() -> None:
        seen: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return httpx.Response(200, json={"data": {"purchaseAdd": {"id": "P1"}}})

        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
            api = BackOffice(
                http, "https://shop.example/api/graphql", Tokens("t0ken"), deadline_seconds=5
            )
            assert await api.purchase_add(PURCHASE) == Applied("P1")
        (request,) = seen
        body: dict[str, Any] = json.loads(request.content)
        assert request.method == "POST"
        assert request.headers["authorization"] == "Bearer t0ken"
        assert body["operationName"] == "PurchaseAdd"
        assert body["query"].count("purchaseAdd") == 1
        assert set(body) == {"query", "operationName"}

    play(main)


@pytest.mark.parametrize(
    "endpoint",
    ["http://shop.example/graphql", "ftp://127.0.0.1/", "https://", "shop", "https://u:p@shop/"],
)
def test_an_address_where_tokens_could_be_read_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError):
        BackOffice(httpx.AsyncClient(), endpoint, Tokens("t"), deadline_seconds=5)


def test_nothing_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        world = World(tmp_path)
        world.office.state.gift_card_add(code="G-SECRET", pin="4321", balance=Decimal("10.00"))
        login = world.login()
        code = await login.begin_device_login()
        secrets = [code.device_code, "G-SECRET", "4321"]
        world.allow(code)
        await login.finish_device_login(code)
        api = world.api(login)
        secrets.append(await login.access_token())
        await api.gift_card_trans_add(
            GiftCardTransaction(
                CodeType.PHYSICAL, "G-SECRET", TransType.USE, "-1", "b", "r", "4321"
            )
        )
        await login.reject(secrets[-1])
        world.provider.options.lose_answers["refresh_token"] = 1
        secrets.append(await login.access_token())
        secrets += list(world.provider._refresh_tokens)
        world.provider.revoke_everything()
        await login.reject(secrets[3])
        await login.reject(await login.access_token())
        with pytest.raises(LoginRequired):
            await login.access_token()
        assert len(set(secrets)) >= 7
        assert "login needed" in caplog.text
        for secret in secrets:
            assert secret not in caplog.text
            assert secret not in repr(login.status) + repr(code)

    play(main)
