"""A small HTTP/1.1 server for the pages of `routes.py`: GET and HEAD, one request a connection.

`h11` reads the bytes. Slow, large or many requests cost nobody else anything: each connection has a
deadline and a limit, and only so many are served at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import h11

from bridge.monitoring.routes import Answer

_LOGGER = logging.getLogger(__name__)

REQUEST_BYTES_MAX: Final = 8_192
REQUEST_SECONDS_MAX: Final = 5.0
CONNECTIONS_MAX: Final = 16  # a Prometheus, a probe or two, and somebody's browser
READ_BYTES: Final = 4_096
_PLAIN: Final = "text/plain; charset=utf-8"

Answers = Callable[[str], Awaitable[Answer | None]]


class MonitoringServer:
    """Serves `answers` at host and port."""

    def __init__(self, host: str, port: int, answers: Answers) -> None:
        """Serve there; nothing is opened yet."""
        self._host = host
        self._port = port
        self._answers = answers
        self._open = 0
        self.address: tuple[str, int] = (host, port)

    async def run(self) -> None:
        """Serve for ever. A port that is taken is said once, and payments go on without it."""
        try:
            server = await asyncio.start_server(
                self._serve, self._host, self._port, limit=REQUEST_BYTES_MAX
            )
        except OSError as error:
            _LOGGER.error(  # noqa: TRY400 - no bug: somebody else has the port
                "monitoring not served at=%s:%d reason=%s", self._host, self._port, error.strerror
            )
            await asyncio.Event().wait()
            return
        name = server.sockets[0].getsockname()
        self.address = (name[0], name[1])
        _LOGGER.info("monitoring at=http://%s:%d/metrics", *self.address)
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                if self._open > CONNECTIONS_MAX:
                    return
                await self._one_request(reader, writer)
        except (TimeoutError, OSError, h11.RemoteProtocolError):
            _LOGGER.debug("monitoring: a request was broken off")
        finally:
            self._open -= 1
            writer.close()

    async def _one_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        wire = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
        while True:
            event = wire.next_event()
            if isinstance(event, h11.Request):
                break
            if event is not h11.NEED_DATA:
                return
            wire.receive_data(await reader.read(READ_BYTES))
        answer = await self._answer_to(event)
        headers = [
            ("content-type", answer.content_type),
            ("content-length", str(len(answer.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
        ]
        writer.write(wire.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
        if event.method != b"HEAD":
            writer.write(wire.send(h11.Data(data=answer.body)) or b"")
        writer.write(wire.send(h11.EndOfMessage()) or b"")
        await writer.drain()

    async def _answer_to(self, request: h11.Request) -> Answer:
        if request.method not in {b"GET", b"HEAD"}:
            return Answer(405, _PLAIN, b"only GET is answered here\n")
        path = request.target.decode("ascii", errors="replace").partition("?")[0]
        found = await self._answers(path)
        return found or Answer(404, _PLAIN, b"there are /healthz, /readyz and /metrics\n")
