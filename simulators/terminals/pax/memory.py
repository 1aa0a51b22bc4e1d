"""What a simulated PAX terminal remembers of its batch; survives a power cut. Knows no protocol."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

TRANSACTION_MAX = 9999  # four digits, wraps to 1


@dataclass(frozen=True, slots=True)
class Transaction:
    """One record of the batch. `number` is its entry in the ledger, 0 when no money moved."""

    number: int
    transaction: int
    reference: str
    tender: str
    type: str
    amount_minor: int
    brand: str
    entry: str
    moment: str  # YYYYMMDDhhmmss, local
    auth_code: str
    href: str
    host_reference: str
    host_code: str = "00"
    original_type: str = ""
    tip_minor: int = 0
    tip_number: int = 0  # the ledger's entry of a tip that was added later
    due_minor: int = 0
    surcharge_minor: int = 0
    cash_back_minor: int = 0
    settled: bool = False  # a hold that was captured
    gift_card: str = ""  # its number; "" for any other card

    @property
    def approved(self) -> bool:
        """Whether money moved, whatever the host said beside it."""
        return self.number > 0 or self.host_code == "00"


@dataclass(slots=True)
class Contents:
    """Everything in the flash memory."""

    next_transaction: int = 1
    next_host_reference: int = 1
    batch: int = 1
    gift_balances: dict[str, int] = field(default_factory=dict)  # at the host, kept here
    records: list[Transaction] = field(default_factory=list)


_CONTENTS = TypeAdapter(Contents)


class PaxMemory:
    """Flash memory, in a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        stored = path is not None and path.exists()
        self.contents = (
            _CONTENTS.validate_json(path.read_bytes()) if path and stored else Contents()
        )

    @property
    def records(self) -> list[Transaction]:
        """The records of the open batch, oldest first."""
        return self.contents.records

    def take_numbers(self) -> tuple[int, int]:
        """Return the next transaction number and the next number at the host."""
        contents = self.contents
        numbers = contents.next_transaction, contents.next_host_reference
        contents.next_transaction = contents.next_transaction % TRANSACTION_MAX + 1
        contents.next_host_reference += 1
        return numbers

    def store(self, record: Transaction) -> None:
        """Add a record, or replace the one with the same transaction number."""
        for position, known in enumerate(self.records):
            if known.transaction == record.transaction:
                self.records[position] = record
                break
        else:
            self.records.append(record)
        self.save()

    def change(self, record: Transaction, **changes: object) -> Transaction:
        """Store `record` with `changes` and return it."""
        changed = dataclasses.replace(record, **changes)  # type: ignore[arg-type]  # by field name
        self.store(changed)
        return changed

    def find(
        self, *, href: str = "", transaction: str = "", reference: str = "", auth_code: str = ""
    ) -> Transaction | None:
        """Return the newest record that has everything that is given."""
        for record in reversed(self.records):
            if (
                href in ("", record.href)
                and transaction in ("", str(record.transaction))
                and reference in ("", record.reference)
                and auth_code in ("", record.auth_code)
            ):
                return record
        return None

    def close_batch(self) -> None:
        """Forget the batch."""
        self.contents.records = []
        self.contents.batch += 1
        self.save()

    def forget(self) -> None:
        """Lose everything but the counters, as a terminal that was swapped does."""
        self.contents.records = []
        self.save()

    def save(self) -> None:
        """Write the file, if there is one, so that a power cut leaves the old or the new one."""
        if self._path is None:
            return
        draft = self._path.with_suffix(self._path.suffix + ".new")
        with draft.open("wb") as file:
            file.write(_CONTENTS.dump_json(self.contents))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
