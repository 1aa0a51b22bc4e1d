"""Commands for a terminal that move no money. Pure."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from bridge.register.api.envelope import Request
from bridge.register.api.fields import Id, PaymentId, Text, Word
from bridge.register.api.results import (
    CardBalanceResult,
    CardReadResult,
    DiagnosisResult,
    LastTransactionResult,
    TerminalCheckResult,
    TerminalNoteResult,
    TerminalResult,
)
from bridge.register.api.state_documents import ReconciliationDocument


class TerminalNote(Request):
    """Say that a person has seen what a terminal's sums did not agree about; health forgets it."""

    operation = "terminal/note"
    result = TerminalNoteResult
    page = "terminal"

    terminal_id: Id | None = None
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    approved_by: Word
    """Who has seen it."""
    text: Text | None = None
    """What was found, in a sentence; kept in the journal."""


class TerminalOperation(Request):
    """Something for a terminal that moves no money. No terminal named: the register's own."""

    page = "terminal"
    needs: ClassVar[str] = ""
    """What a terminal must be able to do for it; "" is asked of every terminal."""

    terminal_id: Id | None = None
    """The terminal, by its name in the bridge's configuration; a register may leave it out if it
    has one of its own."""
    operation_id: PaymentId | None = None
    """The register's own name of this operation: a UUID in lower case."""


class TerminalCheck(TerminalOperation):
    """Ask how a terminal is, without money. No terminal named: the register's own."""

    operation = "terminal/check"
    result = TerminalCheckResult


class TerminalTotals(TerminalOperation):
    """Read the totals of the open batch; nothing is closed."""

    operation = "terminal/totals"
    result = ReconciliationDocument
    needs = "totals"


class TerminalReconcile(TerminalOperation):
    """End of day: close the batch and compare it with the journal and what is recorded."""

    operation = "terminal/reconcile"
    result = ReconciliationDocument
    needs = "reconcile"

    operation_id: PaymentId | None = None
    """Names this end of day for ever: the same one again has the same answer and closes nothing. A
    UUID in lower case."""

    type: Literal["sale_reconciliation"] = "sale_reconciliation"
    """What kind of end of day; there is one."""
    close: bool = True
    """Close the batch; `false`: only compare."""


class TerminalLogin(TerminalOperation):
    """Log the bridge on to the terminal again and see how it is."""

    operation = "terminal/login"
    result = TerminalCheckResult


class TerminalDisplay(TerminalOperation):
    """Show lines on the terminal for some seconds."""

    operation = "terminal/display"
    result = TerminalResult
    needs = "display"

    lines: tuple[Text, ...] = Field(min_length=1, max_length=8, strict=False)
    """What the terminal shows, at most 8 lines."""
    seconds: int = Field(default=10, ge=1, le=60)
    """For how long, from 1 to 60 s."""


class TerminalDiagnose(TerminalOperation):
    """Have the terminal test its connection to its host; the answer's `result` has `passed`."""

    operation = "terminal/diagnose"
    result = DiagnosisResult
    needs = "diagnose"


class TerminalSelfTest(TerminalOperation):
    """Have the terminal examine itself, and print what it found; `result` has `passed`."""

    operation = "terminal/self_test"
    result = DiagnosisResult
    needs = "self_test"


class TerminalLastTransaction(TerminalOperation):
    """Read the terminal's last transaction, and whose it is: `payment_id`, null for a stranger's.

    Also while a payment is in doubt; it settles nothing.
    """

    operation = "terminal/last_transaction"
    result = LastTransactionResult
    needs = "last_transaction"


class CardRead(TerminalOperation):
    """Read a card without money: brand and last digits, never the number."""

    operation = "card/read"
    result = CardReadResult
    needs = "card_read"

    deadline_s: int = Field(default=60, ge=10, le=120)
    """How long the terminal may wait for a card, in seconds, from 10 to 120."""


class CardBalance(TerminalOperation):
    """Read what is left on a gift card that is presented at the terminal."""

    operation = "card/balance"
    result = CardBalanceResult
    page = "gift cards"
    needs = "balance"

    deadline_s: int = Field(default=60, ge=10, le=120)
    """How long the terminal may wait for a gift card, in seconds, from 10 to 120."""


AnyTerminalOperation = (
    TerminalCheck
    | TerminalTotals
    | TerminalReconcile
    | TerminalLogin
    | TerminalDiagnose
    | TerminalSelfTest
    | TerminalLastTransaction
    | TerminalDisplay
    | CardRead
    | CardBalance
)
