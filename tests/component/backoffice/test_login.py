"""Logging in by code, and whose word about the person is believed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import warnings
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey

from bridge.backoffice.login import browser_flow
from bridge.backoffice.login.device_flow import DeviceCode, LoginDenied, LoginExpired
from bridge.backoffice.login.id_token import Identity, read_identity
from bridge.backoffice.login.login import Login, OtherIdentity
from bridge.backoffice.login.provider import Grant, Provider, ProviderWire
from bridge.backoffice.login.settings import Flow, LoginSettings
from bridge.errors import BackOfficeUnavailable, ConfigError, LoginRequired, Rejected
from simulators.identity_provider.records import IdTokenFault
from tests.support.office import BEGIN, ISSUER, TOKEN_PATH, World, play

DISCOVERY = "/.well-known/openid-configuration"


async def polling(world: World, login: Login, code: DeviceCode) -> list[float]:
    """Let the login end somehow and return how long was waited before each poll."""
    begun = asyncio.get_running_loop().time()
    world.wire.sent.clear()
    with suppress(LoginRequired):
        await login.finish_device_login(code)
    times = [begun, *world.wire.times(TOKEN_PATH)]
    return [round(b - a) for a, b in pairwise(times)]


def test_a_code_shows_all_that_a_person_needs(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        assert await login.choose_flow() == "device"
        code = await login.begin_device_login()
        assert code.verification_uri == ISSUER + "device"
        assert code.user_code in code.verification_uri_complete
        assert code.expires_in_seconds == 600
        assert code.expires_at == pytest.approx(asyncio.get_running_loop().time() + 600, abs=1)
        assert code.device_code not in repr(code)
        world.allow(code)
        assert await login.finish_device_login(code) == Identity("store-manager", "")
        assert login.status.subject == "store-manager"

    play(main)


def test_polls_keep_the_interval_and_start_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.interval_seconds = 7
        world.provider.options.auto_approve_seconds = 25
        login = world.login()
        code = await login.begin_device_login()
        assert await polling(world, login, code) == [7, 7, 7, 7]

    play(main)


def test_without_an_interval_it_is_five_seconds(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.advertise_interval = False
        world.provider.options.auto_approve_seconds = 12
        login = world.login()
        code = await login.begin_device_login()
        assert await polling(world, login, code) == [5, 5, 5]

    play(main)


@pytest.mark.parametrize("as_429", [False, True])
def test_each_slow_down_adds_five_seconds_for_good(tmp_path: Path, as_429: bool) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        code = await login.begin_device_login()
        slow = (429, None) if as_429 else (400, {"error": "slow_down"})
        wait = (400, {"error": "authorization_pending"})
        script = [slow, wait, slow, wait, wait, (400, {"error": "access_denied"})]
        world.wire.inner = httpx.MockTransport(
            lambda _: httpx.Response(script[0][0], json=script.pop(0)[1])
        )
        assert await polling(world, login, code) == [5, 10, 10, 15, 15, 15]

    play(main)


def test_lost_connections_double_the_interval(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.auto_approve_seconds = 1
        login = world.login()
        code = await login.begin_device_login()
        lost = httpx.ConnectTimeout("lost")
        world.wire.failures = [lost, httpx.ReadError("lost"), lost, lost, lost, None]
        assert await polling(world, login, code) == [5, 10, 20, 40, 60, 60]

    play(main)


def test_a_portal_or_an_outage_is_not_a_refusal(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        code = await login.begin_device_login()
        world.allow(code)
        world.provider.options.unavailable = 2
        assert len(await polling(world, login, code)) == 3
        assert login.status.logged_in

    play(main)


def test_polling_ends_with_the_code_and_makes_no_new_one(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        code = await login.begin_device_login()
        world.wire.sent.clear()
        with pytest.raises(LoginExpired):
            await login.finish_device_login(code)
        assert asyncio.get_running_loop().time() == pytest.approx(code.expires_at, abs=1)
        assert {path for _, path in world.wire.sent} == {TOKEN_PATH}

    play(main)


def test_a_code_that_the_provider_ended_is_expired(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        code = await login.begin_device_login()
        world.provider.expire("device_codes")
        with pytest.raises(LoginExpired):
            await login.finish_device_login(code)

    play(main)


def test_a_lost_success_is_an_expired_code_not_a_loop(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        code = await login.begin_device_login()
        world.allow(code)
        world.provider.options.lose_answers["urn:ietf:params:oauth:grant-type:device_code"] = 1
        with pytest.raises(LoginExpired):
            await login.finish_device_login(code)
        assert len(world.wire.times(TOKEN_PATH)) == 2

    play(main)


def test_a_person_who_says_no_is_heard_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        code = await login.begin_device_login()
        world.provider.decide_device(code.user_code, allow=False)
        with pytest.raises(LoginDenied):
            await login.finish_device_login(code)
        assert len(world.wire.times(TOKEN_PATH)) == 1

    play(main)


def test_somebody_else_needs_a_confirmation(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        await world.log_in(login)
        before = world.store().read()
        world.provider.sub = "somebody-else"
        with pytest.raises(OtherIdentity) as caught:
            await world.log_in(login)
        assert (caught.value.previous, caught.value.found.subject) == (
            "store-manager",
            "somebody-else",
        )
        assert world.store().read() == before
        assert await login.confirm_identity() == Identity("somebody-else", "")
        assert login.status.subject == "somebody-else"

    play(main)


def test_a_login_after_an_ended_one_still_knows_who_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        await world.log_in(login)
        world.provider.revoke_everything()
        await login.reject(await login.access_token())
        with pytest.raises(LoginRequired):
            await login.access_token()
        world.provider.sub = "somebody-else"
        with pytest.raises(OtherIdentity):
            await world.log_in(world.login())

    play(main)


def test_without_a_device_endpoint_a_browser_is_chosen(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.device_grant = False
        login = world.login()
        assert await login.choose_flow() == "browser"
        with pytest.raises(Rejected):
            await login.begin_device_login()

    play(main)


def test_an_unknown_client_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        with pytest.raises(Rejected, match="invalid_client"):
            await world.login(client_id="nobody").begin_device_login()

    play(main)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"issuer": "https://evil.example/"}, ConfigError),
        ({"issuer": None}, ConfigError),
        ({"token_endpoint": "http://evil.example/token"}, Rejected),
        ({"device_authorization_endpoint": "http://evil.example/"}, Rejected),
        ({"jwks_uri": ""}, Rejected),
        ({"authorization_endpoint": "file:///etc/passwd"}, Rejected),
    ],
)
def test_a_description_that_leads_elsewhere_is_refused(
    tmp_path: Path, change: dict[str, Any], error: type[Exception]
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        document = {**world.provider.discovery(), **change}
        world.wire.inner = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
        with pytest.raises(error):
            await world.login().discover()

    play(main)


def test_a_description_over_https_is_looked_at_by_authlib_too(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        document = json.loads(
            json.dumps(world.provider.discovery()).replace("http://127.0.0.1/", "https://shop.ex/")
        )
        world.wire.inner = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
        login = world.login(issuer="https://shop.ex")
        assert (await login.discover()).issuer == "https://shop.ex/"
        document["code_challenge_methods_supported"] = "S256"
        with pytest.raises(Rejected, match="code_challenge_methods"):
            await world.login(issuer="https://shop.ex").discover()

    play(main)


@pytest.mark.parametrize("issuer", ["http://shop.example/", "shop.example"])
def test_an_issuer_without_tls_is_a_config_error(tmp_path: Path, issuer: str) -> None:
    async def main() -> None:
        world = World(tmp_path)
        with pytest.raises(ConfigError):
            await world.login(issuer=issuer).discover()
        assert world.wire.sent == []

    play(main)


def test_discovery_is_asked_once_a_day_and_survives_a_portal(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        world.provider.options.captive_portal = True
        with pytest.raises(BackOfficeUnavailable):
            await login.discover()
        world.provider.options.captive_portal = False
        for _ in range(3):
            await login.discover()
        assert len(world.wire.times(DISCOVERY)) == 2
        await asyncio.sleep(25 * 3600)
        await login.discover()
        assert len(world.wire.times(DISCOVERY)) == 3

    play(main)


@pytest.mark.parametrize(
    "fault",
    [
        fault
        for fault in IdTokenFault
        if fault not in (IdTokenFault.NONE, IdTokenFault.MISSING, IdTokenFault.WRONG_NONCE)
    ],
)
def test_a_spoiled_id_token_makes_no_login(tmp_path: Path, fault: IdTokenFault) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.id_token_fault = fault
        login = world.login()
        with pytest.raises(Rejected, match="bad_id_token"):
            await world.log_in(login)
        assert world.store().read() is None

    play(main)


def test_a_missing_id_token_is_a_login_of_nobody_known(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.id_token_fault = IdTokenFault.MISSING
        assert await world.log_in(world.login()) == Identity("", "")

    play(main)


def test_new_keys_are_fetched_once_when_the_key_is_unknown(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        await world.log_in(login)
        world.provider.signer.rotate()
        await world.log_in(login)
        assert len(world.wire.times("/.well-known/jwks")) == 2
        world.provider.options.id_token_fault = IdTokenFault.UNKNOWN_KEY
        with pytest.raises(Rejected):
            await world.log_in(login)
        assert len(world.wire.times("/.well-known/jwks")) == 3

    play(main)


@pytest.mark.parametrize("error_seconds", [1, -1, 110, -110, 300, -300, 5 * 3600, -5 * 3600])
def test_a_clock_that_is_off_within_reason_is_corrected_and_told(
    tmp_path: Path, error_seconds: float
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.clock_error_seconds = error_seconds
        login = world.login()
        await world.log_in(login)
        assert login.status.clock_ahead_seconds == pytest.approx(error_seconds, abs=2)

    play(main)


@pytest.mark.parametrize("error_seconds", [-3 * 24 * 3600, 400 * 24 * 3600])
def test_a_clock_that_is_off_beyond_reason_is_named(tmp_path: Path, error_seconds: float) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.clock_error_seconds = error_seconds
        with pytest.raises(Rejected, match=r"clock is off by .* check date and time"):
            await world.log_in(world.login())

    play(main)


@pytest.mark.parametrize(
    ("code", "ends", "said"),
    [
        ("authorization_declined", LoginDenied, "denied"),
        ("access_denied", LoginDenied, "denied"),
        ("expired_token", LoginExpired, "expired; ask for a new one"),
        ("bad_verification_code", LoginExpired, "expired; ask for a new one"),
        ("unauthorized_client", Rejected, "may not log in this way"),
        ("invalid_client", Rejected, "back_office.login.client_id"),
        ("AADSTS700016", Rejected, "ask who runs it"),
        ("\x1b[2JHA HA", Rejected, "other: "),
    ],
)
def test_what_a_provider_calls_no_and_too_late_is_told_in_our_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, ends: type[Exception], said: str
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        world = World(tmp_path)
        login = world.login()
        shown = await login.begin_device_login()
        words = f"THEIR WORDS about {shown.device_code}"
        world.wire.inner = httpx.MockTransport(
            lambda _: httpx.Response(400, json={"error": code, "error_description": words})
        )
        with pytest.raises(ends, match=said) as told:
            await login.finish_device_login(shown)
        assert "HA HA" not in str(told.value)
        assert "THEIR WORDS" not in str(told.value) + caplog.text

    play(main)


@pytest.mark.parametrize(
    ("error", "ends", "said"),
    [
        ("access_denied", LoginDenied, "denied"),
        ("invalid_scope", Rejected, "back_office.login.scopes"),
        ("<script>", Rejected, "^other: "),
    ],
)
def test_what_a_browser_brings_back_is_told_in_our_words(
    error: str, ends: type[Exception], said: str
) -> None:
    provider = Provider("https://p", "", "")
    answer = {"error": error, "error_description": "THEIR WORDS"}
    with pytest.raises(ends, match=said) as told:
        browser_flow._read_code(answer, provider)
    assert "THEIR WORDS" not in str(told.value)


@pytest.mark.parametrize("flow", ["auto", "device"])
def test_a_code_that_is_closed_to_this_client_leads_to_the_browser_where_nobody_chose(
    tmp_path: Path, flow: Flow
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.closed_device_clients = ("paybridge",)
        login = world.login(flow=flow)
        with pytest.raises(Rejected) as refused:
            await login.begin_device_login()
        assert await login.other_flow(refused.value) is (flow == "auto")
        assert not await login.other_flow(Rejected("access_denied", "the person said no"))

    play(main)


def test_a_confidential_client_logs_in_with_its_secret(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        login = world.login(client_id="server", client_secret="a secret/with+signs")
        assert await world.log_in(login) == Identity("store-manager", "")
        await asyncio.sleep(2 * 3600)
        token = await login.access_token()
        assert world.provider.authenticate(token) == "server"
        with pytest.raises(Rejected, match="invalid_client"):
            await world.login(client_id="server", client_secret="wrong").begin_device_login()

    play(main)


@pytest.mark.parametrize("name", ["audience", "resource"])
@pytest.mark.parametrize("flow", ["device", "client_credentials"])
def test_the_api_that_tokens_are_for_is_named_where_a_provider_wants_it(
    tmp_path: Path, flow: Flow, name: str
) -> None:
    async def main() -> None:
        world = World(tmp_path)
        world.provider.options.audience = "https://shop.example/api"
        login = partial(
            world.login, client_id="server", client_secret="a secret/with+signs", flow=flow
        )
        api = "https://shop.example/api"
        named = login(audience=api) if name == "audience" else login(resource=api)
        unnamed = login()
        if flow == "device":
            await world.log_in(named)
            with pytest.raises(Rejected, match="invalid_target"):
                await unnamed.begin_device_login()
        else:
            assert world.provider.authenticate(await named.access_token()) == "server"
            with pytest.raises(LoginRequired, match="invalid_target"):
                await unnamed.access_token()

    play(main)


NOW = BEGIN.timestamp()
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "paybridge",
    "sub": "17",
    "name": "Anna",
    "iat": int(NOW),
    "exp": int(NOW) + 3600,
}
EC = ECKey.generate_key("P-256", auto_kid=True)
ED = OKPKey.generate_key("Ed25519", auto_kid=True)


async def identify(
    claims: dict[str, Any],
    *,
    key: Any = EC,
    algorithm: str = "ES256",
    listed: tuple[str, ...] = ("ES256", "EdDSA", "Ed25519", "HS256", "none"),
    nonce: str = "",
) -> Identity:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library would rather have EdDSA called Ed25519
        token = jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])
    public = [k.as_dict(private=False) for k in KeySet([EC, ED]).keys]
    # A key that we cannot use must not spoil the others.
    jwks = {"keys": [{"kty": "FUTURE", "kid": "x"}, {**public[0], "use": "enc"}, *public]}
    description = {
        "issuer": ISSUER,
        "token_endpoint": ISSUER + "token",
        "jwks_uri": ISSUER + "jwks",
        "id_token_signing_alg_values_supported": list(listed),
    }

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=jwks if request.url.path == "/jwks" else description)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        wire = ProviderWire(http, LoginSettings(ISSUER, "paybridge"), lambda: BEGIN)
        grant = Grant("access", "refresh", token, "", 3600)
        return await read_identity(wire, grant, client_id="paybridge", nonce=nonce)


async def test_elliptic_signatures_are_accepted() -> None:
    assert await identify(CLAIMS) == Identity("17", "Anna")
    for name in ("EdDSA", "Ed25519"):
        half = base64.urlsafe_b64encode(hashlib.sha512(b"access").digest()[:32]).rstrip(b"=")
        claims = {**CLAIMS, "at_hash": half.decode()}
        assert await identify(claims, key=ED, algorithm=name) == Identity("17", "Anna")


@pytest.mark.parametrize(
    "change",
    [
        {"iss": ISSUER.rstrip("/")},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["paybridge", "other"]},
        {"aud": ["paybridge", "other"], "azp": "other"},
        {"aud": "other", "azp": "paybridge"},
        {"azp": "other"},
        {"aud": None},
        {"sub": ""},
        {"sub": 17},
        {"exp": int(NOW) - 121},
        {"exp": "tomorrow"},
        {"iat": int(NOW) + 121},
        {"iat": None},
        {"at_hash": "AAAA"},
        {"nonce": "other"},
    ],
)
async def test_each_claim_is_checked(change: dict[str, Any]) -> None:
    nonce = "mine"
    good = {**CLAIMS, "nonce": nonce}
    assert await identify(good, nonce=nonce) == Identity("17", "Anna")
    with pytest.raises(Rejected):
        await identify({**good, **change}, nonce=nonce)


async def test_only_our_own_algorithms_count_whatever_the_provider_lists() -> None:
    secret = OctKey.generate_key(256, auto_kid=True)
    with pytest.raises(Rejected, match="do not accept"):
        await identify(CLAIMS, key=secret, algorithm="HS256")
    with pytest.raises(Rejected, match="do not accept"):
        await identify(CLAIMS, listed=("RS256",))


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "e30.e30.", "!!!", "\u00e9.a.b"])
async def test_a_token_that_cannot_be_read_is_refused(token: str) -> None:
    header = base64.urlsafe_b64encode(b'{"alg":"ES256"}').decode()
    for broken in {token, header + "." + token} - {""}:
        description = {
            "issuer": ISSUER,
            "token_endpoint": ISSUER,
            "jwks_uri": ISSUER,
            "keys": [],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
        transport = httpx.MockTransport(lambda _, d=description: httpx.Response(200, json=d))
        async with httpx.AsyncClient(transport=transport) as http:
            wire = ProviderWire(http, LoginSettings(ISSUER, "paybridge"), lambda: BEGIN)
            with pytest.raises(Rejected):
                await read_identity(
                    wire,
                    Grant("access", "", broken, "", 60),
                    client_id="paybridge",
                    nonce="",
                )


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ""},
        {"client_id": ""},
        {"redirect_port": 0},
        {"flow": "client_credentials"},
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|needs"):
        LoginSettings(**{"issuer": ISSUER, "client_id": "paybridge", **change})
    assert "s3cret" not in repr(
        LoginSettings(ISSUER, "x", client_secret="s3cret", flow="client_credentials")
    )
