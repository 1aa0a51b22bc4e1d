"""A broker that says what a test wants it to say, byte by byte. It knows MQTT 5 and one client.

Source: MQTT 5.0, sections 2.1 and 3; only the packets that a bridge exchanges.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
MAXIMUM_PACKET_SIZE, REASON_STRING = 0x27, 0x1F


def number(value: int) -> bytes:
    """Return a Variable Byte Integer (section 1.5.5)."""
    found = bytearray()
    while True:
        value, digit = divmod(value, 128)
        found.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(found)


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def packet(kind: int, flags: int, body: bytes) -> bytes:
    return bytes([kind << 4 | flags]) + number(len(body)) + body


def properties(*parts: bytes) -> bytes:
    whole = b"".join(parts)
    return number(len(whole)) + whole


def reason(words: str) -> bytes:
    return properties(bytes([REASON_STRING]) + text(words)) if words else properties()


@dataclass(frozen=True, slots=True)
class Published:
    """What the bridge published, on which of its connections."""

    connection: int
    topic: str
    payload: bytes
    packet_id: int


@dataclass(slots=True)
class ScriptedBroker:
    """The broker. `answer` says what becomes of a publication: None acknowledges it."""

    packet_bytes_max: int | None = None
    answer: Callable[[Published], bytes | None] = lambda _: None
    port: int = 0
    connections: int = 0
    published: list[Published] = field(default_factory=list)
    acknowledged: list[tuple[int, int]] = field(default_factory=list)  # connection, packet id
    news: asyncio.Event = field(default_factory=asyncio.Event)
    _writer: asyncio.StreamWriter | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedBroker]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def deliver(self, topic: str, payload: bytes, packet_id: int) -> None:
        """Send a message at QoS 1."""
        body = text(topic) + struct.pack(">H", packet_id) + properties() + payload
        self.send(packet(PUBLISH, 0b0010, body))

    def send(self, data: bytes) -> None:
        assert self._writer is not None, "the bridge is connected"
        self._writer.write(data)

    def cut(self) -> None:
        """Break the connection."""
        if self._writer is not None:
            self._writer.close()

    async def until(self, check: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not check():
                self.news.clear()
                await self.news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number_of_this = self.connections
        self._writer = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, flags, body = await self._read(reader)
                await self._answer(number_of_this, kind, flags, body)
                self.news.set()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
        (first,) = await reader.readexactly(1)
        size = shift = 0
        while True:
            (digit,) = await reader.readexactly(1)
            size |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        return first >> 4, first & 0x0F, await reader.readexactly(size)

    async def _answer(self, connection: int, kind: int, flags: int, body: bytes) -> None:
        if kind == CONNECT:
            limit = self.packet_bytes_max
            part = b"" if limit is None else struct.pack(">BI", MAXIMUM_PACKET_SIZE, limit)
            self.send(packet(2, 0, b"\x00\x00" + properties(part)))
        elif kind == SUBSCRIBE:
            filters = body[2 + 1 + body[2] :]
            count = 0
            while filters:
                (size,) = struct.unpack(">H", filters[:2])
                filters = filters[2 + size + 1 :]
                count += 1
            self.send(packet(9, 0, body[:2] + properties() + b"\x01" * count))
        elif kind == PUBLISH:
            (size,) = struct.unpack(">H", body[:2])
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            packet_id = 0
            if flags & 0b0110:
                (packet_id,), rest = struct.unpack(">H", rest[:2]), rest[2:]
            found = Published(connection, topic, rest[1 + rest[0] :], packet_id)
            self.published.append(found)
            answer = self.answer(found)
            if answer is None:
                answer = packet(PUBACK, 0, struct.pack(">H", packet_id)) if packet_id else b""
            self.send(answer)
        elif kind == PUBACK:
            (packet_id,) = struct.unpack(">H", body[:2])
            self.acknowledged.append((connection, packet_id))
        elif kind == PINGREQ:
            self.send(packet(13, 0, b""))
