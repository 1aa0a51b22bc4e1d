"""The payments of one terminal that are in doubt: which, since when, who can still tell."""

from __future__ import annotations

from bridge.money import payment as p
from bridge.money.ledger import Ledger
from drivers import contract as c

DOUBT_AGED_SECONDS = 90.0  # then a person is asked, as the register's contract promises


class Doubts:
    """Looks at the ledger, and tells it when a doubt is old enough for a person."""

    def __init__(
        self, ledger: Ledger, terminal_id: str, capabilities: c.Capabilities, *, persistent: bool
    ) -> None:
        """Watch the payments of `terminal_id`; `persistent` lines stay open between talks."""
        self._ledger = ledger
        self._terminal_id = terminal_id
        self._capabilities = capabilities
        self._persistent = persistent
        self._since: dict[str, float] = {}  # in seconds of the loop's clock

    def open(self) -> list[tuple[str, p.Doubt]]:
        """Return the doubts that nobody has resolved, with their payments' ids."""
        return [
            (one.payment_id, one.payment.doubt)
            for one in self._ledger.unfinished()
            if one.payment.doubt is not None
            and one.payment.request.terminal_id == self._terminal_id
        ]

    def unchecked(self) -> list[str]:
        """Return the payments that a person answered for and the terminal was not asked about."""
        return [
            one.payment_id
            for one in self._ledger.unchecked()
            if one.payment.request.terminal_id == self._terminal_id
        ]

    @property
    def need_the_terminal(self) -> bool:
        """True while the terminal's memory must stay as it is: no person was called yet."""
        return any(not doubt.needs_operator for _, doubt in self.open())

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
        doubts = self.open()
        self._since = {name: self._since.get(name, now) for name, _ in doubts}
        for name, doubt in doubts:
            aged = now >= self._since[name] + DOUBT_AGED_SECONDS  # as `ends` adds it up
            if aged and not doubt.needs_operator:
                await self._ledger.apply(name, p.DoubtAged())

    def ends(self) -> list[float]:
        """Return when each doubt will be old enough for a person, in the loop's clock."""
        return [
            self._since[name] + DOUBT_AGED_SECONDS
            for name, doubt in self.open()
            if name in self._since and not doubt.needs_operator
        ]

    async def lose_evidence_before(self, payment_id: str) -> None:
        """Note that a new payment is about to overwrite what the terminal remembers last."""
        if self._capabilities.status_query != "last_transaction":
            return
        for doubtful in (*(name for name, _ in self.open()), *self.unchecked()):
            if doubtful != payment_id:
                await self._ledger.apply(doubtful, p.EvidenceLost())
