"""Commands for a terminal that move no money: they wait for it, so their responses come later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.errors import RequestError
from bridge.money.ledger import Ledger
from bridge.money.reconciliation import Reconciliation, compare
from bridge.register import contract as k
from bridge.register.bus import Delivery
from drivers import contract as c

# What the longest of them may take: an end of day goes online for minutes (ZVT T4 is 180 s).
ERRAND_SECONDS_MAX = 300.0
CHECK_SECONDS_MAX = 15.0  # a terminal that is asked how it is answers within T3 of its protocol
ERRANDS_WAITING_MAX = 50  # over all terminals and registers
WORDS = {
    k.TerminalTotals: "totals",
    k.TerminalReconcile: "reconcile",
    k.TerminalDisplay: "display",
    k.CardRead: "card_read",
}


class State(Protocol):
    """What a station shows of its terminal."""

    @property
    def probes(self) -> int:
        """How many probes came to an end."""

    @property
    def can_take_payments(self) -> bool:
        """True when a payment could start now."""

    @property
    def problem(self) -> str:
        """A short code, "" when there is none."""

    @property
    def problem_text(self) -> str:
        """The problem in words."""


class Terminal(Protocol):
    """What is asked of a station; none of it waits."""

    @property
    def state(self) -> State:
        """How the terminal is now."""

    @property
    def capabilities(self) -> c.Capabilities:
        """What it can do."""

    @property
    def errand_results(self) -> dict[str, c.FinalEvent]:
        """What errands came to, by name."""

    def begin_errand(self, name: str, operation: c.EndOfDay | c.ReadCard | c.ShowText) -> None:
        """Do it once the terminal is idle; raises RequestError."""

    def ask_for_probe(self) -> int:
        """Have it probed; done when `state.probes` exceeds the returned number."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    register_id: str
    delivery: Delivery
    request: k.AnyErrand
    terminal_id: str
    name: str  # of the errand; "" for a probe
    probes_before: int
    until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a waiting command is told: a result, or why there is none."""

    register_id: str
    delivery: Delivery
    request: k.AnyErrand
    result: dict[str, Any] | RequestError


class Errands:
    """Commands that wait for their terminal: begun by the desk, asked after by the publisher."""

    def __init__(self, ledger: Ledger, terminals: Mapping[str, Terminal]) -> None:
        """Wait for `terminals`; end of day compares with `ledger`."""
        self._ledger = ledger
        self._terminals = terminals
        self._waiting: list[_Waiting] = []
        self._numbers = 0
        self.reconciliations: dict[str, k.ReconciliationDocument] = {}  # by terminal, to publish

    def begin(
        self, delivery: Delivery, register_id: str, request: k.AnyErrand, terminal_id: str
    ) -> None:
        """Start waiting for the terminal.

        Raises:
            RequestError: `operation_not_supported`, or what the terminal refuses.
        """
        if any(_same(one, register_id, request) for one in self._waiting):
            return  # a register that repeats itself gets the one answer when it is there
        if len(self._waiting) >= ERRANDS_WAITING_MAX:
            raise RequestError("terminal_busy", "too many commands are waiting")
        terminal = self._terminals[terminal_id]
        name, before, seconds = "", 0, CHECK_SECONDS_MAX
        operation = _operation(request)
        if operation is None:
            before = terminal.ask_for_probe()
        else:
            word = WORDS[type(request)]
            if word not in terminal.capabilities.operations:
                raise RequestError(
                    "operation_not_supported",
                    f"this terminal cannot do {word}; see its capabilities",
                    path="terminal_id",
                )
            self._numbers += 1
            name, seconds = f"{register_id}/{self._numbers}", ERRAND_SECONDS_MAX
            terminal.begin_errand(name, operation)
        until = asyncio.get_running_loop().time() + seconds
        self._waiting.append(
            _Waiting(register_id, delivery, request, terminal_id, name, before, until)
        )

    @property
    def next_at(self) -> float | None:
        """When the first waiting command has waited too long (loop's clock), None if none waits."""
        return min((one.until for one in self._waiting), default=None)

    async def finished(self) -> list[Answer]:
        """Return the answers of commands whose terminal has answered, or took too long.

        Raises:
            JournalError: A closed batch could not be noted.
        """
        now = asyncio.get_running_loop().time()
        still, done = [], []
        for one in self._waiting:
            terminal = self._terminals[one.terminal_id]
            if one.name:
                final = terminal.errand_results.pop(one.name, None)
                if final is None and now < one.until:
                    still.append(one)
                else:
                    done.append((one, final))
            elif terminal.state.probes <= one.probes_before and now < one.until:
                still.append(one)
            else:
                done.append((one, None))
        self._waiting = still
        return [
            Answer(one.register_id, one.delivery, one.request, await self._result(one, final))
            for one, final in done
        ]

    async def _result(
        self, one: _Waiting, final: c.FinalEvent | None
    ) -> dict[str, Any] | RequestError:
        terminal_id = one.terminal_id
        if not one.name:
            state = self._terminals[terminal_id].state
            return {
                "terminal_id": terminal_id,
                "ready": state.can_take_payments,
                "problem": state.problem or None,
                "text": state.problem_text or None,
                "answered": state.probes > one.probes_before,
            }
        match final:
            case c.BatchTotals():
                return await self._totals(terminal_id, final)
            case c.CardRead(card):
                pan = card.masked_pan
                return {
                    "terminal_id": terminal_id,
                    "payment_brand": card.brand or None,
                    "payment_brand_label": card.label or None,
                    "masked_pan": pan.text if pan else None,
                    "entry_mode": card.entry_mode or None,
                }
            case c.Done():
                return {"terminal_id": terminal_id}
            case c.Declined(code, text, reason) | c.Failed(code, text, reason):
                return RequestError(reason, text or code, terminal_id=terminal_id)
            case c.Canceled(by, code, text):
                return RequestError(f"canceled_by_{by}", text or code, terminal_id=terminal_id)
            case _:
                text = "the terminal gave no usable answer"
                return RequestError("terminal_fault", text, terminal_id=terminal_id)

    async def _totals(self, terminal_id: str, told: c.BatchTotals) -> dict[str, Any]:
        batch = await self._ledger.batches.payments_of(terminal_id)
        found = compare(told.total.minor, batch, books=self._ledger.keeps_books)
        currency = told.total.currency
        document = k.ReconciliationDocument.model_validate(
            {
                "terminal_id": terminal_id,
                "closed_at": self._ledger.now(),
                "closed": told.closed,
                "status": found.status,
                "currency": currency,
                "totals": tuple(
                    k.TotalsLine(
                        payment_brand=line.brand,
                        count=line.count,
                        amount=k.format_amount(line.amount),
                        currency=currency,
                    )
                    for line in told.lines
                ),
                "compare": _comparison(found, currency),
                "differences": tuple(
                    k.DifferenceLine(
                        payment_id=one.payment_id,
                        kind=one.kind,
                        amount=_signed(one.minor, currency),
                    )
                    for one in found.differences
                ),
            }
        )
        if told.closed:
            await self._ledger.batches.close(terminal_id, told.total)
            self.reconciliations[terminal_id] = document
        result: dict[str, Any] = document.model_dump(mode="json")
        return result


def _same(one: _Waiting, register_id: str, request: k.AnyErrand) -> bool:
    """Tell whether a command is one that waits already."""
    return one.register_id == register_id and (
        (one.request.operation, one.request.request_id) == (request.operation, request.request_id)
    )


def _operation(request: k.AnyErrand) -> c.EndOfDay | c.ReadCard | c.ShowText | None:
    """Return what the terminal is asked; None is a probe."""
    match request:
        case k.TerminalCheck() | k.TerminalLogin():
            return None
        case k.TerminalTotals():
            return c.EndOfDay(close=False)
        case k.TerminalReconcile(close=close):
            return c.EndOfDay(close=close)
        case k.TerminalDisplay(lines=lines, seconds=seconds):
            return c.ShowText(lines, seconds)
        case k.CardRead(deadline_s=seconds):
            return c.ReadCard(seconds)


def _comparison(found: Reconciliation, currency: str) -> k.Comparison:
    books = found.back_office_minor
    return k.Comparison(
        terminal=_signed(found.terminal_minor, currency),
        journal=_signed(found.journal_minor, currency),
        back_office=None if books is None else _signed(books, currency),
    )


def _signed(minor: int, currency: str) -> str:
    text = k.format_amount(c.Money(abs(minor), currency))
    return f"-{text}" if minor < 0 else text
