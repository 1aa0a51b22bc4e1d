"""The terminal's own memory: what survives a power cut. Knows no protocol."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

RECEIPT_MAX = 9999  # four digits, wraps to 1
TRACE_MAX = 999_999

TransactionKind = Literal["payment", "refund", "reservation", "capture", "reversal", "tip"]


@dataclass(frozen=True, slots=True)
class Transaction:
    """One stored transaction. `number` is its entry in the ledger."""

    number: int
    kind: TransactionKind
    receipt: int
    trace: int
    amount_minor: int
    currency: int
    brand: str
    entry: str
    moment: str  # the terminal's local time, ISO 8601
    approval_code: str = ""
    tip_minor: int = 0
    state: Literal["pending", "final", "reversed", "settled"] = "pending"
    original_trace: int | None = None
    extends: int | None = None  # the number of the reservation that this one takes the place of
    signature: bool = False
    whole_pan: bool = False
    text: str = ""


@dataclass(slots=True)
class Contents:
    """Everything in the flash memory."""

    next_receipt: int = 1
    next_trace: int = 1
    config: int | None = None
    transactions: dict[int, Transaction] = field(default_factory=dict)  # the open batch, by number
    last: Transaction | None = None


_CONTENTS = TypeAdapter(Contents)


class Flash:
    """Flash memory, in a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        stored = path is not None and path.exists()
        self.contents = (
            _CONTENTS.validate_json(path.read_bytes()) if path and stored else Contents()
        )

    def take_numbers(self) -> tuple[int, int]:
        """Return the next receipt and trace number; both wrap."""
        contents = self.contents
        numbers = contents.next_receipt, contents.next_trace
        contents.next_receipt = contents.next_receipt % RECEIPT_MAX + 1
        contents.next_trace = contents.next_trace % TRACE_MAX + 1
        return numbers

    def store(self, transaction: Transaction) -> None:
        """Store a new transaction, or a new state of one; a final one becomes the last."""
        self.contents.transactions[transaction.number] = transaction
        if transaction.state == "final":
            self.contents.last = transaction
        self.save()

    def settle(
        self, transaction: Transaction, state: Literal["reversed", "settled"]
    ) -> Transaction:
        """Store that `transaction` was undone or used up, without making it the last."""
        changed = dataclasses.replace(transaction, state=state)
        if transaction.number in self.contents.transactions:
            self.contents.transactions[transaction.number] = changed
        if self.contents.last is not None and self.contents.last.number == transaction.number:
            self.contents.last = changed
        self.save()
        return changed

    def drop(self, transaction: Transaction) -> None:
        """Forget a transaction that was never final."""
        self.contents.transactions.pop(transaction.number, None)
        self.save()

    def find(self, receipt: int) -> Transaction | None:
        """Return the newest transaction of the open batch with this receipt number."""
        for transaction in reversed(self.contents.transactions.values()):
            if transaction.receipt == receipt:
                return transaction
        return None

    @property
    def pending(self) -> Transaction | None:
        """The transaction that was approved and is not final yet."""
        for transaction in reversed(self.contents.transactions.values()):
            if transaction.state == "pending":
                return transaction
        return None

    @property
    def batch(self) -> list[Transaction]:
        """The transactions of the open batch, oldest first."""
        return list(self.contents.transactions.values())

    @property
    def reservations(self) -> list[Transaction]:
        """The open pre-authorizations, oldest first."""
        return [t for t in self.batch if t.kind == "reservation" and t.state == "final"]

    def close_batch(self) -> None:
        """Forget the batch after an end of day; open reservations stay."""
        self.contents.transactions = {t.number: t for t in self.reservations}
        self.save()

    def forget(self) -> None:
        """Lose everything but the counters, as a terminal that was swapped does."""
        self.contents = Contents(
            next_receipt=self.contents.next_receipt, next_trace=self.contents.next_trace
        )
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
