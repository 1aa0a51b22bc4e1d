"""Carries out one payment at a terminal, and asks what became of one that is in doubt.

What an event means is in `money/payment/machine.py`, what bytes mean in the driver; here is
what must be known of the terminal before a byte may leave, and what is still known of it
afterwards.
"""

from __future__ import annotations

import asyncio

from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.live_actions import Work
from bridge.money.store.records import PaymentRecord
from bridge.terminal.connection import TerminalConnection
from bridge.terminal.health_check import Probing
from bridge.terminal.in_doubt import PaymentsInDoubt
from bridge.terminal.lease import Lease
from bridge.terminal.operations import inquiry_about, money_operation
from bridge.terminal.status import WRONG_DEVICE, StationSettings, TerminalStatus
from drivers import contract as c

EARLY_LOOK_SECONDS = 0.5  # how often a terminal is looked for that a payment waits for


class PaymentRunner:
    """One payment at a time, from its turn to the last word of its conversation."""

    def __init__(
        self,
        settings: StationSettings,
        capabilities: c.Capabilities,
        ledger: Ledger,
        *,
        connection: TerminalConnection,
        status: TerminalStatus,
        lease: Lease,
        doubts: PaymentsInDoubt,
        probing: Probing,
    ) -> None:
        """Work over `connection` for the payments of `ledger`."""
        self._settings = settings
        self._capabilities = capabilities
        self._ledger = ledger
        self._queue = ledger.work(settings.terminal_id)
        self._connection = connection
        self._status = status
        self._lease = lease
        self._doubts = doubts
        self._probing = probing
        self._early_until: dict[str, float] = {}  # how long the early payment waits (loop's clock)

    async def start(self, payment_id: str) -> None:
        """Carry out a payment whose turn has come.

        Raises:
            JournalError: Nothing can be stored any more; the terminal got no acknowledgement.
        """
        self._lease.leave_line(payment_id)
        self._lease.taken_by = payment_id
        if self._lease.early == payment_id and await self._must_wait(payment_id):
            return
        try:
            if not self._account(payment_id).payment.is_final:  # it may have been canceled
                await self._carry_out(payment_id)
        finally:
            self._lease.taken_by = ""
            self._status.show_idle()

    async def _must_wait(self, payment_id: str) -> bool:
        """Say whether a payment that came before its terminal waits on; nothing was sent for it.

        It waits as long as its command allows: then the desk cancels it, or else it fails here,
        after the time that a payment may take.
        """
        payment = self._account(payment_id).payment
        loop = asyncio.get_running_loop()
        until = self._early_until.setdefault(
            payment_id, loop.time() + payment.request.deadline_seconds
        )
        over = payment.status is not p.Status.QUEUED or loop.time() >= until
        if over or await self._probing.finds_it_fit():
            self._lease.early = ""
            self._early_until.clear()
            return False
        at = loop.time() + EARLY_LOOK_SECONDS
        self._queue.put(Work(payment_id, p.StartOnTerminal(), at))
        return True

    async def check_answers(self) -> None:
        """Ask the terminal what persons answered for it, while it can still tell.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        for payment_id in self._doubts.unchecked():
            await self.ask(payment_id)

    async def ask(self, payment_id: str) -> None:
        """Ask the terminal about a payment in doubt, or about one that a person answered for.

        Raises:
            JournalError: Nothing can be stored any more.
        """
        payment = self._account(payment_id).payment
        checks = payment.answer_check is p.AnswerCheck.DUE
        if not checks and (payment.doubt is None or payment.doubt.evidence_lost):
            return
        self._queue.take_for(payment_id, p.AskTerminal)  # one question at a time
        if checks and self._capabilities.status_query == "none":
            # It says nothing when asked; an answer that it insists on is heard by the probe.
            await self._ledger.apply(payment_id, p.EvidenceLost())
            return
        if not self._doubts.can_tell_later:
            await self._ledger.apply(payment_id, p.DoubtAged())  # a person is asked at once
            return
        self._connection.asked_at = asyncio.get_running_loop().time()
        if self._settings.expects_identity and not self._connection.is_probed:
            await self._probing.probe()  # another device's memory says nothing about this payment
        if not await self._connection.reach() or self._status.state.problem == WRONG_DEVICE:
            text = self._status.state.problem_text
            await self._ledger.apply(payment_id, p.NotReached("terminal_offline", text))
            return
        self._show_busy(payment.request)
        question = inquiry_about(payment)
        final = await self._connection.converse(question, payment_id)
        if self._capabilities.status_query == "none":
            await self._ledger.apply(payment_id, p.DoubtAged())  # only a person can know
        self._status.show_idle()
        self._learn_from(final)

    async def _carry_out(self, payment_id: str) -> None:
        account = self._account(payment_id)
        request = account.payment.request
        self._show_busy(request)
        if account.payment.status is p.Status.QUEUED:
            if not await self._send_marker_stored(payment_id):
                return
        elif not await self._probing.finds_it_as_claimed(account.payment.baseline):
            # The send marker is on disk, but no byte was handed out: this is proof.
            text = self._status.state.problem_text
            await self._ledger.apply(payment_id, c.Failed("not_sent", text, "terminal_offline"))
            return
        match self._account(payment_id).payment.status:
            case p.Status.CANCELING:
                self._queue.take_for(payment_id, p.StopOnTerminal)
                event = c.Canceled("cashier", text="before it was sent")
                await self._ledger.apply(payment_id, event)
            case p.Status.IN_PROGRESS:
                order = money_operation(request, self._account(payment_id).payment.baseline)
                final = await self._connection.converse(order, payment_id)
                if isinstance(final, c.Unclear) and not self._doubts.can_tell_later:
                    await self._ledger.apply(payment_id, p.DoubtAged())
                self._learn_from(final)

    async def _send_marker_stored(self, payment_id: str) -> bool:
        """Make sure of the terminal, and note that bytes may leave; False when they must not."""
        if self._capabilities.status_query == "last_transaction":
            await self.check_answers()  # the payment will overwrite what it remembers
        if not await self._probing.finds_it_fit():
            text = self._status.state.problem_text
            await self._ledger.apply(payment_id, p.NotReached("terminal_offline", text))
            return False
        ready = self._status.state.ready
        wanted = self._account(payment_id).payment.request.amount.currency
        if ready is not None and ready.currency and ready.currency != wanted:
            # The command came before the terminal had said what it takes.
            text = f"the terminal takes {ready.currency}, not {wanted}"
            await self._ledger.apply(payment_id, p.NotReached("invalid_request", text))
            return False
        await self._doubts.lose_evidence_before(payment_id)
        if self._account(payment_id).payment.status is not p.Status.QUEUED:
            return False
        try:
            await self._ledger.apply(payment_id, p.Started(self._connection.baseline))
        except p.IllegalEvent:
            return False  # canceled in this very moment
        return True

    def _learn_from(self, final: c.FinalEvent) -> None:
        """Keep what a conversation about money told of the terminal's memory."""
        now = asyncio.get_running_loop().time()
        if isinstance(final, c.Approved) and final.approval.fingerprint:
            self._connection.baseline = c.Baseline(final.approval.fingerprint)
            self._connection.baseline_is_fresh = True
            # After a re-plug the first conversation may have been about a doubt, not a probe.
            healthy = self._status.state.can_take_payments
            self._connection.probe_at = now + self._settings.probe_seconds if healthy else now
            return
        self._connection.baseline_is_fresh = False
        self._connection.probe_at = now
        if isinstance(final, c.Unclear):
            self._connection.give_up()

    def _show_busy(self, request: p.PaymentRequest) -> None:
        self._status.show(
            activity="busy", payment_id=request.payment_id, register_id=request.register_id
        )

    def _account(self, payment_id: str) -> PaymentRecord:
        account = self._ledger.payments.get(payment_id)
        assert account is not None, "work is given for known payments, and open ones stay in memory"
        return account
