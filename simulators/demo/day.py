"""A day at the till: what cashier, shopper and misfortune can do. The scenes do it.

What waits here waits for documents and for files, never for time; the pauses are for the viewer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from simulators.demo.books import read_bookings, read_charges, read_gift_moves
from simulators.demo.comparison import on_gift_cards
from simulators.demo.environment import Environment
from simulators.demo.screen_model import Document, PromiseBroken
from simulators.register.open_payments import new_payment_id

SCENE_SECONDS_MAX = 30.0  # any single wait: the slowest is a reconnect with its back-offs
OPENING_SECONDS_MAX = 20.0  # until broker, service and terminal have found each other


@dataclass(frozen=True, slots=True)
class Pace:
    """How long people take, in seconds."""

    card: float  # until the card is held there
    host: float  # until the bank answers
    slow_host: float  # the same while the cable is out; longer than finding the terminal again
    slowest_host: float  # the same while the service starts again
    reading: float  # the viewer, with two lines of text
    code: float  # the viewer, with the login's code
    unplugged: float  # the cable lies on the floor


FOR_VIEWERS = Pace(
    card=0.8, host=0.6, slow_host=3.0, slowest_host=4.0, reading=1.5, code=3.0, unplugged=1.5
)
FAST = Pace(
    card=0.1, host=0.1, slow_host=1.0, slowest_host=2.5, reading=0.0, code=0.0, unplugged=0.2
)


class Day:
    """One day at the till."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.screen_model = environment.screen_model
        self.pace = FAST if environment.fast else FOR_VIEWERS
        self.paid_before = ""  # the first sale, which a later scene repeats
        self.titles: dict[str, str] = {}  # of the scene that made a payment

    async def look(self, seconds: float | None = None) -> None:
        """Give the viewer time."""
        await asyncio.sleep(self.pace.reading if seconds is None else seconds)

    def says(self, first: str, second: str = "") -> None:
        """Change what is told above the screen."""
        self.screen_model.narration = (first, second)
        self.screen_model.changed()

    async def shopper(self, **plan: Any) -> None:
        """Decide what the next shopper does, with everything else as usual."""
        usual = {"seconds_to_card": self.pace.card, "seconds_at_host": self.pace.host}
        await self.environment.command_terminal(
            do="scenario", scenario={"payments": [usual | plan], "by_amount": True}
        )

    async def ring_up(self, amount: str, sale_id: str, **fields: Any) -> str:
        """Send `payment/start` and return the payment's id once the bridge has it."""
        answer = await self.ring_up_parts(amount, sale_id, **fields)
        payment_id: str = answer["payment_id"]
        return payment_id

    async def ring_up_parts(self, amount: str, sale_id: str, **fields: Any) -> Document:
        """Send `payment/start` and return the bridge's response, which names a plan's parts."""
        await self.until_open()
        payment_id = new_payment_id()
        self.titles[payment_id] = self.screen_model.running_title
        self.screen_model.tell(f"till: payment/start {amount} EUR, sale {sale_id}")
        answer = await self.environment.register.pay(
            amount, payment_id=payment_id, sale_id=sale_id, **fields
        )
        return self._accepted(answer)

    async def send(self, operation: str, amount: str, **fields: Any) -> str:
        """Send another command that moves money; return its id once the bridge has it."""
        await self.until_open()
        payment_id = new_payment_id()
        self.titles[payment_id] = self.screen_model.running_title
        self.screen_model.tell(f"till: {operation} {amount} EUR")
        amounts = {"currency": "EUR", "requested_amount": amount}
        request = {"payment_id": payment_id, "amounts": amounts, **fields}
        self._accepted(await self.environment.register.ask(operation, request, guarded=True))
        return payment_id

    @staticmethod
    def _accepted(answer: Document) -> Document:
        if answer["status"] == "error":
            raise PromiseBroken(f"the bridge refused: {answer['error']['message']}")
        return answer

    async def until_open(self) -> None:
        """Wait until the bridge is online and the terminal ready, as its documents say."""
        screen_model = self.screen_model
        await screen_model.until(
            lambda: (
                screen_model.bridge.get("state") == "online"
                and bool(screen_model.terminal.get("ready"))
            ),
            "a bridge that is online and a terminal that is ready",
            seconds=OPENING_SECONDS_MAX,
        )

    def document(self, payment_id: str) -> Document:
        """Return the payment's newest document, {} before the first."""
        return self.screen_model.documents.get(payment_id, [{}])[-1]

    async def until(self, payment_id: str, expected: str, **fields: str) -> Document:
        """Wait for a document that says all of `fields`; `recording` means its status."""

        def fits() -> bool:
            document = self.document(payment_id)
            flat = {**document, "recording": document.get("recording", {}).get("status")}
            found = all(flat.get(name) == value for name, value in fields.items())
            ended = document.get("final") and document["status"] != "approved"
            expect(found or not ended, f"{expected}, but it is {document.get('status')}")
            return found

        await self.screen_model.until(fits, expected, seconds=SCENE_SECONDS_MAX)
        return self.document(payment_id)

    async def until_ended(self, payment_id: str, expected: str) -> Document:
        """Wait until the payment's document is final, and check that it ended as expected."""
        await self.screen_model.until(
            lambda: bool(self.document(payment_id).get("final")),
            f"an end of the payment ({expected})",
            seconds=SCENE_SECONDS_MAX,
        )
        document = self.document(payment_id)
        expect(document["status"] == expected, f"{expected}, but it is {document['status']}")
        return document

    def was_warned(self, payment_id: str) -> bool:
        """Tell whether the cashier has read not to charge again, while the payment was in doubt."""
        return any(
            document["status"] == "in_doubt"
            and "Do not charge again" in document["display"]["lines"][0]
            for document in self.screen_model.documents.get(payment_id, [])
        )

    def charges(self) -> int:
        """Count what the terminal itself has taken or given back."""
        return len(read_charges(self.environment.terminal_ledger))

    def bookings(self) -> int:
        """Count the purchases that the back office has."""
        return len(read_bookings(self.environment.office_ledger))

    def on_gift_cards(self) -> int:
        """Return what is on the gift cards of the day, in cents, by the back office's own book."""
        return on_gift_cards(read_gift_moves(self.environment.office_ledger))


def expect(holds: bool, expected: str) -> None:
    """Hold the scene to its promise.

    Raises:
        PromiseBroken: It does not hold.
    """
    if not holds:
        raise PromiseBroken(f"expected: {expected}")
