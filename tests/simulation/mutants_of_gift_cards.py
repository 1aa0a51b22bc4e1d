"""Bugs on purpose in what is done with gift cards and plans; see `mutants.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bridge.backoffice.api.attempts import Applied, Refused, Unknown
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.gift_cards import evidence as giftcard_evidence
from bridge.backoffice.gift_cards import steps as steps_module
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.money import payment as p
from bridge.money.background import split_payments as plans_module
from bridge.money.split_payment import BeginLeg, Done, EndHold, Wait
from drivers import contract as c
from tests.simulation.plant import Plant

AnyCallable = Callable[..., Any]


def _on_next_step(changed: Callable[..., Any]) -> tuple[Plant, ...]:
    """A plan that takes some steps for others."""

    def make(original: AnyCallable) -> AnyCallable:
        def next_step(plan: p.Plan, payments: Any, **more: Any) -> Any:
            known = {n: o for n, o in payments.items() if n not in more["beyond_help"]}
            return changed(original(plan, payments, **more), plan, known)

        return next_step

    return (Plant(plans_module, "next_step", make),)


def _leaves_holds(step: Any, _plan: p.Plan, _payments: Any) -> Any:
    return Done() if isinstance(step, EndHold) and step.how == "void" else step


def _captures_early(step: Any, plan: p.Plan, payments: Any) -> Any:
    by_card = isinstance(step, BeginLeg) and step.leg.method == "card"
    for leg in plan.legs if by_card else ():
        hold = payments.get(leg.payment_id)
        if hold is not None and hold.funds is p.Funds.HELD:
            return EndHold(hold, "capture", 0)
    return step


def _captures_whatever_the_card_did(step: Any, _plan: p.Plan, _payments: Any) -> Any:
    return replace(step, how="capture") if isinstance(step, EndHold) else step


def _gives_up_in_doubt(step: Any, _plan: p.Plan, payments: Any) -> Any:
    """Take an open doubt of the card for a no."""
    if isinstance(step, Wait):
        certain = {name: one for name, one in payments.items() if one.doubt is None}
        if len(certain) < len(payments) and all(one.is_final for one in certain.values()):
            for hold in certain.values():
                name = hold.request.payment_id
                tries = sum(one.request.original_payment_id == name for one in payments.values())
                if hold.funds is p.Funds.HELD and not tries:
                    return EndHold(hold, "void", 0)
    return step


def _sends_a_lost_use_again(original: AnyCallable) -> AnyCallable:
    async def add(self: BackOffice, transaction: Any) -> Any:
        attempt = await original(self, transaction)
        if isinstance(attempt, Unknown):
            return await original(self, transaction)
        return attempt

    return add


def _refusals_count(original: AnyCallable) -> AnyCallable:
    async def capture(self: BackOffice, wanted: Any) -> Any:
        attempt = await original(self, wanted)
        return Applied("T0") if isinstance(attempt, Refused) else attempt

    return capture


def _unconfirmed_means_failed(original: AnyCallable) -> AnyCallable:
    async def repeated(self: GiftCardSteps, payment: p.Payment, how: str, code: str) -> None:
        failed = c.Failed("no_answer", code, "host_timeout")
        await self._ledger.apply(payment.request.payment_id, failed)

    return repeated


def _fills_at_once(original: AnyCallable) -> AnyCallable:
    def load_step(load: p.Payment, *_arguments: Any, **_more: Any) -> str:
        return "release" if load.cancel_asked else "capture"

    return load_step


def _ignores_other_shops(original: AnyCallable) -> AnyCallable:
    def judge_hold(*arguments: Any) -> str:
        found: str = original(*arguments)
        return "not_applied" if found == "contradictory" else found

    return judge_hold


def _does_not_wait(original: AnyCallable) -> AnyCallable:
    def __init__(self: GiftCardSteps, *arguments: Any, **more: Any) -> None:
        original(self, *arguments, **more)
        self._quiet_seconds = 0.0

    return __init__


def _lost_hold_means_failed(original: AnyCallable) -> AnyCallable:
    async def judge(self: GiftCardSteps, payment: p.Payment) -> None:
        failed = c.Failed("no_answer", "no answer", "host_timeout")
        await self._ledger.apply(payment.request.payment_id, failed)

    return judge


GIFT_CARD_MUTANTS: dict[str, tuple[Plant, ...]] = {
    "a plan leaves its holds when its card failed": _on_next_step(_leaves_holds),
    "a plan captures before its card has paid": _on_next_step(_captures_early),
    "a plan captures whatever its card did": _on_next_step(_captures_whatever_the_card_did),
    "a plan takes a doubt for a no": _on_next_step(_gives_up_in_doubt),
    "a lost use is sent again": (
        Plant(BackOffice, "gift_card_trans_add", _sends_a_lost_use_again),
    ),
    "a refused capture counts": (Plant(BackOffice, "gift_card_trans_capture", _refusals_count),),
    "an unconfirmed capture means failed": (
        Plant(GiftCardSteps, "_repeated", _unconfirmed_means_failed),
    ),
    "a card is filled before its sale is paid": (Plant(steps_module, "load_step", _fills_at_once),),
    "a balance is believed whoever used the card": (
        Plant(giftcard_evidence, "judge_hold", _ignores_other_shops),
    ),
    "a balance is read too early": (Plant(GiftCardSteps, "__init__", _does_not_wait),),
    "a lost hold means failed": (
        Plant(GiftCardSteps, "_judge_by_balance", _lost_hold_means_failed),
    ),
}
