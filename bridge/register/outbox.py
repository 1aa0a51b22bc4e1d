"""What commands leave for the publisher, and all that the two share.

Commands write, the publisher fetches; neither knows the other. Nothing here is journaled: responses
that were not heard are asked for again, and everything retained is published again after each
connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.register import api as k
from bridge.register.mqtt.messages import Connected

# Responses that wait for the broker. A register repeats a command after 3 s without one, so what
# does not fit is lost without harm.
RESPONSES_WAITING_MAX = 1_000
# Documents of settled payments that are kept because somebody asked for them again; as many as a
# register's settled ones (`document_retention.py`).
ASKED_BACK_MAX = 200


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is not retained: a response or an event."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    refused: tuple[str, str, str] | None = None  # register, operation, payment


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
        self.responses: list[Outgoing] = []
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
        """Queue a response; the oldest is let go where the broker is away for too long."""
        if len(self.responses) >= RESPONSES_WAITING_MAX:
            self.responses.pop(0)
        self.responses.append(response)
        self._changed()

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
