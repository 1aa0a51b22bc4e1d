"""The last bytes that went over a terminal's line, masked, in memory only; for support.

Nothing of it reaches a disk unless somebody asks for a bundle. A frame's beginning names it and
stays; after it every run of digits that can be a number, a password or a code is masked, so what
is kept shows who said what when, and no card.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from bridge.terminal.conversation import Line

FRAMES_MAX: Final = 400  # of each terminal: some ten payments
SHOWN_BYTES_MAX: Final = 64
NAMING_BYTES: Final = 4  # what a frame begins with: class, instruction, length
# In hex: three packed bytes of digits and more (a password of six digits), or four digits of text.
_NUMBERS: Final = re.compile(r"\d{6,}|(?:[3f]\d){4,}")


@dataclass(frozen=True, slots=True)
class Frame:
    """What went one way at once; `at` is ISO 8601 UTC, `text` masked hex."""

    at: str
    way: Literal["sent", "received"]
    size: int
    text: str

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        return {"at": self.at, "way": self.way, "size": self.size, "text": self.text}


def masked(data: bytes) -> str:
    """Return the beginning of `data` as hex, its numbers masked."""
    head, rest = data[:NAMING_BYTES].hex(), data[NAMING_BYTES:SHOWN_BYTES_MAX].hex()
    hidden = _NUMBERS.sub(lambda run: "*" * len(run[0]), rest)
    text = " ".join((head + hidden)[at : at + 2] for at in range(0, len(head) + len(hidden), 2))
    return f"{text} ..." if len(data) > SHOWN_BYTES_MAX else text


class FrameTrace:
    """The last frames of one terminal."""

    def __init__(self, now: Callable[[], str]) -> None:
        """Keep them; `now` gives ISO 8601 UTC."""
        self._now = now
        self._frames: deque[Frame] = deque(maxlen=FRAMES_MAX)

    def frames(self) -> list[Frame]:
        """Return them, oldest first."""
        return list(self._frames)

    def note(self, way: Literal["sent", "received"], data: bytes) -> None:
        """Keep what went over the line; nothing for no bytes."""
        if data:
            self._frames.append(Frame(self._now(), way, len(data), masked(data)))

    def opener(self, open_line: Callable[[], Awaitable[Line]]) -> Callable[[], Awaitable[Line]]:
        """Return what opens the same line and keeps what goes over it."""

        async def opened() -> Line:
            return TracedLine(await open_line(), self)

        return opened


class TracedLine:
    """A line that is listened to; all else is the line's own."""

    def __init__(self, line: Line, trace: FrameTrace) -> None:
        """Listen to `line`."""
        self._line = line
        self._trace = trace

    async def read(self) -> bytes:
        """Return what came; see `Line.read`."""
        data = await self._line.read()
        self._trace.note("received", data)
        return data

    def write(self, data: bytes) -> None:
        """Send `data`; see `Line.write`."""
        self._trace.note("sent", data)
        self._line.write(data)

    def close(self) -> None:
        """Give the line back."""
        self._line.close()
