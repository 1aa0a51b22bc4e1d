"""Judges how long a doubt may last before a person is called, and others may pay.

L3: 90 s after a doubt began a person is called, and a terminal is no longer kept for it, however
often the service was restarted meanwhile. A process that is just dead or has lost the broker may
say so later; so the limit is wider than the promise, and far below what endless youth would take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.story import Story

# 90 s, a death of 8 s, a broker that is away for 20 s, a slow disk; in storms one life of 60 s
# more, because a process may die in the moment in which it would have called.
CALLED_SECONDS_MAX = 200.0


@dataclass(slots=True)
class DoubtJudge:
    """Who looks at the clock while payments are in doubt."""

    story: Story
    since: dict[str, float] = field(default_factory=dict)  # payment -> when it was first told
    called: set[str] = field(default_factory=set)

    def told(self, document: Mapping[str, Any]) -> None:
        """A payment is told."""
        name = document["payment_id"]
        if document["status"] != "in_doubt":
            self.since.pop(name, None)
            return
        self.since.setdefault(name, self.story.clock())
        if document["in_doubt"]["needs_operator"]:
            self.called.add(name)

    def look(self) -> None:
        """Look for doubts that are old although nobody was called."""
        for name, since in self.since.items():
            age = self.story.clock() - since
            if age > CALLED_SECONDS_MAX and name not in self.called:
                self.called.add(name)
                self.story.accuse("L3", f"{name[-4:]} is in doubt for {age:.0f} s, nobody called")

    def refused(self, error: Mapping[str, Any]) -> None:
        """A register is refused; perhaps because of an old doubt."""
        name = (error.get("detail") or {}).get("payment_in_doubt", "")
        if error.get("code") != "terminal_busy" or name not in self.since:
            return
        age = self.story.clock() - self.since[name]
        if age > CALLED_SECONDS_MAX:
            self.story.accuse("L3", f"a terminal is kept for {name[-4:]}, in doubt for {age:.0f} s")
