"""A pseudo-terminal that looks like a serial port which can be unplugged. POSIX only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections import deque
from pathlib import Path

from simulators.terminals.shared.cable import Inbox

READ_BYTES_MAX = 4096  # the kernel's own buffer of a pseudo-terminal
# What waits for a bridge that does not read; a real adapter drops sooner, and a receipt is 4 kB.
UNSENT_BYTES_MAX = 65536


class PtyLine:
    """The terminal's end of a pseudo-terminal in raw mode.

    The slave is held open here as well, so that the bridge may close and open it as it likes: a
    terminal on a serial cable does not notice either.
    """

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)
        self._inbox = Inbox()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._open = True
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    async def read(self) -> bytes:
        """Return what the bridge wrote, b"" once the plug is pulled."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """Send `data`; what nobody reads is kept up to a limit and then dropped."""
        if not self._open or self._unsent_bytes + len(data) > UNSENT_BYTES_MAX:
            return
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        self._writable()

    def close(self) -> None:
        """Pull the plug: whoever holds the device reads an end or an error next."""
        if not self._open:
            return
        self._open = False
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._inbox.end()

    def _readable(self) -> None:
        # An error here means that the device is gone; `close` says so to the reader.
        with contextlib.suppress(OSError):
            self._inbox.put(os.read(self._master, READ_BYTES_MAX))

    def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unsent:
            data = self._unsent[0]
            try:
                sent = os.write(self._master, data)
            except BlockingIOError:
                sent = 0
            self._unsent_bytes -= sent
            if sent < len(data):
                self._unsent[0] = data[sent:]
                loop.add_writer(self._master, self._writable)
                return
            self._unsent.popleft()
        loop.remove_writer(self._master)


class PtyPort:
    """A serial port at `link`, a symbolic link to the pseudo-terminal of the moment."""

    kind = "serial"

    def __init__(self, link: Path) -> None:
        self.link = link
        self._line: PtyLine | None = None
        self._lines: asyncio.Queue[PtyLine] = asyncio.Queue()

    @property
    def device(self) -> str:
        """The device behind the link, "" while unplugged."""
        return self._line.device if self._line else ""

    async def plug(self, link: Path | None = None, *, other_number: bool = False) -> None:
        """Plug the terminal in, at `link` if it comes back under another name.

        With `other_number` the device behind the link is surely another one than any open now.
        """
        if self._line is not None:
            return
        self.link = link or self.link
        spare = os.openpty() if other_number else ()
        self._line = PtyLine()
        for descriptor in spare:
            os.close(descriptor)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(self._line.device)
        self._lines.put_nowait(self._line)

    def unplug(self) -> None:
        """Pull the plug: the link disappears, and readers of the device see the end."""
        if self._line is not None:
            self.link.unlink(missing_ok=True)
            self._line.close()
            self._line = None

    async def accept(self) -> PtyLine:
        """Return the terminal's end of the next plugged line."""
        return await self._lines.get()
