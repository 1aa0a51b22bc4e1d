"""Which payment has a terminal now, and which ones wait for it. Moves nothing, never waits."""

from __future__ import annotations

import asyncio

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.terminal.in_doubt import PaymentsInDoubt
from bridge.terminal.status import STARTING, TerminalStatus

LINE_MAX = 10  # payments that wait for one terminal; the next is refused (`queue_full`)


class Lease:
    """The payment that has the terminal, and those that wait for it in order."""

    def __init__(
        self,
        terminal_id: str,
        ledger: Ledger,
        status: TerminalStatus,
        doubts: PaymentsInDoubt,
        *,
        changed: asyncio.Event,
    ) -> None:
        """Give away the terminal called `terminal_id`; `changed` is set when a line changes."""
        self._name = terminal_id
        self._ledger = ledger
        self._status = status
        self._doubts = doubts
        self._changed = changed
        self._in_line: dict[str, None] = {}
        self.taken_by = ""  # a payment's id
        self.early = ""  # the payment that was taken before anybody had looked at the terminal

    def take(self, payment_id: str, register_id: str, *, in_operation: bool) -> None:
        """Keep the terminal for one new payment.

        A terminal that is looked at for the first time since our start is kept as well: not
        knowing yet is no reason to refuse. Its payment waits until it is fit, or is canceled.

        Raises:
            RequestError: `terminal_offline`, `terminal_busy`, `terminal_maintenance`.
        """
        name, state = self._name, self._status.state
        if self.in_line:
            raise RequestError(
                "terminal_busy",
                f"{len(self.in_line)} payments wait for {name}",
                terminal_id=name,
                queue_length=len(self.in_line),
            )
        if self.taken_by:
            raise RequestError(
                "terminal_busy",
                f"{name} is taking a payment for {state.register_id}",
                register_id=state.register_id,
                terminal_id=name,
            )
        if in_operation:
            raise RequestError("terminal_busy", f"{name} is doing something else", terminal_id=name)
        doubtful = self._doubts.blocking()
        if doubtful:
            account = self._ledger.payments.get(doubtful)
            mine = account is not None and account.payment.request.register_id == register_id
            raise RequestError(
                "terminal_busy",
                f"{name} is being asked about an earlier payment",
                payment_in_doubt=doubtful if mine else None,  # others see that it is busy
                terminal_id=name,
            )
        if state.problem == STARTING:
            self.early = payment_id
        else:
            self.refuse_unfit()
        self.taken_by = payment_id
        self._status.show(activity="busy", payment_id=payment_id, register_id=register_id)

    def refuse_unfit(self) -> None:
        """Refuse what needs a terminal that answers and is well.

        Raises:
            RequestError: `terminal_offline`, `terminal_maintenance`.
        """
        state = self._status.state
        if state.availability != "online":
            text = state.problem_text or "not connected"
            raise RequestError("terminal_offline", text, terminal_id=self._name)
        if state.problem:
            raise RequestError("terminal_maintenance", state.problem_text, terminal_id=self._name)

    def give_back(self, payment_id: str) -> None:
        """Give the terminal back, or the place in line: the payment was refused after all."""
        self.leave_line(payment_id)
        if self.taken_by == payment_id:
            self.taken_by = self.early = ""
            self._status.show_idle()

    def line_up(self, payment_id: str) -> None:
        """Have one new payment wait until the terminal is free for it.

        Raises:
            RequestError: `queue_full`.
        """
        if len(self.in_line) >= LINE_MAX:
            raise RequestError(
                "queue_full",
                f"{LINE_MAX} payments wait for {self._name} already",
                terminal_id=self._name,
                queue_length=LINE_MAX,
            )
        self._in_line[payment_id] = None
        self._changed.set()

    def leave_line(self, payment_id: str) -> None:
        """Let a payment's turn come, or its wait end."""
        if payment_id in self._in_line:
            del self._in_line[payment_id]
            self._changed.set()

    @property
    def in_line(self) -> tuple[str, ...]:
        """The payments that wait for the terminal; the first is next.

        A payment that is being stored counts; one that was canceled does not.
        """
        accounts = {name: self._ledger.payments.get(name) for name in self._in_line}
        return tuple(
            name
            for name, account in accounts.items()
            if account is None or account.payment.status is p.Status.QUEUED
        )
