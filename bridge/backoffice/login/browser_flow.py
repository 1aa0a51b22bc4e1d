"""The login by a browser on this machine: it goes to the provider and comes back to 127.0.0.1.

It opens no browser itself and stores nothing.
Source: RFC 6749, section 4.1; RFC 7636; RFC 8252; RFC 9207.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from bridge.backoffice.http_exchange import NoAnswer
from bridge.backoffice.login.device_flow import LoginDenied, LoginExpired
from bridge.backoffice.login.provider import Grant, GrantRefused, Provider, ProviderWire
from bridge.backoffice.login.refusal_words import rejected
from bridge.backoffice.login.settings import LoginSettings
from bridge.errors import BackOfficeUnavailable, ConfigError, Rejected

HOST = "127.0.0.1"
"""The literal, because `localhost` may lead elsewhere. Source: RFC 8252, section 8.3."""

PATH = "/callback"

PERSON_SECONDS = 600.0
"""How long a person may take; the same as for a device code."""

REQUEST_SECONDS = 10.0
"""How long a local browser may take to send one request; it opens idle connections too."""

HEAD_BYTES_MAX = 1 << 14
"""A callback's address and a browser's headers; a code is a few hundred bytes."""

SECRET_BYTES = 32
"""256 bits for state, nonce and verifier, which is 43 characters. Source: RFC 7636, section 4.1."""

_PAGE = "<!doctype html><meta charset=utf-8><title>paybridge</title><p>{}</p>"


@dataclass(frozen=True, slots=True)
class _Secrets:
    state: str
    nonce: str
    verifier: str


async def login(
    wire: ProviderWire, settings: LoginSettings, announce: Callable[[str], None]
) -> tuple[Grant, str]:
    """Announce the address a browser must open, wait for it to come back, return tokens and nonce.

    The port is bound before `announce` is called and free again when this returns or raises.

    Raises:
        LoginDenied: The person said no.
        LoginExpired: Nobody came back in time, or with a code that is not good.
        ConfigError: The port is in use, or the provider has no browser login.
        Rejected: The provider will not let this client log in.
        BackOfficeUnavailable: The provider is away.
    """
    # Imported here because it costs 50 ms that a service with a good login never needs.
    from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415

    provider = await wire.discover()
    if not provider.authorization_endpoint:
        raise ConfigError("login.flow", "the login provider offers no login by browser")
    once = _Secrets(*(secrets.token_urlsafe(SECRET_BYTES) for _ in range(3)))
    redirect_uri = f"http://{HOST}:{settings.redirect_port}{PATH}"
    arrival: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    listener = _Listener(settings.redirect_port, once.state, arrival)
    try:
        server = await asyncio.start_server(
            listener.serve, HOST, settings.redirect_port, limit=HEAD_BYTES_MAX
        )
    except OSError as error:
        raise ConfigError(
            "login.redirect_port", f"port {settings.redirect_port} cannot be used: {error.strerror}"
        ) from error
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": redirect_uri,
        "scope": settings.scopes,
        "state": once.state,
        "nonce": once.nonce,
        "code_challenge": create_s256_code_challenge(once.verifier),
        "code_challenge_method": "S256",
        **settings.target,
    }
    if "offline_access" in settings.scopes.split():
        # Without it a provider may leave the refresh token out.
        # Source: OpenID Connect Core 1.0, section 11.
        query["prompt"] = "consent"
    separator = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    try:
        announce(provider.authorization_endpoint + separator + urlencode(query))
        async with asyncio.timeout(PERSON_SECONDS):
            answer = await arrival
    except TimeoutError as error:
        raise LoginExpired("nobody came back from the browser in time") from error
    finally:
        server.close()
    code = _read_code(answer, provider)
    return await _exchange(wire, code, redirect_uri, once.verifier), once.nonce


async def _exchange(wire: ProviderWire, code: str, redirect_uri: str, verifier: str) -> Grant:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    try:
        return await wire.grant(form)
    except GrantRefused as error:
        if error.code == "invalid_grant":
            raise LoginExpired("the provider does not accept the code it gave") from error
        raise rejected(error.code) from error
    except NoAnswer as error:
        # The code may be used up; only a new login can tell.
        raise BackOfficeUnavailable(f"{error}; log in again") from error


def _read_code(answer: dict[str, str], provider: Provider) -> str:
    """Return the code the browser brought; its `state` was already found right."""
    issuer = answer.get("iss")
    if (issuer is None and provider.names_issuer) or (issuer or provider.issuer) != provider.issuer:
        raise Rejected("wrong_issuer", "the answer comes from another login provider", "iss")
    error = answer.get("error")
    if error == "access_denied":
        raise LoginDenied("the login was denied: somebody said no")
    if error is not None:
        raise rejected(error)
    code = answer.get("code", "")
    if not code:
        raise Rejected("no_code", "the browser came back without a code")
    return code


class _Listener:
    """Waits for the one request that carries our state; whatever else comes is turned away."""

    def __init__(self, port: int, state: str, arrival: asyncio.Future[dict[str, str]]) -> None:
        self._host = f"{HOST}:{port}"
        self._state = state
        self._arrival = arrival

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, words = self._take(head)
                body = _PAGE.format(words).encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n"
                    f"content-length: {len(body)}\r\nconnection: close\r\n"
                    "cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Some local program that is not our browser; the person is still awaited.
            return
        finally:
            writer.close()

    def _take(self, head: bytes) -> tuple[str, str]:
        """Return status and words for one request, and let the right one through, once."""
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = request_line.partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        hosts = [
            v.strip() for n, _, v in (line.partition(":") for line in lines) if n.lower() == "host"
        ]
        if method != "GET" or target.path != PATH or hosts != [self._host]:
            return "404 Not Found", "There is nothing here."
        fields = parse_qs(target.query, keep_blank_values=True)
        answer = {name: values[0] for name, values in fields.items() if len(values) == 1}
        if not hmac.compare_digest(answer.get("state", "").encode(), self._state.encode()):
            return "400 Bad Request", "This is not the login that paybridge is waiting for."
        if self._arrival.done():
            return "400 Bad Request", "This login was already used."
        self._arrival.set_result(answer)
        return "200 OK", "paybridge has its answer. You may close this window."
