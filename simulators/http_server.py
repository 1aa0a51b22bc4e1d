"""Serves a simulator's ASGI app on a real port, or to an httpx client in the same process.

Both ways can do what a good server never does: drop the connection without an answer, and be
away altogether. No signal handlers are installed; whoever starts a server stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOPBACK = frozenset({"127.0.0.1", "::1"})

GRACE_SECONDS = 1
"""How long a stopping server waits for running requests; a test must not wait for a slow one."""

LISTEN_BACKLOG = 128
"""Connections the kernel holds for us; far above what one till opens at once."""

_DROP = "simulators.drop"

_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)
"""Makes the kernel answer with a reset instead of closing in order."""

Control = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Follows a control command; None when the command is meant for somebody else."""


class ConnectionDropped(ConnectionError):
    """The server ends the connection before it answers.

    Attributes:
        reset: True for a reset, as of a crashed machine; False for an orderly close.
    """

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class _DroppableProtocol(H11Protocol):
    """HTTP/1.1 whose app may close the connection through its scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await inner({**scope, _DROP: self.transport}, receive, send)

        self.app = app


async def drop_connection(scope: Scope, *, reset: bool = False) -> None:
    """End the request's connection without an answer, on whichever server it came in.

    Over a socket this returns once the connection is gone, and the caller must then return
    without sending.

    Raises:
        ConnectionDropped: There is no socket; the client is in this process.
    """
    transport = scope.get(_DROP)
    if transport is None:
        raise ConnectionDropped(reset=reset)
    if reset:
        linger = transport.get_extra_info("socket")
        linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
    transport.abort()
    await asyncio.sleep(0)  # the transport tells uvicorn in the next turn of the loop


class InProcessTransport(httpx.AsyncBaseTransport):
    """Lets an httpx client talk to an ASGI app in this process, with honest failures.

    A closed connection is `httpx.RemoteProtocolError`, a reset one `httpx.ReadError`, an app
    that is away `httpx.ConnectError`, exactly as over a socket.

    Args:
        app: What answers.
        is_away: Asked before each request; true refuses the connection.
    """

    def __init__(self, app: ASGIApp, is_away: Callable[[], bool] = lambda: False) -> None:
        self._inner = httpx.ASGITransport(app)
        self._is_away = is_away

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request or raise as httpx does."""
        if self._is_away():
            raise httpx.ConnectError("All connection attempts failed", request=request)
        try:
            return await self._inner.handle_async_request(request)
        except ConnectionDropped as error:
            if error.reset:
                raise httpx.ReadError("Connection reset by peer", request=request) from error
            message = "Server disconnected without sending a response."
            raise httpx.RemoteProtocolError(message, request=request) from error


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, and with a promise of readiness."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def stop_listening(self) -> None:
        """Refuse connections from now on, long before the server looks whether it shall stop."""
        for listening in self.servers:
            listening.close()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        OSError: The port is in use or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay of 40 ms off only for sockets that say they are TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(LISTEN_BACKLOG)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return bound


def is_local(request: Request) -> bool:
    """Say whether a request came from this machine, as control and ledger require."""
    return request.client is not None and request.client.host in LOOPBACK


def control_route(*controls: Control) -> Route:
    """Return `POST /_control`: one JSON command, or a list of them followed in order."""

    async def post(request: Request) -> Response:
        if not is_local(request):
            return Response(status_code=403)
        try:
            commands = json.loads(await request.body())
            many = isinstance(commands, list)
            done = [follow(command, controls) for command in (commands if many else [commands])]
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(done if many else done[0])

    return Route("/_control", post, methods=["POST"])


def follow(command: object, controls: Iterable[Control]) -> Mapping[str, Any]:
    """Do what one control command says and return what there is to say about it.

    Raises:
        ValueError: Nobody knows the command, or it cannot be followed.
        TypeError: It lacks a setting or has one too many.
        KeyError: It lacks a setting.
    """
    if not isinstance(command, Mapping):
        raise ValueError("a command is a JSON object")  # noqa: TRY004 - the caller answers 400
    for control in controls:
        done = control(command)
        if done is not None:
            return done
    raise ValueError(f"unknown command {command.get('do')!r}")


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[_Server]:
    """Serve the app on the listener within the block; the listener is closed at its end."""
    config = uvicorn.Config(
        app,
        http=_DroppableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # a simulator has a clock of its own, and may be wrong about the time
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()  # it failed to start and says why
        yield server
    finally:
        server.should_exit = True
        ready.cancel()
        await task


class Front:
    """A listening address that can go away and come back on the same port.

    Args:
        app: What answers.
        listener: From `bind`; owned by this object from now on.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._app = self._closing_while_away(app)
        self._listener: socket.socket | None = listener
        self._server: _Server | None = None
        self._host, self._port = listener.getsockname()[:2]
        self.ready = asyncio.Event()
        self._away = asyncio.Event()
        self._back = asyncio.Event()
        self._back.set()

    def set_away(self, away: bool) -> None:
        """Stop listening at once and close what is open, or listen again."""
        if away and self._server is not None:
            self._server.stop_listening()
        coming, going = (self._away, self._back) if away else (self._back, self._away)
        coming.set()
        going.clear()

    def _closing_while_away(self, app: ASGIApp) -> ASGIApp:
        """Close connections that came before, and ask something before the server has stopped."""

        async def gate(scope: Scope, receive: Receive, send: Send) -> None:
            if self._back.is_set():
                await app(scope, receive, send)
            else:
                await drop_connection(scope)

        return gate

    async def run(self) -> None:
        """Serve until cancelled; nothing listens while away."""
        while True:
            await self._back.wait()
            listener = self._listener or bind(self._host, self._port)
            self._listener = None
            async with serving(self._app, listener) as self._server:
                self.ready.set()
                await self._away.wait()
            self._server = None


@contextlib.asynccontextmanager
async def running(*fronts: Front) -> AsyncIterator[None]:
    """Serve on all the fronts within the block, which begins when all of them listen."""
    async with asyncio.TaskGroup() as tasks:
        serving_tasks = [tasks.create_task(front.run()) for front in fronts]
        for front in fronts:
            await front.ready.wait()
        try:
            yield
        finally:
            for task in serving_tasks:
                task.cancel()


async def announce_and_wait(ready: Mapping[str, object]) -> None:
    """Print the one JSON line that says where a simulator is, then wait to be cancelled."""
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
