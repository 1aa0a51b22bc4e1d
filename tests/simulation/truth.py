"""What really happened to money: orders seen on the wire, movements in the terminals' memories.

A terminal knows nothing of payment ids, so the world notes which payment an order was written
for, and which order the terminal took up when it began. What it then books belongs to that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from simulators.terminals.shared.ledger import Entry, TerminalLedger
from simulators.terminals.shared.shopper import Plan, Scenario, Shopper

Kind = Literal["paid", "held", "captured", "refunded", "tipped", "voided", "loaded"]
CARD_ORDERS = frozenset({"Pay", "Authorize", "Refund", "LoadGift"})  # a shopper presents a card
KINDS: dict[str, Kind] = {
    "approved": "paid",
    "reserved": "held",
    "refunded": "refunded",
    "captured": "captured",
    "tipped": "tipped",
    "loaded": "loaded",
}
# Why a terminal gives up what it took: because the register wants it, or by a hand at its keys.
BY_REGISTER = frozenset({"register", "void"})
WITH_ITS_PAYMENT = "with its payment"
NEW_TIP = "new tip"  # some makes name the whole tip when one is added
ORDERED_AS = {"captured": "Capture", "tipped": "AdjustTip", "voided": "Reverse"}
TAKEN: frozenset[Kind] = frozenset({"paid", "captured", "tipped"})


@dataclass(slots=True)
class Order:
    """One command about money, as it left the bridge."""

    payment_id: str
    terminal_id: str
    amount_minor: int
    at: float
    conversation: int
    kind: str = "Pay"  # the name of the operation
    original_id: str = ""  # the payment that it follows up
    begun: bool = False


@dataclass(slots=True)
class Charge:
    """A movement of money at a terminal. `payment_id` "" when nobody ordered it through us."""

    payment_id: str
    terminal_id: str
    number: int
    amount_minor: int
    at: float
    kind: Kind = "paid"
    original_id: str = ""
    committed: bool = False
    reversed: bool = False  # by the terminal itself, as if it had not been
    undone_by: str = ""  # the payment that voided it
    undone_by_hand: bool = False  # at the terminal: nobody of us can know

    @property
    def stands(self) -> bool:
        """Whether the operation that asked for it worked; what undid it worked as well."""
        return not self.reversed

    @property
    def gone_minor(self) -> int:
        """What a hand at the terminal gave back of it."""
        return self.net_minor if self.undone_by_hand else 0

    @property
    def net_minor(self) -> int:
        """What the merchant has of it now, as far as registers can know."""
        if self.reversed or self.undone_by:
            return 0
        if self.kind in TAKEN:
            return self.amount_minor
        return -self.amount_minor if self.kind == "refunded" else 0


@dataclass(frozen=True, slots=True)
class Closing:
    """A batch that a terminal closed: what it told, what we ordered of it, and what nobody did."""

    terminal_id: str
    at: float
    told_minor: int
    ordered_minor: int
    alone_minor: int
    payment_ids: tuple[str, ...]
    by_itself: bool = False


@dataclass(slots=True)
class Truth:
    """All orders and movements of a world; `changed` hears of each that came or went."""

    orders: list[Order] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    changed: Callable[[Charge, str], None] = lambda _charge, _how: None

    def orders_for(self, payment_id: str) -> list[Order]:
        """Return what was ordered for a payment."""
        return [order for order in self.orders if order.payment_id == payment_id]

    def charges_for(self, payment_id: str) -> list[Charge]:
        """Return every movement of a payment, reversed ones too."""
        return [charge for charge in self.charges if charge.payment_id == payment_id]

    def standing(self, payment_id: str) -> list[Charge]:
        """Return the movements of a payment that the terminal did not take back."""
        return [charge for charge in self.charges_for(payment_id) if charge.stands]

    def following(self, payment_id: str, kind: Kind) -> list[Charge]:
        """Return what stands of the follow-ups of a payment."""
        return [
            one
            for one in self.charges
            if one.original_id == payment_id and one.kind == kind and one.stands
        ]

    def held_minor(self, payment_id: str) -> int:
        """Return what a pre-authorization and what raised it once held."""
        raised = self.following(payment_id, "held")
        return sum(one.amount_minor for one in (*self.standing(payment_id), *raised))

    def taken_minor(self, payment_id: str) -> int:
        """Return what a payment took, whatever became of it later."""
        return sum(one.amount_minor for one in self.standing(payment_id) if one.kind in TAKEN)

    def waiting(self, terminal_id: str, *kinds: str) -> Order | None:
        """Return the last order of some kinds that its terminal has not taken up yet."""
        for order in reversed(self.orders):
            if order.terminal_id == terminal_id and order.kind in kinds and not order.begun:
                return order
        return None

    def close(self, terminal_id: str, told_minor: int, at: float, *, by_itself: bool) -> None:
        """Note the end of a terminal's batch."""
        since = max((one.at for one in self.closings if one.terminal_id == terminal_id), default=-1)
        batch = [one for one in self.charges if one.terminal_id == terminal_id and one.at > since]
        self.closings.append(
            Closing(
                terminal_id,
                at,
                told_minor,
                sum(one.net_minor for one in batch if one.payment_id),
                sum(one.net_minor for one in batch if not one.payment_id),
                tuple(one.payment_id for one in batch if one.payment_id),
                by_itself,
            )
        )


class TrueShopper(Shopper):
    """A shopper who remembers for which order the terminal began."""

    def __init__(self, terminal_id: str, truth: Truth, draw: Callable[[], Plan]) -> None:
        super().__init__(Scenario())
        self.begun: Order | None = None
        self.alone = False  # nobody ordered what they pay now
        self._terminal_id = terminal_id
        self._truth = truth
        self._draw = draw

    def next_plan(self, amount_minor: int) -> Plan:
        """Return what happens now; the terminal has just taken up an order of this amount."""
        if self.alone:
            return Plan()
        waiting = [
            order
            for order in self._truth.orders
            if order.terminal_id == self._terminal_id
            and order.amount_minor == amount_minor
            and order.kind in CARD_ORDERS
            and not order.begun
        ]
        self.begun = waiting[-1] if waiting else None
        if self.begun is not None:
            self.begun.begun = True
        return self._draw()

    def misbehave_once(self) -> None:
        """Draw what happens at the next booking that needs no card."""
        self.scenario = Scenario(without_card=self._draw())


class TrueLedger(TerminalLedger):
    """A terminal's ledger that tells the truth as it grows. `alone`: nobody ordered this."""

    def __init__(
        self, terminal_id: str, truth: Truth, shopper: TrueShopper, clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self.alone = False
        self._replaced_tip_minor = 0
        self._terminal_id = terminal_id
        self._truth = truth
        self._shopper = shopper
        self._clock = clock

    def append(self, entry: Entry) -> None:
        """Note the entry, and what it means for the movement that it is about."""
        super().append(entry)
        match entry.kind:
            case "approved" | "reserved" | "refunded" | "loaded":
                self._moved(entry, None if self.alone else self._shopper.begun)
            case "captured" | "tipped":
                self._moved(entry, self._taken_up(ORDERED_AS[entry.kind]))
            case "closed":
                at = self._clock()
                told_minor = entry.amount_minor
                self._truth.close(self._terminal_id, told_minor, at, by_itself=self.alone)
            case "committed" | "reversed" | "released":
                self._about_another(entry)
            case _:
                pass

    def _about_another(self, entry: Entry) -> None:
        mine = (one for one in self._truth.charges if one.terminal_id == self._terminal_id)
        charge = next((one for one in mine if one.number == entry.original), None)
        if charge is None:
            return
        if entry.kind == "committed":
            charge.committed = True
            self._truth.changed(charge, "committed")
        elif self.alone:
            charge.undone_by_hand = True
            self._truth.changed(charge, "reversed by hand")
        elif entry.reason == NEW_TIP:
            self._replaced_tip_minor = charge.amount_minor
        elif entry.reason == WITH_ITS_PAYMENT or charge.kind == "tipped":
            charge.undone_by = charge.original_id
        elif entry.kind == "reversed" and entry.reason not in BY_REGISTER:
            charge.reversed = True
            self._truth.changed(charge, f"reversed ({entry.reason})")
        elif entry.reason == "void" and self._truth.waiting(self._terminal_id, "Reverse") is None:
            # A part that nobody wants is taken back in the conversation that took it.
            charge.reversed = True
            self._truth.changed(charge, "taken back at once")
        elif entry.reason != "extended" and self._is_void(entry):
            order = self._taken_up("Reverse")
            charge.undone_by = order.payment_id if order else "?"
            self._moved(entry, order)

    def _is_void(self, entry: Entry) -> bool:
        """Tell a release of a hold from the rest that a capture gives back."""
        order = self._truth.waiting(self._terminal_id, "Capture", "Reverse")
        return entry.kind == "reversed" or (order is not None and order.kind == "Reverse")

    def _taken_up(self, kind: str) -> Order | None:
        order = self._truth.waiting(self._terminal_id, kind)
        if order is not None:
            order.begun = True
        return order

    def _moved(self, entry: Entry, order: Order | None) -> None:
        amount_minor = entry.amount_minor
        if order is not None and order.kind == "Authorize" and order.original_id:
            amount_minor -= self._truth.held_minor(order.original_id)  # it names the new total
        if entry.kind == "tipped":
            amount_minor -= self._replaced_tip_minor
            self._replaced_tip_minor = 0
        charge = Charge(
            payment_id=order.payment_id if order else "",
            terminal_id=self._terminal_id,
            number=entry.number,
            amount_minor=amount_minor,
            at=self._clock(),
            kind=KINDS.get(entry.kind, "voided"),
            original_id=order.original_id if order else "",
        )
        self._truth.charges.append(charge)
        self._truth.changed(charge, "taken")
