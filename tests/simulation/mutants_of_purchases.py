"""Bugs on purpose in the queue of purchases and in what persons say of them; see `mutants.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bridge import purchase_answers
from bridge.backoffice.purchase_recorder import Recorder, purchase_of
from bridge.money import purchase as s
from bridge.money.ledger import Ledger
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


def _sends_the_mended_twice(original: AnyCallable) -> AnyCallable:
    async def attempt(self: Recorder, transaction_id: str) -> None:
        account = self._ledger.payments.purchase(transaction_id)
        if account is not None and account.purchase.mended_by:
            await self._books.purchase_add(purchase_of(account.purchase.content))
        await original(self, transaction_id)

    return attempt


def _sends_what_was_due(original: AnyCallable) -> AnyCallable:
    def advance(purchase: s.Purchase, event: s.PurchaseEvent) -> s.Purchase:
        after: s.Purchase = original(purchase, event)
        return replace(after, content=purchase.content)

    return advance


def _refuses_nothing(_original: AnyCallable) -> AnyCallable:
    return lambda *_seen: None


def _mends_whatever_waits(original: AnyCallable) -> AnyCallable:
    def advance(purchase: s.Purchase, event: s.PurchaseEvent) -> s.Purchase:
        if isinstance(event, s.Mended) and purchase.state is s.PurchaseState.UNCONFIRMED:
            purchase = replace(purchase, state=s.PurchaseState.REJECTED)
        after: s.Purchase = original(purchase, event)
        return after

    return advance


def _goes_on(_original: AnyCallable) -> AnyCallable:
    return lambda *_doubt: None


def _any_state_waits(_original: frozenset[s.PurchaseState]) -> frozenset[s.PurchaseState]:
    return frozenset(s.PurchaseState)


def _takes_an_answer_for_any_state(original: AnyCallable) -> AnyCallable:
    async def apply(self: Ledger, name: str, event: s.PurchaseEvent, **_seen: Any) -> Any:
        account = self.payments.purchase(name)
        if account is None or not isinstance(event, s.Answered):
            return await original(self, name, event)
        if account.purchase.state in {s.PurchaseState.PENDING, s.PurchaseState.SENDING}:
            return account
        return await original(self, name, event)

    return apply


def _doubts_what_was_proven(original: AnyCallable) -> AnyCallable:
    async def apply(self: Ledger, name: str, event: s.PurchaseEvent, **more: Any) -> Any:
        if isinstance(event, s.NotApplied):
            event = s.Unproven(event.reason)
        return await original(self, name, event, **more)

    return apply


PURCHASE_MUTANTS: dict[str, tuple[Plant, ...]] = {
    "a mended purchase is sent twice": (Plant(Recorder, "_attempt", _sends_the_mended_twice),),
    "a mended purchase is sent as it was": (Plant(s, "advance_purchase", _sends_what_was_due),),
    "an unconfirmed purchase is mended": (
        Plant(purchase_answers, "_refuse_mending", _refuses_nothing),
        Plant(s, "advance_purchase", _mends_whatever_waits),
    ),
    "the queue goes on after a doubt": (Plant(Recorder, "_note_doubt", _goes_on),),
    "many answers overrule another person's": (
        Plant(purchase_answers, "WAITING", _any_state_waits),
        Plant(purchase_answers, "_refuse_changed", _refuses_nothing),
        Plant(Ledger, "apply_purchase", _takes_an_answer_for_any_state),
    ),
    "what was proven is left to a person": (
        Plant(Ledger, "apply_purchase", _doubts_what_was_proven),
    ),
}
"""Each shows itself in the worlds of the mood `outages`."""
