"""Every planted bug is caught: the judge is blind to no rule."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.simulation import campaign
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants_of_rooms import NAMED_MUTANTS

# Bugs that show themselves in almost every world; the others take their time.
QUICK = (
    *("timeout means failed", "doubt pays again", "unknown bookings are sent again"),
    *("the queue goes on after a doubt", "an unconfirmed purchase is mended"),
)
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


@pytest.mark.slow
@pytest.mark.parametrize("mutant", sorted(NAMED_MUTANTS))
def test_what_no_world_can_show_is_caught_by_its_own_test(mutant: str) -> None:
    command = [sys.executable, "-m", "tests.simulation.plant_and_test", mutant]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
