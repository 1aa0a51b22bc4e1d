"""What must be done after an event: live with a terminal, or durable with the books. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.money.payment.state import Payment


@dataclass(frozen=True, slots=True)
class StartOnTerminal:
    """Live: hold the conversation that takes the money. Once."""


@dataclass(frozen=True, slots=True)
class AskTerminal:
    """Live: find out what became of it."""

    delay_seconds: float


@dataclass(frozen=True, slots=True)
class StopOnTerminal:
    """Live: ask the running conversation to stop."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Durable: the register's document changed."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Durable: money was captured; see whether its sale is covered and must be recorded."""


@dataclass(frozen=True, slots=True)
class TellOriginal:
    """Durable: the payment that this one follows up must know; done in the same commit."""


LiveAction = StartOnTerminal | AskTerminal | StopOnTerminal
DurableAction = Publish | Settle | TellOriginal
Action = LiveAction | DurableAction
Outcome = tuple[Payment, tuple[Action, ...]]


class IllegalEvent(AssertionError):
    """An event that this state cannot have: a bug, never an operating error."""
