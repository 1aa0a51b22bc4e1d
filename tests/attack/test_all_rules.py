"""Hypothesis plays registers, terminals, persons and crashes against the pure rules at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.admission import refuse_follow_up, refuse_unsafe_start
from bridge.money.commit_decision import Decision, SaleAsKnown, decide
from bridge.money.split_payment import Done, EndHold, PlanStep, next_step
from drivers.contract import Failed, Money, Unclear
from tests.attack.bookkeeper import EUR, Rules, Shop, check, check_end, following, request

PRICES = {"S1": 6000, "S2": 3000}
SALES = st.sampled_from(sorted(PRICES))
PART = st.sampled_from([1, 1, 2, 3])  # of what there is: the whole, often
PICK = st.integers(0, 30)  # which of the payments that there are, counted round
YES = st.booleans()
OFTEN = st.sampled_from([True, True, True, False])
FOLLOWED = st.sampled_from(
    [p.PaymentType.REFUND, p.PaymentType.VOID, p.PaymentType.CAPTURE, p.PaymentType.INCREMENT]
)
QUICK = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
HUNT = settings(QUICK, max_examples=3000, phases=[Phase.generate])  # a bug ends it early


def details(sale_id: str) -> s.SaleDetails:
    minor = PRICES[sale_id]
    return s.SaleDetails(Money(minor, EUR), (s.SaleLine(1, "A", "1", "each", "", minor),))


class Store(RuleBasedStateMachine):
    """A store in which anything may happen but a lie: terminals and persons tell what was."""

    judged = Rules()

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(self.judged)
        self.numbers = 0

    def name(self) -> str:
        self.numbers += 1
        return f"p{self.numbers}"

    def pick(self, index: int, *statuses: p.Status) -> str:
        """Return one of the payments in these states, "" if there is none."""
        found = [
            one.payment_id for one in self.shop.accounts.values() if one.payment.status in statuses
        ]
        return found[index % len(found)] if found else ""

    @initialize(part=PART, hold=YES)
    def open(self, part: int, hold: bool) -> None:
        """Begin the day with something that can be followed up."""
        self.start("S1", part, hold, tip=False)
        self.serve(0, works=True, told="all")

    @rule(sale=SALES, part=PART, hold=YES, tip=YES)
    def start(self, sale: str, part: int, hold: bool, tip: bool) -> None:
        minor = PRICES[sale] // part
        kind = p.PaymentType.PREAUTH if hold else p.PaymentType.SALE
        tips = Money(100, EUR) if tip and not hold else None
        amount = minor + (tips.minor if tips else 0)
        wanted = request(self.name(), amount, sale, type=kind, sale=details(sale), tip=tips)
        self.shop.accept(wanted)

    @rule(sale=SALES)
    def start_plan(self, sale: str) -> None:
        self.shop.start_plan(self.name(), details(sale), sale)

    @precondition(lambda self: self.shop.plans)
    @rule(index=PICK)
    def carry_on(self, index: int) -> None:
        names = list(self.shop.plans)
        self.shop.step(names[index % len(names)])

    @precondition(lambda self: self.shop.plans)
    @rule(index=PICK)
    def give_up(self, index: int) -> None:
        names = list(self.shop.plans)
        self.shop.wanted.discard(names[index % len(names)])

    @rule(index=PICK, kind=FOLLOWED, part=PART, last=YES)
    def follow(self, index: int, kind: p.PaymentType, part: int, last: bool) -> None:
        name = self.pick(index, p.Status.APPROVED)
        if not name:
            return
        original = self.shop.payment(name)
        if original.request.plan is not None and kind is not p.PaymentType.REFUND:
            return  # a plan ends its holds by itself
        minor = (original.held_minor or original.captured.minor or 3000) // part
        if kind is p.PaymentType.INCREMENT:
            price = PRICES[original.request.sale_key.partition("/")[2]]
            asked = sum(self.shop.payment(one).request.amount.minor for one in self.shop.open())
            moved = (*self.shop.truth.holding.values(), *self.shop.truth.taken.values())
            if asked + sum(moved) + minor > price:
                return  # a raise asks nobody what the sale costs
        if kind is p.PaymentType.VOID:
            minor = original.held_minor or original.captured.minor or minor  # always the whole
        wanted = following(original, kind, self.name(), minor, is_last=last)
        self.shop.accept(wanted)

    @rule(index=PICK, works=OFTEN, told=st.sampled_from(["all", "all", "nothing", "later"]))
    def serve(self, index: int, works: bool, told: Literal["all", "nothing", "later"]) -> None:
        name = self.pick(index, p.Status.QUEUED)
        if name:
            self.shop.begin(name, works=works)
            if told != "later":
                self.shop.tell(name, told)

    @rule(index=PICK, told=st.sampled_from(["all", "nothing"]))
    def tell(self, index: int, told: Literal["all", "nothing"]) -> None:
        name = self.pick(index, p.Status.IN_PROGRESS, p.Status.CANCELING)
        if name:
            self.shop.tell(name, told)

    @rule(index=PICK, by_person=YES)
    def find_out(self, index: int, by_person: bool) -> None:
        name = self.pick(index, p.Status.IN_DOUBT)
        if name and by_person:
            self.shop.answer(name)
        elif name:
            self.shop.tell(name)

    @rule(index=PICK)
    def tell_again(self, index: int) -> None:
        name = self.pick(index, p.Status.APPROVED)
        if name:
            self.shop.apply(name, self.shop.approved(name))

    @rule(index=PICK)
    def cancel(self, index: int) -> None:
        name = self.pick(index, p.Status.QUEUED, p.Status.IN_PROGRESS)
        if name:
            self.shop.apply(name, p.CancelAsked("cashier"))

    @rule()
    def restart(self) -> None:
        self.shop.restart()

    @invariant()
    def the_rules_hold(self) -> None:
        check(self.shop, {f"till-1/{name}": minor for name, minor in PRICES.items()})

    def teardown(self) -> None:
        """Everything ends, and the books are told."""
        self.shop.finish()
        self.the_rules_hold()
        check_end(self.shop)


def test_no_story_breaks_a_rule() -> None:
    run_state_machine_as_test(Store, settings=QUICK)


@pytest.mark.slow
def test_no_long_story_breaks_a_rule() -> None:
    run_state_machine_as_test(
        Store, settings=settings(QUICK, max_examples=400, stateful_step_count=45)
    )


# --- planted bugs


def _without(hide: Callable[[p.Payment], bool]) -> Callable[..., None]:
    """A start that does not look at some of its sale's payments."""

    def refuse(
        wanted: p.PaymentRequest, siblings: list[p.Payment], captured: Any, **more: Any
    ) -> None:
        refuse_unsafe_start(wanted, [one for one in siblings if not hide(one)], captured, **more)

    return refuse


def _blind_follow_up(wanted: Any, original: Any, _siblings: Any, **more: Any) -> None:
    refuse_follow_up(wanted, original, [], **more)


def _taking(changed: Callable[[p.Event], p.Event]) -> Callable[..., Decision]:
    """A table that takes some events for others."""

    def deciding(before: Any, events: tuple[p.Event, ...], *more: Any) -> Decision:
        running = before is not None and before.payment.status in p.MAYBE_CHARGED
        first = changed(events[0]) if running else events[0]
        return decide(before, (first, *events[1:]), *more)

    return deciding


def _knowing(changed: Callable[[SaleAsKnown], SaleAsKnown]) -> Callable[..., Decision]:
    """A ledger that knows less of its sale."""

    def deciding(before: Any, events: Any, sale: SaleAsKnown, *more: Any) -> Decision:
        return decide(before, events, changed(sale), *more)

    return deciding


def _stepping(changed: Callable[[PlanStep], PlanStep]) -> Callable[..., PlanStep]:
    def stepping(*arguments: Any, **more: Any) -> PlanStep:
        return changed(next_step(*arguments, **more))

    return stepping


def _no(event: p.Event) -> p.Event:
    return Failed("timeout") if isinstance(event, (Unclear, p.Restarted)) else event


MUTANTS = {
    "a hold covers nothing": Rules(refuse_start=_without(lambda one: one.held_minor > 0)),
    "a doubt stops nobody": Rules(
        refuse_start=_without(lambda one: one.status is p.Status.IN_DOUBT)
    ),
    "what runs stops nobody": Rules(refuse_start=_without(lambda one: not one.is_final)),
    "other follow-ups do not count": Rules(refuse_follow_up=_blind_follow_up),
    "not knowing means no": Rules(decide=_taking(_no)),
    "an original is not told": Rules(
        decide=_knowing(lambda sale: SaleAsKnown(sale.others, None, sale.in_books))
    ),
    "the books are forgotten": Rules(
        decide=_knowing(lambda sale: SaleAsKnown(sale.others, sale.original, frozenset()))
    ),
    "a plan captures what it must release": Rules(
        next_step=_stepping(
            lambda step: (
                EndHold(step.hold, "capture", step.attempt) if isinstance(step, EndHold) else step
            )
        )
    ),
    "a plan releases what it must capture": Rules(
        next_step=_stepping(
            lambda step: (
                EndHold(step.hold, "void", step.attempt) if isinstance(step, EndHold) else step
            )
        )
    ),
    "a plan forgets its holds": Rules(
        next_step=_stepping(lambda step: Done() if isinstance(step, EndHold) else step)
    ),
}


RARE = {"a doubt stops nobody", "other follow-ups do not count"}  # seen after some seconds


@pytest.mark.parametrize(
    "mutant", [pytest.param(one, marks=pytest.mark.slow if one in RARE else ()) for one in MUTANTS]
)
def test_a_planted_bug_is_seen(mutant: str) -> None:
    class Buggy(Store):
        judged = MUTANTS[mutant]

    with pytest.raises((AssertionError, p.IllegalEvent)):
        run_state_machine_as_test(Buggy, settings=HUNT)
