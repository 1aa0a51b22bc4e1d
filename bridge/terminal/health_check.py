"""Asks one terminal who and how it is, and whether it may get a payment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Literal

from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.store.records import PaymentRecord
from bridge.terminal.connection import TerminalConnection
from bridge.terminal.operations import inquiry_about
from bridge.terminal.status import WRONG_DEVICE, StationSettings, TerminalStatus
from drivers import contract as c

_LOGGER = logging.getLogger(__name__)

PROBE_FAILED_SECONDS = 5.0  # a terminal that answers badly is asked again soon, but not in a storm


class Probing:
    """Probes, and what they tell. Each holds at most two conversations."""

    def __init__(
        self,
        settings: StationSettings,
        ledger: Ledger,
        connection: TerminalConnection,
        status: TerminalStatus,
    ) -> None:
        """Ask over `connection`, set `status`."""
        self._settings = settings
        self._ledger = ledger
        self._connection = connection
        self._status = status
        self._looked_at = ""  # the last transaction that was compared with our payments
        self._all_told = ""  # the newest payment when the terminal had no answer to give

    async def probe(self) -> None:
        """Ask the terminal how it is."""
        connection, status = self._connection, self._status
        loop = asyncio.get_running_loop()
        probes = status.state.probes + 1
        if not await connection.reach():
            connection.probe_at = loop.time() + PROBE_FAILED_SECONDS
            status.show(probes=probes)
            return
        final = await connection.converse(c.Probe())
        connection.is_probed = connection.is_open
        connection.probe_at = loop.time() + self._settings.probe_seconds
        match final:
            case c.TerminalReady() as ready if not self._settings.why_not(ready):
                newest = next(self._newest_first(), None)
                self._all_told = newest.payment_id if newest is not None else ""
                connection.baseline = ready.baseline
                connection.baseline_is_fresh = True
                status.fit(ready, probes)
                await self._look_at_strangers(ready.baseline)
            case c.TerminalReady() as other:
                self._unfit(WRONG_DEVICE, self._settings.why_not(other), probes)
            case c.TerminalNotReady(code, text, wants):
                self._unfit(code, text, probes, wants)
                await self._hear_late_answer()
            case c.Unclear(reason, text):
                self._unfit(reason, text or "the terminal does not answer", probes)
                status.show(availability="offline")
                if self._settings.persistent and not await self._hear_late_answer():
                    connection.drop()
                    connection.reopen_at = loop.time() + PROBE_FAILED_SECONDS
            case _:
                self._unfit("terminal_fault", f"unexpected {type(final).__name__}", probes)

    async def look(self) -> None:
        """See what the terminal did last, where its memory can show that it acted on its own."""
        if self._connection.can_show_last:
            await self.probe()

    async def _look_at_strangers(self, baseline: c.Baseline | None) -> None:
        """Note a last transaction that no payment of ours asked for.

        Only where it is certain: nothing of ours may still be it, and the terminal itself tells
        what it is. What a terminal did between two looks, only the newest of it is seen.
        """
        connection = self._connection
        shown = baseline.fingerprint if baseline is not None else ""
        if not connection.can_show_last or not shown or shown == self._looked_at:
            return
        self._looked_at = shown
        mine = self._settings.terminal_id
        newest = next(self._newest_first(), None)
        if newest is not None and newest.payment.made(shown):
            return
        known = await self._ledger.batches.newest_of(mine)
        if not known or any(_may_have_made(one.payment, shown) for one in known):
            return
        if not await connection.reach():
            self._looked_at = ""
            return
        final = await connection.converse(c.ReadLast())
        if not isinstance(final, c.LastTransaction) or final.approval is None:
            return
        found = final.approval
        if found.fingerprint != shown or any(_may_be(one.payment, found) for one in known):
            return
        if await self._ledger.batches.saw(mine, found):
            _LOGGER.warning(
                "terminal=%s acted on its own: receipt=%s amount=%d %s",
                *(mine, found.transaction_id, found.amount.minor, found.amount.currency),
            )

    async def finds_it_fit(self) -> bool:
        """Ask the terminal how and who it is if need be; return whether it may get a payment."""
        if self._connection.must_probe:
            await self.probe()
        if not await self._connection.reach() or not self._status.state.can_take_payments:
            return False
        return self._connection.is_probed or not self._settings.persistent

    async def finds_it_as_claimed(self, baseline: c.Baseline | None) -> bool:
        """Return whether what was promised with a claim still holds: a disk may stall for long.

        In the meantime the line may have been lost, and another terminal or another last
        transaction may be found behind it.
        """
        return await self.finds_it_fit() and self._connection.remembers(baseline)

    def _unfit(
        self, code: str, text: str, probes: int, wants: Literal["", "reconcile", "diagnose"] = ""
    ) -> None:
        self._connection.probe_at = asyncio.get_running_loop().time() + PROBE_FAILED_SECONDS
        self._status.unfit(code, text, probes, wants)

    async def _hear_late_answer(self) -> bool:
        """Take the answer that a terminal insists on, though a person was quicker; say if it came.

        It is evidence, and until it is taken some terminals take no other payment.
        """
        account = self._unheard()
        if account is None or not self._connection.is_open:
            return False
        payment = account.payment
        question = inquiry_about(payment)
        final = await self._connection.converse(question, account.payment_id)
        if not isinstance(final, c.MoneyEvidence):
            return False
        self._all_told = account.payment_id
        self._connection.probe_at = asyncio.get_running_loop().time()
        return True

    def _unheard(self) -> PaymentRecord | None:
        """Return the payment whose answer the terminal may still hold, found in the journal.

        A person answered for it, and the terminal has said nothing since: no answer to a later
        payment, which it gives only after this one, and none to a probe.
        """
        if not self._connection.tells_once:
            return None
        for account in self._newest_first():
            by = account.payment.resolved_by
            if by == "operator":
                return None if account.payment_id == self._all_told else account
            if by == "terminal" or account.payment_id == self._all_told:
                return None
        return None

    def _newest_first(self) -> Iterator[PaymentRecord]:
        mine = self._settings.terminal_id
        accounts = self._ledger.payments.newest_first()
        return (one for one in accounts if one.payment.request.terminal_id == mine)


def _may_have_made(payment: p.Payment, fingerprint: str) -> bool:
    """Say whether it is, or was there before it, or whether that is not known yet."""
    before = payment.baseline is not None and payment.baseline.fingerprint == fingerprint
    pending = not payment.is_final or payment.answer_check is p.AnswerCheck.DUE
    return before or pending or payment.made(fingerprint)


def _may_be(payment: p.Payment, found: c.Approval) -> bool:
    """Tell whether a payment that a person called approved may be what the terminal shows."""
    known = payment.approval
    return known is not None and not known.fingerprint and known.amount == found.amount
