"""The plan of faults: which request meets which."""

from __future__ import annotations

import random

import pytest

from simulators.back_office.faults import (
    NAMED,
    UNLIMITED,
    Effect,
    FaultAnswer,
    FaultPlan,
    fault_named,
)


def answers(plan: FaultPlan, *operations: str) -> list[str]:
    return [plan.take(operation).answer.value for operation in operations]


def test_faults_meet_their_operation_in_the_order_they_were_added() -> None:
    plan = FaultPlan(random.Random(0))
    plan.add(fault_named("empty_401", operation="purchaseAdd", after=1, times=2))
    plan.add(fault_named("html_200"))
    assert answers(plan, "sale", *["purchaseAdd"] * 4) == [
        "html_200",
        "normal",
        "empty_401",
        "empty_401",
        "normal",
    ]
    assert plan.pending() == ()


def test_an_unlimited_fault_stays_until_cleared() -> None:
    plan = FaultPlan(random.Random(0))
    plan.add(fault_named("too_many_429", times=UNLIMITED))
    assert answers(plan, "a", "b", "c") == ["too_many_429"] * 3
    plan.clear()
    assert answers(plan, "d") == ["normal"]


def test_chance_is_drawn_from_the_seed() -> None:
    def history(seed: int) -> list[str]:
        plan = FaultPlan(random.Random(seed))
        plan.add(fault_named("unavailable_503", times=UNLIMITED, chance=0.5))
        return answers(plan, *["purchaseAdd"] * 40)

    assert history(7) == history(7) != history(8)
    assert set(history(7)) == {"normal", "unavailable_503"}


def test_every_combination_is_either_named_or_spelled_out() -> None:
    fault = fault_named("applied+html_200")
    assert (fault.effect, fault.answer) == (Effect.APPLIED, FaultAnswer.HTML_200)
    assert {fault.answer for fault in NAMED.values()} == set(FaultAnswer)
    assert {fault.effect for fault in NAMED.values()} == set(Effect)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("nonsense", {}),
        ("none+normal", {}),
        ("none+without_id", {}),
        ("lost+drop", {}),
        ("late+normal", {}),
        ("late+truncated", {"late_seconds": 1.0}),
        ("slow", {"seconds": 1.0}),
    ],
)
def test_nonsense_is_refused(name: str, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        fault_named(name, **settings)
