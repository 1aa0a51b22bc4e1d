"""The demo believes the parties' own files, so tampering with one of them is seen."""

from __future__ import annotations

import json
from pathlib import Path

from simulators.demo.books import read_bookings, read_charges, read_gift_moves
from simulators.demo.comparison import Booking, Books, Charge, Entry, GiftMove, compare
from simulators.terminals.shared.ledger import Entry as Line
from simulators.terminals.shared.ledger import TerminalLedger


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


def test_what_was_given_back_is_negative(tmp_path: Path) -> None:
    path = terminal_lines(
        tmp_path / "terminal.jsonl",
        Line(1, "refunded", 800, "EUR", receipt="0003"),
        Line(2, "committed", 800, "EUR", receipt="0003", original=1),
    )

    assert read_charges(path) == [Charge("0003", -800, "EUR")]


def test_gift_card_movements_are_as_they_stand_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "back_office.jsonl"

    def line(effect: str, id: str, amount: str, status: str, ref: str) -> dict[str, str]:
        name = f"gift_card_trans_{effect}"
        return {"effect": name, "id": id, "amount": amount, "status": status, "refNo": ref}

    lines = [
        {"effect": "gift_card_added", "giftcardId": "G1", "balance": "0.00"},
        line("added", "T1", "30.00", "AUTHORIZED", "load"),
        line("captured", "T1", "30.00", "COMPLETED", "load"),
        line("added", "T2", "-20.00", "AUTHORIZED", "released"),
        line("cancelled", "T2", "-20.00", "CANCELLED", "released"),
        line("added", "T3", "-5.00", "AUTHORIZED", "hold"),
        {**line("added", "T4", "-9.00", "COMPLETED", "lost"), "effect": "commit_lost"},
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))

    assert read_gift_moves(path) == [
        GiftMove("load", -3000),
        GiftMove("hold", 500, held=True),
    ]


def test_a_ledger_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert read_charges(tmp_path / "terminal.jsonl") == []
    assert read_bookings(tmp_path / "back_office.jsonl") == []


def test_only_purchases_are_bookings_and_one_that_pays_nothing_gives_back(tmp_path: Path) -> None:
    path = tmp_path / "back_office.jsonl"
    lines = [
        {
            "effect": "purchase_added",
            "id": "P1",
            "transactionId": "S012-t1",
            "payAmount": "47.90",
            "request": {"refundAmount": "1.00"},
        },
        {
            "effect": "purchase_added",
            "id": "P2",
            "transactionId": "S012-t2",
            "payAmount": "0.00",
            "request": {"refundAmount": "8.00"},
        },
        {"effect": "commit_lost", "lost": "purchase_added", "id": "P3"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert read_bookings(path) == [
        Booking("P1", "S012-t1", 4790),
        Booking("P2", "S012-t2", -800),
    ]


def test_a_charge_slipped_into_the_terminals_ledger_makes_the_books_differ(tmp_path: Path) -> None:
    path = terminal_lines(
        tmp_path / "terminal.jsonl",
        Line(1, "approved", 4790, "EUR", receipt="0001"),
        Line(2, "committed", 4790, "EUR", receipt="0001", original=1),
    )
    entries = [Entry("p1", "approved", 4790, "EUR", "0001", ("S012-t1",))]
    bookings = [Booking("P1", "S012-t1", 4790)]
    assert compare(Books(read_charges(path), (), entries, bookings)).equal

    terminal_lines(
        path,
        Line(3, "approved", 4790, "EUR", receipt="0002"),
        Line(4, "committed", 4790, "EUR", receipt="0002", original=3),
    )

    assert not compare(Books(read_charges(path), (), entries, bookings)).equal
