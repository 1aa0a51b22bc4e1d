"""`python -m tests.simulation`: play worlds, tell one of them, or try the planted bugs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.simulation import campaign
from tests.simulation.kinds import KINDS, counted
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import play

FAILURES_SHOWN_MAX = 10
MUTANT_SEEDS = 150  # each planted bug must be caught within so many
BUSY = "busy/cards/1"  # more than a thousand payments are settled in it
SEEDS_FOR_EVERYTHING = 300  # in so many worlds each kind of thing happens, or the worlds are poor


def main() -> int:
    """Return the exit status: 0 when no rule was broken."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many worlds (default: 500)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--seed", help="play this one only, like 7 or 'gift cards/7'")
    parser.add_argument(
        "--of", default="", help="only worlds of this kind, like pax or 'twins/all'"
    )
    parser.add_argument("--trace", action="store_true", help="with --seed: tell the whole story")
    parser.add_argument("--marks", action="store_true", help="say how often rare things happened")
    parser.add_argument("--mutants", action="store_true", help="the planted bugs must be caught")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    if options.seed is not None:
        return tell(options.seed, trace=options.trace)
    if options.mutants:
        return try_mutants()
    numbers = range(options.first, options.first + options.seeds)
    seeds: list[int | str] = list(numbers)
    if options.of:
        seeds = [f"{options.of}/{number}" for number in numbers]
    elif options.seeds >= SEEDS_FOR_EVERYTHING:
        seeds.insert(0, BUSY)  # the longest one first
    return play_many(seeds, options.jobs, marks=options.marks)


def tell(seed: str, *, trace: bool) -> int:
    """Play one seed and say what happened."""
    story = play(seed, keep_lines=trace)
    for line in story.lines:
        print(line)
    for violation in story.violations:
        print(f"seed {seed} breaks {violation}")
    print(f"seed {seed}: {len(story.violations)} broken rules, digest {story.digest[:16]}")
    return 1 if story.violations else 0


def play_many(seeds: Sequence[int | str], jobs: int, *, marks: bool) -> int:
    """Play seeds and say which broke a rule."""
    tally = campaign.run(seeds, jobs)
    for verdict in tally.failed[:FAILURES_SHOWN_MAX]:
        print(f"seed {verdict.seed} breaks {verdict.violations[0]}")
        print(f"    scripts/simulate --seed {verdict.seed} --trace")
    counts = {kind: counted(tally.marks, kind) for kind in KINDS}
    print("; ".join(f"{count} {kind}" for kind, count in counts.items()))
    missing = [kind for kind, count in counts.items() if not count]
    poor = bool(missing) and len(seeds) >= SEEDS_FOR_EVERYTHING
    if poor:
        print(f"never happened: {', '.join(missing)}")
    if marks:
        for name, times in sorted(tally.marks.items()):
            print(f"{times:8} × {name}")
    print(
        f"{tally.seeds} worlds, {tally.virtual_seconds / 3600:.1f} virtual hours, "
        f"{len(tally.failed)} with broken rules, {tally.seconds:.0f} s, "
        f"{tally.seeds / tally.seconds:.1f} worlds/s"
    )
    return 1 if tally.failed or poor else 0


def try_mutants() -> int:
    """Plant each bug and see that the judge catches it."""
    survivors = 0
    for name in MUTANTS:
        count, violation = campaign.seeds_until_caught(name, range(1, MUTANT_SEEDS + 1))
        survivors += violation is None
        print(f"{name:45} {'SURVIVED' if violation is None else count:>8}  {violation or ''}"[:160])
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
