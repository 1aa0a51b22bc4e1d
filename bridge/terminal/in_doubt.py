"""The payments of one terminal that are in doubt: which, since when, who can still tell."""

from __future__ import annotations

from bridge.money import payment as p
from bridge.money.doubt_age import DoubtAges
from bridge.money.ledger import Ledger
from drivers import contract as c


class PaymentsInDoubt:
    """Finds payments in the ledger that were in doubt for so long that a person must answer."""

    def __init__(
        self, ledger: Ledger, terminal_id: str, capabilities: c.Capabilities, *, persistent: bool
    ) -> None:
        """Watch the payments of `terminal_id`; `persistent` lines stay open."""
        self._ledger = ledger
        self._terminal_id = terminal_id
        self._capabilities = capabilities
        self._persistent = persistent
        self._ages = DoubtAges(ledger)

    def open(self) -> list[tuple[str, p.Doubt]]:
        """Return the doubts that nobody has resolved, with their payments' ids."""
        return [
            (one.payment_id, one.payment.doubt)
            for one in self._ledger.payments.unfinished()
            if one.payment.doubt is not None
            and one.payment.request.terminal_id == self._terminal_id
        ]

    def unchecked(self) -> list[str]:
        """Return the payments that a person answered for and the terminal was not asked about."""
        return [
            one.payment_id
            for one in self._ledger.payments.unchecked()
            if one.payment.request.terminal_id == self._terminal_id
        ]

    def blocking(self) -> str:
        """Return the payment for which the terminal's memory must stay as it is, "" for none.

        Once a person was called others may pay. A terminal that is asked by reference forgets
        nothing over the next payment.
        """
        if self._capabilities.status_query == "by_reference":
            return ""
        return next((name for name, doubt in self.open() if not doubt.needs_operator), "")

    def forbid(self, operation: c.TerminalOperation) -> bool:
        """Say whether an operation would disturb what the terminal still shows of a doubt."""
        if isinstance(operation, c.ReadLast) or not self.open():
            return False  # a person may want to see it
        by_reference = self._capabilities.status_query == "by_reference"
        return not by_reference or isinstance(operation, c.EndOfDay)

    @property
    def can_tell_later(self) -> bool:
        """False when what became of a payment can be told by no question and by no late answer.

        A terminal without memory may still repeat its answer on the same line, but never on a
        connection that is opened to ask.
        """
        return self._capabilities.status_query != "none" or self._persistent

    @property
    def unsettled(self) -> bool:
        """True while a doubt may still be answered by the terminal's last transaction."""
        if not self.can_tell_later:
            return False
        return any(doubt.inquiries == 0 and not doubt.evidence_lost for _, doubt in self.open())

    async def age(self, now: float) -> None:
        """Have a person asked about what is in doubt for too long at `now`, the loop's clock."""
        await self._ages.look(now, [name for name, _ in self.open()])

    def ends(self) -> list[float]:
        """Return when each doubt must be looked at again, in the loop's clock."""
        return self._ages.next_at()

    async def lose_evidence_before(self, payment_id: str) -> None:
        """Note that a new payment is about to overwrite what the terminal remembers last."""
        if self._capabilities.status_query != "last_transaction":
            return
        for doubtful in (*(name for name, _ in self.open()), *self.unchecked()):
            if doubtful != payment_id:
                await self._ledger.apply(doubtful, p.EvidenceLost())
