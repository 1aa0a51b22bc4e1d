"""The line to a terminal that the POS server drives: its bytes are questions and answers.

A conversation may stop listening at any moment; a request to the server must not be cut off by
that, since what was cut off may have been done. So requests are made by a task of their own, one at
a time and in order, and an answer for which nobody listens any more is dropped: what it was about
is in doubt by then, and asked again by its handle where there is one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from bridge.backoffice.api import terminal_payments as api
from bridge.backoffice.terminal_payments.messages import decode_ask, encode

_LOGGER = logging.getLogger(__name__)


class Office(Protocol):
    """The back office, as `client.py` reaches it; never raises for what the other side does."""

    async def terminal_payment(self, ask: api.Ask) -> api.Told:
        """Ask the POS server once."""


class ServerLine:
    """One conversation's line; a `terminal.conversation.Line`."""

    def __init__(self, terminal: PosServerTerminal) -> None:
        """Speak to the server by way of `terminal`."""
        self._terminal = terminal
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_closed = False

    async def read(self) -> bytes:
        """Return the next answer. Canceling loses nothing."""
        return await self._heard.get()

    def write(self, data: bytes) -> None:
        """Have the question asked."""
        self._terminal.ask(self, data)

    def close(self) -> None:
        """Listen no more. What is not asked yet will not be."""
        self.is_closed = True

    def hear(self, data: bytes) -> None:
        """Take an answer."""
        self._heard.put_nowait(data)


class PosServerTerminal:
    """One terminal of the POS server. `run` asks; everything else only notes."""

    def __init__(self, office: Office) -> None:
        """Ask `office`."""
        self._office = office
        self._asked: deque[tuple[ServerLine, bytes]] = deque()
        self._news = asyncio.Event()

    async def open_line(self) -> ServerLine:
        """Return a new line; the server is not asked whether it is there."""
        return ServerLine(self)

    def ask(self, line: ServerLine, data: bytes) -> None:
        """Ask what `data` says, after what was asked before."""
        self._asked.append((line, data))
        self._news.set()

    async def run(self) -> None:
        """Ask for ever. Canceled while it asks, what became of that is in doubt."""
        while True:
            while not self._asked:
                self._news.clear()
                await self._news.wait()
            line, data = self._asked.popleft()
            if line.is_closed:
                continue
            told = await self._office.terminal_payment(decode_ask(data))
            if line.is_closed:
                _LOGGER.warning(
                    "nobody waits any more for %s of the POS server", type(told).__name__
                )
                continue
            line.hear(encode(told))
