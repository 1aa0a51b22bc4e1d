"""The login by browser: a real listener on 127.0.0.1, a provider that never trusts it blindly."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bridge.backoffice.login.device_flow import LoginDenied, LoginExpired
from bridge.backoffice.login.id_token import Identity
from bridge.backoffice.login.login import Login
from bridge.backoffice.login.settings import LoginSettings
from bridge.backoffice.login.token_file import TokenStore
from bridge.errors import BackOfficeUnavailable, ConfigError, Rejected
from simulators.http_server import InProcessTransport
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import Provider
from simulators.identity_provider.records import Client, IdTokenFault
from tests.support.office import BEGIN, ISSUER, signing_key


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Shop:
    """A provider and the person's browser, which follows where it is sent."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.redirect_uri = f"http://127.0.0.1:{self.port}/callback"
        self.provider = Provider(
            ISSUER,
            (Client("paybridge", redirect_uris=(self.redirect_uri,)),),
            clock=BEGIN.timestamp,
            chance=random.Random(1),
        )
        self.provider.signer._key = signing_key()
        app = oidc.create_app(oidc.ProviderSite(self.provider))
        self.http = httpx.AsyncClient(transport=InProcessTransport(app))
        settings = LoginSettings(ISSUER, "paybridge", flow="browser", redirect_port=self.port)
        self.store = TokenStore(directory)
        self.login = Login(
            self.http, settings, self.store, lambda: datetime(2026, 3, 2, 9, tzinfo=UTC)
        )
        self.pages: list[tuple[int, str]] = []
        self.address = ""

    def callback(self, *, allow: bool = True) -> str:
        """Return where the provider sends the browser."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(self.address).query).items()}
        asked = self.provider.authorization_request(query)
        return self.provider.decide_authorization(asked, allow=allow)

    async def visit(self, url: str, **headers: str) -> None:
        async with httpx.AsyncClient() as browser:
            page = await browser.get(url, headers=headers)
            self.pages.append((page.status_code, page.text))

    async def log_in(self, *visits: Callable[[], Any]) -> Identity:
        opened = asyncio.Event()

        def announce(address: str) -> None:
            self.address = address
            opened.set()

        async def browse() -> None:
            await opened.wait()
            for visit in visits:
                await visit()

        browsing = asyncio.create_task(browse())
        try:
            async with asyncio.timeout(20):
                return await self.login.login_by_browser(announce)
        finally:
            browsing.cancel()
            await asyncio.gather(browsing, return_exceptions=True)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


async def test_a_browser_that_comes_back_logs_in(shop: Shop) -> None:
    identity = await shop.log_in(lambda: shop.visit(shop.callback()))
    assert identity == Identity("store-manager", "")
    query = parse_qs(urlsplit(shop.address).query)
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert query["redirect_uri"] == [shop.redirect_uri]
    assert shop.provider.authenticate(await shop.login.access_token()) == "paybridge"


async def test_every_login_has_its_own_secrets(shop: Shop) -> None:
    seen = []
    for _ in range(2):
        await shop.log_in(lambda: shop.visit(shop.callback()))
        query = parse_qs(urlsplit(shop.address).query)
        seen += [query["state"][0], query["nonce"][0], query["code_challenge"][0]]
    assert len(set(seen)) == 6


async def test_strangers_at_the_port_are_turned_away_and_the_person_still_awaited(
    shop: Shop,
) -> None:
    async def garbage() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", shop.port)
        writer.write(b"\x00" * 40_000)
        await asyncio.sleep(0.05)
        writer.close()

    idle: list[asyncio.StreamWriter] = []

    async def idler() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", shop.port)
        idle.append(writer)

    base = f"http://127.0.0.1:{shop.port}"
    await shop.log_in(
        idler,
        garbage,
        lambda: shop.visit(base + "/favicon.ico"),
        lambda: shop.visit(base + "/callback?code=stolen&state=guess"),
        lambda: shop.visit(base + "/callback?code=stolen"),
        lambda: shop.visit(shop.callback(), host="evil.example"),
        lambda: shop.visit(shop.callback()),
    )
    idle[0].close()
    assert [status for status, _ in shop.pages[:4]] == [404, 400, 400, 404]


async def test_the_port_is_free_again_afterwards(shop: Shop) -> None:
    await shop.log_in(lambda: shop.visit(shop.callback()))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", shop.port))


async def test_a_person_who_says_no_is_heard(shop: Shop) -> None:
    with pytest.raises(LoginDenied):
        await shop.log_in(lambda: shop.visit(shop.callback(allow=False)))
    assert shop.store.read() is None


@pytest.mark.parametrize("issuer", ["https://evil.example/", None])
async def test_an_answer_from_another_provider_is_refused(shop: Shop, issuer: str | None) -> None:
    def mixed_up() -> str:
        url = httpx.URL(shop.callback())
        return str(
            url.copy_remove_param("iss") if issuer is None else url.copy_set_param("iss", issuer)
        )

    with pytest.raises(Rejected, match="another login provider"):
        await shop.log_in(lambda: shop.visit(mixed_up()))
    assert shop.store.read() is None


async def test_an_id_token_of_another_login_is_refused(shop: Shop) -> None:
    shop.provider.options.id_token_fault = IdTokenFault.WRONG_NONCE
    with pytest.raises(Rejected, match="answers another login"):
        await shop.log_in(lambda: shop.visit(shop.callback()))


async def test_a_code_that_the_provider_does_not_know_is_expired(shop: Shop) -> None:
    def spoiled() -> str:
        return str(httpx.URL(shop.callback()).copy_set_param("code", "other"))

    with pytest.raises(LoginExpired):
        await shop.log_in(lambda: shop.visit(spoiled()))


async def test_a_lost_answer_to_the_code_asks_for_a_new_login(shop: Shop) -> None:
    shop.provider.options.lose_answers["authorization_code"] = 1
    with pytest.raises(BackOfficeUnavailable, match="log in again"):
        await shop.log_in(lambda: shop.visit(shop.callback()))


async def test_a_port_in_use_is_a_config_error_that_names_it(shop: Shop) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", shop.port))
        other.listen()
        with pytest.raises(ConfigError, match=str(shop.port)):
            await shop.log_in()


async def test_consent_is_asked_for_so_that_the_login_can_be_renewed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.provider.options.consent_for_refresh = True
    await shop.log_in(lambda: shop.visit(shop.callback()))
    stored = shop.store.read()
    assert stored is not None
    assert stored.refresh_token
