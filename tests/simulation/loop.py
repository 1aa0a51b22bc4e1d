"""The event loop of a world, and an ear for everything the bridge logs."""

from __future__ import annotations

import logging
from collections.abc import Callable

from simulators.loop import VirtualLoop

TURN_SECONDS = 1e-6  # one turn of the event loop


class Listener(logging.Handler):
    """Gives every log record to the judge, as text."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__(logging.DEBUG)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(record.getMessage())


class WorldLoop(VirtualLoop):
    """A virtual loop whose every turn takes a moment, as a processor's does.

    Otherwise somebody who waits until a time that has come, but for a rounding, waits for ever.
    """

    def shuffle_ready(self) -> None:
        """Let the moment pass."""
        super().shuffle_ready()
        self.advance_clock(TURN_SECONDS)
