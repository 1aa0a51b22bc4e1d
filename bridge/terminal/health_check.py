"""Asks one terminal who and how it is, and whether it may get a payment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bridge.money.ledger import Ledger
from bridge.money.store.records import Account
from bridge.terminal.connection import Link
from bridge.terminal.operations import money_operation
from bridge.terminal.status import WRONG_DEVICE, Condition, StationSettings
from drivers import contract as c

PROBE_FAILED_SECONDS = 5.0  # a terminal that answers badly is asked again soon, but not in a storm


class Probing:
    """Probes, and what they tell. Each holds at most two conversations."""

    def __init__(
        self, settings: StationSettings, ledger: Ledger, link: Link, condition: Condition
    ) -> None:
        """Ask over `link`, tell `condition`."""
        self._settings = settings
        self._ledger = ledger
        self._link = link
        self._condition = condition
        self._all_told = ""  # the newest payment when the terminal had no answer to give

    async def probe(self) -> None:
        """Ask the terminal how it is."""
        link, condition = self._link, self._condition
        loop = asyncio.get_running_loop()
        probes = condition.state.probes + 1
        if not await link.reach():
            link.probe_at = loop.time() + PROBE_FAILED_SECONDS
            condition.show(probes=probes)
            return
        final = await link.converse(c.Probe())
        link.is_probed = link.is_open
        link.probe_at = loop.time() + self._settings.probe_seconds
        match final:
            case c.TerminalReady() as ready if not self._settings.why_not(ready):
                newest = next(self._newest_first(), None)
                self._all_told = newest.payment_id if newest is not None else ""
                link.baseline = ready.baseline
                link.baseline_is_fresh = True
                condition.fit(ready, probes)
            case c.TerminalReady() as other:
                self._unfit(WRONG_DEVICE, self._settings.why_not(other), probes)
            case c.TerminalNotReady(code, text):
                self._unfit(code, text, probes)
                await self._hear_late_answer()
            case c.Unclear(reason, text):
                self._unfit(reason, text or "the terminal does not answer", probes)
                condition.show(availability="offline")
                if self._settings.persistent and not await self._hear_late_answer():
                    link.drop()
                    link.reopen_at = loop.time() + PROBE_FAILED_SECONDS
            case _:
                self._unfit("terminal_fault", f"unexpected {type(final).__name__}", probes)

    async def finds_it_fit(self) -> bool:
        """Ask the terminal how and who it is if need be; return whether it may get a payment."""
        if self._link.must_probe:
            await self.probe()
        if not await self._link.reach() or not self._condition.state.can_take_payments:
            return False
        return self._link.is_probed or not self._settings.persistent

    async def finds_it_as_claimed(self, baseline: c.Baseline | None) -> bool:
        """Return whether what was promised with a claim still holds: a disk may stall for long.

        In the meantime the line may have been lost, and another terminal or another last
        transaction may be found behind it.
        """
        return await self.finds_it_fit() and self._link.remembers(baseline)

    def _unfit(self, code: str, text: str, probes: int) -> None:
        self._link.probe_at = asyncio.get_running_loop().time() + PROBE_FAILED_SECONDS
        self._condition.unfit(code, text, probes)

    async def _hear_late_answer(self) -> bool:
        """Take the answer that a terminal insists on, though a person was quicker; say if it came.

        It is evidence, and until it is taken some terminals take no other payment.
        """
        account = self._unheard()
        if account is None or not self._link.is_open:
            return False
        payment = account.payment
        question = c.Inquire(money_operation(payment.request), payment.baseline, payment.offer)
        final = await self._link.converse(question, account.payment_id)
        if not isinstance(final, c.MoneyEvidence):
            return False
        self._all_told = account.payment_id
        self._link.probe_at = asyncio.get_running_loop().time()
        return True

    def _unheard(self) -> Account | None:
        """Return the payment whose answer the terminal may still hold, found in the journal.

        A person answered for it, and the terminal has said nothing since: no answer to a later
        payment, which it gives only after this one, and none to a probe.
        """
        if not self._link.tells_once:
            return None
        for account in self._newest_first():
            by = account.payment.resolved_by
            if by == "operator":
                return None if account.payment_id == self._all_told else account
            if by == "terminal" or account.payment_id == self._all_told:
                return None
        return None

    def _newest_first(self) -> Iterator[Account]:
        mine = self._settings.terminal_id
        accounts = self._ledger.newest_first()
        return (one for one in accounts if one.payment.request.terminal_id == mine)
