"""The documented state table is the one in the code."""

from __future__ import annotations

from tests.architecture.state_table import DOCUMENT, END, with_table


def test_the_documented_table_is_the_one_in_the_code() -> None:
    text = DOCUMENT.read_text()
    assert with_table(text) == text, "run python -m tests.architecture.state_table --write"


def test_a_stale_table_is_noticed() -> None:
    stale = DOCUMENT.read_text().replace("| Unclear |", "| Unclear |  in_progress", 1)
    assert END in stale
    assert with_table(stale) != stale
