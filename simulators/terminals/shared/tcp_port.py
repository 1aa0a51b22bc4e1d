"""A terminal's TCP port that can refuse, drop and half-close. Listens on what it is told only."""

from __future__ import annotations

import asyncio
import socket

from simulators.terminals.shared.cable import Inbox


class TcpLine(asyncio.Protocol):
    """The terminal's end of one connection."""

    def __init__(self, accepted: asyncio.Queue[TcpLine]) -> None:
        self._accepted = accepted
        self._inbox = Inbox()
        self._transport: asyncio.Transport | None = None

    async def read(self) -> bytes:
        """Return what the bridge sent, b"" once the connection is gone."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """Send `data` at once (no Nagle); into the void when the connection is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close after what was written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Reset the connection: what was written may be lost."""
        if self._transport is not None:
            self._transport.abort()

    def half_close(self) -> None:
        """Say that nothing more is sent, and go on listening."""
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._accepted.put_nowait(self)

    def data_received(self, data: bytes) -> None:
        """Queue what came; called by asyncio."""
        self._inbox.put(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader that the line is lost; called by asyncio."""
        self._inbox.end()


class TcpPort:
    """A listening port on `host`; `port` 0 means any free one, which is then kept."""

    kind = "tcp"

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._lines: asyncio.Queue[TcpLine] = asyncio.Queue()
        self._last: list[TcpLine] = []

    async def plug(self) -> None:
        """Listen; connections are accepted from now on."""
        if self._server is not None:
            return
        self._server = await asyncio.get_running_loop().create_server(
            lambda: TcpLine(self._lines), self.host, self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def unplug(self) -> None:
        """Refuse new connections and reset the ones that are open."""
        self.refuse()
        while not self._lines.empty():
            self._lines.get_nowait().drop()
        for line in self._last:
            line.drop()
        self._last.clear()

    def refuse(self) -> None:
        """Refuse new connections; the open ones live on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def half_close(self) -> None:
        """Say on the open connection that nothing more is sent."""
        for line in self._last:
            line.half_close()

    async def accept(self) -> TcpLine:
        """Return the next connection."""
        line = await self._lines.get()
        self._last = [line]
        return line
