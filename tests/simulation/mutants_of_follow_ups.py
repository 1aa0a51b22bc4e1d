"""Bugs on purpose in what comes after a payment; see `mutants.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.money import admission
from bridge.money import commit_decision as settlement
from bridge.money import ledger as ledger_module
from bridge.money import payment as p
from bridge.money.store import records as accounts
from bridge.register.commands import reconciliation
from bridge.terminal.operations import money_operation
from bridge.terminal.payment_runner import PaymentRunner
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


def _forgets_refunds(original: AnyCallable) -> AnyCallable:
    def advance(payment: p.Payment, event: p.Event) -> p.Outcome:
        if isinstance(event, p.FollowedUp) and event.type is p.PaymentType.REFUND:
            return payment, ()
        outcome: p.Outcome = original(payment, event)
        return outcome

    return advance


def _refuses_nothing(original: AnyCallable) -> AnyCallable:
    def refuse(*_arguments: Any, **_more: Any) -> None:
        return None

    return refuse


def _running_ones_do_not_count(original: AnyCallable) -> AnyCallable:
    def refuse(request: Any, followed: Any, siblings: Any, **more: Any) -> None:
        original(request, followed, [one for one in siblings if one.is_final], **more)

    return refuse


def _forgets_the_close(original: AnyCallable) -> AnyCallable:
    def refuse(*arguments: Any, **more: Any) -> None:
        more["batch_closed_seq"] = 0
        original(*arguments, **more)

    return refuse


def _books_no_return(original: AnyCallable) -> AnyCallable:
    def return_due(*_arguments: Any, **_more: Any) -> None:
        return None

    return return_due


def _always_matches(original: AnyCallable) -> AnyCallable:
    return lambda *_told: "matched"


def _does_it_again(original: AnyCallable) -> AnyCallable:
    async def ask(self: PaymentRunner, payment_id: str) -> None:
        account = self._ledger.payments.get(payment_id)
        if account is None or account.payment.doubt is None or not await self._connection.reach():
            await original(self, payment_id)
            return
        operation = money_operation(account.payment.request)
        self._learn_from(await self._connection.converse(operation, payment_id))

    return ask


FOLLOW_UP_MUTANTS: dict[str, tuple[Plant, ...]] = {
    "refunds are forgotten": (Plant(accounts, "advance", _forgets_refunds),),
    "more is given back than was taken": (Plant(admission, "_refuse_more_than", _refuses_nothing),),
    "running refunds do not count": (
        Plant(ledger_module, "refuse_follow_up", _running_ones_do_not_count),
    ),
    "a payment is voided after the close": (
        Plant(ledger_module, "refuse_follow_up", _forgets_the_close),
    ),
    "a paid sale is paid again": (Plant(ledger_module, "refuse_unsafe_start", _refuses_nothing),),
    "what is given back stays in the books": (Plant(settlement, "_return_due", _books_no_return),),
    "every end of day matches": (Plant(reconciliation, "_status", _always_matches),),
    "what is in doubt is done again": (Plant(PaymentRunner, "ask", _does_it_again),),
}
