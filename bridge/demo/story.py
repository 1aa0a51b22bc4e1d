"""The scenes of the demo: what happens at the till, and what must come of it.

A scene waits for documents and for files, never for time; the pauses between are for the viewer.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bridge.demo.books import read_bookings, read_charges
from bridge.demo.part import Part, PartFailed
from bridge.demo.picture import Document, Invitation, PromiseBroken, Step
from bridge.demo.stage import Stage
from simulators.register import NoAnswerError
from simulators.register_ledger import new_payment_id

SCENE_SECONDS_MAX = 30.0  # any single wait: the slowest is a reconnect with its back-offs
OPENING_SECONDS_MAX = 20.0  # until broker, service and terminal have found each other
AWAY_SECONDS = 600.0  # longer than the demo; the scene itself ends it


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
    card=1.0, host=0.8, slow_host=3.5, slowest_host=4.0, reading=1.8, code=4.0, unplugged=1.8
)
FAST = Pace(
    card=0.1, host=0.1, slow_host=1.0, slowest_host=2.5, reading=0.0, code=0.0, unplugged=0.2
)


class Day:
    """One day at the till: what clerk, shopper and misfortune can do. Scenes are below."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.picture = stage.picture
        self.pace = FAST if stage.fast else FOR_VIEWERS
        self.paid_before = ""  # the first sale, which a later scene repeats
        self.titles: dict[str, str] = {}  # of the scene that made a payment

    async def look(self, seconds: float | None = None) -> None:
        """Give the viewer time."""
        await asyncio.sleep(self.pace.reading if seconds is None else seconds)

    def says(self, first: str, second: str = "") -> None:
        """Change what is told above the picture."""
        self.picture.narration = (first, second)
        self.picture.changed()

    async def shopper(self, **plan: Any) -> None:
        """Decide what the next shopper does, with everything else as usual."""
        usual = {"seconds_to_card": self.pace.card, "seconds_at_host": self.pace.host}
        await self.stage.command_terminal(
            do="scenario", scenario={"payments": [usual | plan], "by_amount": True}
        )

    async def ring_up(self, amount: str, sale_id: str, **fields: Any) -> str:
        """Send `payment/start` and return the payment's id once the bridge has it."""
        await self.until_open()
        payment_id = new_payment_id()
        self.titles[payment_id] = self.picture.running_title
        self.picture.tell(f"till: payment/start {amount} EUR, sale {sale_id}")
        answer = await self.stage.register.pay(
            amount, payment_id=payment_id, sale_id=sale_id, **fields
        )
        if answer["status"] == "error":
            raise PromiseBroken(f"the bridge refused {sale_id}: {answer['error']['message']}")
        return payment_id

    async def until_open(self) -> None:
        """Wait until the bridge is online and the terminal ready, as its documents say."""
        picture = self.picture
        await picture.until(
            lambda: picture.bridge.get("state") == "online" and bool(picture.terminal.get("ready")),
            "a bridge that is online and a terminal that is ready",
            seconds=OPENING_SECONDS_MAX,
        )

    def document(self, payment_id: str) -> Document:
        """Return the payment's newest document, {} before the first."""
        return self.picture.documents.get(payment_id, [{}])[-1]

    async def until(self, payment_id: str, expected: str, **fields: str) -> Document:
        """Wait for a document that says all of `fields`; `recording` means its status."""

        def fits() -> bool:
            document = self.document(payment_id)
            flat = {**document, "recording": document.get("recording", {}).get("status")}
            return all(flat.get(name) == value for name, value in fields.items())

        await self.picture.until(fits, expected, seconds=SCENE_SECONDS_MAX)
        return self.document(payment_id)

    async def until_ended(self, payment_id: str, expected: str) -> Document:
        """Wait until the payment's document is final, and check that it ended as expected."""
        await self.picture.until(
            lambda: bool(self.document(payment_id).get("final")),
            f"an end of the payment ({expected})",
            seconds=SCENE_SECONDS_MAX,
        )
        document = self.document(payment_id)
        expect(document["status"] == expected, f"{expected}, but it is {document['status']}")
        return document

    def was_warned(self, payment_id: str) -> bool:
        """Tell whether the clerk has read not to charge again, while the payment was in doubt."""
        return any(
            document["status"] == "in_doubt"
            and "Do not charge again" in document["display"]["lines"][0]
            for document in self.picture.documents.get(payment_id, [])
        )

    def charges(self) -> int:
        """Count what the terminal itself has taken."""
        return len(read_charges(self.stage.terminal_ledger))

    def bookings(self) -> int:
        """Count the purchases that the back office has."""
        return len(read_bookings(self.stage.office_ledger))


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that happens at a till."""

    title: str
    play: Callable[[Day], Awaitable[None]]


def expect(holds: bool, expected: str) -> None:
    """Hold the scene to its promise.

    Raises:
        PromiseBroken: It does not hold.
    """
    if not holds:
        raise PromiseBroken(f"expected: {expected}")


async def open_the_shop(day: Day) -> None:
    """Start everything and wait until till, bridge and terminal have found each other."""
    day.picture.steps = [Step(scene.title) for scene in SCENES]
    day.says("The shop opens", "A broker, a card terminal, a back office and a till are set up.")
    await day.stage.start_world()
    day.says("The shop opens", "Now the service itself, as in a store: `paybridge run`.")
    await day.stage.start_service()
    await day.until_open()


async def play(day: Day) -> list[str]:
    """Play all scenes and return what was not kept; a broken one does not stop the others."""
    broken = []
    for scene, step in zip(SCENES, day.picture.steps, strict=True):
        step.state = "running"
        day.picture.document = None
        day.picture.changed()
        try:
            await scene.play(day)
        except (PromiseBroken, PartFailed, NoAnswerError) as error:
            step.state = "broken"
            broken.append(f"{scene.title}: {error}")
            day.picture.tell(f"BROKEN {scene.title}: {error}")
        else:
            step.state = "kept"
            day.picture.changed()
    return broken


# --- the scenes


async def log_in(day: Day) -> None:
    """A person lets this machine into the back office, with a code."""
    day.says(
        "Log in to the back office", "Scan the code, compare it, agree. Here we agree for you."
    )
    login = Part("login")
    try:
        command = (sys.executable, "-m", "bridge", "login", "--json", "--config")
        code = await login.start((*command, str(day.stage.configuration)))
        day.picture.invitation = Invitation(
            code["user_code"], code["verification_uri"], code["verification_uri_complete"]
        )
        day.picture.tell(f"login: type {code['user_code']} at {code['verification_uri']}")
        await day.look(day.pace.code)
        await day.stage.command_office(do="approve", user_code=code["user_code"])
        answer = await login.answer()
    finally:
        day.picture.invitation = None
        await login.end()
    expect(answer.get("logged_in") is True, f"a login, but the answer is {answer}")
    day.picture.tell(f"login: agreed, logged in as {answer['as']}")


_COFFEE = {
    "total_amount": "47.90",
    "tax_amount": "3.13",
    "lines": [
        {
            "item_id": 1,
            "product_code": "COFFEE-1KG",
            "product_label": "Coffee, 1 kg",
            "quantity": "2",
            "unit_price": "19.95",
            "item_amount": "39.90",
        },
        {
            "item_id": 2,
            "product_code": "MUG",
            "product_label": "Mug",
            "quantity": "1",
            "unit_price": "8.00",
            "item_amount": "8.00",
        },
    ],
}


async def sell(day: Day) -> None:
    """A sale with two lines: approved, and recorded with its lines."""
    day.says("A sale: 47.90", "Card, bank, receipt; then the purchase is recorded.")
    await day.shopper()
    payment_id = await day.ring_up("47.90", "S-1", sale=_COFFEE)
    day.paid_before = payment_id
    await day.until_ended(payment_id, "approved")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    expect(day.charges() == 1, f"one charge, but there are {day.charges()}")
    expect(day.bookings() == 1, f"one purchase, but there are {day.bookings()}")
    await day.look()


async def decline(day: Day) -> None:
    """The bank says no, and the clerk reads that nothing was charged."""
    day.says("The bank says no", "Nothing is charged, nothing is recorded, and the clerk reads so.")
    before = day.charges()
    await day.shopper(outcome="decline", code=0x33, text="Guthaben zu gering")
    payment_id = await day.ring_up("12.50", "S-2")
    await day.until_ended(payment_id, "declined")
    expect(day.charges() == before, "no charge")
    await day.look()


async def cancel(day: Day) -> None:
    """The cashier cancels while the terminal waits for a card."""
    day.says("The cashier cancels", "The terminal is told to stop before a card is there.")
    before = day.charges()
    await day.shopper(seconds_to_card=SCENE_SECONDS_MAX)
    payment_id = await day.ring_up("8.00", "S-3")
    await day.until(payment_id, "waiting for a card", stage="waiting_for_card")
    await day.look()
    day.picture.tell("till: payment/cancel")
    await day.stage.register.cancel(payment_id)
    await day.until_ended(payment_id, "canceled")
    expect(day.charges() == before, "no charge")
    await day.look()


async def pull_the_cable(day: Day) -> None:
    """The cable comes out while the bank is asked; found again, resolved, charged once."""
    day.says("Someone trips over the cable", "The bank was just asked. Paid or not? Nobody knows.")
    before = day.charges()
    await day.shopper(seconds_at_host=day.pace.slow_host)
    payment_id = await day.ring_up("23.45", "S-4")
    await day.until(payment_id, "asking the bank", stage="authorizing")
    await day.stage.command_terminal(do="unplug")
    day.picture.cable_in = False
    day.picture.tell("demo: the cable is pulled")
    await day.until(payment_id, "a payment in doubt", status="in_doubt")
    await day.look(day.pace.unplugged)
    await day.stage.command_terminal(do="replug")
    day.picture.cable_in = True
    day.says("The cable is back", "The bridge finds the terminal and asks what became of it.")
    day.picture.tell("demo: the cable is plugged in")
    await day.until_ended(payment_id, "approved")
    expect(day.was_warned(payment_id), "the clerk is told not to charge again")
    expect(day.charges() == before + 1, f"one more charge, but there are {day.charges()}")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    await day.look()


async def lose_the_back_office(day: Day) -> None:
    """The back office is away: the sale goes on, the purchase is recorded later."""
    day.says("The back office is away", "Payments go on. What must be recorded waits.")
    booked = day.bookings()
    await day.stage.command_office(do="away", seconds=AWAY_SECONDS)
    day.picture.office_open = False
    await day.shopper(brand="visa")
    payment_id = await day.ring_up("15.20", "S-5")
    await day.until_ended(payment_id, "approved")
    await day.until(payment_id, "a purchase that waits", recording="pending")
    await day.look()
    expect(day.bookings() == booked, "no purchase while the back office is away")
    await day.stage.command_office(do="back")
    day.picture.office_open = True
    day.says("The back office is back", "The purchase follows, once.")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    expect(day.bookings() == booked + 1, f"one more purchase, but there are {day.bookings()}")
    await day.look()


async def kill_the_service(day: Day) -> None:
    """Kill -9 in mid-payment: after the restart the payment is found and told right."""
    day.says("kill -9 in mid-payment", "The service dies while the bank is asked.")
    before = day.charges()
    await day.shopper(seconds_at_host=day.pace.slowest_host, brand="mastercard")
    payment_id = await day.ring_up("31.00", "S-6")
    await day.until(payment_id, "asking the bank", stage="authorizing")
    await day.stage.kill_service()
    await day.look(day.pace.reading / 2)
    day.says("The service starts again", "Its journal says what was open; the terminal is asked.")
    await day.stage.start_service()
    document = await day.until_ended(payment_id, "approved")
    # Not was_warned: the terminal may have answered before the broker was found again.
    doubted = any(line["status"] == "in_doubt" for line in document["history"])
    expect(doubted, "the payment was in doubt, whatever it became")
    expect(day.charges() == before + 1, f"one more charge, but there are {day.charges()}")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    await day.look()


async def repeat_the_command(day: Day) -> None:
    """A till sends the command of its first sale again: it hears of it, the card does not."""
    day.says("The till repeats itself", "The first sale is sent again, with the same payment_id.")
    charges, bookings = day.charges(), day.bookings()
    day.picture.tell("till: payment/start 47.90 EUR, sale S-1, once more")
    answer = await day.stage.register.pay(
        "47.90", payment_id=day.paid_before, sale_id="S-1", sale=_COFFEE
    )
    expect(answer.get("duplicate") is True, f"an answer that says duplicate, not {answer}")
    expect(answer.get("payment_status") == "approved", "the answer says approved")
    day.picture.document = day.document(day.paid_before)
    day.picture.tell("bridge: that is the payment from before: approved, not charged again")
    await day.look()
    expect(day.charges() == charges, "no second charge")
    expect(day.bookings() == bookings, "no second purchase")


SCENES = (
    Scene("Log in with a code", log_in),
    Scene("A sale, recorded", sell),
    Scene("The bank declines", decline),
    Scene("The cashier cancels", cancel),
    Scene("The cable is pulled", pull_the_cable),
    Scene("Back office away", lose_the_back_office),
    Scene("kill -9 in mid-payment", kill_the_service),
    Scene("The till repeats itself", repeat_the_command),
)
