"""What a till asked for with a plan: the legs, with the ids that the bridge gives them.

Each id is made from the plan's, so that a restart gives the same: UUID version 5 of `leg 1`, and so
on, in the plan's own name space.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal

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
        name = str(uuid.uuid5(uuid.UUID(attempt.payment_id), f"leg {number}"))
        legs.append(PlannedLeg(name, leg["method"], minor))
    return tuple(legs)
