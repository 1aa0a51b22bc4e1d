"""The wire to the OpenID provider: its description, its keys, and its token endpoint.

It says what an answer means and keeps no token; when to ask is `login.py`'s business.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx

from bridge.backoffice.http_exchange import (
    HttpAnswer,
    NoAnswer,
    exchange,
    is_safe_url,
    parse_object,
    parse_retry_after,
)
from bridge.backoffice.login.refusal_words import in_words, plain_code
from bridge.backoffice.login.settings import LoginSettings
from bridge.errors import BackOfficeUnavailable, BridgeError, ConfigError, Rejected

DEADLINE_SECONDS = 8.0
"""For one exchange. A refresh whose answer is lost is repeated right after it, so about 8 s later:
servers forgive a rotated refresh token for some 30 s."""

PROVIDER_SECONDS = 24 * 3600.0
"""How long a provider's description is cached; servers move their endpoints rarely."""

LIFETIME_DEFAULT_SECONDS = 300
"""Of an access token whose answer names none; short, because a 401 costs one more round trip."""

LIFETIME_MAX_SECONDS = 30 * 24 * 3600
"""No access token is used for longer, whatever the answer says."""

CLOCK_CORRECTION_SECONDS_MAX = 24 * 3600.0
"""A wrong time zone or a battery that is empty since yesterday is corrected by the provider's date;
a clock that is off by more says that something else is wrong, and a person must look."""

CLOCK_NOISE_SECONDS = 2.0
"""A Date header has whole seconds and is as old as its answer."""

_ISSUER_KEY = "login.issuer"
_OUTAGE_CODES = frozenset({"server_error", "temporarily_unavailable"})


class Busy(BackOfficeUnavailable):
    """The provider said 429.

    Attributes:
        retry_after_seconds: The wait it asked for, None when it asked for none.
    """

    def __init__(self, retry_after_seconds: float | None) -> None:
        super().__init__("the login provider is busy")
        self.retry_after_seconds = retry_after_seconds


class GrantRefused(BridgeError):
    """The token endpoint said no, in the words of RFC 6749, section 5.2.

    Attributes:
        code: Its error code, e.g. `invalid_grant`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"{plain_code(code)}: {in_words(code)}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Provider:
    """What discovery says; an endpoint is "" when the provider has none.

    Attributes:
        issuer: Exactly as the provider spells it.
        algorithms: How it says it signs id tokens.
        secret_methods: How a client may present its secret.
        names_issuer: The provider promises `iss` in its answer to the browser (RFC 9207).
    """

    issuer: str
    token_endpoint: str
    jwks_uri: str
    device_endpoint: str = ""
    authorization_endpoint: str = ""
    revocation_endpoint: str = ""
    algorithms: tuple[str, ...] = ("RS256",)
    secret_methods: tuple[str, ...] = ("client_secret_basic",)
    names_issuer: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens just given; `lifetime_seconds` counts from the moment of asking."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)
    scope: str
    lifetime_seconds: int


class ProviderWire:
    """Talks to one provider as one client.

    Args:
        now: The wall clock, with a time zone.
    """

    def __init__(
        self, http: httpx.AsyncClient, settings: LoginSettings, now: Callable[[], datetime]
    ) -> None:
        self._http = http
        self._settings = settings
        self._now = now
        self._provider: Provider | None = None
        self._provider_until = 0.0
        self._keys: dict[str, Any] | None = None
        self.clock_ahead_seconds: float | None = None
        """How far our clock is ahead of the provider's by its last answer, None if unknown."""

    def now_seconds(self) -> float:
        """Return the time of now (Unix), by the provider's clock where ours is off within reason.

        Source: RFC 9110, section 6.6.1, for the Date of an answer.
        """
        ours = self._now().timestamp()
        ahead = self.clock_ahead_seconds or 0.0
        plausible = CLOCK_NOISE_SECONDS < abs(ahead) <= CLOCK_CORRECTION_SECONDS_MAX
        return ours - ahead if plausible else ours

    async def discover(self) -> Provider:
        """Return the provider's description, asked for at most once a day.

        Raises:
            ConfigError: The issuer's address cannot be used, or the document is another issuer's.
            BackOfficeUnavailable: It does not answer, or is not itself.
        """
        loop = asyncio.get_running_loop()
        if self._provider is None or loop.time() >= self._provider_until:
            self._provider = await self._ask_description()
            self._provider_until = loop.time() + PROVIDER_SECONDS
        return self._provider

    async def keys(self, *, fresh: bool) -> dict[str, Any]:
        """Return the JWKS document; `fresh` asks the provider even if we have one.

        Raises:
            BackOfficeUnavailable: It does not answer, or is not itself.
        """
        if fresh or self._keys is None:
            provider = await self.discover()
            document = parse_object((await self._get(provider.jwks_uri)).body)
            if document is None or not isinstance(document.get("keys"), list):
                raise BackOfficeUnavailable("the login provider shows no keys")
            self._keys = document
        return self._keys

    async def grant(self, form: Mapping[str, str]) -> Grant:
        """Ask the token endpoint once.

        Raises:
            GrantRefused: It said no.
            Busy: It said 429.
            BackOfficeUnavailable: It was not reached, or is not itself.
            NoAnswer: It may have given tokens that never arrived.
        """
        answer = await self.post((await self.discover()).token_endpoint, form)
        document = read_answer(answer)
        access_token = document.get("access_token")
        token_type = document.get("token_type", "Bearer")
        if not isinstance(access_token, str) or not access_token:
            raise NoAnswer("the login provider's answer holds no access token")
        if not isinstance(token_type, str) or token_type.lower() != "bearer":
            raise GrantRefused("unsupported_token_type")
        return Grant(
            access_token=access_token,
            refresh_token=_text(document, "refresh_token"),
            id_token=_text(document, "id_token"),
            scope=_text(document, "scope"),
            lifetime_seconds=read_seconds(
                document.get("expires_in"), LIFETIME_DEFAULT_SECONDS, LIFETIME_MAX_SECONDS
            ),
        )

    async def revoke(self, refresh_token: str) -> bool:
        """Ask the provider to forget a login; False when it does not or cannot.

        Raises:
            BackOfficeUnavailable: It does not answer.
        Source: RFC 7009, section 2.
        """
        endpoint = (await self.discover()).revocation_endpoint
        if not endpoint:
            return False
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        try:
            return (await self.post(endpoint, form)).status == 200
        except NoAnswer as error:
            raise BackOfficeUnavailable(str(error)) from error

    async def post(self, endpoint: str, form: Mapping[str, str]) -> HttpAnswer:
        """Post a form as our client, once.

        Raises:
            BackOfficeUnavailable: No byte left.
            NoAnswer: Bytes may have left.
        """
        fields = {**form, "client_id": self._settings.client_id}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        secret = self._settings.client_secret
        if secret and "client_secret_basic" in (await self.discover()).secret_methods:
            # RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
            pair = f"{quote_plus(self._settings.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            del fields["client_id"]
        elif secret:
            fields["client_secret"] = secret
        request = self._http.build_request(
            "POST", endpoint, content=urlencode(fields).encode(), headers=headers
        )
        answer = await exchange(self._http, request, deadline_seconds=DEADLINE_SECONDS)
        self._note_clock(answer)
        return answer

    def _note_clock(self, answer: HttpAnswer) -> None:
        ahead = _clock_ahead(answer, self._now())
        if ahead is not None:
            self.clock_ahead_seconds = ahead

    async def _get(self, url: str) -> HttpAnswer:
        request = self._http.build_request("GET", url)
        try:
            answer = await exchange(self._http, request, deadline_seconds=DEADLINE_SECONDS)
        except NoAnswer as error:
            # Nothing changes over there by reading, so this is plain absence.
            raise BackOfficeUnavailable(str(error)) from error
        self._note_clock(answer)
        if answer.status == 429:
            raise Busy(parse_retry_after(answer))
        if answer.status != 200:
            raise BackOfficeUnavailable(f"{url} answers HTTP {answer.status}")
        return answer

    async def _ask_description(self) -> Provider:
        issuer = self._settings.issuer
        if not is_safe_url(issuer):
            raise ConfigError(_ISSUER_KEY, f"{issuer} must be an https:// address")
        answer = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        document = parse_object(answer.body)
        if document is None:
            raise BackOfficeUnavailable(f"{issuer} is not a login provider just now")
        return _read_provider(document, issuer)


def read_answer(answer: HttpAnswer) -> dict[str, Any]:
    """Return the JSON object of a good answer.

    Raises:
        GrantRefused: The provider said no.
        Busy: It said 429.
        BackOfficeUnavailable: Not the provider's voice (a portal's page), or it has troubles.
    """
    document = parse_object(answer.body)
    if answer.status == 429:
        raise Busy(parse_retry_after(answer))
    if document is not None and answer.status == 200:
        return document
    code = document.get("error") if document is not None else None
    if answer.status in (400, 401, 403) and isinstance(code, str) and code not in _OUTAGE_CODES:
        raise GrantRefused(code)
    raise BackOfficeUnavailable(f"the login provider answers HTTP {answer.status}")


def read_seconds(value: object, default: int, most: int) -> int:
    """Return a number of seconds, 1 to `most`, that some servers send as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return default
    return max(1, min(value, most))


def _read_provider(document: dict[str, Any], issuer: str) -> Provider:
    """Return the description.

    Raises:
        ConfigError: It is another issuer's.
        Rejected: It breaks a rule that keeps tokens safe.
    Source: OpenID Connect Discovery 1.0, sections 3 and 4.3.
    """
    named = _text(document, "issuer")
    if named.removesuffix("/") != issuer.removesuffix("/"):
        raise ConfigError(_ISSUER_KEY, f"the provider calls itself {named[:200]!r}, not {issuer!r}")
    if issuer.startswith("https:"):
        _check_metadata(document)
    provider = Provider(
        issuer=named,
        token_endpoint=_text(document, "token_endpoint"),
        jwks_uri=_text(document, "jwks_uri"),
        device_endpoint=_text(document, "device_authorization_endpoint"),
        authorization_endpoint=_text(document, "authorization_endpoint"),
        revocation_endpoint=_text(document, "revocation_endpoint"),
        algorithms=_texts(document, "id_token_signing_alg_values_supported") or ("RS256",),
        secret_methods=_texts(document, "token_endpoint_auth_methods_supported")
        or ("client_secret_basic",),
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )
    endpoints = (
        provider.token_endpoint,
        provider.jwks_uri,
        provider.device_endpoint or provider.token_endpoint,
        provider.authorization_endpoint or provider.token_endpoint,
        provider.revocation_endpoint or provider.token_endpoint,
    )
    for endpoint in endpoints:
        if not is_safe_url(endpoint):
            raise Rejected("unsafe_endpoint", f"the provider names {endpoint[:200]!r}")
    return provider


def _check_metadata(document: dict[str, Any]) -> None:
    """Let Authlib look at what a provider on the net says of itself.

    Raises:
        Rejected: It does not fit RFC 8414.
    """
    # Imported here because it costs 50 ms that a service with a good login never needs.
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # noqa: PLC0415

    metadata = AuthorizationServerMetadata(document)
    checks = {
        "issuer": metadata.validate_issuer,
        "token_endpoint": metadata.validate_token_endpoint,
        "jwks_uri": metadata.validate_jwks_uri,
        "code_challenge_methods_supported": metadata.validate_code_challenge_methods_supported,
    }
    for name, validate in checks.items():
        try:
            validate()
        except ValueError as error:
            text = f"its {name} breaks a rule that keeps tokens safe (RFC 8414)"
            raise Rejected("bad_metadata", text) from error


def _clock_ahead(answer: HttpAnswer, now: datetime) -> float | None:
    """Return how far our clock is ahead of the answer's date, in seconds."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return (now - theirs).total_seconds() if theirs.tzinfo is not None else None


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key)
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()
