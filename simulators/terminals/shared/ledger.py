"""What a simulated terminal and its acquirer really did with money: the truth for the judge.

Entries are only appended. With a file, each is one JSON line that is on disk before the terminal
says a word about it; without one they stay in memory, for worlds in one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

Kind = Literal[
    "approved",  # the acquirer took the money
    "captured",  # took it from a reservation
    "tipped",  # took a tip on top of `original`
    "refunded",  # gave money to a card
    "loaded",  # put value on a gift card; the shopper pays for it in another way
    "reversed",  # undid `original` as if it had not been
    "reserved",  # holds money on a card; nothing taken
    "released",  # gave up the rest of the reservation `original`
    "committed",  # the terminal will not undo `original` by itself any more
    "declined",  # nothing happened
    "closed",  # end of day
]
TAKES: frozenset[Kind] = frozenset({"approved", "captured", "tipped"})
MOVES: frozenset[Kind] = TAKES | {"refunded", "loaded"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to money. `number` never repeats within one terminal's life."""

    number: int
    kind: Kind
    amount_minor: int
    currency: str
    receipt: str = ""
    trace: str = ""
    masked_pan: str = ""
    original: int | None = None  # the `number` of the entry this one is about
    reason: str = ""  # why it was reversed or declined, e.g. "no reply to the status information"
    time: str = ""  # the terminal's clock, ISO 8601
    terminal_id: str = ""


_ENTRY = TypeAdapter(Entry)


class TerminalLedger:
    """Append-only entries, in a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._file = None
        if path is not None:
            self.entries = read_ledger(path)
            self._file = path.open("ab", buffering=0)
            # A line that a power cut tore would swallow the next one.
            self._file.truncate(path.read_bytes().rfind(b"\n") + 1)

    def append(self, entry: Entry) -> None:
        """Store `entry`; when this returns it survives a power cut."""
        if self._file is not None:
            self._file.write(_ENTRY.dump_json(entry) + b"\n")
            os.fsync(self._file.fileno())
        self.entries.append(entry)

    def next_number(self) -> int:
        """Return a number that no entry has."""
        return self.entries[-1].number + 1 if self.entries else 1

    def close(self) -> None:
        """Close the file; the entries stay readable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def standing(self) -> list[Entry]:
        """Return the movements of money that were not undone."""
        return standing(self.entries)

    def taken_minor(self, currency: str = "EUR") -> int:
        """Return what the merchant got in all, refunds deducted."""
        return taken_minor(self.entries, currency)


def standing(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that moved money and were not reversed later, in order."""
    entries = list(entries)
    undone = {entry.original for entry in entries if entry.kind == "reversed"}
    return [entry for entry in entries if entry.kind in MOVES and entry.number not in undone]


def taken_minor(entries: Iterable[Entry], currency: str = "EUR") -> int:
    """Return the sum of the entries in `currency`, refunds deducted, in minor units."""
    return sum(
        entry.amount_minor if entry.kind in TAKES else -entry.amount_minor
        for entry in standing(entries)
        if entry.currency == currency and entry.kind != "loaded"
    )


def read_ledger(path: Path) -> list[Entry]:
    """Return the entries of a ledger file; a last line that a power cut tore is left out.

    Raises:
        ValidationError: Any other line is not an entry.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(_ENTRY.validate_json(line))
        except ValidationError:
            if number == len(lines) and not line.endswith(b"\n"):
                break
            raise
    return entries
