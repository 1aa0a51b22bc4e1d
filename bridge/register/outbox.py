"""What commands leave for the publisher, and all that the two share.

Commands write, the publisher fetches; neither knows the other. Nothing here is journaled: responses
that were not heard are asked for again, and everything retained is published again after each
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.register import api as k
from bridge.register.lines import Lines
from bridge.register.mqtt.messages import Connected

# Responses that wait for the broker before the next command is taken: it is not acknowledged until
# then, so no answer is lost where a register asks faster than the broker takes answers.
RESPONSES_WAITING_MAX = 500
# Beyond that many, and while the broker is away, the oldest of the longest line is let go: what it
# answers comes again from the broker, or from a register that repeats itself after 3 s.
RESPONSES_KEPT_MAX = 1_000
ROOM_LOOK_SECONDS = 0.5  # how often it is asked whether the broker is still there
REGISTERS_ANSWERED_MAX = 100  # that have a line of their own; a store has a dozen
# Documents of settled payments that are kept because somebody asked for them again; as many as a
# register's settled ones (`document_retention.py`).
ASKED_BACK_MAX = 200


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is not retained: a response or an event."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    register_id: str = ""
    refused: tuple[str, str] | None = None  # operation, payment


class Outbox:
    """What is to be published because of a command, or of the connection it came over."""

    def __init__(
        self, changed: Callable[[], None], places: Callable[[], Mapping[str, int]] = dict
    ) -> None:
        """Call `changed` whenever there is something to fetch.

        `places` has the place of each payment that waits for a terminal; 1 is next.
        """
        self._changed = changed
        self.places = places
        self.responses: Lines[Outgoing] = Lines(REGISTERS_ANSWERED_MAX)  # by register
        self._sent = asyncio.Event()
        self.to_show: dict[str, None] = {}  # payments a register asked to see again, in order
        # Settled payments whose documents a register asked back, and when: the loop's clock.
        self.asked_back: dict[str, float] = {}
        self.acknowledged: dict[str, None] = {}  # by their register, not retired yet
        self.ends_of_day: dict[str, k.ReconciliationDocument] = {}  # the last one, by terminal
        self.connection: Connected | None = None
        self.connections = 0
        self.state_overwritten = False  # somebody else published the bridge's state

    def connected(self, connection: Connected) -> None:
        """Have everything retained published again, over a new connection."""
        self.connection = connection
        self.connections += 1
        self._changed()

    def respond(self, response: Outgoing) -> None:
        """Queue a response; the oldest of the longest line is let go where there are too many."""
        if len(self.responses) >= RESPONSES_KEPT_MAX:
            self.responses.let_go_of_oldest()
        self.responses.put(response.register_id, response)
        self._changed()

    def sent(self, response: Outgoing) -> None:
        """Note that the broker has a response."""
        self.responses.finish(response.register_id, response)
        self._sent.set()

    async def room(self, is_connected: Callable[[], bool]) -> None:
        """Return when one more command may be answered, or nobody can hear the answers anyway."""
        while len(self.responses) >= RESPONSES_WAITING_MAX and is_connected():
            self._sent.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROOM_LOOK_SECONDS):
                    await self._sent.wait()

    def show(self, payment_id: str) -> None:
        """Have a payment's document published again."""
        self.to_show[payment_id] = None
        self._changed()

    def keep(self, payment_id: str, asked_at: float) -> None:
        """Have a document that was taken away stay for a day, from `asked_at` (loop's clock)."""
        self.asked_back.pop(payment_id, None)
        while len(self.asked_back) >= ASKED_BACK_MAX:
            self.asked_back.pop(next(iter(self.asked_back)))
        self.asked_back[payment_id] = asked_at

    def acknowledge(self, payment_id: str) -> None:
        """Have a document taken away: its register keeps it."""
        self.acknowledged[payment_id] = None

    def defend(self) -> None:
        """Have the bridge's state published again: somebody else spoke for the bridge."""
        self.state_overwritten = True
        self._changed()
