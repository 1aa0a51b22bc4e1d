"""The judge catches every broken promise it is there for: a judge that cannot convict is none."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.terminals.shared.ledger import Entry
from tests.end_to_end.judge import violations

APPROVED = Entry(1, "approved", 1200, "EUR")
COMMITTED = Entry(2, "committed", 1200, "EUR", original=1)
REVERSED = Entry(2, "reversed", 1200, "EUR", original=1)
TWICE = Entry(3, "approved", 1200, "EUR")
BOOKED = {"transactionId": "S012-p1", "payAmount": "12.00"}


def story(status: str = "approved", recording: str = "recorded") -> dict[str, Any]:
    return {
        "payment_id": "p1",
        "requested": "12.00 EUR",
        "status": status,
        "recording": recording,
    }


@pytest.mark.parametrize(
    ("terminal", "payment", "purchases"),
    [
        ([APPROVED, COMMITTED], story(), [BOOKED]),
        ([APPROVED, COMMITTED], story(recording="unconfirmed"), [BOOKED]),
        ([APPROVED, COMMITTED], story(recording="unconfirmed"), []),
        ([APPROVED, COMMITTED], story("in_doubt", "not_required"), []),
        ([APPROVED, REVERSED], story("failed", "not_required"), []),
        ([], story("declined", "not_required"), []),
    ],
)
def test_what_may_be_is_let_pass(
    terminal: list[Entry], payment: dict[str, Any], purchases: list[dict[str, Any]]
) -> None:
    assert violations(terminal, [payment], purchases, {}) == []


@pytest.mark.parametrize(
    ("terminal", "payment", "purchases", "words"),
    [
        ([APPROVED, TWICE], story(), [BOOKED], "charged twice"),
        ([APPROVED, REVERSED, TWICE], story(), [BOOKED], "asked twice"),
        ([APPROVED], story("failed", "not_required"), [], "told failed"),
        ([APPROVED, REVERSED], story(), [BOOKED], "took nothing"),
        ([APPROVED], story("in_progress", "not_required"), [], "left in_progress"),
        ([APPROVED], story(), [BOOKED, BOOKED], "recorded twice"),
        ([], story("declined", "not_required"), [BOOKED], "recorded, and it is declined"),
        ([APPROVED], story(recording="pending"), [], "left out of the books"),
        ([APPROVED], story(), [], "the books do not have it"),
        ([APPROVED], story(recording="rejected"), [BOOKED], "called rejected"),
        ([APPROVED], story(), [{**BOOKED, "payAmount": "12.01"}], "another amount"),
        ([Entry(1, "approved", 999, "EUR")], story("failed", "not_required"), [], "does not know"),
    ],
)
def test_every_broken_promise_is_named(
    terminal: list[Entry],
    payment: dict[str, Any],
    purchases: list[dict[str, Any]],
    words: str,
) -> None:
    assert words in "\n".join(violations(terminal, [payment], purchases, {}))


def test_a_final_word_that_changes_is_named() -> None:
    told = [{"status": "failed", "final": True}, {"status": "approved", "final": True}]
    found = violations([APPROVED], [story()], [BOOKED], {"p1": told})
    assert found == ["p1: first told failed, then approved"]


def test_a_register_that_was_told_otherwise_is_named() -> None:
    told = [{"status": "failed", "final": True}]
    found = violations([APPROVED], [story()], [BOOKED], {"p1": told})
    assert found == ["p1: told failed, the journal says approved"]
