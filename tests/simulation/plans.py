"""What a till asked for with a plan: the legs, with the ids that the bridge gives them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bridge.money.payment import leg_id
from tests.simulation.attempts import Attempt


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """One payment of a plan."""

    payment_id: str
    method: str
    minor: int


def legs_of(attempt: Attempt) -> tuple[PlannedLeg, ...]:
    """Return the legs that a till asked for, () when it is no plan."""
    legs: list[PlannedLeg] = []
    for number, leg in enumerate(attempt.content.get("plan", ()), 1):
        rest = attempt.amount_minor - sum(one.minor for one in legs)
        minor = int(Decimal(leg["amount"]) * 100) if "amount" in leg else rest
        legs.append(PlannedLeg(leg_id(attempt.payment_id, number), leg["method"], minor))
    return tuple(legs)
