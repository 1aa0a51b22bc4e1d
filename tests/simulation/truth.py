"""What really happened to money: orders seen on the wire, charges in the terminals' memories.

A terminal knows nothing of payment ids, so the world notes which payment an order was written
for, and which order the terminal took up when it began. What it then books belongs to that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.shopper import Plan, Scenario, Shopper
from simulators.terminal_ledger import Entry, TerminalLedger


@dataclass(slots=True)
class Order:
    """One command to take money, as it left the bridge."""

    payment_id: str
    terminal_id: str
    amount_minor: int
    at: float
    conversation: int
    begun: bool = False


@dataclass(slots=True)
class Charge:
    """Money that a terminal took. `payment_id` "" when nobody ordered it through us."""

    payment_id: str
    terminal_id: str
    number: int
    amount_minor: int
    at: float
    committed: bool = False
    reversed: bool = False

    @property
    def stands(self) -> bool:
        """Whether the shopper has paid it."""
        return not self.reversed


@dataclass(slots=True)
class Truth:
    """All orders and charges of a world; `changed` hears of every charge that came or went."""

    orders: list[Order] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    changed: Callable[[Charge, str], None] = lambda _charge, _how: None

    def orders_for(self, payment_id: str) -> list[Order]:
        """Return what was ordered for a payment."""
        return [order for order in self.orders if order.payment_id == payment_id]

    def charges_for(self, payment_id: str) -> list[Charge]:
        """Return every charge of a payment, reversed ones too."""
        return [charge for charge in self.charges if charge.payment_id == payment_id]

    def standing(self, payment_id: str) -> list[Charge]:
        """Return the charges of a payment that were not undone."""
        return [charge for charge in self.charges_for(payment_id) if charge.stands]


class TrueShopper(Shopper):
    """A shopper who remembers for which order the terminal began."""

    def __init__(self, terminal_id: str, truth: Truth, draw: Callable[[], Plan]) -> None:
        super().__init__(Scenario())
        self.begun: Order | None = None
        self._terminal_id = terminal_id
        self._truth = truth
        self._draw = draw

    def next_plan(self, amount_minor: int) -> Plan:
        """Return what happens now; the terminal has just taken up an order of this amount."""
        waiting = [
            order
            for order in self._truth.orders
            if order.terminal_id == self._terminal_id
            and order.amount_minor == amount_minor
            and not order.begun
        ]
        self.begun = waiting[-1] if waiting else None
        if self.begun is not None:
            self.begun.begun = True
        return self._draw()


class TrueLedger(TerminalLedger):
    """A terminal's ledger that tells the truth as it grows. `alone`: nobody ordered this."""

    def __init__(
        self, terminal_id: str, truth: Truth, shopper: TrueShopper, clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self.alone = False
        self._terminal_id = terminal_id
        self._truth = truth
        self._shopper = shopper
        self._clock = clock

    def append(self, entry: Entry) -> None:
        """Note the entry, and what it means for the charge that it is about."""
        super().append(entry)
        if entry.kind == "approved":
            order = None if self.alone else self._shopper.begun
            charge = Charge(
                payment_id=order.payment_id if order else "",
                terminal_id=self._terminal_id,
                number=entry.number,
                amount_minor=entry.amount_minor,
                at=self._clock(),
            )
            self._truth.charges.append(charge)
            self._truth.changed(charge, "taken")
            return
        for charge in self._truth.charges:
            if charge.terminal_id == self._terminal_id and charge.number == entry.original:
                if entry.kind == "committed":
                    charge.committed = True
                    self._truth.changed(charge, "committed")
                elif entry.kind == "reversed":
                    charge.reversed = True
                    self._truth.changed(charge, f"reversed ({entry.reason})")
