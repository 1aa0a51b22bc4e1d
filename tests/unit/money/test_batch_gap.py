"""A gap is made by named payments and facts, to the cent, or it is not explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.money import payment as p
from bridge.money.batch_gap import CAUSES_TOGETHER_MAX, Gap, explain
from bridge.money.store.records import PaymentRecord
from bridge.money.terminal_batch import (
    Batch,
    BatchClosed,
    GapFound,
    GapsNoted,
    Unasked,
    advance_batch,
)
from drivers.contract import Approval, Money
from tests.unit.money.test_reconciliation import account

SALE, FUNDS = p.PaymentType.SALE, p.Funds
AT = "2026-11-23T20:00:00.000Z"
SEEN = "2026-11-23T19:00:00.000Z"


def sale(name: str, minor: int, batch: str = "", ended_seq: int = 0, **more: Any) -> PaymentRecord:
    one = account(name, SALE, minor, FUNDS.CAPTURED, **more)
    approval = Approval(Money(minor, "EUR"), name, trace=f"0000{name}", batch=batch)
    return replace(one, payment=replace(one.payment, approval=approval), ended_seq=ended_seq)


def gap(
    net_minor: int, *batch: PaymentRecord, unasked: tuple[Unasked, ...] = (), closed: str = ""
) -> Gap:
    return explain(net_minor, batch, unasked, currency="EUR", closed_batch=closed)


def odd(kind: str, minor: int | None = None) -> dict[str, Any]:
    evidence = None if minor is None else Approval(Money(minor, "EUR"), "T1/9")
    return {"discrepancies": (p.Discrepancy(kind, "", evidence),), "decided_by": "anna"}


def test_equal_sums_without_facts_leave_nothing_to_look_at() -> None:
    found = gap(2000, sale("1", 2000))
    assert (found.is_open, found.is_explained) == (False, True)


def test_a_cent_is_not_explained_by_a_doubt_of_another_amount() -> None:
    doubt = account("2", SALE, 500, FUNDS.UNKNOWN, status=p.Status.IN_DOUBT, approval=None)
    assert gap(2501, sale("1", 2000), doubt).causes == ()
    (cause,) = gap(2500, sale("1", 2000), doubt).causes
    assert (cause.kind, cause.payment_id, cause.minor) == ("in_doubt", "2", 500)


@pytest.mark.parametrize(
    ("made", "minor"),
    [
        (odd("second_approval", 2000), 2000),
        (odd("another_amount", 1500), -500),
        (odd("denied_after_approved"), -2000),
    ],
    ids=["taken twice", "another amount", "not taken"],
)
def test_a_discrepancy_explains_a_gap_also_once_a_person_noted_it(
    made: dict[str, Any], minor: int
) -> None:
    found = gap(2000 + minor, sale("1", 2000, **made))
    (cause,) = found.causes
    assert (cause.kind, cause.payment_id) == ("discrepancy", "1")


def test_an_answer_that_the_terminal_confirmed_explains_nothing() -> None:
    said = (p.OperatorAnswer("approved", "anna", "481516"),)
    doubtful = sale("1", 2000, answers=said, answer_check=p.AnswerCheck.CANNOT_TELL)
    (cause,) = gap(0, doubtful).causes
    assert (cause.kind, cause.minor) == ("answered_by_person", -2000)
    confirmed = sale("1", 2000, answers=said, answer_check=p.AnswerCheck.AGREED)
    assert gap(0, confirmed).causes == ()


def test_what_an_earlier_batch_of_the_terminal_holds_is_one_cause_however_many_payments() -> None:
    night = [sale(str(n), 100 * n, "0001", n) for n in range(1, 6)]
    day = sale("9", 700, "0002", 9)
    found = gap(700, *night, day)
    assert found.minor == -1500
    assert [one.payment_id for one in found.causes] == ["1", "2", "3", "4", "5"]
    assert gap(700, *night, day, closed="0002").causes == found.causes


def test_a_transaction_by_hand_of_the_same_amount_as_a_reversal_hides_nothing() -> None:
    reversal = Approval(Money(2000, "EUR"), "T1/7", "T1", "0007", extra={"original_trace": "1"})
    by_hand = Approval(Money(2000, "EUR"), "T1/8", "T1", "0008")
    seen = (Unasked(reversal, SEEN), Unasked(by_hand, SEEN))
    found = gap(2000, sale("1", 2000), unasked=seen)
    assert (found.minor, found.is_open) == (0, True)
    assert [one.kind for one in found.facts] == ["reversed_at_terminal", "done_at_terminal"]
    assert "0007" in found.facts[0].text


def test_a_reversal_of_another_payment_is_not_taken_for_ours() -> None:
    reversal = Approval(Money(2000, "EUR"), "T1/7", "T1", "0007", extra={"original_trace": "5"})
    (fact,) = gap(0, sale("1", 2000), unasked=(Unasked(reversal, SEEN),)).facts
    assert (fact.kind, fact.payment_id) == ("done_at_terminal", "")


def test_many_small_causes_that_happen_to_add_up_are_no_explanation() -> None:
    doubts = [
        account(str(n), SALE, 100, FUNDS.UNKNOWN, status=p.Status.IN_DOUBT, approval=None)
        for n in range(CAUSES_TOGETHER_MAX + 1)
    ]
    assert gap(100 * len(doubts), *doubts).causes == ()


def test_money_of_another_currency_is_named() -> None:
    dollars = sale("2", 500)
    money = Money(500, "USD")
    request = replace(dollars.payment.request, amount=money)
    dollars = replace(dollars, payment=replace(dollars.payment, request=request))
    (cause,) = gap(2000, sale("1", 2000), dollars).causes
    assert (cause.kind, cause.payment_id) == ("another_currency", "2")


def test_a_gap_of_an_end_of_day_outlives_the_next_one_until_it_is_noted() -> None:
    batch = advance_batch(Batch(), GapFound(-5, "EUR", AT), 3)
    batch = advance_batch(batch, BatchClosed(AT, Money(0, "EUR"), "eod-1"), 4)
    batch = advance_batch(batch, GapFound(-5, "EUR", AT, "eod-1"), 5)
    batch = advance_batch(batch, GapFound(7, "EUR", AT), 6)
    assert [seq for seq, _ in batch.gaps] == [5, 6]
    again = advance_batch(batch, GapFound(0, "EUR", AT), 7)
    assert [seq for seq, _ in again.gaps] == [5], "the open batch agrees again"
    assert advance_batch(batch, GapsNoted(5, "anna"), 7).gaps == batch.gaps[1:]


def test_what_was_seen_before_a_close_is_no_fact_of_the_next_batch() -> None:
    stranger = Unasked(Approval(Money(2000, "EUR"), "T1/8"), SEEN)
    batch = advance_batch(Batch(), stranger, 3)
    assert advance_batch(batch, BatchClosed(AT, Money(0, "EUR")), 4).unasked == ()
