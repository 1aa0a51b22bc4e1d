"""One HTTP exchange with the back office or its login provider, with an honest failure.

It answers one question beyond the bytes: when no answer came, could the request have left? It
knows nothing of GraphQL, of logins, or of what a status means.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import certifi
import httpx

from bridge.backoffice.one_shot_transport import PHASE, OneShotTransport, Phase
from bridge.errors import BackOfficeUnavailable, BridgeError, ConfigError

_LOGGER = logging.getLogger(__name__)

BODY_BYTES_MAX = 1 << 20
"""No answer we ask for comes near 1 MiB; a portal's page or a runaway server must not fill us."""

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_NO_BODY_CODING = frozenset({"", "identity"})
_WINDOW_BITS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""How zlib reads each coding. Source: RFC 9110, section 8.4.1; zlib's manual, inflateInit2."""


class NotSent(BackOfficeUnavailable):
    """The request provably never left: no name, no connection, no TLS, no free connection."""


class NoAnswer(BridgeError):
    """The request may have left and no whole answer came; what happened there is unknown."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, whatever its status.

    Attributes:
        status: The HTTP status.
        headers: Header fields by lower-case name; may quote the request, so never shown.
        body: The whole body, at most `BODY_BYTES_MAX` bytes; may hold tokens, so never shown.
        leads_elsewhere: It points to another origin than the one that was asked.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    leads_elsewhere: bool = False


def open_client(ca_file: Path | None = None) -> httpx.AsyncClient:
    """Return the client for everything behind the store's wall; the caller closes it.

    Certificates are always verified, against the usual authorities or `ca_file` instead of them.
    The environment is not consulted: a stray proxy or `.netrc` entry must not see our tokens.
    Every request uses a connection of its own, see `one_shot_transport.py`.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.
    """
    try:
        tls = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
    except OSError as error:
        raise ConfigError("ca_file", f"{ca_file} is no readable certificate file") from error
    return httpx.AsyncClient(
        transport=OneShotTransport(tls),
        trust_env=False,
        follow_redirects=False,
        headers={
            "connection": "close",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "paybridge",
        },
    )


def is_safe_url(url: str) -> bool:
    """Say whether tokens may travel to `url`: HTTPS, or plain HTTP to a loopback literal."""
    try:
        # Each of the two overlooks what the other refuses: ports and brackets, odd characters.
        port, parts = urlsplit(url).port, httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return False
    if port == 0 or not parts.host or parts.userinfo or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.host in _LOOPBACK)


async def exchange(
    http: httpx.AsyncClient, request: httpx.Request, *, deadline_seconds: float
) -> HttpAnswer:
    """Send one request and return its whole answer within `deadline_seconds`.

    The request is sent once; nothing is repeated and no redirect is followed. If cancelled, the
    connection is dropped and the request may or may not have been acted on.

    Raises:
        NotSent: No byte of the request left.
        NoAnswer: Bytes may have left; the answer is missing, cut, too long or coded.
    """
    assert deadline_seconds > 0
    phase = Phase()
    request.extensions[PHASE] = phase
    try:
        async with asyncio.timeout(deadline_seconds):
            response = await http.send(request, stream=True)
            try:
                return HttpAnswer(
                    status=response.status_code,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=await _read_body(response),
                    leads_elsewhere=_leads_elsewhere(request.url, response),
                )
            finally:
                await response.aclose()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        _LOGGER.debug("no connection to %s: %r", request.url.host, error)
        raise NotSent(f"no connection to {request.url.host}: {_why(error)}") from error
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
        _LOGGER.debug("the request cannot be sent: %r", error)
        raise NotSent("the request cannot be sent: its address or a header is wrong") from error
    except TimeoutError as error:
        words = f"no answer from {request.url.host} within {deadline_seconds:g} s"
        # A transport that does not tell how far it got proves nothing, so the doubt stays.
        if phase.connecting and not phase.sending:
            raise NotSent(words) from error
        raise NoAnswer(words) from error
    except (httpx.RequestError, httpx.StreamError) as error:
        # Its text may quote bytes of the server, which may quote the request.
        _LOGGER.debug("no answer: %s", type(error).__name__)
        raise NoAnswer(f"{request.url.host} broke off before it had answered") from None


def _why(error: BaseException) -> str:
    """Return in our words why there is no connection; the libraries' go to the log."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return "it does not answer in time"
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return "its certificate is not to be trusted: look at ca_file and the clock"
            case ssl.SSLError():
                return "no encrypted connection comes about"
            case socket.gaierror() | UnicodeError():
                return "nobody knows this name: look at the network's name server"
            case ConnectionRefusedError():
                return "nobody listens there"
            case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
                return "no way leads there: look at the network"
        cause = cause.__cause__ or cause.__context__
    return "the network does not let us through"


def _leads_elsewhere(asked: httpx.URL, response: httpx.Response) -> bool:
    """Whether `Location` names another origin. Source: RFC 9110, section 10.2.2."""
    try:
        target = asked.join(response.headers.get("location", ""))
    except httpx.InvalidURL:
        return False
    return (target.scheme, target.host, target.port) != (asked.scheme, asked.host, asked.port)


def parse_object(body: bytes, *, unique_keys: bool = False) -> dict[str, Any] | None:
    """Return the JSON object that `body` spells with every fraction as Decimal, else None.

    With `unique_keys` an object that says one thing twice is none: nobody knows which one holds.
    """
    hook = _refuse_repeated_keys if unique_keys else None
    try:
        value = json.loads(
            body, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=hook
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def parse_retry_after(answer: HttpAnswer) -> float | None:
    """Return the wait in seconds (0 to 3600) that `Retry-After` asks for; None without a number.

    Source: RFC 9110, section 10.2.3; the form that names a date is rare and is left to back-off.
    """
    text = answer.headers.get("retry-after", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    return float(min(int(text), 3600))


async def _read_body(response: httpx.Response) -> bytes:
    """Return the whole body, decoded where a proxy compressed it though nobody asked.

    Raises:
        NoAnswer: It is longer than `BODY_BYTES_MAX`, cut, or coded in a way we cannot read.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in _NO_BODY_CODING and coding not in _WINDOW_BITS:
        raise NoAnswer("the answer is coded in a way that was not asked for")
    unpack = zlib.decompressobj(_WINDOW_BITS[coding]) if coding in _WINDOW_BITS else None
    body = bytearray()
    async for chunk in response.aiter_raw() if unpack is not None else response.aiter_bytes():
        try:
            # One byte more than allowed is enough to see that it is too long.
            room = BODY_BYTES_MAX + 1 - len(body)
            body += unpack.decompress(chunk, room) if unpack is not None else chunk
        except zlib.error as error:
            raise NoAnswer("the answer's compression is damaged") from error
        if len(body) > BODY_BYTES_MAX:
            raise NoAnswer(f"the answer is longer than {BODY_BYTES_MAX} bytes")
    if unpack is not None and not unpack.eof:
        raise NoAnswer("the answer's compression ends before its end")
    return bytes(body)


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
