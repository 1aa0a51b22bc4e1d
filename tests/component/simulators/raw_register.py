"""A register that knows the codec and nothing else: it says what a test tells it to."""

from __future__ import annotations

import asyncio
import os
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from drivers.zvt.codec import apdu as codec
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.framing import Link, LinkTimers, SerialLink, TcpLink
from simulators.terminals.shared.cable import Inbox, Line

Answer = Callable[[m.Message], m.Reply | None]


def say_yes(message: m.Message) -> m.Reply:
    return m.POSITIVE


class LineLost(Exception):
    pass


class RawRegister:
    def __init__(self, line: Line, kind: Literal["serial", "tcp"]) -> None:
        self.line = line
        self.link: Link = SerialLink(LinkTimers()) if kind == "serial" else TcpLink(LinkTimers())
        self.raw = b""
        self._apdus: deque[bytes] = deque()

    def send(self, message: m.Message) -> None:
        now = asyncio.get_running_loop().time()
        self.line.write(self.link.send(codec.encode(message), now))

    async def next(self, timeout_seconds: float = 600, answer_to: int = 0) -> m.Message:
        """Return the next message; TimeoutError after `timeout_seconds`."""
        until = asyncio.get_running_loop().time() + timeout_seconds
        while not self._apdus:
            await self._hear(until)
        message = codec.decode(self._apdus.popleft(), answer_to=answer_to)
        assert not isinstance(message, m.Unknown)
        return message

    async def _hear(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(until, self.link.wake_at or until)):
                data = await self.line.read()
        except TimeoutError:
            if loop.time() >= until:
                raise
            step = self.link.timeout(loop.time())
        else:
            if not data:
                raise LineLost
            self.raw += data
            step = self.link.receive(data, loop.time())
        self.line.write(step.send)
        self._apdus.extend(step.apdus)

    async def run(
        self, command: m.Message, answer: Answer = say_yes, *, timeout_seconds: float = 600
    ) -> list[m.Message]:
        """Send a command; return all that came, up to the completion, abort or refusal."""
        self.send(command)
        control: int = getattr(command, "CONTROL", 0)
        came: list[m.Message] = []
        while True:
            message = await self.next(timeout_seconds, control)
            came.append(message)
            if isinstance(message, m.Reply):
                if not message.positive:
                    return came
                continue
            reply = answer(message)
            if reply is not None:
                self.send(reply)
            if isinstance(message, m.Completion | m.StatusReport | m.Abort):
                while not self.link.settled:
                    await self._hear(asyncio.get_running_loop().time() + timeout_seconds)
                return came


class DeviceLine:
    """A serial device opened the way a bridge opens it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._descriptor)
        self._inbox = Inbox()
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    async def read(self) -> bytes:
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        if data:
            os.write(self._descriptor, data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 4096)
        except OSError:
            data = b""
        if data:
            self._inbox.put(data)
        else:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._inbox.end()


class SocketLine:
    """A connection to a network terminal."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> SocketLine:
        return cls(*await asyncio.open_connection(host, port))

    async def read(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except ConnectionError:
            return b""

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()
