"""The gift card processor behind a simulated PAX terminal: balances, and what it says to requests.

It is the host's memory, not the terminal's: a terminal that loses its own finds the cards as they
were. It knows no protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GIFT_CARD = "5022440000000000098"  # of a test book; the one that shoppers carry
APPROVED, NO_FUNDS, NO_SUCH_CARD = "00", "51", "14"

Movement = Literal["redeem", "load", "return"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the processor answered. `approved_minor` may be a part of what was asked for."""

    host_code: str
    approved_minor: int = 0


@dataclass(slots=True)
class GiftHost:
    """The processor. `balances` are in minor units; cards that are not in it do not exist."""

    balances: dict[str, int]
    approves_part: bool  # what is left on a card that has not enough, or nothing at all

    def decide(self, card: str, movement: Movement, amount_minor: int) -> Decision:
        """Move the money, all of it or a part, or say why not."""
        left = self.balances.get(card)
        if left is None:
            return Decision(NO_SUCH_CARD)
        if movement != "redeem":
            self.balances[card] = left + amount_minor
            return Decision(APPROVED, amount_minor)
        taken = min(left, amount_minor) if self.approves_part else amount_minor
        if taken > left or taken == 0:
            return Decision(NO_FUNDS)
        self.balances[card] = left - taken
        return Decision(APPROVED, taken)

    def undo(self, card: str, movement: Movement, amount_minor: int) -> bool:
        """Take a movement back; False when what was loaded is spent already."""
        left = self.balances[card]
        after = left + amount_minor if movement == "redeem" else left - amount_minor
        if after < 0:
            return False
        self.balances[card] = after
        return True
