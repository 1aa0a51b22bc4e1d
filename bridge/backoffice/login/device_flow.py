"""The device login: a code that a person types on another screen, and polite polling for it.

It paints nothing and stores nothing.
Source: RFC 8628.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.backoffice.http_exchange import NoAnswer, is_safe_url
from bridge.backoffice.login.provider import (
    Busy,
    Grant,
    GrantRefused,
    ProviderWire,
    read_answer,
    read_seconds,
)
from bridge.backoffice.login.refusal_words import rejected
from bridge.backoffice.login.settings import LoginSettings
from bridge.errors import BackOfficeUnavailable, LoginRequired, Rejected

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"

INTERVAL_DEFAULT_SECONDS = 5
"""Between polls when the provider names none. Source: RFC 8628, section 3.2."""

SLOW_DOWN_SECONDS = 5
"""What each slow_down adds, for good. Source: RFC 8628, section 3.5."""

INTERVAL_MAX_SECONDS = 60
"""Doubling after lost connections stops here, or a person who has agreed would wait too long."""

LIFETIME_DEFAULT_SECONDS = 600
LIFETIME_MAX_SECONDS = 3600
"""A code that nobody typed in an hour is given up, whatever the provider says."""

CLOSED_CODES = frozenset(
    {"no_device_login", "unauthorized_client", "invalid_request", "unsupported_grant_type"}
)
"""Refusals of a code that say: this client may not log in so. Another way may be open to it.

Source: RFC 8628, section 3.1, and RFC 6749, section 5.2."""

TEXT_CHARS_MAX = 2000
"""Neither a code nor an address is longer; both go on a screen and into a QR code."""


class LoginDenied(LoginRequired):
    """The person, or the provider for them, said no."""


class LoginExpired(LoginRequired):
    """Nobody agreed in time, or the code was used up; a new one is made when a person asks."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person needs to agree on another screen.

    Attributes:
        user_code: To be typed, or compared when the QR code was used; show it always.
        verification_uri: Where to type it.
        verification_uri_complete: The same with the code inside, for the QR code; "" if none.
        expires_in_seconds: How long it was good when it was made.
        expires_at: The same as the loop's monotonic time, for a countdown.
        interval_seconds: Between polls, to begin with.
        device_code: Our half of the secret; never shown.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in_seconds: int
    expires_at: float
    interval_seconds: int
    device_code: str = field(repr=False)


async def begin(wire: ProviderWire, settings: LoginSettings) -> DeviceCode:
    """Ask the provider for a new code.

    Raises:
        Rejected: The provider has no device login, or not for us.
        BackOfficeUnavailable: It does not answer, or is not itself.
    """
    provider = await wire.discover()
    if not provider.device_endpoint:
        raise Rejected("no_device_login", "the login provider offers no login by code")
    started = asyncio.get_running_loop().time()
    try:
        form = {"scope": settings.scopes, **settings.target}
        document = read_answer(await wire.post(provider.device_endpoint, form))
    except GrantRefused as error:
        raise rejected(error.code) from error
    except NoAnswer as error:
        # At worst a code was made that nobody will ever see; it expires by itself.
        raise BackOfficeUnavailable(str(error)) from error
    return _read_code(document, started)


async def finish(wire: ProviderWire, code: DeviceCode) -> Grant:
    """Poll until the person has agreed, and return the tokens; ends at `code.expires_at`.

    Raises:
        LoginDenied: The person said no.
        LoginExpired: Nobody said anything in time.
        Rejected: The provider will not let this client log in.
    """
    loop = asyncio.get_running_loop()
    form = {"grant_type": GRANT_TYPE, "device_code": code.device_code}
    interval = code.interval_seconds
    while loop.time() + interval < code.expires_at:
        await asyncio.sleep(interval)
        try:
            return await wire.grant(form)
        except GrantRefused as error:
            if error.code == "slow_down":
                interval += SLOW_DOWN_SECONDS
            elif error.code != "authorization_pending":
                raise _refusal(error) from error
        except Busy:
            interval += SLOW_DOWN_SECONDS
        except (BackOfficeUnavailable, NoAnswer):
            interval = max(interval, min(interval * 2, INTERVAL_MAX_SECONDS))
    # The last moments are waited for, so that the countdown on the screen ends at zero.
    await asyncio.sleep(max(0.0, code.expires_at - loop.time()))
    raise LoginExpired("the code has expired, nobody agreed in time; ask for a new one")


def _refusal(error: GrantRefused) -> LoginRequired | Rejected:
    match error.code:
        case "access_denied" | "authorization_declined":
            return LoginDenied("the login was denied: somebody said no")
        case "expired_token" | "invalid_grant" | "bad_verification_code" | "code_expired":
            return LoginExpired("the code has expired; ask for a new one")
        case _:
            return rejected(error.code)


def _read_code(document: Mapping[str, Any], started: float) -> DeviceCode:
    """Return the code of an answer; some servers say `verification_url`.

    Raises:
        BackOfficeUnavailable: A part is missing.
        Rejected: A person would be sent to an unsafe place.
    """
    address = document.get("verification_uri") or document.get("verification_url")
    complete = document.get("verification_uri_complete") or ""
    parts = (document.get("user_code"), document.get("device_code"), address)
    if not all(isinstance(part, str) and 0 < len(part) <= TEXT_CHARS_MAX for part in parts):
        raise BackOfficeUnavailable("the login provider's answer holds no code")
    if not isinstance(complete, str) or len(complete) > TEXT_CHARS_MAX:
        complete = ""
    user_code, device_code, address = (str(part) for part in parts)
    for url in (address, complete or address):
        if not is_safe_url(url):
            raise Rejected("unsafe_endpoint", f"the provider sends people to {url!r}")
    lifetime = read_seconds(
        document.get("expires_in"), LIFETIME_DEFAULT_SECONDS, LIFETIME_MAX_SECONDS
    )
    return DeviceCode(
        user_code=user_code,
        verification_uri=address,
        verification_uri_complete=complete,
        expires_in_seconds=lifetime,
        expires_at=started + lifetime,
        interval_seconds=read_seconds(
            document.get("interval"), INTERVAL_DEFAULT_SECONDS, LIFETIME_MAX_SECONDS
        ),
        device_code=device_code,
    )
