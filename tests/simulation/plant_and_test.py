"""`python -m tests.simulation.plant_and_test NAME`: plant a bug, run the test that catches it.

The exit status is pytest's: 1 when the test failed, as it must.
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.mutants import planted
from tests.simulation.mutants_of_rooms import NAMED_MUTANTS


def main(name: str) -> int:
    """Return the exit status of the test, run with the bug in the bridge."""
    with planted(name):
        return int(pytest.main(["-q", "-x", "-p", "no:xdist", NAMED_MUTANTS[name].test]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
