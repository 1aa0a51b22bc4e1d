"""Many worlds: on several processes, counted, with marks, speed and the first failures."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.mutants import planted, seeds_for
from tests.simulation.story import Violation
from tests.simulation.world import play


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed came to."""

    seed: int | str
    violations: tuple[Violation, ...]
    marks: Counter[str]
    digest: str
    virtual_seconds: float


@dataclass(slots=True)
class Tally:
    """What many seeds came to."""

    seeds: int = 0
    failed: list[Verdict] = field(default_factory=list)
    marks: Counter[str] = field(default_factory=Counter)
    virtual_seconds: float = 0.0
    seconds: float = 0.0

    def add(self, verdict: Verdict) -> None:
        """Count one more."""
        self.seeds += 1
        self.marks += verdict.marks
        self.virtual_seconds += verdict.virtual_seconds
        if verdict.violations:
            self.failed.append(verdict)


def judge_seed(seed: int | str) -> Verdict:
    """Play one seed."""
    story = play(seed)
    return Verdict(seed, tuple(story.violations), story.marks, story.digest, story.clock())


def verdicts(seeds: Sequence[int | str], jobs: int) -> Iterator[Verdict]:
    """Play many seeds, in any order, on `jobs` processes."""
    if jobs <= 1:
        yield from map(judge_seed, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(judge_seed, seeds, chunksize=4)


def run(seeds: Sequence[int | str], jobs: int) -> Tally:
    """Play all seeds and count."""
    tally = Tally()
    began = time.perf_counter()
    for verdict in verdicts(seeds, jobs):
        tally.add(verdict)
    tally.failed.sort(key=lambda verdict: str(verdict.seed))
    tally.seconds = time.perf_counter() - began
    return tally


def seeds_until_caught(mutant: str, numbers: Sequence[int]) -> tuple[int, Violation | None]:
    """Plant a bug and play until the judge sees it; return how many seeds that took."""
    with planted(mutant):
        for count, seed in enumerate(seeds_for(mutant, numbers), 1):
            verdict = judge_seed(seed)
            if verdict.violations:
                return count, verdict.violations[0]
    return len(numbers), None
