"""The judge of the worlds: what he may not take from whom he judges, and what he must accuse."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.simulation.judge import Judge
from tests.simulation.pages import Row
from tests.simulation.pledges import Pledges
from tests.simulation.story import Story
from tests.simulation.truth import Charge, Order, Truth

HERE = Path(__file__).parent
JUDGES = (
    *("judge", "gift_judge", "batch_judge", "pages", "pledges", "ending", "rest", "truth"),
    *("attempts", "plans", "story", "tills", "trades"),
)
PAID, OTHER = "00000000-0000-7000-8000-000000001001", "00000000-0000-7000-8000-000000002001"
NO_MONEY = {"code": "terminal_busy", "money_moved": "no"}


def clock() -> float:
    return 0.0


def pledges() -> Pledges:
    return Pledges(Story(clock))


def rules(judged: Judge | Pledges) -> list[str]:
    return [one.rule for one in judged.story.violations]


def running(payment_id: str, terminal_id: str = "counter-1", status: str = "in_progress") -> Row:
    at = "2026-03-02T09:00:00.000Z"
    names = (payment_id, "till-1", terminal_id, "till-1/1")
    return Row(*names, status, "not_required", 100, "EUR", at, at, 1, 0)


@pytest.mark.parametrize("name", JUDGES)
def test_nothing_of_the_bridge_is_used_to_judge_it(name: str) -> None:
    tree = ast.parse((HERE / f"{name}.py").read_text())
    modules = [one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)]
    modules += [a.name for one in ast.walk(tree) if isinstance(one, ast.Import) for a in one.names]
    assert [one for one in modules if one.split(".")[0] == "bridge"] == []


def test_a_refusal_that_is_only_queued_is_no_proof_of_an_acknowledgement() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.judge_the_end(1)
    assert rules(judged) == ["S6"]


def test_a_refusal_at_the_broker_is_proof_of_an_acknowledgement() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.refused(PAID, "r-1", NO_MONEY)
    judged.judge_the_end(1)
    assert rules(judged) == []


def test_an_acknowledgement_although_the_disk_failed_is_accused() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    told = {"request_id": "r-1", "error": {"code": "journal_unavailable"}}
    judged.died([json.dumps(told).encode()], 1)
    assert rules(judged) == ["S6"]


def test_a_message_that_came_twice_may_be_refused_before_the_disk_fails() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    codes = ("stale_command", "journal_unavailable")
    told = [{"request_id": "r-1", "error": {"code": code}} for code in codes]
    judged.died([json.dumps(one).encode() for one in told], 1)
    assert rules(judged) == []


def test_what_a_life_before_acknowledged_is_not_laid_at_the_next_ones_door() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    told = {"request_id": "r-1", "error": {"code": "journal_unavailable"}}
    judged.died([json.dumps(told).encode()], 2)
    assert rules(judged) == []


def test_an_acknowledged_command_that_is_told_it_was_not_stored_is_accused() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.refused(PAID, "r-1", {"code": "journal_unavailable", "money_moved": "no"})
    assert rules(judged) == ["S6"]


def test_what_is_stored_after_its_acknowledgement_is_accused() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.stored(PAID)
    assert rules(judged) == ["S6"]


def test_a_command_that_came_again_may_be_taken_although_the_first_was_refused() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.delivered(PAID)
    judged.stored(PAID)
    judged.judge_the_end(1)
    assert rules(judged) == []


def test_who_was_refused_with_no_money_moved_and_is_charged_later_is_an_accusation() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.refused(PAID, "r-1", NO_MONEY)
    judged.moved(PAID, "1001 is charged")
    assert rules(judged) == ["S3"]


def test_who_asked_again_after_a_refusal_may_be_charged() -> None:
    judged = pledges()
    judged.delivered(PAID)
    judged.acknowledges(PAID, "r-1", 1, on_disk=False)
    judged.refused(PAID, "r-1", NO_MONEY)
    judged.delivered(PAID)
    judged.moved(PAID, "1001 is charged")
    assert rules(judged) == []


def test_one_at_a_time_is_read_from_the_disk() -> None:
    judged = Judge(Story(clock), Truth())
    judged.pages.put(running(OTHER))
    judged.ordered(Order(PAID, "counter-1", 100, 0.0, 1), 1)
    assert "S8" in rules(judged)


def test_another_terminal_may_be_busy() -> None:
    judged = Judge(Story(clock), Truth())
    judged.pages.put(running(OTHER, "counter-2"))
    judged.ordered(Order(PAID, "counter-1", 100, 0.0, 1), 1)
    assert "S8" not in rules(judged)


def test_a_refund_is_a_charge_that_was_denied_as_well() -> None:
    judged = Judge(Story(clock), Truth())
    judged.pledges.delivered(PAID)
    judged.puback(PAID, "r-1", 1)
    judged.pledges.refused(PAID, "r-1", NO_MONEY)
    judged.truth.charges.append(Charge(PAID, "counter-1", 1, 100, 0.0, kind="refunded"))
    judged.charged(judged.truth.charges[0], "taken")
    assert "S3" in rules(judged)
