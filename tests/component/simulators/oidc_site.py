"""An in-process client of a simulated login provider with a clock that tests set."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from simulators.http_server import InProcessTransport
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import DEVICE_GRANT, Provider
from simulators.identity_provider.records import Client

ISSUER = "http://127.0.0.1:8080/"
REDIRECT = "http://127.0.0.1:8765/callback"
VERIFIER = "a-verifier-of-forty-three-characters-or-more"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")

Answer = dict[str, Any]


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """A provider, its clock, and a client that talks to it."""

    provider: Provider
    clock: Clock
    http: httpx.AsyncClient

    async def post(self, path: str, **form: str) -> httpx.Response:
        return await self.http.post(path, data={"client_id": "till", **form})

    async def control(self, **command: object) -> Answer:
        answer = await self.http.post("/_control", json=command)
        assert answer.status_code == 200, answer.text
        done: Answer = answer.json()
        return done

    async def begin(self, scope: str = "openid offline_access") -> Answer:
        answer = await self.post("/connect/device", scope=scope)
        assert answer.status_code == 200
        begun: Answer = answer.json()
        return begun

    async def poll(self, begun: Answer, wait: float = 5.0) -> httpx.Response:
        self.clock.now += wait
        return await self.post(
            "/connect/token", grant_type=DEVICE_GRANT, device_code=begun["device_code"]
        )

    async def log_in(self, scope: str = "openid offline_access") -> Answer:
        begun = await self.begin(scope)
        await self.control(do="approve", user_code=begun["user_code"])
        answer = await self.poll(begun)
        assert answer.status_code == 200, answer.text
        tokens: Answer = answer.json()
        return tokens

    async def refresh(self, tokens: Answer) -> httpx.Response:
        return await self.post(
            "/connect/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
        )

    async def authorize(self, **changes: str) -> httpx.Response:
        params = {
            "client_id": "till",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": "openid offline_access",
            "state": "s t",
            "nonce": "n",
            "code_challenge": CHALLENGE.decode(),
            "code_challenge_method": "S256",
        }
        form = {**params, "decision": "allow", **changes}
        return await self.http.post("/connect/authorize", data=form)

    async def redeem(self, code: str, **changes: str) -> httpx.Response:
        form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, **changes}
        return await self.post("/connect/token", grant_type="authorization_code", **form)

    async def claims(self, tokens: Answer) -> Answer:
        keys = KeySet.import_key_set((await self.http.get("/.well-known/jwks")).json())
        return jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims


@asynccontextmanager
async def new_site() -> AsyncIterator[Site]:
    clock = Clock()
    clients = (
        Client("till", redirect_uris=(REDIRECT,)),
        Client("kiosk"),
        Client("server", secret="s3cret:%"),
    )
    provider = Provider(ISSUER, clients, clock=clock, chance=random.Random(1))
    transport = InProcessTransport(oidc.create_app(oidc.ProviderSite(provider)))
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
        yield Site(provider, clock, http)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def location_of(answer: httpx.Response) -> dict[str, list[str]]:
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(REDIRECT + "?")
    return parse_qs(urlsplit(answer.headers["location"]).query)
