"""An httpx transport that opens one connection for one request and says how far it got.

It holds no pool on purpose: a server may close an idle connection just as the next purchase
leaves on it, and that looks exactly like a purchase that was recorded and whose answer was lost.
It knows nothing of deadlines beyond connecting, of redirects, of proxies or of HTTP/2.
Measured on loopback with eight requests in flight, it costs two fifths of httpx's own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11
import httpx

CONNECT_SECONDS = 10.0
"""A store's line that needs longer for name, connection and TLS counts as away."""

NEXT_ADDRESS_SECONDS = 0.25
"""Until the next address of a name is tried beside the one before, so that an address that leads
nowhere (IPv6 in a store that has none) keeps nobody out. Source: RFC 8305, section 5."""

READ_BYTES = 1 << 16
"""What one read may bring; an answer of the back office fits in one."""

PHASE = "paybridge_phase"
"""The request extension under which a caller may leave a `Phase` to be told how far it got."""


@dataclass(slots=True)
class Phase:
    """How far one request got; both False means that the transport does not tell."""

    connecting: bool = False
    sending: bool = False


class OneShotTransport(httpx.AsyncBaseTransport):
    """Sends each request on a connection of its own.

    It raises `httpx.ConnectError` or `httpx.ConnectTimeout` when no byte of the request left, and
    `httpx.ReadError`, `httpx.WriteError` or `httpx.RemoteProtocolError` when bytes may have left.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` and return its answer, whose body the caller reads and closes.

        If cancelled, the connection is dropped and the request may have been acted on.
        """
        phase = request.extensions.get(PHASE, Phase())
        assert isinstance(phase, Phase)
        protocol = h11.Connection(h11.CLIENT)
        message = _encode(protocol, request, await request.aread())
        phase.connecting = True
        reader, writer = await self._connect(request.url)
        phase.sending = True
        body = _Body(protocol, reader, writer)
        try:
            await _write(writer, message)
            head = await body.read_head()
        except BaseException:
            body.abort()
            raise
        return httpx.Response(
            head.status_code, headers=head.headers.raw_items(), stream=body, request=request
        )

    async def _connect(self, url: httpx.URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(
                    url.host,
                    port,
                    limit=READ_BYTES,
                    ssl=self._tls if secure else None,
                    happy_eyeballs_delay=NEXT_ADDRESS_SECONDS,
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection within {CONNECT_SECONDS:g} s") from error
        except (OSError, UnicodeError) as error:
            # UnicodeError: a host name that no name server could ever be asked for.
            raise httpx.ConnectError(str(error) or type(error).__name__) from error


class _Body(httpx.AsyncByteStream):
    """The rest of one connection: the answer's head, then its body, then nothing."""

    def __init__(
        self, protocol: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._protocol = protocol
        self._reader = reader
        self._writer = writer
        self._is_whole = False

    async def read_head(self) -> h11.Response:
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("the server closed without an answer")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._next_event()
            match event:
                case h11.Data(data=data):
                    yield bytes(data)
                case h11.EndOfMessage():
                    self._is_whole = True
                    return
                case _:
                    raise httpx.RemoteProtocolError("the server closed in mid-answer")

    async def aclose(self) -> None:
        if self._is_whole:
            self._writer.close()
        else:
            self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _next_event(self) -> object:
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                self._protocol.receive_data(await self._reader.read(READ_BYTES))
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error
        return event


async def _write(writer: asyncio.StreamWriter, message: bytes) -> None:
    try:
        writer.write(message)
        await writer.drain()
    except OSError as error:
        raise httpx.WriteError(str(error)) from error


def _encode(protocol: h11.Connection, request: httpx.Request, body: bytes) -> bytes:
    """Return the whole request as bytes; one write then usually means one packet."""
    try:
        head = protocol.send(
            h11.Request(
                method=request.method, target=request.url.raw_path, headers=request.headers.raw
            )
        )
        data = protocol.send(h11.Data(data=body)) if body else b""
        tail = protocol.send(h11.EndOfMessage())
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error
    return (head or b"") + (data or b"") + (tail or b"")
