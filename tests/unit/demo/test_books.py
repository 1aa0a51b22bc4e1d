"""The demo believes the parties' own files, so tampering with one of them is seen."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.demo.books import read_bookings, read_charges
from bridge.demo.comparison import Booking, Charge, Entry, compare
from simulators.terminal_ledger import Entry as Line
from simulators.terminal_ledger import TerminalLedger


def terminal_lines(path: Path, *lines: Line) -> Path:
    ledger = TerminalLedger(path)
    for line in lines:
        ledger.append(line)
    ledger.close()
    return path


def test_a_committed_approval_is_a_settled_charge(tmp_path: Path) -> None:
    path = terminal_lines(
        tmp_path / "terminal.jsonl",
        Line(1, "approved", 4790, "EUR", receipt="0001"),
        Line(2, "committed", 4790, "EUR", receipt="0001", original=1),
    )

    assert read_charges(path) == [Charge("0001", 4790, "EUR")]


def test_an_approval_without_commit_is_not_settled(tmp_path: Path) -> None:
    path = terminal_lines(
        tmp_path / "terminal.jsonl", Line(1, "approved", 4790, "EUR", receipt="0001")
    )

    assert read_charges(path) == [Charge("0001", 4790, "EUR", settled=False)]


def test_reversed_and_declined_payments_are_no_charges(tmp_path: Path) -> None:
    path = terminal_lines(
        tmp_path / "terminal.jsonl",
        Line(1, "approved", 4790, "EUR", receipt="0001"),
        Line(2, "reversed", 4790, "EUR", receipt="0001", original=1),
        Line(3, "declined", 1250, "EUR", receipt="0002"),
    )

    assert read_charges(path) == []


def test_a_ledger_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert read_charges(tmp_path / "terminal.jsonl") == []
    assert read_bookings(tmp_path / "back_office.jsonl") == []


def test_only_purchases_are_bookings(tmp_path: Path) -> None:
    path = tmp_path / "back_office.jsonl"
    lines = [
        {
            "effect": "purchase_added",
            "id": "P1",
            "transactionId": "S012-t1",
            "payAmount": "47.90",
        },
        {"effect": "commit_lost", "lost": "purchase_added", "id": "P2"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert read_bookings(path) == [Booking("P1", "S012-t1", 4790)]


def test_a_charge_slipped_into_the_terminals_ledger_makes_the_books_differ(tmp_path: Path) -> None:
    path = terminal_lines(
        tmp_path / "terminal.jsonl",
        Line(1, "approved", 4790, "EUR", receipt="0001"),
        Line(2, "committed", 4790, "EUR", receipt="0001", original=1),
    )
    entries = [Entry("p1", "approved", 4790, "EUR", "0001", ("S012-t1",))]
    bookings = [Booking("P1", "S012-t1", 4790)]
    assert compare(read_charges(path), entries, bookings).equal

    terminal_lines(
        path,
        Line(3, "approved", 4790, "EUR", receipt="0002"),
        Line(4, "committed", 4790, "EUR", receipt="0002", original=3),
    )

    assert not compare(read_charges(path), entries, bookings).equal
