"""Who takes the money of a start, and the payments that wait for a busy terminal.

Only the wait is kept here: a payment that waits is `queued` in the journal like any other, and
its station starts it when its turn has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.money.payment.machine import QUEUE_TIMEOUT, SHUTDOWN
from bridge.register import api as k
from bridge.register.commands.payment_request import refuse_unsupported
from drivers.contract import Capabilities, TerminalReady


class TakerState(Protocol):
    """What is known of who takes money."""

    @property
    def ready(self) -> TerminalReady | None:
        """What a terminal said of itself, None before it did."""


class Taker(Protocol):
    """Who takes money for the desk: a terminal's station, or the gift cards. None of it waits."""

    @property
    def state(self) -> TakerState:
        """How it is now."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def claim(self, payment_id: str, register_id: str) -> p.Started | None:
        """Keep it for one new payment; raises RequestError."""

    def release(self, payment_id: str) -> None:
        """Give it back, or the place in its line."""


class WaitedFor(Taker, Protocol):
    """A terminal, which payments may wait for."""

    @property
    def in_line(self) -> tuple[str, ...]:
        """The payments that wait; the first is next."""

    def line_up(self, payment_id: str) -> None:
        """Have one more wait; raises RequestError `queue_full`."""


def fit_for(request: k.PaymentStart, takers: Mapping[str, Taker]) -> dict[str, Taker]:
    """Return those that can do what a start asks for; at least one.

    Raises:
        RequestError: None can; what the first one cannot.
    """
    fit: dict[str, Taker] = {}
    refusals: list[RequestError] = []
    for name, taker in takers.items():
        ready = taker.state.ready
        try:
            refuse_unsupported(request, taker.capabilities, ready.currency if ready else "")
        except RequestError as error:
            refusals.append(error)
        else:
            fit[name] = taker
    if not fit:
        raise refusals[0]
    return fit


class WaitingLines:
    """Lets payments wait for busy terminals, none longer than its deadline."""

    def __init__(self, ledger: Ledger, terminals: Mapping[str, WaitedFor]) -> None:
        """Let payments of `ledger` wait for `terminals`."""
        self._ledger = ledger
        self._terminals = terminals
        self._ends: dict[str, float] = {}  # payment_id -> end of its wait, by the loop's clock

    def claim(
        self,
        takers: Mapping[str, Taker],
        wanted: p.PaymentRequest,
        *,
        queue: bool,
        wait_seconds: float,
    ) -> tuple[str, p.Started | None]:
        """Keep the first taker that is free; with `queue`, a place in the shortest line instead.

        Those that have said how they are come before those that are still being asked; what is
        kept for `wait_seconds` without having begun is canceled.

        Returns its name, and the send marker when the payment may start at once.

        Raises:
            RequestError: `terminal_busy` when one of them is, and `queue_full` when so is its
                line; else what is wrong with the first.
        """
        refusals: dict[str, RequestError] = {}
        now = asyncio.get_running_loop().time()
        for name, taker in sorted(takers.items(), key=lambda one: one[1].state.ready is None):
            try:
                started = taker.claim(wanted.payment_id, wanted.register_id)
            except RequestError as error:
                refusals[name] = error
                continue
            if started is None and name in self._terminals:
                self._ends[wanted.payment_id] = now + wait_seconds
            return name, started
        busy = [
            name
            for name, error in refusals.items()
            if error.code == "terminal_busy" and name in self._terminals
        ]
        if queue and busy:
            name = min(busy, key=lambda name: len(self._terminals[name].in_line))
            self._terminals[name].line_up(wanted.payment_id)
            self._ends[wanted.payment_id] = now + wanted.deadline_seconds
            return name, None
        raise _all_of(refusals, busy)

    def positions(self) -> dict[str, int]:
        """Return the place of every waiting payment in its line; 1 is next."""
        return {
            payment_id: place
            for terminal in self._terminals.values()
            for place, payment_id in enumerate(terminal.in_line, 1)
        }

    @property
    def next_end(self) -> float | None:
        """When the next wait must end, in seconds of the loop's clock; None while nobody waits."""
        return min(self._ends.values(), default=None)

    async def end_waits(self) -> None:
        """Cancel the payments that have waited long enough.

        Raises:
            JournalError: It could not be stored.
        """
        now = asyncio.get_running_loop().time()
        for payment_id in [name for name, end in self._ends.items() if end <= now]:
            del self._ends[payment_id]
            account = self._ledger.payments.get(payment_id)
            if account is not None and account.payment.status is p.Status.QUEUED:
                await self._ledger.apply(payment_id, p.CancelAsked(QUEUE_TIMEOUT))

    async def cancel_all(self) -> None:
        """Cancel every payment that waits: the service is about to stop.

        Raises:
            JournalError: It could not be stored.
        """
        for payment_id in self.positions():
            account = self._ledger.payments.get(payment_id)
            if account is not None and account.payment.status is p.Status.QUEUED:
                await self._ledger.apply(payment_id, p.CancelAsked(SHUTDOWN))


def _all_of(refusals: Mapping[str, RequestError], busy: list[str]) -> RequestError:
    """Return one refusal for all that were asked."""
    first = refusals[busy[0]] if busy else next(iter(refusals.values()))
    if len(refusals) == 1:
        return first
    return RequestError(
        first.code,
        "; ".join(str(error) for error in refusals.values()),
        terminals={name: error.code for name, error in refusals.items()},
    )
