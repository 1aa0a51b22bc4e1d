"""What the viewer of the demo sees, as data; whoever changes it says so. Paints nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from simulators.demo.comparison import Booking, Charge, GiftMove

Document = dict[str, Any]
StepState = Literal["waiting", "running", "kept", "broken"]

TICKER_LINES_MAX = 200  # more than any screen shows


class PromiseBroken(Exception):
    """A scene did not end as it must; the text says what was expected."""


@dataclass(slots=True)
class Step:
    """One line of the list of scenes."""

    title: str
    state: StepState = "waiting"


@dataclass(frozen=True, slots=True)
class Invitation:
    """The device login that waits for a person."""

    user_code: str
    address: str
    complete_address: str


@dataclass(slots=True)
class ScreenModel:
    """The whole screen. `changed` wakes whoever waits in `until`."""

    steps: list[Step] = field(default_factory=list)
    narration: tuple[str, str] = ("", "")
    invitation: Invitation | None = None
    document: Document | None = None  # of the payment in this scene
    documents: dict[str, list[Document]] = field(default_factory=dict)  # every revision that came
    bridge: Document = field(default_factory=dict)
    terminal: Document = field(default_factory=dict)
    reconciliation: Document = field(default_factory=dict)  # the last end of day
    service_runs: bool = False
    cable_in: bool = True
    office_open: bool = True
    charges: list[Charge] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    gift_moves: list[GiftMove] = field(default_factory=list)
    ticker: deque[str] = field(default_factory=lambda: deque(maxlen=TICKER_LINES_MAX))
    listeners: list[Callable[[], None]] = field(default_factory=list)
    hearers: list[Callable[[str], None]] = field(default_factory=list)  # of the ticker's lines
    _waiters: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def running_title(self) -> str:
        """The scene that is played now, "" between two."""
        return next((step.title for step in self.steps if step.state == "running"), "")

    def changed(self) -> None:
        """Say that something is new."""
        for listener in self.listeners:
            listener()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def tell(self, text: str) -> None:
        """Add one line to the ticker."""
        self.ticker.append(text)
        for hearer in self.hearers:
            hearer(text)
        self.changed()

    async def until(self, condition: Callable[[], bool], expected: str, *, seconds: float) -> None:
        """Wait until the condition holds.

        Raises:
            PromiseBroken: It did not within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            raise PromiseBroken(f"expected within {seconds:.0f} s: {expected}") from None
