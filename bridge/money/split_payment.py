"""What comes next when several payments belong together. Pure: decides, changes nothing.

A plan pays one sale with gift cards and at most one card. The rules:

* The gift cards are held one after the other, then the card pays the rest.
* Once the card has paid, or nothing but gift cards is wanted and all are held, every hold is
  captured; if anything was denied or nobody waits any more, every hold is released.
* While an outcome is open or in doubt, or a signature may still undo what the card paid, nothing
  else begins: it decides which way the plan goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from bridge.money.payment import GIVES, Funds, Method, Payment, PaymentType, Plan, PlanLeg, Status
from bridge.money.payment.signature import Signature

_MAY_PAY = frozenset({PaymentType.SALE, PaymentType.CAPTURE})


@dataclass(frozen=True, slots=True)
class BeginLeg:
    """A leg can begin."""

    leg: PlanLeg


@dataclass(frozen=True, slots=True)
class EndHold:
    """A hold must be ended; `attempt` counts from 0, each is a payment of its own."""

    hold: Payment
    how: Literal["capture", "void"]
    attempt: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A payment of the plan is still open."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is held any more that we could end, and nothing else will begin."""


PlanStep = BeginLeg | EndHold | Wait | Done


def next_step(
    plan: Plan,
    payments: Mapping[str, Payment],
    *,
    is_wanted: bool,
    beyond_help: AbstractSet[str] = frozenset(),
) -> PlanStep:
    """Say what a plan needs now.

    `payments` are all of the plan by id: its legs, and what was begun to end their holds.
    `is_wanted` is false once somebody canceled it, or nobody can be waiting for it any more.
    `beyond_help` are holds that only a person can still end.
    """
    if any(not one.is_final or one.awaits_signature for one in payments.values()):
        return Wait()
    legs = [payments.get(leg.payment_id) for leg in plan.legs]
    is_paid = any(
        one is not None
        and one.request.method is not Method.OFFICE_GIFT_CARD
        and not _brings_nothing(one)
        for one in legs
    )
    is_whole = all(one is not None and one.status is Status.APPROVED for one in legs)
    is_denied = any(one is not None and _brings_nothing(one) for one in legs)
    if is_wanted and not is_denied and not is_whole:
        return BeginLeg(next(leg for leg in plan.legs if leg.payment_id not in payments))
    is_begun = any(
        one.request.type is PaymentType.CAPTURE and one.status is Status.APPROVED
        for one in payments.values()
    )
    keeps = is_paid or is_begun or (is_whole and is_wanted and not is_denied)
    for hold in legs:
        if hold is None or hold.funds is not Funds.HELD:
            continue
        if hold.request.payment_id in beyond_help:
            continue
        attempts = sum(
            one.request.original_payment_id == hold.request.payment_id for one in payments.values()
        )
        return EndHold(hold, "capture" if keeps else "void", attempts)
    return Done()


PlanStatus = Literal["in_progress", "in_doubt", "paid", "not_paid", "incomplete"]
ENDS: frozenset[PlanStatus] = frozenset({"paid", "not_paid", "incomplete"})


def plan_status(
    plan: Plan,
    payments: Mapping[str, Payment],
    *,
    is_wanted: bool,
    beyond_help: AbstractSet[str] = frozenset(),
) -> PlanStatus:
    """Say how a plan stands, in one word; the arguments are those of `next_step`.

    `incomplete` is an end that a person must look at: a part was taken, or stays held.
    """
    if any(one.status is Status.IN_DOUBT for one in payments.values()):
        return "in_doubt"
    step = next_step(plan, payments, is_wanted=is_wanted, beyond_help=beyond_help)
    if not isinstance(step, Done):
        return "in_progress"
    brought = sum(map(brought_minor, payments.values()))
    is_open = any(one.held_minor or one.may_have_moved for one in payments.values())
    if brought >= plan.total.minor and not is_open:
        return "paid"
    return "not_paid" if not brought and not is_open else "incomplete"


def brought_minor(payment: Payment) -> int:
    """Return what a part of a plan brought to its sale, whatever went back after it was paid."""
    is_nobodys = payment.signature is Signature.REFUSED and payment.funds is Funds.VOIDED
    return 0 if is_nobodys else payment.goods_minor


def _brings_nothing(leg: Payment) -> bool:
    return leg.status is not Status.APPROVED or leg.funds is Funds.VOIDED


def load_step(
    load: Payment, siblings: Sequence[Payment], *, remaining_minor: int, is_overdue: bool
) -> Literal["wait", "capture", "release"]:
    """Decide what to do with money that was set aside for a gift card to be filled with.

    `siblings` are the other payments of its sale, `remaining_minor` what is still to be paid of
    it. The card is filled with money that was captured, and with no cent of it twice.
    """
    if load.cancel_asked:
        return "release"
    if any(one.awaits_signature for one in siblings):
        return "wait"
    free = unspent_minor(siblings)
    if remaining_minor == 0 and load.request.amount.minor <= free:
        return "capture"
    if is_overdue and all(one.is_final for one in siblings if one.request.type in _MAY_PAY):
        return "release"
    return "wait"


def unspent_minor(payments: Sequence[Payment]) -> int:
    """Return what a sale's payments brought that is on no gift card and on no way back."""
    captured = sum(one.kept[0] for one in payments)
    going_back = sum(
        one.request.amount.minor
        for one in payments
        if one.request.type in GIVES and (not one.is_final or one.may_have_moved)
    )
    filled = sum(
        one.request.amount.minor
        for one in payments
        if one.request.type is PaymentType.LOAD
        and one.funds is not Funds.VOIDED
        and (one.status is Status.APPROVED or one.concluding == "capture")
    )
    return captured - going_back - filled
