"""A back office, a provider and a state directory in one process, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import RSAKey

from bridge.backoffice.api.client import BackOffice, TokenSource
from bridge.backoffice.login.device_flow import DeviceCode
from bridge.backoffice.login.id_token import Identity
from bridge.backoffice.login.login import Login
from bridge.backoffice.login.settings import Flow, LoginSettings
from bridge.backoffice.login.token_file import TokenStore
from simulators.back_office import program as backoffice
from simulators.back_office.answers import BackOffice as OfficeSimulator
from simulators.back_office.state import BackOfficeState
from simulators.http_server import InProcessTransport
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import Provider
from simulators.identity_provider.records import Client
from simulators.loop import VirtualLoop, run_virtual

ISSUER = "http://127.0.0.1/"
ENDPOINT = "http://127.0.0.1/api/graphql"
BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN_PATH = "/connect/token"


def play(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_virtual(main, loop=VirtualLoop(0, instant_executor=True))


@cache
def signing_key() -> RSAKey:
    """Making one takes longer than most tests."""
    return RSAKey.generate_key(2048, auto_kid=True)


class Recorder(httpx.AsyncBaseTransport):
    """Notes every request with its time, and fails those it is told to fail."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.sent: list[tuple[float, str]] = []
        self.failures: list[Exception | None] = []
        self.delay_seconds = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((asyncio.get_running_loop().time(), request.url.path))
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        return await self.inner.handle_async_request(request)

    def times(self, path: str) -> list[float]:
        return [round(time, 3) for time, sent in self.sent if sent == path]


class World:
    """Everything but what is tested; must be made inside the loop."""

    def __init__(self, directory: Path, *, key: bytes | None = None) -> None:
        self.directory = directory
        self.key = key
        self.clock_error_seconds = 0.0
        self.provider = Provider(
            ISSUER,
            (
                Client("paybridge", redirect_uris=("http://127.0.0.1:8765/callback",)),
                Client("server", "a secret/with+signs"),
            ),
            clock=self.provider_seconds,
            chance=random.Random(1),
        )
        self.provider.signer._key = signing_key()
        self.office = OfficeSimulator(
            BackOfficeState(clock=lambda: BEGIN), authenticate=self.provider.authenticate
        )
        app = backoffice.create_app(self.office, oidc.ProviderSite(self.provider))
        self.wire = Recorder(InProcessTransport(app, is_away=lambda: self.office.away))
        self.http = httpx.AsyncClient(transport=self.wire)

    def provider_seconds(self) -> float:
        return BEGIN.timestamp() + asyncio.get_running_loop().time()

    def now(self) -> datetime:
        running = asyncio.get_running_loop().time()
        return BEGIN + timedelta(seconds=running + self.clock_error_seconds)

    def store(self) -> TokenStore:
        return TokenStore(self.directory, self.key)

    def login(
        self,
        *,
        issuer: str = ISSUER,
        flow: Flow = "auto",
        client_id: str = "paybridge",
        client_secret: str = "",
        scopes: str = "openid offline_access",
        audience: str = "",
        resource: str = "",
    ) -> Login:
        settings = LoginSettings(
            issuer,
            client_id,
            flow=flow,
            client_secret=client_secret,
            scopes=scopes,
            audience=audience,
            resource=resource,
        )
        return Login(self.http, settings, self.store(), self.now)

    def api(self, tokens: TokenSource, *, deadline_seconds: float = 20.0) -> BackOffice:
        return BackOffice(self.http, ENDPOINT, tokens, deadline_seconds=deadline_seconds)

    async def log_in(self, login: Login) -> Identity:
        code = await login.begin_device_login()
        self.allow(code)
        return await login.finish_device_login(code)

    def allow(self, code: DeviceCode) -> None:
        assert self.provider.decide_device(code.user_code, allow=True)
