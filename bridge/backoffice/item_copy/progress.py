"""How far the copy of one query endpoint has come, and what its next walk begins with. Pure.

A full walk reads everything under a new generation while the one before still answers; at its end
what the new one did not see is gone. A walk in between reads what is newer than the stored `until`.
Both can be broken off at any page and go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the copy of one endpoint stands; it is stored with the rows it speaks of.

    Attributes:
        endpoint: The query's name.
        generation: Of the last full walk that came to its end; 0 for none.
        mark: Where the next walk goes on, "" where only a full one can tell.
        walking: The generation of a full walk under way, 0 for none.
        walk_mark: Where that one goes on.
        as_of: Everything that was changed before is in the copy; "" before the first full walk.
        full_at: When the last full walk began that came to its end; "" for none. ISO 8601, UTC.
        purging: Rows of older generations are still to be taken away.
    """

    endpoint: str
    generation: int = 0
    mark: str = ""
    walking: int = 0
    walk_mark: str = ""
    as_of: str = ""
    full_at: str = ""
    purging: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the copy has held everything once."""
        return self.generation > 0

    def age(self, now: datetime) -> timedelta | None:
        """Return how old the copy is; None where it is not whole, or a clock was set back."""
        if not self.is_complete or not self.as_of:
            return None
        age = now - datetime.fromisoformat(self.as_of)
        return age if age >= timedelta(0) else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next: where to begin, and under which generation rows are stored.

    Attributes:
        since: The mark; None where the endpoint has none and rows are counted.
        is_full: Everything is read.
    """

    since: str | None
    generation: int
    is_full: bool


def plan(
    progress: Progress,
    now: datetime,
    full_every: timedelta,
    *,
    has_marks: bool,
    forced: bool = False,
) -> Plan:
    """Return the next walk. `has_marks`: the endpoint has since; `forced`: its mark is no good."""
    newest = max(progress.generation, progress.walking)
    if not has_marks:
        return Plan(None, newest + 1, is_full=True)
    if progress.walking and not forced:
        return Plan(progress.walk_mark, progress.walking, is_full=True)
    if (
        forced
        or not progress.is_complete
        or not progress.mark
        or _is_due(progress, now, full_every)
    ):
        return Plan("", newest + 1, is_full=True)
    return Plan(progress.mark, progress.generation, is_full=False)


def after_page(progress: Progress, plan: Plan, until: str) -> Progress:
    """Return where the copy stands once a page of the walk is stored; `until` is the page's."""
    if plan.since is None:
        return progress  # counted rows begin anew after every break
    if plan.is_full:
        mark = until or (progress.walk_mark if progress.walking == plan.generation else "")
        return replace(progress, walking=plan.generation, walk_mark=mark)
    return replace(progress, mark=until or progress.mark)


def after_end(progress: Progress, plan: Plan, until: str, began: datetime) -> Progress:
    """Return where the copy stands once the walk, which began at `began`, has come to its end."""
    at = began.isoformat()
    if not plan.is_full:
        return replace(progress, mark=until or progress.mark, as_of=at)
    return Progress(
        progress.endpoint,
        generation=plan.generation,
        mark=until or progress.walk_mark,
        as_of=at,
        full_at=at,
        purging=True,
    )


def _is_due(progress: Progress, now: datetime, full_every: timedelta) -> bool:
    if not progress.full_at:
        return True
    return abs(now - datetime.fromisoformat(progress.full_at)) >= full_every
