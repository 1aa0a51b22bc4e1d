from pathlib import Path

import pytest
from pydantic import ValidationError

from simulators.terminals.shared.ledger import (
    Entry,
    TerminalLedger,
    read_ledger,
    standing,
    taken_minor,
)

PAID = Entry(number=1, kind="approved", amount_minor=2040, currency="EUR", receipt="0001")
REVERSED = Entry(number=2, kind="reversed", amount_minor=2040, currency="EUR", original=1)


def test_what_was_reversed_does_not_stand() -> None:
    assert standing([PAID]) == [PAID]
    assert standing([PAID, REVERSED]) == []


def test_refunds_are_deducted_and_currencies_kept_apart() -> None:
    entries = [
        PAID,
        Entry(number=2, kind="refunded", amount_minor=40, currency="EUR"),
        Entry(number=3, kind="captured", amount_minor=500, currency="CHF"),
        Entry(number=4, kind="reserved", amount_minor=900, currency="EUR"),
        Entry(number=5, kind="declined", amount_minor=700, currency="EUR"),
    ]
    assert taken_minor(entries) == 2000
    assert taken_minor(entries, "CHF") == 500


def test_a_file_is_only_appended_to_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for entry in (PAID, REVERSED):
        ledger = TerminalLedger(path)
        assert ledger.next_number() == entry.number
        ledger.append(entry)
        ledger.close()
    assert read_ledger(path) == [PAID, REVERSED]


def test_a_torn_last_line_is_left_out_and_any_other_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = TerminalLedger(path)
    ledger.append(PAID)
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert read_ledger(path) == [PAID]
    ledger = TerminalLedger(path)
    ledger.append(REVERSED)
    ledger.close()
    assert read_ledger(path) == [PAID, REVERSED]
    path.write_bytes(whole[:20] + b"\n" + whole)
    with pytest.raises(ValidationError):
        read_ledger(path)
