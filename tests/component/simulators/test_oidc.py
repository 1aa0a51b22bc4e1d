"""The login provider over HTTP: every way to log in, and every refusal."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import httpx
import pytest

from simulators.http_server import InProcessTransport
from simulators.identity_provider import site as oidc
from simulators.identity_provider.provider import DEVICE_GRANT, Provider
from simulators.identity_provider.records import Client
from tests.component.simulators.oidc_site import (
    CHALLENGE,
    ISSUER,
    REDIRECT,
    Clock,
    Site,
    error_of,
    location_of,
    new_site,
)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with new_site() as site:
        yield site


async def test_discovery_names_the_issuer_with_its_slash_and_every_endpoint(site: Site) -> None:
    document = (await site.http.get("/.well-known/openid-configuration")).json()
    assert document["issuer"] == ISSUER
    assert document["device_authorization_endpoint"] == ISSUER + "connect/device"
    assert DEVICE_GRANT in document["grant_types_supported"]
    assert document["authorization_response_iss_parameter_supported"] is True


async def test_a_provider_without_device_grant_does_not_offer_it(site: Site) -> None:
    await site.control(do="login_options", device_grant=False)
    document = (await site.http.get("/.well-known/openid-configuration")).json()
    assert "device_authorization_endpoint" not in document
    assert DEVICE_GRANT not in document["grant_types_supported"]
    assert (await site.post("/connect/device")).status_code == 404
    refused = await site.post("/connect/token", grant_type=DEVICE_GRANT, device_code="x")
    assert error_of(refused) == (400, "unsupported_grant_type")


async def test_a_device_login_waits_for_a_person_and_works_once(site: Site) -> None:
    begun = await site.begin()
    assert (begun["interval"], begun["expires_in"]) == (5, 600)
    assert begun["verification_uri"] == ISSUER + "device"
    assert error_of(await site.poll(begun)) == (400, "authorization_pending")
    await site.control(do="approve", user_code=begun["user_code"].lower().replace("-", " "))
    tokens = (await site.poll(begun)).json()
    assert site.provider.authenticate(tokens["access_token"]) == "till"
    assert tokens["refresh_token"]
    assert error_of(await site.poll(begun)) == (400, "invalid_grant")


async def test_each_hasty_poll_makes_the_interval_longer_for_good(site: Site) -> None:
    begun = await site.begin()
    assert error_of(await site.poll(begun))[1] == "authorization_pending"
    assert error_of(await site.poll(begun, wait=4.0)) == (400, "slow_down")
    assert error_of(await site.poll(begun, wait=9.0)) == (400, "slow_down")
    assert error_of(await site.poll(begun, wait=15.0))[1] == "authorization_pending"
    assert error_of(await site.poll(begun, wait=14.0)) == (400, "slow_down")


async def test_slow_down_may_come_as_429_without_a_body(site: Site) -> None:
    await site.control(do="login_options", slow_down_as_429=True)
    begun = await site.begin()
    await site.poll(begun)
    answer = await site.poll(begun, wait=1.0)
    assert (answer.status_code, answer.content) == (429, b"")


async def test_the_interval_may_be_left_out_and_is_five_then(site: Site) -> None:
    await site.control(do="login_options", advertise_interval=False)
    begun = await site.begin()
    assert "interval" not in begun
    await site.poll(begun)
    assert error_of(await site.poll(begun, wait=4.9)) == (400, "slow_down")


async def test_a_denied_an_expired_and_a_foreign_device_code_are_refused(site: Site) -> None:
    denied, expired, foreign = [await site.begin() for _ in range(3)]
    await site.control(do="deny", user_code=denied["user_code"])
    assert error_of(await site.poll(denied)) == (400, "access_denied")
    await site.control(do="approve", user_code=foreign["user_code"])
    form = {"grant_type": DEVICE_GRANT, "device_code": foreign["device_code"]}
    stolen = await site.post("/connect/token", **form, client_id="kiosk")
    assert error_of(stolen) == (400, "invalid_grant")
    assert error_of(await site.poll(expired, wait=600.0)) == (400, "expired_token")


async def test_a_code_that_nobody_waits_for_cannot_be_approved(site: Site) -> None:
    begun = await site.begin()
    assert (await site.control(do="login_options"))["waiting"] == [begun["user_code"]]
    assert (await site.control(do="expire", what="device_codes"))["waiting"] == []
    late = await site.http.post(
        "/_control", json={"do": "approve", "user_code": begun["user_code"]}
    )
    assert late.status_code == 400


async def test_a_login_can_approve_itself_after_a_while(site: Site) -> None:
    await site.control(do="login_options", auto_approve_seconds=7)
    begun = await site.begin()
    assert error_of(await site.poll(begun))[1] == "authorization_pending"
    assert (await site.poll(begun)).status_code == 200


async def test_a_person_types_the_code_on_the_page_and_presses_allow(site: Site) -> None:
    begun = await site.begin()
    page = await site.http.get(begun["verification_uri_complete"])
    assert begun["user_code"] in page.text
    form = {"user_code": begun["user_code"], "decision": "allow"}
    assert (await site.http.post("/device", data=form)).status_code == 200
    assert (await site.http.post("/device", data=form)).status_code == 400
    assert (await site.poll(begun)).status_code == 200


async def test_the_page_shows_a_foreign_code_as_text_only(site: Site) -> None:
    page = await site.http.get("/device", params={"user_code": '"><script>'})
    assert "<script>" not in page.text


async def test_a_browser_login_gives_a_code_state_and_issuer(site: Site) -> None:
    back = location_of(await site.authorize())
    assert (back["state"], back["iss"]) == (["s t"], [ISSUER])
    answer = await site.redeem(back["code"][0])
    assert answer.status_code == 200
    assert (await site.claims(answer.json()))["nonce"] == "n"


async def test_the_login_page_carries_the_request_to_the_decision(site: Site) -> None:
    params = {
        "client_id": "till",
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "code_challenge": CHALLENGE.decode(),
        "code_challenge_method": "S256",
    }
    page = await site.http.get("/connect/authorize", params=params)
    assert page.status_code == 200
    assert f'value="{REDIRECT}"' in page.text
    await site.control(do="login_options", auto_approve_seconds=0)
    assert "code" in location_of(await site.http.get("/connect/authorize", params=params))


async def test_a_reused_code_is_refused_and_ends_the_login_it_made(site: Site) -> None:
    code = location_of(await site.authorize())["code"][0]
    tokens = (await site.redeem(code)).json()
    assert error_of(await site.redeem(code)) == (400, "invalid_grant")
    assert site.provider.authenticate(tokens["access_token"]) is None


@pytest.mark.parametrize(
    ("change", "wait"),
    [
        ({"code_verifier": "another"}, 0),
        ({"code_verifier": ""}, 0),
        ({"redirect_uri": REDIRECT + "/"}, 0),
        ({"client_id": "kiosk"}, 0),
        ({}, 60),
    ],
)
async def test_a_code_is_bound_to_verifier_address_client_and_time(
    site: Site, change: dict[str, str], wait: int
) -> None:
    code = location_of(await site.authorize())["code"][0]
    site.clock.now += wait
    assert error_of(await site.redeem(code, **change)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"decision": "deny"}, "access_denied"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
    ],
)
async def test_a_refused_browser_login_says_why_at_the_redirect_address(
    site: Site, change: dict[str, str], error: str
) -> None:
    back = location_of(await site.authorize(**change))
    assert (back["error"], back["iss"], "code" in back) == ([error], [ISSUER], False)


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "http://127.0.0.1:8766/callback"},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": "http://localhost:8765/callback"},
        {"client_id": "nobody"},
    ],
)
async def test_nobody_is_redirected_to_an_address_that_is_not_registered(
    site: Site, change: dict[str, str]
) -> None:
    answer = await site.authorize(**change)
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_client_credentials_are_for_confidential_clients(site: Site) -> None:
    form = {"grant_type": "client_credentials"}
    posted = await site.post("/connect/token", **form, client_id="server", client_secret="s3cret:%")
    assert site.provider.authenticate(posted.json()["access_token"]) == "server"
    assert "refresh_token" not in posted.json()
    basic = await site.http.post("/connect/token", data=form, auth=("server", "s3cret%3A%25"))
    assert basic.status_code == 200
    wrong = await site.http.post("/connect/token", data=form, auth=("server", "wrong"))
    assert error_of(wrong) == (401, "invalid_client")
    assert error_of(await site.post("/connect/token", **form)) == (400, "unauthorized_client")
    unknown = await site.post("/connect/token", **form, client_id="nobody")
    assert error_of(unknown) == (401, "invalid_client")


async def test_an_ill_formed_token_request_is_refused(site: Site) -> None:
    as_json = await site.http.post("/connect/token", json={"grant_type": "refresh_token"})
    assert error_of(as_json) == (400, "invalid_request")
    twice = await site.http.post(
        "/connect/token",
        content=b"client_id=till&client_id=till",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert error_of(twice) == (400, "invalid_request")
    assert error_of(await site.post("/connect/token")) == (400, "unsupported_grant_type")


async def test_a_captive_portal_and_an_outage_answer_for_the_provider(site: Site) -> None:
    tokens = await site.log_in()
    await site.control(do="login_options", captive_portal=True)
    portal = await site.refresh(tokens)
    assert (portal.status_code, portal.headers["content-type"][:9]) == (200, "text/html")
    await site.control(do="login_options", captive_portal=False, unavailable=1)
    assert (await site.refresh(tokens)).status_code == 503
    assert (await site.refresh(tokens)).status_code == 200


async def test_a_tenant_sits_below_a_path() -> None:
    provider = Provider(ISSUER + "store/", (), clock=Clock(), chance=random.Random(1))
    transport = InProcessTransport(oidc.create_app(oidc.ProviderSite(provider)))
    async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as http:
        document = (await http.get("/store/.well-known/openid-configuration")).json()
        assert (await http.get(document["jwks_uri"])).status_code == 200
        assert (await http.get("/.well-known/jwks")).status_code == 404


def test_no_secret_is_shown_by_repr() -> None:
    assert "s3cret" not in repr(Client("server", secret="s3cret"))
