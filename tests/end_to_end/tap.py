"""A wire tap: a second pseudo-terminal between the service and the terminal, which keeps a copy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from pathlib import Path

READ_BYTES_MAX = 4096


class Tap:
    """Carries every byte both ways and remembers those that the service sent."""

    def __init__(self, link: Path, terminal: Path) -> None:
        self.sent = bytearray()  # to the terminal
        self._near, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._far = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
        for descriptor in (self._near, self._far):
            os.set_blocking(descriptor, False)
        link.symlink_to(os.ttyname(self._slave))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._near, self._from_service)
        loop.add_reader(self._far, self._from_terminal)

    def close(self) -> None:
        """Cut the line."""
        loop = asyncio.get_running_loop()
        for descriptor in (self._near, self._far):
            loop.remove_reader(descriptor)
        for descriptor in (self._near, self._far, self._slave):
            os.close(descriptor)

    def _from_service(self) -> None:
        data = os.read(self._near, READ_BYTES_MAX)
        self.sent += data
        os.write(self._far, data)

    def _from_terminal(self) -> None:
        with contextlib.suppress(OSError):  # the terminal has ended
            os.write(self._near, os.read(self._far, READ_BYTES_MAX))
