"""What happened in one world: a readable story, its digest, marks of rare things, violations."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

VIOLATIONS_MAX = 20  # of one world; the first says everything, the rest is noise


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that was broken: its number in the reliability plan, when, and how."""

    rule: str
    at: float  # virtual seconds
    text: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.at:.3f} s: {self.text}"


@dataclass(slots=True)
class Story:
    """Everything a person or a digest wants to know. `clock` gives virtual seconds."""

    clock: Callable[[], float]
    keep_lines: bool = False
    lines: list[str] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def tell(self, who: str, what: str) -> None:
        """Add one line."""
        line = f"{self.clock():10.4f}  {who:<12} {what}"
        self._hash.update(line.encode())
        if self.keep_lines:
            self.lines.append(line)

    def mark(self, name: str) -> None:
        """Count something rare, so that a test can ask whether it ever happens."""
        self.marks[name] += 1

    def accuse(self, rule: str, text: str) -> None:
        """Note a broken rule."""
        violation = Violation(rule, self.clock(), text)
        self.tell("JUDGE", f"*** {rule}: {text}")
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(violation)

    @property
    def digest(self) -> str:
        """Return what two runs of one seed have in common."""
        return self._hash.hexdigest()
