"""What the conformance run says about a register. Plain facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Verdict(Enum):
    """`NOT_SHOWN` is no fault: the register was not seen in that position."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about what the register did in one scenario."""

    scenario: str
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run: who was judged, when, in what, and what was found."""

    register_id: str
    software: str  # as the register calls itself, "" when it does not
    played_at: datetime  # when the run ended, in UTC
    scenarios: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_kept(self) -> bool:
        """Whether nothing was wrong, and something was seen at all."""
        verdicts = {finding.verdict for finding in self.findings}
        return Verdict.WRONG not in verdicts and Verdict.RIGHT in verdicts
