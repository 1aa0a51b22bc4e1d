"""`paybridge check` against the simulated provider and back office, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bridge.backoffice.api.environment import Environment
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.login.token_file import StoredLogin
from bridge.cli.check_office import environment_found
from bridge.cli.checks import machine
from bridge.cli.checks.findings import Finding
from bridge.cli.checks.office import back_office, gift_card_names
from bridge.config import Config, parse
from bridge.settings import token_store
from tests.end_to_end.broker import free_port
from tests.end_to_end.parts import SECRET, Office, office_program

STORE = "S012"
EVERYTHING = [
    *("AddPurchase", "FindGiftCardByCode", "GiftCardTransUse", "UsePhysicalGiftCardCodes"),
    *("ViewLocations", "ViewInventory"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    program = office_program(tmp_path_factory.mktemp("office"), "--client-id", "paybridge")
    await program.start()
    yield Office(program)
    await program.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def office(running_office: Office) -> Office:
    """The office as a store has it: it knows the store, and the account may do what it needs."""
    for client in ("paybridge", "paybridge-server"):
        await running_office.control(
            {"do": "permissions", "client_id": client, "permissions": EVERYTHING}
        )
    await running_office.control(
        {"do": "clear_faults"},
        {"do": "item", "number": 900, "sku": "CARD-PAYMENT", "name": "Card payment"},
        {"do": "options", "stores": [STORE], "locations": "plain", "introspection": True},
    )
    return running_office


pytestmark = pytest.mark.asyncio(loop_scope="module")


def store(folder: Path, office: Office, *, secret: str = SECRET, **changes: Any) -> Config:
    (folder / "secret").write_text(secret)
    (folder / "secret").chmod(0o600)
    login = {
        "issuer": office.program.ready["issuer"],
        "client_id": "paybridge-server",
        "client_secret_file": str(folder / "secret"),
        "flow": "client_credentials",
        **changes.pop("login", {}),
    }
    site = {"store_code": STORE, "state_directory": str(folder / "state")}
    site |= changes.pop("site", {})
    return parse(
        {
            "site": site,
            "terminals": {"counter-1": {"driver": "zvt", "port": "/dev/x"}},
            "back_office": {
                "endpoint": office.program.ready["graphql"],
                "deadline_seconds": 5,
                **changes,
                "login": {key: value for key, value in login.items() if value},
            },
        }
    )


async def look(config: Config) -> dict[str, Finding]:
    assert config.back_office is not None
    return {one.code: one for one in await back_office(config, config.back_office, {})}


async def test_what_is_right_is_ok(tmp_path: Path, office: Office) -> None:
    found = await look(store(tmp_path, office))
    assert {one.level for one in found.values()} <= {"ok"}, found
    assert {
        "login_ok",
        "office_ok",
        "store_ok",
        "clock_ok",
        "gift_cards_ok",
        "permission_ok",
        "permission_shown_by_use",
    } <= found.keys()
    assert await office.ledger() == []


# --- the provider


async def test_a_wrong_issuer_says_no(tmp_path: Path, office: Office) -> None:
    async with pretended({"issuer": "http://127.0.0.1:1/other/"}) as address:
        found = await look(store(tmp_path, office, login={"issuer": address}))
    assert found["login_wrong_issuer"].key == "back_office.login.issuer"
    assert "http://127.0.0.1:1/other/" in found["login_wrong_issuer"].text
    elsewhere = office.program.ready["issuer"] + "another/tenant/"
    found = await look(store(tmp_path, office, login={"issuer": elsewhere}))
    assert found["login_provider_away"].level == "wrong"


async def test_a_provider_that_is_away_says_no(tmp_path: Path, office: Office) -> None:
    address = f"http://127.0.0.1:{free_port()}/"
    found = await look(store(tmp_path, office, login={"issuer": address}))
    assert list(found) == ["login_provider_away"]


async def test_a_provider_that_would_have_tokens_sent_elsewhere_says_no(
    tmp_path: Path, office: Office
) -> None:
    async with pretended({"token_endpoint": "http://elsewhere.example/token"}) as address:
        found = await look(store(tmp_path, office, login={"issuer": address}))
    assert found["login_unsafe"].level == "wrong"


async def test_a_provider_without_our_way_to_log_in_says_no(tmp_path: Path, office: Office) -> None:
    person = {"client_id": "paybridge", "client_secret_file": "", "flow": "device"}
    async with pretended({}) as address:
        found = await look(store(tmp_path, office, login={"issuer": address, **person}))
        assert found["login_no_grant"].key == "back_office.login.flow"
        automatic = {**person, "flow": "auto", "issuer": address}
        assert "login_no_grant" in await look(store(tmp_path, office, login=automatic))


async def test_a_wrong_secret_and_an_unknown_client_say_no(tmp_path: Path, office: Office) -> None:
    found = await look(store(tmp_path, office, secret="wrong"))
    assert found["login_client_refused"].level == "wrong"
    stranger = {"client_id": "stranger", "client_secret_file": "", "flow": "device"}
    found = await look(store(tmp_path, office, login=stranger))
    assert found["login_client_refused"].key == "back_office.login.client_id"


async def test_nobody_logged_in_is_told_with_the_command(tmp_path: Path, office: Office) -> None:
    person = {"client_id": "paybridge", "client_secret_file": "", "flow": "auto"}
    found = await look(store(tmp_path, office, login=person))
    assert (found["login_needed"].stops, found["login_needed"].remedy) == (
        "recording",
        "paybridge login",
    )


async def test_a_login_that_ends_by_itself_is_told(tmp_path: Path, office: Office) -> None:
    person = {"client_id": "paybridge", "client_secret_file": "", "flow": "device"}
    config = store(tmp_path, office, login=person)
    stored = StoredLogin(
        issuer=office.program.ready["issuer"],
        client_id="paybridge",
        subject="till",
        name="",
        access_token="short",
        refresh_token="",
        scope="openid",
        issued_at=int(datetime.now(UTC).timestamp()),
        lifetime_seconds=600,
    )
    config.site.state_directory.mkdir(mode=0o700)
    token_store(config.site.state_directory, {}).write(stored)
    found = await look(config)
    assert "offline_access" in found["login_short"].remedy


async def test_a_setting_of_the_login_that_contradicts_another_is_named(
    tmp_path: Path, office: Office
) -> None:
    found = await look(store(tmp_path, office, login={"client_secret_file": str(tmp_path / "no")}))
    assert found["login_setting"].key == "back_office.login.client_secret_file"


# --- the back office


async def test_an_endpoint_that_is_away_or_not_itself_says_no(
    tmp_path: Path, office: Office
) -> None:
    away = f"http://127.0.0.1:{free_port()}/api/graphql"
    found = await look(store(tmp_path, office, endpoint=away))
    assert found["office_away"].key == "back_office.endpoint"
    nowhere = office.program.ready["graphql"] + "/nowhere"
    assert "office_away" in await look(store(tmp_path, office, endpoint=nowhere))
    plain = await look(store(tmp_path, office, endpoint="http://office.example/api"))
    assert plain["office_setting"].key == "back_office.endpoint"


async def test_an_account_that_may_not_use_the_api_says_no(tmp_path: Path, office: Office) -> None:
    await office.control({"do": "fault", "fault": "empty_401", "times": -1})
    found = await look(store(tmp_path, office))
    assert found["office_not_allowed"].stops == "recording"


async def test_an_unknown_store_code_says_no_with_what_there_is(
    tmp_path: Path, office: Office
) -> None:
    await office.control({"do": "options", "stores": ["NORTH", "SOUTH"]})
    found = await look(store(tmp_path, office))
    assert found["store_unknown"].key == "site.store_code"
    assert "NORTH" in found["store_unknown"].text


async def test_a_store_code_in_other_letters_is_worth_a_look(
    tmp_path: Path, office: Office
) -> None:
    found = await look(store(tmp_path, office, site={"store_code": STORE.lower()}))
    assert STORE in found["store_spelled_otherwise"].text


async def test_what_the_account_may_not_see_is_not_told_as_wrong(
    tmp_path: Path, office: Office
) -> None:
    few = ["AddPurchase"]
    await office.control({"do": "permissions", "client_id": "paybridge-server", "permissions": few})
    found = await look(store(tmp_path, office))
    assert found["store_cannot_tell"].level == "look"
    missing = found["permission_missing_for_gift_cards"]
    assert (missing.level, "FindGiftCardByCode" in missing.what) == ("look", True)


async def test_a_question_that_goes_wrong_is_no_permission(tmp_path: Path, office: Office) -> None:
    await office.control({"do": "fault", "fault": "server_error_500", "operation": "giftcard"})
    assert (await look(store(tmp_path, office)))["permission_unknown"].level == "look"


async def test_an_edition_that_takes_no_purchases_says_no() -> None:
    takes_none = Environment("shop", "9.3", "Store")
    assert environment_found([takes_none], records=True).code == "edition_takes_no_purchases"
    assert environment_found([takes_none], records=False).code == "edition_ok"
    assert environment_found([], records=True).code == "edition_unknown"


async def test_gift_cards_and_schema_are_told_apart(tmp_path: Path, office: Office) -> None:
    await office.control({"do": "options", "introspection": False})
    assert (await look(store(tmp_path, office)))["gift_cards_ok"].level == "ok"
    nothing_asked = {"fault": "server_error_500", "operation": "", "times": -1}
    await office.control({"do": "fault", **nothing_asked})
    assert (await look(store(tmp_path, office)))["gift_cards_unread"].level == "look"
    await office.control({"do": "clear_faults"})
    await office.control({"do": "options", "dialect": {"capture": "demanding"}})
    assert (await look(store(tmp_path, office)))["gift_cards_less"].level == "look"
    lacking = ApiNames(capture_id="")
    assert gift_card_names(lacking, read=True).code == "gift_cards_less"


async def test_the_clock_is_compared_with_the_server(tmp_path: Path, office: Office) -> None:
    async with pretended({}, date="Mon, 02 Mar 2020 09:00:00 GMT") as address:
        config = store(tmp_path, office, login={"issuer": address})
        assert (await look(config))["clock_off"].level == "look"
    assert machine.clock(None) == []
    assert [one.code for one in machine.clock(-400.0)] == ["clock_off"]
    assert "7 min behind" in machine.clock(-400.0)[0].text


# --- a provider of our own words


class pretended:
    """A loopback server whose discovery document says this; `{}`: of a provider with no grant."""

    def __init__(self, document: dict[str, str], *, date: str = "") -> None:
        self._document = document
        self._date = date or format_datetime(datetime.now(UTC), usegmt=True)

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self._address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self._address

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        here = {
            "issuer": self._address,
            "token_endpoint": f"{self._address}token",
            "jwks_uri": f"{self._address}keys",
        }
        is_description = b"openid-configuration" in request
        body = json.dumps({**here, **self._document} if is_description else {}).encode()
        head = f"HTTP/1.1 {200 if is_description else 503} OK\r\nDate: {self._date}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
