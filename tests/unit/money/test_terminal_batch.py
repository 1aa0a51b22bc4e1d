"""A terminal's end of day: never forgotten, never done twice, and unknown is told as unknown."""

from __future__ import annotations

import pytest

from bridge.money.terminal_batch import (
    Batch,
    BatchClosing,
    BatchKept,
    advance_batch,
    judge_close,
)

CLOSING = BatchClosing("eod-1", "2026-11-23T20:00:00.000Z")


@pytest.mark.parametrize(
    ("told", "since_close", "since_attempt", "found"),
    [
        (5000, 5000, 0, "kept"),
        (0, 5000, 0, "closed"),
        (700, 5700, 700, "closed"),
        (5700, 5700, 700, "kept"),
        (0, 0, 0, "unknown"),  # an empty batch looks the same after its close
        (5000, 5000, 5000, "unknown"),
        (-200, -200, 0, "kept"),  # more was given back than taken
        (200, -200, 0, "unknown"),
        (4999, 5000, 0, "unknown"),  # the terminal counts something that we do not
    ],
)
def test_open_totals_prove_a_close_only_if_the_two_cases_differ(
    told: int, since_close: int, since_attempt: int, found: str
) -> None:
    judged = judge_close(told, since_close_minor=since_close, since_attempt_minor=since_attempt)
    assert judged == found


def test_only_its_own_attempt_is_ended_by_a_refusal() -> None:
    batch = advance_batch(Batch(), CLOSING, 7)
    assert advance_batch(batch, BatchKept("eod-0", "late"), 8).closing == CLOSING
    assert advance_batch(batch, BatchKept("eod-1", "refused"), 8).closing is None
