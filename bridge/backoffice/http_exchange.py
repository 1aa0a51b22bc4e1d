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

from bridge.errors import BackOfficeUnavailable, BridgeError, ConfigError

_LOGGER = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
"""A store's line that needs longer for name and connection, or for TLS, counts as away."""

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


@dataclass(frozen=True, slots=True)
class Proxy:
    """The HTTP proxy through which a store reaches the internet.

    Attributes:
        url: `http://HOST:PORT`, or `https://` where the proxy itself wants TLS; nothing else in it.
        username: "" where the proxy asks for nobody.
        password: Never shown or logged.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)


def open_client(ca_file: Path | None = None, proxy: Proxy | None = None) -> httpx.AsyncClient:
    """Return the client for everything behind the store's wall; the caller closes it.

    Certificates are always verified, against the usual authorities or `ca_file` instead of them;
    a proxy's, too. The environment is not consulted: a stray proxy or `.netrc` entry must not see
    our tokens. Plain HTTP (to this machine only) never goes through `proxy`, which would read it.

    Every request uses a connection of its own: a server may close an idle one just as the next
    purchase leaves on it, and that looks exactly like a purchase that was recorded and whose answer
    was lost. All addresses of a name are tried, the next one after a quarter of a second (RFC 8305;
    anyio does it), so that IPv6 that leads nowhere keeps nobody out.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.
    """
    try:
        tls = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
    except OSError as error:
        raise ConfigError("ca_file", f"{ca_file} is no readable certificate file") from error
    direct = _transport(tls)
    return httpx.AsyncClient(
        transport=direct if proxy is None else _transport(tls, proxy),
        mounts={"http://": direct},
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # the rest is `exchange`'s deadline
        headers={
            "connection": "close",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "paybridge",
        },
    )


def _transport(tls: ssl.SSLContext, proxy: Proxy | None = None) -> httpx.AsyncHTTPTransport:
    """Return a transport that keeps no connection and repeats nothing."""
    through: httpx.Proxy | None = None
    if proxy is not None:
        user = (proxy.username, proxy.password) if proxy.username else None
        own_tls = tls if proxy.url.startswith("https:") else None
        through = httpx.Proxy(proxy.url, auth=user, ssl_context=own_tls)
    return httpx.AsyncHTTPTransport(
        verify=tls,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        proxy=through,
        retries=0,
    )


class Progress:
    """How far one request got, as httpx's transport tells it; what is not understood is a doubt.

    Source: httpcore's documentation, "Request Extensions", trace; the names of its events.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.connects_to = ("", 0)
        self.has_sent_its_head = False
        self._is_told = False  # a transport that tells nothing proves nothing
        self._has_begun_to_send = False  # towards the server itself, not to a proxy
        self._asks_for_a_tunnel = False

    async def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Hear of one event, e.g. `http11.send_request_headers.started`: before that is done."""
        self._is_told = True
        request = facts.get("request")
        if request is not None:
            self._asks_for_a_tunnel = request.method == b"CONNECT"
        if event == "connection.connect_tcp.started":
            self.connects_to = (str(facts["host"]), int(facts["port"]))
        if event.startswith(_BEFORE_ANYTHING_IS_SENT) or self._asks_for_a_tunnel:
            return
        self._has_begun_to_send = True
        self.has_sent_its_head |= event == "http11.send_request_headers.complete"

    @property
    def proves_nothing_left(self) -> bool:
        """Whether no byte of the request can have reached the server."""
        return self._is_told and not self._has_begun_to_send


_BEFORE_ANYTHING_IS_SENT = (
    "connection.",
    "proxy.",
)  # names, connections, TLS; through a proxy, too


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
    progress = Progress()
    request.extensions["trace"] = progress.trace
    # Name and connection, then TLS, each at most half of the time: a handshake that the deadline
    # cancels would leave its socket to the garbage collector (httpcore closes it on errors only).
    connect = min(CONNECT_SECONDS, deadline_seconds / 2)
    request.extensions["timeout"] = httpx.Timeout(None, connect=connect).as_dict()
    host = request.url.host
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
    except httpx.ProxyError as error:
        # What a proxy says beside the status may quote our login at it.
        raise NotSent(f"no connection to {host}: {_refused_by_proxy(error)}") from None
    except httpx.LocalProtocolError as error:
        _LOGGER.debug("the request cannot be sent: %s", _kinds(error))
        if progress.has_sent_its_head:
            raise NoAnswer("the request broke off in the middle") from None
        raise NotSent("the request cannot be sent: its address or a header is wrong") from None
    except TimeoutError as error:
        words = f"no answer from {host} within {deadline_seconds:g} s"
        raise (NotSent if progress.proves_nothing_left else NoAnswer)(words) from error
    except _NEVER_LEFT as error:
        _LOGGER.debug("no connection to %s: %s", host, _kinds(error))
        raise NotSent(_no_connection(request.url, progress, error)) from None
    except (httpx.RequestError, httpx.StreamError) as error:
        _LOGGER.debug("no answer: %s", _kinds(error))
        if progress.proves_nothing_left:
            raise NotSent(_no_connection(request.url, progress, error)) from None
        raise NoAnswer(f"{host} broke off before it had answered") from None


def _kinds(error: BaseException) -> str:
    """Return an error and its causes by their types and numbers, for the log.

    Their texts may quote our header with the token, or bytes of a server that quote the request.
    """
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < CAUSES_MAX:
        number = f" {cause.errno}" if isinstance(cause, OSError) and cause.errno else ""
        kinds.append(type(cause).__name__ + number)
        cause = cause.__cause__ or cause.__context__
    return " < ".join(kinds)


CAUSES_MAX = 6
"""Errors that are named of one chain; the libraries' have four."""

_NEVER_LEFT = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout),
    httpx.UnsupportedProtocol,
)
"""What a transport raises before it sends, whether it tells how far it got or not."""


def _no_connection(url: httpx.URL, progress: Progress, error: Exception) -> str:
    host, port = progress.connects_to
    via = (
        "" if (host, port) in {("", 0), (url.host, url.port or 443)} else f" through {host}:{port}"
    )
    return f"no connection to {url.host}{via}: {_why(error)}"


def _refused_by_proxy(error: httpx.ProxyError) -> str:
    """Return why a proxy lets nothing through: it was asked for a way, and sent nothing on it.

    Source: RFC 9110, sections 9.3.6 and 15.5.8; httpcore begins its message with the status.
    """
    status = str(error).partition(" ")[0]
    if status == "407":
        return "the proxy wants a login: look at back_office.proxy_username and its password"
    answer = f"answers HTTP {status}" if status.isdigit() else "refuses"
    return f"the proxy {answer}: ask who runs it to let us through"


def _why(error: BaseException) -> str:
    """Return in our words why there is no connection; the libraries' go to the log."""
    if isinstance(error, httpx.TimeoutException):
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
