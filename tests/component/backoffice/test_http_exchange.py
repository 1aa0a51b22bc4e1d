"""The HTTP exchange over real sockets on 127.0.0.1: what left, and what is not known."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.backoffice.http_exchange import (
    BODY_BYTES_MAX,
    HttpAnswer,
    NoAnswer,
    NotSent,
    Progress,
    exchange,
    is_safe_url,
    open_client,
)
from bridge.errors import ConfigError

GZIP = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql"
    finally:
        server.close()


async def post(url: str, *, deadline_seconds: float = 5.0) -> HttpAnswer:
    async with open_client() as http:
        request = http.build_request("POST", url, content=b'{"query":"x"}')
        return await exchange(http, request, deadline_seconds=deadline_seconds)


@contextmanager
def a_black_hole(host: str, port: int) -> Iterator[None]:
    """Take connections into a queue that is full: whoever comes next gets no answer at all."""
    with ExitStack() as opened:
        hole = opened.enter_context(socket.socket())
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind((host, port))
        hole.listen(0)
        for _ in range(8):
            caller = opened.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex((host, port))
        yield


async def read_request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b'{"query":"x"}')


def answering(*parts: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    return serve


async def test_a_whole_answer_arrives_in_any_pieces() -> None:
    whole = b"HTTP/1.1 201 Created\r\nRetry-After: 3\r\ncontent-length: 5\r\n\r\nhello"
    for pieces in ([whole], [bytes([b]) for b in whole], [b"HTTP/1.1 100 Continue\r\n\r\n", whole]):
        async with listening(answering(*pieces)) as url:
            answer = await post(url)
        assert (answer.status, answer.body, answer.headers["retry-after"]) == (201, b"hello", "3")


async def test_chunks_and_an_answer_that_ends_with_the_connection_are_read() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    for raw in (chunked, b"HTTP/1.1 200 OK\r\n\r\nabcde"):
        async with listening(answering(raw)) as url:
            assert (await post(url)).body == b"abcde"


async def test_each_request_has_its_own_connection_and_says_so() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        assert await reader.read() == b""  # no second request comes on this connection

    async with listening(serve) as url, open_client() as http:
        for _ in range(2):
            request = http.build_request("POST", url, content=b'{"query":"x"}')
            await exchange(http, request, deadline_seconds=5)
    assert len(heads) == 2
    assert all(b"\r\nconnection: close\r\n" in head.lower() for head in heads)


async def test_a_refused_connection_proves_that_nothing_left() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(NotSent):
            await post(url)


async def test_an_unknown_host_proves_that_nothing_left() -> None:
    with pytest.raises(NotSent):
        await post("https://no-such-host.invalid/")
    with pytest.raises(NotSent):
        await post("https://" + "a" * 70 + ".invalid/")


async def test_a_failed_tls_handshake_proves_that_nothing_left() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(1 << 16))
        writer.write(b"this is no TLS at all\r\n\r\n")
        await writer.drain()

    async with listening(serve) as url:
        with pytest.raises(NotSent):
            await post(url.replace("http:", "https:"))
    assert b"query" not in got[0]


def certify(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a file with a certificate for 127.0.0.1, and a server that has it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "till")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    ca_file, both = directory / "ca.pem", directory / "both.pem"
    ca_file.write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + ca_file.read_bytes())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    return ca_file, server


async def test_certificates_are_verified_and_only_the_configured_ones_count(
    tmp_path: Path,
) -> None:
    ca_file, tls = certify(tmp_path)
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        for host, trusted in (("127.0.0.1", ca_file), ("127.0.0.1", None), ("localhost", ca_file)):
            async with open_client(trusted) as http:
                request = http.build_request(
                    "POST", f"https://{host}:{port}/", content=b'{"query":"x"}'
                )
                if host == "127.0.0.1" and trusted:
                    assert (await exchange(http, request, deadline_seconds=5)).body == b"ok"
                else:
                    with pytest.raises(NotSent):
                        await exchange(http, request, deadline_seconds=5)
    finally:
        server.close()
    assert len(requests) == 1


async def test_a_deadline_during_the_handshake_proves_that_nothing_left() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(serve) as url:
        with pytest.raises(NotSent):
            await post(url.replace("http:", "https:"), deadline_seconds=0.2)


async def test_silence_after_the_request_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await reader.read()

    async with listening(serve) as url:
        with pytest.raises(NoAnswer):
            await post(url, deadline_seconds=0.2)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"z" * (BODY_BYTES_MAX + 1),
        GZIP + gzip.compress(b"{}")[:-9],
        GZIP + b"{}",
        GZIP + gzip.compress(b"z" * (BODY_BYTES_MAX + 1)),
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\n{}",
    ],
    ids=[
        *("nothing", "head", "body", "chunk", "ssh", "garbage", "long head", "long body"),
        *("cut gzip", "no gzip", "long gzip", "brotli"),
    ],
)
async def test_whatever_is_no_whole_answer_is_no_answer(raw: bytes) -> None:
    async with listening(answering(raw)) as url:
        with pytest.raises(NoAnswer):
            await post(url)


@pytest.mark.parametrize(
    ("coding", "body"),
    [(b"gzip", gzip.compress(b'{"a":1}')), (b"deflate", zlib.compress(b'{"a":1}'))],
    ids=["gzip", "deflate"],
)
async def test_an_answer_that_a_proxy_compressed_is_read(coding: bytes, body: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-encoding: " + coding + b"\r\n\r\n"
    async with listening(answering(raw, body[:4], body[4:])) as url:
        assert (await post(url)).body == b'{"a":1}'


class TwoAddresses(asyncio.SelectorEventLoop):
    """A name server that knows two addresses of each name; nobody answers at the first."""

    async def getaddrinfo(self, host: Any, port: Any, **_more: Any) -> list[Any]:
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, ("127.0.0.2", port)), (*stream, ("127.0.0.1", port))]


def test_an_address_that_leads_nowhere_keeps_nobody_out() -> None:
    async def main() -> HttpAnswer:
        async with listening(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")) as url:
            port = int(url.rpartition(":")[2].partition("/")[0])
            with a_black_hole("127.0.0.2", port):
                return await post(url.replace("127.0.0.1", "shop.test"), deadline_seconds=5.0)

    loop = TwoAddresses()
    try:
        assert loop.run_until_complete(main()).body == b"{}"
    finally:
        loop.close()


async def test_a_reset_after_the_request_is_no_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.transport.abort()

    async with listening(serve) as url:
        with pytest.raises(NoAnswer):
            await post(url)


async def test_a_reset_before_the_request_was_read_is_no_answer() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with listening(serve) as url:
        with pytest.raises(NoAnswer):
            await post(url)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    raw = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with listening(answering(raw)) as url:
        assert (await post(url)).status == 302


async def test_a_header_that_cannot_be_sent_proves_that_nothing_left() -> None:
    async with open_client() as http:
        request = http.build_request(
            "POST", "http://127.0.0.1:9/", headers={"authorization": "a\nb"}
        )
        with pytest.raises(NotSent):
            await exchange(http, request, deadline_seconds=1)


async def test_the_environment_does_not_see_our_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with listening(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")) as url:
        assert (await post(url)).status == 200


def test_a_file_without_certificates_is_a_config_error(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError):
            open_client(path)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://shop.example/api", True),
        ("http://127.0.0.1:8080/", True),
        ("http://[::1]/", True),
        ("http://localhost/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://shop.example/", False),
        ("https://user@shop.example/", False),
        ("https://shop.example/#part", False),
        ("https://[broken/", False),
        ("https://shop.example:99999/", False),
        ("https://shop\n.example/", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_where_tokens_may_travel(url: str, safe: bool) -> None:
    assert is_safe_url(url) is safe


async def test_a_transport_that_tells_nothing_leaves_the_doubt() -> None:
    async def handle(_request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        with pytest.raises(NoAnswer):
            await exchange(http, http.build_request("GET", "https://x/"), deadline_seconds=0.01)


TO = {"host": "shop.example", "port": 443}
TUNNEL = {"request": httpcore.Request("CONNECT", "https://shop.example/")}
POST = {"request": httpcore.Request("POST", "https://shop.example/")}
CONNECTING = [
    ("connection.connect_tcp.started", TO),
    ("connection.connect_tcp.complete", {"return_value": None}),
    ("connection.start_tls.failed", {"exception": OSError()}),
]
TUNNELLING = [
    ("http11.send_request_headers.started", TUNNEL),
    ("http11.send_request_headers.complete", {"return_value": None}),
    ("http11.receive_response_headers.started", TUNNEL),
    ("http11.response_closed.started", {}),
    ("proxy.start_tls.started", {}),
]


@pytest.mark.parametrize(
    ("events", "proven"),
    [
        ([], False),
        (CONNECTING, True),
        (CONNECTING + TUNNELLING, True),
        ([*CONNECTING, ("http11.send_request_headers.started", POST)], False),
        ([*TUNNELLING, ("http11.send_request_headers.started", POST)], False),
        ([*CONNECTING, ("http2.send_request_headers.started", POST)], False),
        ([*CONNECTING, ("an_event.of.a_later_version", {})], False),
    ],
)
async def test_only_what_is_understood_proves_that_nothing_left(
    events: list[tuple[str, dict[str, Any]]], proven: bool
) -> None:
    progress = Progress()
    for name, facts in events:
        await progress.trace(name, facts)
    assert progress.proves_nothing_left is proven
