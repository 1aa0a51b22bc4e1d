"""Serves the console beside the service, and never stands in its way.

The console may be away, the payments go on: a port in use, a wrong certificate or a fault in a page
is logged and told in health, and tried again. Only canceling ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.console.app import ConsoleApp
from bridge.console.broadcast import Broadcast
from bridge.console.pins import PINS_NAME, PinFile
from bridge.console.sessions import Sessions, Tries
from bridge.console.sources import Desk
from bridge.console.visit import ConsoleSettings, Premises
from bridge.errors import JournalError
from bridge.reports.payment_excerpt import PaymentExcerpts
from bridge.reports.payment_index import INDEX_NAME, PaymentIndex

_LOGGER = logging.getLogger(__name__)

AGAIN_SECONDS = 15.0  # a port that was in use may be free by then
LISTEN_BACKLOG = 64
CONNECTIONS_MAX = 120  # some per screen; the ports of the terminals must not run out of them
HEADER_BYTES_MAX = 16_384
REQUEST_SECONDS_MAX = 10.0  # to say what is wanted, on a new connection
STREAMS_END_SECONDS = 0.5  # a stop of the service does not wait for pages
INDEX_PAUSE_SECONDS = 0.25  # between steps of a long way: payments come first
INDEX_LOOK_SECONDS = 30.0


class _BoundedProtocol(H11Protocol):
    """HTTP whose connections are few and do not wait for ever.

    What terminals and the journal need to open must not be used up by who connects and is silent.
    """

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        self.loop.call_later(REQUEST_SECONDS_MAX, self._give_up)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the service has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def drop(self) -> None:
        """Close everything at once."""
        for listening in self.servers:
            listening.close()
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.shutdown()


class ConsoleServer:
    """The console over one desk. `works` must run, each as a task."""

    def __init__(
        self,
        settings: ConsoleSettings,
        desk: Desk,
        *,
        state_directory: Path,
        journal_name: str,
        changed: asyncio.Event,
        to_local: Callable[[datetime], datetime],
        clock: Callable[[], float],
    ) -> None:
        """Serve `desk`; `clock` is seconds that nobody can set back. Nothing is opened yet."""
        self._settings = settings
        self._problem = ""
        journal = state_directory / journal_name
        self._premises = Premises(
            desk=desk,
            settings=settings,
            pins=PinFile(state_directory / PINS_NAME),
            sessions=Sessions(clock),
            tries=Tries(clock),
            index=PaymentIndex(journal, state_directory / INDEX_NAME),
            excerpts=PaymentExcerpts(journal),
            executor=ThreadPoolExecutor(max_workers=1, thread_name_prefix="console"),
            to_local=to_local,
        )
        self.broadcast = Broadcast(changed)
        self._app = ConsoleApp(self._premises, self.broadcast)

    def asgi(self) -> ASGIApp:
        """Return what is served, with everything that guards it."""
        return self._app.asgi()

    def warnings(self) -> Sequence[str]:
        """Return why the console cannot be reached, in words; [] while it can."""
        return [self._problem] if self._problem else []

    def works(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what must run, for ever."""
        return (self.run(), self.broadcast.run(), self._keep_index())

    async def run(self) -> None:
        """Serve for ever."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._premises.executor, self._app.renderer.load_all)
        try:
            while True:
                try:
                    await self._serve()
                except OSError as error:
                    self._tell(f"the console has no port {self._where}: {error.strerror or error}")
                except Exception:
                    # Whatever is wrong with pages is no reason to take no payments.
                    _LOGGER.exception("the console broke; it begins anew")
                    self._tell("the console broke; see the log")
                await asyncio.sleep(AGAIN_SECONDS)
        finally:
            self._premises.executor.submit(self._premises.index.close)
            self._premises.executor.submit(self._premises.excerpts.close)
            self._premises.executor.shutdown(wait=True)

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            _LOGGER.warning("%s; payments go on without it", problem)
        self._problem = problem
        self.broadcast.note()

    def settings_for_uvicorn(self) -> uvicorn.Config:
        """Return how the pages are served; nothing is opened."""
        certificate, key = self._settings.certificate_file, self._settings.key_file
        return uvicorn.Config(
            self.asgi(),
            http=_BoundedProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            ssl_certfile=str(certificate) if certificate else None,
            ssl_keyfile=str(key) if key else None,
        )

    async def _serve(self) -> None:
        listening = _bind(self._settings.host, self._settings.port)
        server = _Server(self.settings_for_uvicorn())
        try:
            if self._problem:
                self._problem = ""
                self.broadcast.note()
            scheme = "https" if self._settings.is_tls else "http"
            _LOGGER.info("console address=%s://%s/", scheme, self._where)
            self.broadcast.begin()
            await server.serve([listening])
        finally:
            await self._end_streams(server)
            server.drop()
            listening.close()

    async def _end_streams(self, server: _Server) -> None:
        """Let open pages hear the end in order; what is not over in time is broken off."""
        self.broadcast.end()
        loop = asyncio.get_running_loop()
        until = loop.time() + STREAMS_END_SECONDS
        while server.server_state.tasks and loop.time() < until:  # noqa: ASYNC110 - not our tasks
            await asyncio.sleep(0.01)

    async def _keep_index(self) -> None:
        """Bring the copy of the journal up to date by and by, so that no search has to."""
        premises = self._premises
        while True:
            try:
                behind = await premises.read(premises.index.catch_up)
            except JournalError as error:
                _LOGGER.warning("payments cannot be searched reason=%s", error)
                behind = 0
            except RuntimeError:
                return  # the executor is shut down: the service stops
            await asyncio.sleep(INDEX_PAUSE_SECONDS if behind else INDEX_LOOK_SECONDS)


def _bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: The port is in use or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that say they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(LISTEN_BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
