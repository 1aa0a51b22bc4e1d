"""The back office behind a proxy: what goes through it, what it proves, what it never sees."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge import config as cfg
from bridge.backoffice.http_exchange import (
    HttpAnswer,
    NoAnswer,
    NotSent,
    Proxy,
    exchange,
    open_client,
)
from bridge.errors import ConfigError
from bridge.settings import proxy_settings
from tests.component.backoffice.test_http_exchange import (
    Serve,
    answering,
    certify,
    listening,
    read_request,
)

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
USER, PASSWORD = "store-12", "p:ß-secret-canary"
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode())


@dataclass
class Tunnels:
    """A proxy. `refusal` is a status line that it answers instead of a tunnel."""

    refusal: bytes = b""
    wants_login: bool = False
    hangs: bool = False
    hangs_up: bool = False
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)
    running: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one CONNECT."""
        await ended(self._serve(reader, writer), writer, self.running)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self.hangs:
            await reader.read()
        if self.hangs_up:
            return
        if self.wants_login and LOGIN not in head:
            writer.write(b"HTTP/1.1 407 Who are you\r\nproxy-authenticate: Basic\r\n\r\n")
        elif self.refusal:
            writer.write(b"HTTP/1.1 " + self.refusal + b"\r\ncontent-length: 0\r\n\r\n")
        else:
            host, _, port = head.split()[1].decode().rpartition(":")
            further, onward = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
            try:
                await asyncio.gather(self._carry(reader, onward), self._carry(further, writer))
            finally:
                onward.transport.abort()
        await writer.drain()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.carried += data
            writer.write(data)
        writer.close()


async def ended(
    serving: Awaitable[None],
    writer: asyncio.StreamWriter,
    running: set[asyncio.Task[None]],
) -> None:
    """Serve one connection, and leave nothing of it, whoever breaks off."""
    task = asyncio.current_task()
    assert task is not None
    running.add(task)
    try:
        await serving
    except (OSError, asyncio.IncompleteReadError):
        pass
    except asyncio.CancelledError:
        pass  # the test is over
    finally:
        running.discard(task)
        writer.transport.abort() if writer.is_closing() else writer.close()


async def stop(server: asyncio.Server, running: set[asyncio.Task[None]]) -> None:
    server.close()
    await asyncio.sleep(0.01)
    left = list(running)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0.001)  # what was aborted closes with the next turn of the loop


@asynccontextmanager
async def proxied(tunnels: Tunnels, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(tunnels.serve, "127.0.0.1", 0, ssl=tls)
    tunnels.port = server.sockets[0].getsockname()[1]
    try:
        yield Proxy(f"{'https' if tls else 'http'}://127.0.0.1:{tunnels.port}", USER, PASSWORD)
    finally:
        await stop(server, tunnels.running)


@asynccontextmanager
async def behind(serve: Serve, tls: ssl.SSLContext) -> AsyncIterator[str]:
    running: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended(serve(reader, writer), writer, running)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql"
    finally:
        await stop(server, running)


async def post(
    url: str, ca_file: Path, proxy: Proxy | None, deadline_seconds: float = 5.0
) -> HttpAnswer:
    async with open_client(ca_file, proxy) as http:
        request = http.build_request(
            "POST", url, content=b'{"query":"x"}', headers={"authorization": "Bearer token-canary"}
        )
        return await exchange(http, request, deadline_seconds=deadline_seconds)


@pytest.mark.parametrize("encrypted", [False, True], ids=["http", "https"])
async def test_a_request_goes_through_a_proxy_that_wants_a_login_and_sees_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encrypted: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    ca_file, tls = certify(tmp_path)
    tunnels = Tunnels(wants_login=True)
    async with (
        behind(answering(OK), tls) as url,
        proxied(tunnels, tls if encrypted else None) as via,
    ):
        assert (await post(url, ca_file, via)).body == b"{}"
    (head,) = tunnels.heads
    assert b"token-canary" not in head + bytes(tunnels.carried)
    said = caplog.text + repr(via)
    assert "canary" not in said
    assert LOGIN.decode() not in said


async def test_each_request_has_a_tunnel_of_its_own(tmp_path: Path) -> None:
    ca_file, tls = certify(tmp_path)
    tunnels = Tunnels()
    async with (
        behind(answering(OK), tls) as url,
        proxied(tunnels) as via,
        open_client(ca_file, via) as http,
    ):
        for _ in range(2):
            request = http.build_request("POST", url, content=b'{"query":"x"}')
            await exchange(http, request, deadline_seconds=5.0)
    assert len(tunnels.heads) == 2


@pytest.mark.parametrize(
    ("tunnels", "words"),
    [
        (Tunnels(wants_login=True), "proxy_username"),
        (Tunnels(refusal=b"502 Bad Gateway"), "answers HTTP 502"),
        (Tunnels(refusal=b"403 Forbidden"), "answers HTTP 403"),
        (Tunnels(refusal=b"504 Gateway Timeout"), "answers HTTP 504"),
        (Tunnels(hangs_up=True), r"through 127\.0\.0\.1:\d"),
        (Tunnels(hangs=True), "no answer"),
    ],
    ids=["407", "502", "403", "504", "hangs up", "hangs"],
)
async def test_a_tunnel_that_does_not_come_about_proves_that_nothing_left(
    tmp_path: Path, tunnels: Tunnels, words: str
) -> None:
    ca_file, tls = certify(tmp_path)
    reached: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.read())

    async with behind(serve, tls) as url, proxied(tunnels) as via:
        stranger = Proxy(via.url, "somebody", "else") if tunnels.wants_login else via
        with pytest.raises(NotSent, match=words) as raised:
            await post(url, ca_file, stranger, deadline_seconds=1.0)
    assert not reached
    assert PASSWORD not in str(raised.value)


async def test_a_proxy_that_is_not_there_is_named(tmp_path: Path) -> None:
    ca_file, tls = certify(tmp_path)
    async with behind(answering(OK), tls) as url:
        async with proxied(Tunnels()) as via:
            pass
        with pytest.raises(NotSent, match=r"through 127\.0\.0\.1:\d+: nobody listens there"):
            await post(url, ca_file, via)


async def test_a_handshake_that_fails_in_the_tunnel_proves_that_nothing_left(
    tmp_path: Path,
) -> None:
    _, tls = certify(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = certify(tmp_path / "other")
    async with behind(answering(OK), tls) as url, proxied(Tunnels()) as via:
        with pytest.raises(NotSent):
            await post(url, other, via)


@pytest.mark.parametrize("silent", [True, False])
async def test_what_breaks_after_the_request_left_through_a_tunnel_stays_a_doubt(
    tmp_path: Path, silent: bool
) -> None:
    ca_file, tls = certify(tmp_path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        if silent:
            await reader.read()
        writer.transport.abort()

    async with behind(serve, tls) as url, proxied(Tunnels()) as via:
        with pytest.raises(NoAnswer):
            await post(url, ca_file, via, deadline_seconds=0.5)


async def test_what_is_on_this_machine_in_plain_http_never_goes_through_a_proxy(
    tmp_path: Path,
) -> None:
    ca_file, _ = certify(tmp_path)
    tunnels = Tunnels()
    async with listening(answering(OK)) as url, proxied(tunnels) as via:
        assert (await post(url, ca_file, via)).body == b"{}"
    assert not tunnels.heads


# --- settings


def office(**table: object) -> cfg.BackOffice:
    login = {"issuer": "https://login.example", "client_id": "c"}
    found = cfg.BackOffice.model_validate(
        {"endpoint": "https://books.example/graphql", "login": login, **table}
    )
    assert isinstance(found, cfg.BackOffice)
    return found


def refused(**table: object) -> ConfigError:
    login = {"issuer": "https://login.example", "client_id": "c"}
    books = {"endpoint": "https://books.example/graphql", "login": login, **table}
    with pytest.raises(ConfigError) as caught:
        cfg.parse(
            {
                "site": {"store_code": "S"},
                "terminals": {"t": {"driver": "zvt", "port": "/dev/x"}},
                "back_office": books,
            }
        )
    return caught.value


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy:3128",
        "socks5://proxy:1080",
        "http://proxy",
        "http://proxy:99999",
        "http://proxy:3128/path",
        "http://anna:secret-canary@proxy:3128",
        "http://",
    ],
)
def test_an_address_that_is_no_proxy_is_refused_and_no_password_is_shown(proxy: str) -> None:
    error = refused(proxy=proxy)
    assert error.key == "back_office.proxy"
    assert "canary" not in str(error)


def test_half_a_login_at_the_proxy_is_refused(tmp_path: Path) -> None:
    assert "proxy_username" in str(
        refused(proxy="http://proxy:3128", proxy_password_file=str(tmp_path / "p"))
    )
    assert "there is no proxy" in str(refused(proxy_username="anna"))


def test_the_password_comes_from_a_file_or_a_credential(tmp_path: Path) -> None:
    (tmp_path / "proxy-password").write_text("from systemd\n")
    (tmp_path / "file").write_text("from the file\n")
    (tmp_path / "file").chmod(0o600)
    here = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    named = office(proxy="http://proxy:3128", proxy_username=USER)
    assert proxy_settings(named, here) == Proxy("http://proxy:3128", USER, "from systemd")
    filed = office(
        proxy="http://proxy:3128", proxy_username=USER, proxy_password_file=tmp_path / "file"
    )
    assert proxy_settings(filed, here) == Proxy("http://proxy:3128", USER, "from the file")
    nobody = office(proxy="http://proxy:3128")
    assert proxy_settings(nobody, here) == Proxy("http://proxy:3128"), "not ours to show"


ENVIRONMENT = {"HTTPS_PROXY": "http://anna:s%3Acret@proxy.store:3128", "http_proxy": "http://no:1"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (ENVIRONMENT, Proxy("http://proxy.store:3128", "anna", "s:cret")),
        (ENVIRONMENT | {"https_proxy": "other:8080"}, Proxy("http://other:8080")),
        (ENVIRONMENT | {"no_proxy": ".example"}, None),
        (ENVIRONMENT | {"NO_PROXY": "x, books.example"}, None),
        (
            ENVIRONMENT | {"no_proxy": "ooks.example"},
            Proxy("http://proxy.store:3128", "anna", "s:cret"),
        ),
        (ENVIRONMENT | {"no_proxy": "*"}, None),
        ({"ALL_PROXY": "https://[::1]:3129"}, Proxy("https://[::1]:3129")),
        ({}, None),
    ],
)
def test_the_environments_proxy_is_used_only_where_that_is_said(
    environment: dict[str, str], expected: Proxy | None
) -> None:
    assert proxy_settings(office(), environment) is None
    assert proxy_settings(office(proxy="environment"), environment) == expected


def test_an_environment_with_another_kind_of_proxy_is_said_without_its_password() -> None:
    told = {"ALL_PROXY": "socks5://anna:secret-canary@proxy:1080"}
    with pytest.raises(ConfigError) as caught:
        proxy_settings(office(proxy="environment"), told)
    assert caught.value.key == "back_office.proxy"
    assert "canary" not in str(caught.value)
