"""What the conformance run says about a register. Plain facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """`NOT_SHOWN` is no fault: the register was not seen in that position."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about what the register did in one lesson."""

    lesson: str
    verdict: Verdict
    text: str
