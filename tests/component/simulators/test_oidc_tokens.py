"""What the provider issues, rotates, spoils and takes back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest
from joserfc.errors import JoseError

from tests.component.simulators.oidc_site import (
    ISSUER,
    Site,
    error_of,
    new_site,
)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with new_site() as site:
        yield site


async def test_the_id_token_says_who_logged_in_and_is_signed(site: Site) -> None:
    await site.control(do="set_sub", sub="somebody")
    tokens = await site.log_in()
    claims = await site.claims(tokens)
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims == {
        "iss": ISSUER,
        "aud": "till",
        "azp": "till",
        "sub": "somebody",
        "iat": int(site.clock.now),
        "exp": int(site.clock.now) + 3600,
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
    }


async def test_without_the_scopes_there_is_no_refresh_token_and_no_id_token(site: Site) -> None:
    assert {"refresh_token", "id_token"} & set(await site.log_in(scope="")) == set()
    await site.control(do="login_options", offline_access_required=False)
    assert "refresh_token" in await site.log_in(scope="openid")


@pytest.mark.parametrize(
    ("fault", "claim", "value"),
    [
        ("wrong_issuer", "iss", "https://elsewhere.invalid/"),
        ("wrong_audience", "aud", "another"),
        ("wrong_nonce", "nonce", "another"),
        ("wrong_at_hash", "at_hash", "A" * 22),
    ],
)
async def test_an_id_token_can_be_spoiled(site: Site, fault: str, claim: str, value: str) -> None:
    await site.control(do="login_options", id_token_fault=fault)
    assert (await site.claims(await site.log_in()))[claim] == value


async def test_an_id_token_can_be_old_missing_unsigned_or_of_a_foreign_key(site: Site) -> None:
    await site.control(do="login_options", id_token_fault="expired")
    assert (await site.claims(await site.log_in()))["exp"] < site.clock.now
    await site.control(do="login_options", id_token_fault="missing")
    assert "id_token" not in await site.log_in()
    for fault in ("unsigned", "unknown_key"):
        await site.control(do="login_options", id_token_fault=fault)
        tokens = await site.log_in()
        with pytest.raises((JoseError, ValueError)):
            await site.claims(tokens)


async def test_after_a_key_rotation_only_the_new_key_is_published(site: Site) -> None:
    old = await site.log_in()
    await site.control(do="rotate_key")
    await site.claims(await site.log_in())
    with pytest.raises((JoseError, ValueError)):
        await site.claims(old)


async def test_a_refresh_token_rotates_and_the_new_one_works(site: Site) -> None:
    first = await site.log_in()
    second = (await site.refresh(first)).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await site.refresh(second)).status_code == 200


async def test_within_the_leeway_a_rotated_refresh_token_still_works(site: Site) -> None:
    first = await site.log_in()
    await site.refresh(first)
    site.clock.now += 29.9
    assert (await site.refresh(first)).status_code == 200


async def test_after_the_leeway_reuse_revokes_the_whole_family(site: Site) -> None:
    first = await site.log_in()
    second = (await site.refresh(first)).json()
    other = await site.log_in()
    site.clock.now += 30.0
    assert error_of(await site.refresh(first)) == (400, "invalid_grant")
    assert error_of(await site.refresh(second)) == (400, "invalid_grant")
    assert site.provider.authenticate(second["access_token"]) is None
    assert site.provider.authenticate(other["access_token"]) == "till"


async def test_the_answer_of_a_refresh_can_be_lost_after_it_was_processed(site: Site) -> None:
    first = await site.log_in()
    await site.control(do="lose_token_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        await site.refresh(first)
    site.clock.now += 10
    assert (await site.refresh(first)).status_code == 200
    site.clock.now += 30
    assert error_of(await site.refresh(first)) == (400, "invalid_grant")


async def test_lifetimes_end_and_a_refresh_token_slides(site: Site) -> None:
    tokens = await site.log_in()
    site.clock.now += 3600
    assert site.provider.authenticate(tokens["access_token"]) is None
    site.clock.now += 13 * 86_400
    tokens = (await site.refresh(tokens)).json()
    site.clock.now += 13 * 86_400
    tokens = (await site.refresh(tokens)).json()
    site.clock.now += 14 * 86_400
    assert error_of(await site.refresh(tokens)) == (400, "invalid_grant")


async def test_an_administrator_can_end_every_login(site: Site) -> None:
    tokens = await site.log_in()
    await site.control(do="revoke")
    assert site.provider.authenticate(tokens["access_token"]) is None
    assert error_of(await site.refresh(tokens)) == (400, "invalid_grant")


@pytest.mark.parametrize("what", ["access_tokens", "refresh_tokens"])
async def test_tokens_can_be_made_to_expire(site: Site, what: str) -> None:
    tokens = await site.log_in()
    await site.control(do="expire", what=what)
    good = site.provider.authenticate(tokens["access_token"]) == "till"
    refreshed = (await site.refresh(tokens)).status_code == 200
    assert (good, refreshed) == (what == "refresh_tokens", what == "access_tokens")


async def test_revoking_a_refresh_token_ends_its_login_and_unknown_ones_pass(site: Site) -> None:
    tokens, other = await site.log_in(), await site.log_in()
    assert (await site.post("/connect/revoke", token="unknown")).status_code == 200
    foreign = await site.post("/connect/revoke", token=other["refresh_token"], client_id="kiosk")
    assert foreign.status_code == 200
    await site.post("/connect/revoke", token=tokens["refresh_token"])
    assert error_of(await site.refresh(tokens)) == (400, "invalid_grant")
    assert (await site.refresh(other)).status_code == 200
    await site.post("/connect/revoke", token=other["access_token"])
    assert site.provider.authenticate(other["access_token"]) is None
