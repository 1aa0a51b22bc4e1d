"""A French terminal from inside: its memory, its shopper, its host, and how makes differ.

Both protocols (`telium_serial`, `telium_ip`) are told the outcome of `Device.take` and put it into
their own words. Neither can be asked later: what is left is the ticket, which `Memory` keeps.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from drivers.contract import MaskedPan
from simulators.terminals.shared.ledger import Entry, Kind, TerminalLedger
from simulators.terminals.shared.shopper import Mischief, MischiefKind, Place, Plan, Shopper

CURRENCY_LETTERS = {"978": "EUR", "756": "CHF", "953": "XPF", "840": "USD", "826": "GBP"}
OTHER_CURRENCY = "756"
OTHER_REFERENCE = "OLDPAYMENT"
UNVERIFIED_CODE = 9  # of a declined plan: the terminal does not know, and says so
TICKETS_MAX = 200  # a day of a busy till; the oldest is forgotten first

Outcome = Literal["approved", "declined", "stopped", "timeout", "card_removed", "unverified"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One make's habits. The notes say which were seen; the rest is where the sheets are silent."""

    name: str = "default"
    currency: str = "978"
    contract: str = "424242"
    echoes_private: bool = True  # False: the approval code is in the private field
    sends_eot: bool = True  # seen missing: a Raspberry Pi switch of pyTeliumManager works around it
    busy: Literal["silent", "nak"] = "silent"  # to an ENQ that cannot be served now
    step_seconds: float = 3.0
    enquiries_max: int = 3  # ENQs in one attempt to give an answer
    rest_seconds: float = 5.0  # between two attempts
    attempts_max: int = 20  # then the answer is given up, and only the ticket is left
    keeps_answer_without_power: bool = False
    names_amount_when_stopped: bool = True  # Desk/5000 leaves CB out after its red key
    hangs_up: bool = True  # closes the connection after an answer over IP
    # Caisse-AP only, each seen or described somewhere:
    explains_refusals: bool = True  # AF beside AE=01
    # CD=I: answered as by one that tells a CJ of its own, refused as by old ones, or not answered.
    identification: Literal["own", "echo", "unknown", "silent"] = "own"
    refusal_words: str = ""  # after the two characters of AF, padded: 2 to 50 characters in all
    private_words: str = ""  # in CF
    line_end: bytes = b""  # after the last tag
    repeats_after_seconds: float | None = (
        None  # says its answer once more, if the line is still there
    )


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(),
        Profile("desk5000", names_amount_when_stopped=False),
        Profile("no_echo", echoes_private=False),
        Profile("no_eot", sends_eot=False),
        Profile("busy_nak", busy="nak"),
        Profile("stubborn", attempts_max=200, keeps_answer_without_power=True),
        Profile("keeps_line", hangs_up=False),
        Profile("version_2", identification="unknown"),
        Profile("mute", identification="silent"),
        Profile("nameless", identification="echo"),
        Profile(
            "wordy", refusal_words="51PROVISION INSUFF", private_words="\xa7 MERCI \xe0 bient\xf4t"
        ),
        Profile("taciturn", explains_refusals=False, names_amount_when_stopped=False),
        Profile("line_end", line_end=b"\r\n"),
        Profile("repeats", hangs_up=False, repeats_after_seconds=5.0),
    )
}


class PowerCut(Exception):
    """The terminal lost power. Seconds until it is back, and whether the memory is gone."""

    def __init__(self, seconds: float, *, forget: bool) -> None:
        super().__init__(f"off for {seconds} s")
        self.seconds = seconds
        self.forget = forget


@dataclass(frozen=True, slots=True)
class Sale:
    """What the till wants, in either protocol."""

    amount_minor: int
    currency: str
    credit: bool
    reference: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a person can read on paper when the till does not know."""

    number: int
    outcome: Outcome
    amount_minor: int
    currency: str
    credit: bool
    reference: str
    masked_pan: str
    approval_code: str
    moment: str  # the terminal's local time, ISO 8601


@dataclass(slots=True)
class Contents:
    """Everything in the flash memory."""

    next_ticket: int = 1
    tickets: list[Ticket] = field(default_factory=list)


_CONTENTS = TypeAdapter(Contents)


class Memory:
    """Flash memory, in a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        stored = path is not None and path.exists()
        self.contents = (
            _CONTENTS.validate_json(path.read_bytes()) if path and stored else Contents()
        )

    def print_ticket(self, ticket: Ticket) -> None:
        """Keep `ticket`; its number is used up."""
        self.contents.tickets = [*self.contents.tickets, ticket][-TICKETS_MAX:]
        self.contents.next_ticket = ticket.number + 1
        self._save()

    def forget(self) -> None:
        """Lose everything, as a terminal that was swapped does."""
        self.contents = Contents()
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        draft = self._path.with_suffix(self._path.suffix + ".new")
        draft.write_bytes(_CONTENTS.dump_json(self.contents))
        draft.replace(self._path)


@dataclass(slots=True)
class Spoiler:
    """What goes wrong with the next messages; each is used up once."""

    noise: int = 0
    garbage: int = 0
    duplicate: bool = False
    lost_ack: bool = False
    refuse_frames: int = 0
    trickle_seconds: float | None = None


@dataclass(slots=True)
class Device:
    """One per terminal; it lives through power cuts."""

    profile: Profile
    memory: Memory
    ledger: TerminalLedger
    shopper: Shopper
    rng: random.Random
    clock: Callable[[], datetime]
    unplug: Callable[[float], None]
    silence: Callable[[float], None]
    speed: float | None = None  # None: as the scenario says
    plan: Plan = field(default_factory=Plan)
    spoiler: Spoiler = field(default_factory=Spoiler)

    def next_plan(self, amount_minor: int) -> Plan:
        """Begin a payment: say what its shopper does."""
        self.plan = self.shopper.next_plan(amount_minor)
        return self.plan

    async def wait(self, seconds: float) -> None:
        """Let people or hosts take `seconds`, scaled by the speed."""
        speed = self.shopper.scenario.speed if self.speed is None else self.speed
        if speed and seconds:
            await asyncio.sleep(seconds / speed)

    async def take(self, sale: Sale) -> Ticket:
        """Let the shopper and the host do their parts; what is approved has moved money."""
        return self.book(sale, await self._decide())

    def book(self, sale: Sale, outcome: Outcome) -> Ticket:
        """Tell the acquirer's ledger, then print the ticket."""
        minor = sale.amount_minor
        if outcome == "approved" and self.plan.partial_minor is not None:
            minor = min(self.plan.partial_minor, minor)
        moved = outcome == "approved" or (outcome == "unverified" and self.rng.random() < 1 / 2)
        kind: Kind = ("refunded" if sale.credit else "approved") if moved else "declined"
        ticket = Ticket(
            number=self.memory.contents.next_ticket,
            outcome=outcome,
            amount_minor=minor,
            currency=sale.currency,
            credit=sale.credit,
            reference=sale.reference,
            masked_pan=MaskedPan.of(self.plan.card.pan).text,
            approval_code=f"{self.rng.randrange(1_000_000):06d}",
            moment=self.clock().isoformat(timespec="seconds"),
        )
        self.ledger.append(
            Entry(
                number=self.ledger.next_number(),
                kind=kind,
                amount_minor=minor,
                currency=CURRENCY_LETTERS.get(sale.currency, "XXX"),
                receipt=f"{ticket.number:04d}",
                trace=sale.reference,
                masked_pan=ticket.masked_pan,
                reason="" if moved else outcome,
                time=ticket.moment,
            )
        )
        self.memory.print_ticket(ticket)
        return ticket

    def void_alone(self) -> bool:
        """Void the newest payment as somebody at the terminal would; False if there is none."""
        undone = {one.original for one in self.ledger.entries if one.kind == "reversed"}
        for entry in reversed(self.ledger.entries):
            if entry.kind == "approved" and entry.number not in undone:
                number = self.ledger.next_number()
                undoing = replace(
                    entry, number=number, kind="reversed", original=entry.number, reason="by hand"
                )
                self.ledger.append(undoing)
                return True
        return False

    async def reach(self, place: Place) -> None:
        """Let the plan's misfortunes of this place happen.

        Raises:
            PowerCut: One of them is that.
        """
        for mischief in self.plan.mischief:
            if mischief.at == place:
                self._befall(mischief)

    def suffers(self, kind: MischiefKind) -> bool:
        """Whether the plan holds this misfortune at any place."""
        return any(mischief.kind == kind for mischief in self.plan.mischief)

    async def _decide(self) -> Outcome:
        plan = self.plan
        await self.wait(plan.seconds_to_card)
        match plan.outcome:
            case "cancel":
                return "stopped"
            case "walk_away":
                await self.wait(plan.walk_away_seconds)
                return "timeout"
            case "remove_card_early":
                return "card_removed"
            case _:
                await self.wait(plan.seconds_to_pin * (plan.entry != "contactless"))
                await self.wait(plan.seconds_at_host)
        if plan.outcome != "decline":
            return "approved"
        return "unverified" if plan.code == UNVERIFIED_CODE else "declined"

    def _befall(self, mischief: Mischief) -> None:
        spoiler = self.spoiler
        match mischief.kind:
            case "unplug":
                self.unplug(mischief.seconds)
            case "silent":
                self.silence(mischief.seconds)
            case "die":
                raise PowerCut(mischief.seconds, forget=mischief.forget)
            case "garbage":
                spoiler.garbage = mischief.count
            case "noise":
                spoiler.noise = mischief.count
            case "duplicate":
                spoiler.duplicate = True
            case "lost_ack":
                spoiler.lost_ack = True
            case "nak":
                spoiler.refuse_frames = mischief.count
            case "trickle":
                spoiler.trickle_seconds = mischief.seconds
            case _:
                pass  # what changes the answer itself is heeded where it is worded


def spoiled(data: bytes, spoiler: Spoiler, rng: random.Random) -> bytes:
    """Return what really goes over the line instead of `data`."""
    if spoiler.garbage:
        data = rng.randbytes(spoiler.garbage)
        spoiler.garbage = 0
    if spoiler.duplicate:
        data += data
        spoiler.duplicate = False
    if spoiler.noise:
        data = rng.randbytes(spoiler.noise) + data
        spoiler.noise = 0
    return data
