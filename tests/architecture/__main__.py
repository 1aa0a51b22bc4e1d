"""Prints the files and functions that are long enough to look at again; length fails nothing."""

from __future__ import annotations

from pathlib import Path

from tests.architecture.rules import over_budget, sources

for package in ("bridge", "drivers", "simulators"):
    for module, source in sources(Path(__file__).parents[2], package).items():
        for sentence in over_budget(module, source):
            print(f"long    {sentence}")
