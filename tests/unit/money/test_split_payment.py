"""What comes next in a plan, decided from its payments alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.money import payment as p
from bridge.money.payment import Funds, Status
from bridge.money.split_payment import (
    BeginLeg,
    Done,
    EndHold,
    PlanStep,
    Wait,
    load_step,
    next_step,
    plan_status,
)
from drivers.contract import Approval, Money

EUR = "EUR"
PLAN = p.Plan(
    "plan",
    (
        p.PlanLeg("g1", "gift_card", Money(2000, EUR)),
        p.PlanLeg("g2", "gift_card", Money(1000, EUR)),
        p.PlanLeg("c", "card", Money(1790, EUR)),
    ),
)
GIFTS = p.Plan("plan", PLAN.legs[:2])


def leg(name: str, status: Status, funds: Funds = Funds.NONE, of: str = "") -> p.Payment:
    is_card = name == "c"
    kind = p.PaymentType.SALE if is_card else p.PaymentType.PREAUTH
    request = p.PaymentRequest(
        payment_id=name,
        register_id="till-1",
        terminal_id="counter-1" if is_card else p.GIFT_CARDS,
        type=p.PaymentType.CAPTURE if of else kind,
        amount=Money(1000, EUR),
        content_hash="h",
        original_payment_id=of,
        plan=PLAN,
    )
    approval = Approval(request.amount, name) if status is Status.APPROVED else None
    return p.Payment(request, status, funds, approval=approval)


HELD_1 = leg("g1", Status.APPROVED, Funds.HELD)
HELD_2 = leg("g2", Status.APPROVED, Funds.HELD)
PAID = leg("c", Status.APPROVED, Funds.CAPTURED)
ENDED_1 = leg("g1", Status.APPROVED, Funds.CAPTURED)
CAPTURE_1 = leg("x", Status.APPROVED, Funds.CAPTURED, of="g1")
CAPTURE_FAILED = leg("x", Status.FAILED, of="g1")


@pytest.mark.parametrize(
    ("plan", "payments", "wanted", "step"),
    [
        (PLAN, (), True, BeginLeg(PLAN.legs[0])),
        (PLAN, (), False, Done()),
        (PLAN, (leg("g1", Status.QUEUED),), True, Wait()),
        (PLAN, (leg("g1", Status.IN_DOUBT, Funds.UNKNOWN),), False, Wait()),
        (PLAN, (HELD_1,), True, BeginLeg(PLAN.legs[1])),
        (PLAN, (HELD_1,), False, EndHold(HELD_1, "void", 0)),
        (PLAN, (HELD_1, leg("g2", Status.DECLINED)), True, EndHold(HELD_1, "void", 0)),
        (PLAN, (leg("g1", Status.FAILED),), True, Done()),
        (PLAN, (HELD_1, HELD_2), True, BeginLeg(PLAN.legs[2])),
        (PLAN, (HELD_1, HELD_2, leg("c", Status.IN_DOUBT)), False, Wait()),
        (PLAN, (HELD_1, HELD_2, leg("c", Status.DECLINED)), True, EndHold(HELD_1, "void", 0)),
        (PLAN, (HELD_1, HELD_2, PAID), True, EndHold(HELD_1, "capture", 0)),
        (PLAN, (HELD_1, HELD_2, PAID), False, EndHold(HELD_1, "capture", 0)),
        (PLAN, (HELD_1, HELD_2, PAID, CAPTURE_FAILED), True, EndHold(HELD_1, "capture", 1)),
        (PLAN, (ENDED_1, HELD_2, PAID, CAPTURE_1), True, EndHold(HELD_2, "capture", 0)),
        (PLAN, (ENDED_1, leg("g2", Status.APPROVED, Funds.CAPTURED), PAID), True, Done()),
        (GIFTS, (HELD_1, HELD_2), True, EndHold(HELD_1, "capture", 0)),
        (GIFTS, (HELD_1, HELD_2), False, EndHold(HELD_1, "void", 0)),
        (GIFTS, (ENDED_1, HELD_2, CAPTURE_1), False, EndHold(HELD_2, "capture", 0)),
        (
            PLAN,
            (leg("g1", Status.APPROVED, Funds.VOIDED), HELD_2),
            True,
            EndHold(HELD_2, "void", 0),
        ),
    ],
)
def test_the_next_step(
    plan: p.Plan, payments: tuple[p.Payment, ...], wanted: bool, step: PlanStep
) -> None:
    known = {one.request.payment_id: one for one in payments}
    assert next_step(plan, known, is_wanted=wanted) == step


def test_a_hold_beyond_help_does_not_keep_the_others_held() -> None:
    known = {"g1": HELD_1, "g2": HELD_2, "c": PAID}
    step = next_step(PLAN, known, is_wanted=True, beyond_help=frozenset({"g1"}))
    assert step == EndHold(HELD_2, "capture", 0)
    everything = frozenset({"g1", "g2"})
    assert next_step(PLAN, known, is_wanted=True, beyond_help=everything) == Done()


def test_a_plan_with_something_held_is_not_settled() -> None:
    assert not HELD_1.is_settled
    assert ENDED_1.is_settled
    assert replace(HELD_1, request=replace(HELD_1.request, plan=None)).is_settled


def load(minor: int, status: Status = Status.IN_PROGRESS, **more: object) -> p.Payment:
    request = replace(leg("l", status).request, type=p.PaymentType.LOAD, amount=Money(minor, EUR))
    return replace(p.Payment(request, status), **more)  # type: ignore[arg-type]


def paid(minor: int) -> p.Payment:
    return replace(PAID, approval=Approval(Money(minor, EUR), "c"))


@pytest.mark.parametrize(
    ("siblings", "remaining", "overdue", "step"),
    [
        ((), 1000, False, "wait"),
        ((), 1000, True, "release"),
        ((leg("c", Status.IN_DOUBT),), 1000, True, "wait"),
        ((leg("c", Status.DECLINED),), 1000, False, "wait"),
        ((paid(1000),), 0, False, "capture"),
        ((paid(1000),), 0, True, "capture"),
        ((paid(500),), 500, True, "release"),
        ((paid(1000), load(1000, Status.APPROVED)), 0, True, "release"),
        ((paid(1000), load(1000, concluding="capture")), 0, False, "wait"),
        ((paid(2000), load(1000, Status.APPROVED)), 0, False, "capture"),
    ],
)
def test_a_load_is_done_with_captured_money_only(
    siblings: tuple[p.Payment, ...], remaining: int, overdue: bool, step: str
) -> None:
    found = load_step(load(1000), siblings, remaining_minor=remaining, is_overdue=overdue)
    assert found == step


def test_a_canceled_load_is_released_even_if_paid() -> None:
    canceled = load(1000, cancel_asked="cashier")
    step = load_step(canceled, (paid(1000),), remaining_minor=0, is_overdue=False)
    assert step == "release"


def brings(payment: p.Payment, minor: int) -> p.Payment:
    assert payment.approval is not None
    return replace(payment, approval=replace(payment.approval, amount=Money(minor, EUR)))


CARD_PAID = brings(PAID, 1790)
TAKEN_1 = brings(replace(CAPTURE_1, request=replace(CAPTURE_1.request, payment_id="x1")), 2000)
TAKEN_2 = brings(
    replace(
        CAPTURE_1, request=replace(CAPTURE_1.request, payment_id="x2", original_payment_id="g2")
    ),
    1000,
)
ENDED_2 = leg("g2", Status.APPROVED, Funds.CAPTURED)
VOIDED_1 = leg("g1", Status.APPROVED, Funds.VOIDED)
WHOLE = (ENDED_1, ENDED_2, CARD_PAID, TAKEN_1, TAKEN_2)


@pytest.mark.parametrize(
    ("payments", "wanted", "status"),
    [
        ((leg("g1", Status.QUEUED),), True, "in_progress"),
        ((HELD_1,), True, "in_progress"),
        ((HELD_1,), False, "in_progress"),
        ((HELD_1, leg("g2", Status.IN_DOUBT, Funds.UNKNOWN)), False, "in_doubt"),
        ((HELD_1, HELD_2, CARD_PAID), False, "in_progress"),
        (WHOLE, False, "paid"),
        ((*WHOLE[:2], replace(CARD_PAID, funds=Funds.REFUNDED), *WHOLE[3:]), False, "paid"),
        ((leg("g1", Status.DECLINED),), False, "not_paid"),
        ((VOIDED_1, leg("g2", Status.DECLINED)), False, "not_paid"),
        ((ENDED_1, TAKEN_1, leg("c", Status.FAILED)), False, "incomplete"),
    ],
)
def test_a_plan_says_itself_how_it_stands(
    payments: tuple[p.Payment, ...], wanted: bool, status: str
) -> None:
    known = {one.request.payment_id: one for one in payments}
    assert plan_status(PLAN, known, is_wanted=wanted) == status


def test_a_plan_with_a_hold_that_only_a_person_can_end_is_incomplete() -> None:
    known = {"g1": HELD_1, "g2": leg("g2", Status.DECLINED)}
    assert plan_status(PLAN, known, is_wanted=False) == "in_progress"
    assert plan_status(PLAN, known, is_wanted=False, beyond_help={"g1"}) == "incomplete"
