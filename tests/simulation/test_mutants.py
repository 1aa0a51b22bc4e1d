"""Every planted bug is caught: the judge is blind to no rule."""

from __future__ import annotations

import pytest

from tests.simulation import campaign
from tests.simulation.mutants import MUTANTS

# Bugs that show themselves in almost every world; the others take their time.
QUICK = ("timeout means failed", "doubt pays again", "unknown bookings are sent again")
SEEDS_QUICK = range(1, 41)
SEEDS_MANY = range(1, 301)


@pytest.mark.parametrize("mutant", QUICK)
def test_a_coarse_bug_is_caught_in_a_few_worlds(mutant: str) -> None:
    _, violation = campaign.seeds_until_caught(mutant, SEEDS_QUICK)
    assert violation is not None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_every_planted_bug_is_caught(mutant: str) -> None:
    _, violation = campaign.seeds_until_caught(mutant, SEEDS_MANY)
    assert violation is not None
