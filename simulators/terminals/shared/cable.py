"""Lines in memory: two ends, chunks, delay, damage, and a way to pull the plug. No real I/O.

`MemoryPort` is where a terminal is plugged in. The bridge's side calls `open`, the terminal's side
`accept`; both get a `CableEnd`, which satisfies the `Line` that the bridge reads and writes.
`serial_port` and `tcp_port` offer the same `accept` over a pseudo-terminal and a socket.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

NOISE_BYTES_MAX = 4  # a burst of line noise; longer ones prove nothing more


class Line(Protocol):
    """One end of a line. Only one task reads at a time."""

    async def read(self) -> bytes:
        """Return what came, at least one byte; b"" once the line is lost, then always b"".

        A canceled read loses nothing.
        """

    def write(self, data: bytes) -> None:
        """Send `data`; what cannot be sent any more is dropped, as by a cable."""

    def close(self) -> None:
        """Give this end up. Closing twice is harmless."""


class Port(Protocol):
    """Where the terminal's side waits for lines."""

    async def accept(self) -> Line:
        """Return the next line, as soon as there is one."""

    async def plug(self) -> None:
        """Make the port reachable (again)."""

    def unplug(self) -> None:
        """Pull the plug: lines are lost, and nobody gets in until `plug`."""


class Inbox:
    """Bytes on their way to one reader."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        """Hand over `data`; after `end` it is dropped."""
        if data and not self._ended:
            self._chunks.append(data)
            self._wake()

    def end(self) -> None:
        """Say that nothing comes any more; what is there can still be read."""
        self._ended = True
        self._wake()

    async def get(self) -> bytes:
        """Return the next chunk, or b"" after the end. A canceled `get` loses nothing."""
        while not self._chunks and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._chunks.popleft() if self._chunks else b""

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass(frozen=True, slots=True)
class Wire:
    """How one line carries bytes. The default is a perfect, immediate one.

    The four kinds of damage are chances from 0 to 1 per chunk; on a line that stands for TCP they
    stay 0. `delay_seconds` is drawn per chunk; order is kept.
    """

    chunk_bytes_max: int | None = None
    delay_seconds: tuple[float, float] = (0.0, 0.0)
    flip: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    insert: float = 0.0

    @property
    def damages(self) -> bool:
        """Whether bytes may arrive other than they were sent."""
        return max(self.flip, self.drop, self.duplicate, self.insert) > 0


class CableEnd:
    """One end of a line in memory."""

    def __init__(self, rng: random.Random, wire: Wire) -> None:
        self.wire = wire
        self._rng = rng
        self._peer: CableEnd | None = None
        self._inbox = Inbox()
        self._under_way: deque[bytes | None] = deque()
        self._busy_until = 0.0
        self._open = True
        self._tells_peer = True

    @property
    def is_open(self) -> bool:
        """Whether this end can still send."""
        return self._open

    async def read(self) -> bytes:
        """Return the next chunk that arrived, b"" once the line is lost."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """Send `data` in chunks, late and damaged as the wire says."""
        if not self._open:
            return
        for chunk in self._chunks(data):
            self._carry(self._damaged(chunk) if self.wire.damages else chunk)

    def close(self) -> None:
        """Hang up. On a socket the peer reads b"" next; a serial peer is not told."""
        if self._open:
            self._open = False
            self._inbox.end()
            if self._tells_peer:
                self._carry(None)

    def cut(self) -> None:
        """Lose the line at this end: what arrived can still be read, what is under way is lost."""
        self._open = False
        self._peer = None
        self._inbox.end()

    def connect(self, peer: CableEnd | None, *, tells_peer: bool) -> None:
        """Say where bytes written here go; None: into the void."""
        self._peer = peer
        self._tells_peer = tells_peer

    def _chunks(self, data: bytes) -> list[bytes]:
        longest = self.wire.chunk_bytes_max
        if longest is None or len(data) <= 1:
            return [data] if data else []
        chunks = []
        while data:
            size = self._rng.randint(1, longest)
            chunks.append(data[:size])
            data = data[size:]
        return chunks

    def _damaged(self, chunk: bytes) -> bytes:
        chance = self._rng.random
        if chance() < self.wire.drop:
            return b""
        if chance() < self.wire.duplicate:
            chunk += chunk
        if chance() < self.wire.flip:
            at = self._rng.randrange(len(chunk))
            flipped = chunk[at] ^ (1 << self._rng.randrange(8))
            chunk = chunk[:at] + bytes([flipped]) + chunk[at + 1 :]
        if chance() < self.wire.insert:
            at = self._rng.randrange(len(chunk) + 1)
            chunk = (
                chunk[:at] + self._rng.randbytes(self._rng.randint(1, NOISE_BYTES_MAX)) + chunk[at:]
            )
        return chunk

    def _carry(self, chunk: bytes | None) -> None:
        """Let a chunk arrive, or, after all chunks, the end (None)."""
        self._under_way.append(chunk)
        low, high = self.wire.delay_seconds
        if high <= 0 and len(self._under_way) == 1:
            self._arrive()
            return
        loop = asyncio.get_running_loop()
        self._busy_until = max(loop.time(), self._busy_until) + self._rng.uniform(low, high)
        loop.call_at(self._busy_until, self._arrive)

    def _arrive(self) -> None:
        chunk = self._under_way.popleft()
        if self._peer is None:
            return
        if chunk is None:
            self._peer._inbox.end()
        else:
            self._peer._inbox.put(chunk)


class MemoryPort:
    """A terminal's socket in a simulated world.

    `kind="serial"`: one cable; `open` takes its near end over, and the terminal never notices who
    opens or closes. `kind="tcp"`: every `open` is a connection of its own.
    """

    def __init__(
        self,
        rng: random.Random,
        wire: Wire | None = None,
        *,
        kind: Literal["serial", "tcp"] = "serial",
    ) -> None:
        self.kind = kind
        self.wire = wire or Wire()
        self._rng = rng
        self._plugged = False
        self._far_ends: asyncio.Queue[CableEnd] = asyncio.Queue()
        self._ends: list[CableEnd] = []
        self._far: CableEnd | None = None

    @property
    def plugged(self) -> bool:
        """Whether the port is reachable."""
        return self._plugged

    async def plug(self) -> None:
        """Make the port reachable; a serial terminal sees its line at once."""
        if self._plugged:
            return
        self._plugged = True
        if self.kind == "serial":
            self._far = self._new_end()
            self._far_ends.put_nowait(self._far)

    def unplug(self) -> None:
        """Cut every line."""
        self._plugged = False
        for end in self._ends:
            end.cut()
        self._ends.clear()
        self._far = None

    def open(self) -> CableEnd:
        """Return the near end of a line, for the bridge.

        Raises:
            FileNotFoundError: A serial port that is unplugged.
            ConnectionRefusedError: A network terminal that is unplugged.
        """
        if not self._plugged:
            if self.kind == "serial":
                raise FileNotFoundError("the serial port is gone")
            raise ConnectionRefusedError("the terminal does not listen")
        near = self._new_end()
        far = self._far
        if far is None:
            far = self._new_end()
            self._far_ends.put_nowait(far)
            far.connect(near, tells_peer=True)
            near.connect(far, tells_peer=True)
        else:
            far.connect(near, tells_peer=False)
            near.connect(far, tells_peer=False)
        return near

    async def accept(self) -> CableEnd:
        """Return the terminal's end of the next line."""
        return await self._far_ends.get()

    def _new_end(self) -> CableEnd:
        # Ends that were closed or cut are forgotten, so that a long run stays small.
        self._ends = [end for end in self._ends if end.is_open]
        end = CableEnd(self._rng, self.wire)
        self._ends.append(end)
        return end
