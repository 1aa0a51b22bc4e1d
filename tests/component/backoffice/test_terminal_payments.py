"""Terminals that the POS server drives: every end of a payment, against the server's own ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridge.money import payment as p
from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.support.office import play
from tests.support.pos_server_counter import (
    CAPTURE,
    CONTINUE,
    START,
    TERMINAL,
    PosServerCounter,
)
from tests.support.virtual_store import Json

Scene = Callable[[PosServerCounter], Coroutine[Any, Any, None]]


def at_counter(folder: Path, scene: Scene, **settings: Any) -> None:
    async def main() -> None:
        counter = PosServerCounter(folder, **settings)
        await counter.begin()
        try:
            await scene(counter)
        finally:
            await counter.end()

    play(main)


def test_a_sale_is_paid_and_is_not_booked_until_somebody_says_who_does(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        payment = await counter.pay()
        assert payment.status is p.Status.APPROVED
        assert payment.funds is p.Funds.CAPTURED
        assert payment.approval is not None
        assert payment.approval.card.masked_pan is not None
        assert payment.approval.card.masked_pan.last4 == "4242"
        assert payment.recording is p.Recording.NOT_REQUIRED
        assert len(counter.effects("taken")) == 1
        health = counter.parts.status.health()
        assert any("pos_server_payments_booked" in one for one in health.reasons)

    at_counter(tmp_path, scene)


@pytest.mark.parametrize(
    ("booked", "recording"),
    [("by_us", p.Recording.PENDING), ("by_server", p.Recording.NOT_REQUIRED)],
)
def test_a_site_says_who_books(tmp_path: Path, booked: str, recording: p.Recording) -> None:
    async def scene(counter: PosServerCounter) -> None:
        payment = await counter.pay()
        assert payment.recording is recording
        due = counter.parts.ledger.payments.open_purchases()
        assert len(due) == (booked == "by_us")
        health = counter.parts.status.health()
        assert not any("pos_server_payments_booked" in one for one in health.reasons)
        refund = await counter.follow("refund", payment.request.payment_id, "2.50")
        given = await counter.end_of(refund["payment_id"])
        assert given.status is p.Status.APPROVED
        assert counter.effects("given")[0]["amount"] == "2.50"

    at_counter(tmp_path, scene, booked=booked)


def test_a_payment_goes_on_for_as_long_as_the_shopper_needs(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(continuations=4, wait_seconds=3)
        began = asyncio.get_running_loop().time()
        payment = await counter.pay()
        assert payment.status is p.Status.APPROVED
        assert asyncio.get_running_loop().time() - began >= 12
        assert payment.handle
        assert not counter.effects("asked_after_end")

    at_counter(tmp_path, scene)


@pytest.mark.parametrize(
    ("outcome", "status"), [("decline", p.Status.DECLINED), ("cancel", p.Status.CANCELED)]
)
@pytest.mark.parametrize("continuations", [0, 2])
def test_a_no_is_a_no(tmp_path: Path, outcome: str, status: p.Status, continuations: int) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(outcome=outcome, continuations=continuations)
        assert (await counter.pay()).status is status
        assert not counter.effects("taken")
        assert (await counter.pay()).status is p.Status.APPROVED  # and the next may pay

    at_counter(tmp_path, scene)


@pytest.mark.parametrize("outcome", ["error_before", "error_after"])
def test_an_error_that_may_have_moved_money_is_a_persons(tmp_path: Path, outcome: str) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(outcome=outcome, continuations=1)
        payment = await counter.pay()
        assert payment.status is p.Status.IN_DOUBT
        await asyncio.sleep(120)
        assert not counter.effects("asked_after_end")

    at_counter(tmp_path, scene)


@pytest.mark.parametrize("sale", ["immediate", "authorize_and_capture"])
def test_what_is_only_held_is_captured_once(tmp_path: Path, sale: str) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(outcome="authorize", continuations=1, capture_continuations=2)
        payment = await counter.pay()
        assert payment.status is p.Status.APPROVED
        assert payment.funds is p.Funds.CAPTURED
        assert len(counter.effects("captured")) == 1

    at_counter(tmp_path, scene, sale=sale)


LOST = ("apply_then_drop", "applied+gateway_timeout_504", "applied+html_200", "none+drop")


@pytest.mark.parametrize("fault", [*LOST, "none+server_error_500", "applied+truncated"])
def test_a_lost_answer_to_start_is_a_persons_and_nothing_is_sent_again(
    tmp_path: Path, fault: str
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault(fault, START)
        payment = await counter.pay()
        assert payment.status is p.Status.IN_DOUBT
        assert payment.doubt is not None
        assert payment.doubt.evidence_lost
        await asyncio.sleep(300)
        began = len(counter.effects("started"))
        assert began == (not fault.startswith("none"))
        answer = await counter.ask(
            "payment/resolve",
            payment_id=payment.request.payment_id,
            outcome="approved" if began else "not_charged",
            approved_by="supervisor-1",
            evidence={"source": "merchant_slip", "approval_code": "A1"},
        )
        assert answer["status"] == "accepted", answer
        resolved = counter.payment(payment.request.payment_id)
        assert resolved.status is (p.Status.APPROVED if began else p.Status.FAILED)

    at_counter(tmp_path, scene)


@pytest.mark.parametrize("step", [START, CAPTURE])
@pytest.mark.parametrize("fault", [*LOST, "apply_late"])
def test_a_server_with_a_query_is_asked_for_what_is_lost(
    tmp_path: Path, step: str, fault: str
) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        counter.office.api.terminal_payments = "findable"
        await counter.begin()
        counter.play(outcome="authorize")
        counter.fault(fault, step)
        name = await counter.start()
        await asyncio.sleep(200)
        payment = counter.payment(name)
        known = not fault.startswith("none")
        assert payment.status is (p.Status.APPROVED if known else p.Status.IN_DOUBT)
        assert len(counter.effects("captured")) == known
        assert len(counter.effects("started")) == (known or step == CAPTURE)
        await counter.end()

    play(main)


def test_a_payment_of_an_earlier_life_is_found_by_its_reference(tmp_path: Path) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        counter.office.api.terminal_payments = "findable"
        await counter.begin()
        counter.fault("slow", START)
        name = await counter.start()
        await asyncio.sleep(1)
        await counter.kill_and_restart()
        assert (await counter.end_of(name)).status is p.Status.APPROVED
        assert len(counter.effects("started")) == len(counter.effects("taken")) == 1
        counter.office.permissions["paybridge"] = ALL_PERMISSIONS - {"MakeSaleTerminalPayment"}
        await counter.end()

    play(main)


@pytest.mark.parametrize("fault", [*LOST, "too_many_429", "permission_401", "fusion_error"])
def test_a_lost_answer_to_continue_is_asked_for_again(tmp_path: Path, fault: str) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(continuations=3)
        counter.fault(fault, CONTINUE, after=1)
        payment = await counter.pay()
        assert payment.status is p.Status.APPROVED
        assert len(counter.effects("started")) == len(counter.effects("taken")) == 1

    at_counter(tmp_path, scene)


@pytest.mark.parametrize("fault", [*LOST, "not_authorized", "too_many_429"])
def test_a_capture_whose_answer_is_lost_is_a_persons(tmp_path: Path, fault: str) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(outcome="authorize")
        counter.fault(fault, CAPTURE)
        payment = await counter.pay()
        assert payment.status is p.Status.IN_DOUBT
        assert payment.offer is not None
        await asyncio.sleep(300)
        assert len(counter.effects("captured")) <= 1
        await counter.kill_and_restart()
        await asyncio.sleep(300)
        assert counter.payment(payment.request.payment_id).status is p.Status.IN_DOUBT
        assert len(counter.effects("captured")) <= 1

    at_counter(tmp_path, scene)


@pytest.mark.parametrize(
    "fault", ["too_many_429", "empty_401", "none+permission_401", "not_authorized", "validation"]
)
def test_what_proves_that_nothing_began_is_a_failure(tmp_path: Path, fault: str) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault(fault, START, times=2)
        payment = await counter.pay()
        assert payment.status is p.Status.FAILED
        assert not counter.effects("started")

    at_counter(tmp_path, scene)


@pytest.mark.parametrize(
    "how",
    [
        {"is_stranger": True},
        {"reference": "somebody-else"},
        {"terminal": "Lane 2"},
        {"has_both": True},
        {"status": "MAYBE"},
        {"status": ""},
        {"amount": "11.00", "reference": "somebody-else"},
    ],
)
def test_a_strangers_or_unreadable_payment_is_never_told_as_ours(
    tmp_path: Path, how: dict[str, object]
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(**how)
        payment = await counter.pay()
        ours = how == {"status": ""}  # the usual word: nothing is wrong
        assert payment.status is (p.Status.APPROVED if ours else p.Status.IN_DOUBT)

    at_counter(tmp_path, scene)


def test_another_amount_than_asked_is_told_as_it_is(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(amount="11.00")
        payment = await counter.pay()
        assert payment.status is p.Status.APPROVED
        assert payment.captured.minor == 1100
        assert [odd.kind for odd in payment.discrepancies] == ["less_than_asked"]

    at_counter(tmp_path, scene)


def test_a_server_that_never_ends_leaves_a_doubt_that_it_can_still_clear_up(
    tmp_path: Path,
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(continuations=110)
        name = await counter.start(deadline_s=30)
        await counter.until(lambda: counter.payment(name).status is p.Status.IN_DOUBT, "the doubt")
        assert asyncio.get_running_loop().time() < 120
        await counter.until(lambda: counter.payment(name).is_final, "the server's last word")
        assert counter.payment(name).status is p.Status.APPROVED
        assert len(counter.effects("taken")) == 1

    at_counter(tmp_path, scene)


@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.5, 4.0])
def test_a_crash_in_between_is_taken_up_by_its_handle(tmp_path: Path, seconds: float) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(outcome="authorize", continuations=5)
        name = await counter.start()
        await asyncio.sleep(seconds)
        await counter.kill_and_restart()
        payment = await counter.end_of(name)
        assert payment.status is p.Status.APPROVED
        assert len(counter.effects("started")) == len(counter.effects("captured")) == 1

    at_counter(tmp_path, scene)


@pytest.mark.parametrize("outcome", ["approve", "authorize"])
def test_a_person_who_was_quicker_than_the_server_is_checked_and_nothing_is_captured(
    tmp_path: Path, outcome: str
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(outcome=outcome, continuations=80)
        name = await counter.start(deadline_s=10)
        await counter.until(lambda: counter.payment(name).status is p.Status.IN_DOUBT, "the doubt")
        answer = await counter.ask(
            "payment/resolve",
            payment_id=name,
            outcome="not_charged",
            approved_by="supervisor-1",
            evidence={"source": "merchant_slip"},
        )
        assert answer["status"] == "accepted", answer
        await asyncio.sleep(1_800)
        payment = counter.payment(name)
        assert payment.status is p.Status.FAILED
        assert not counter.effects("captured")
        if outcome == "approve":
            assert payment.answer_check is p.AnswerCheck.CONTRADICTED
            assert [odd.kind for odd in payment.discrepancies] == ["approved_after_failed"]
        else:
            assert payment.answer_check is p.AnswerCheck.CANNOT_TELL

    at_counter(tmp_path, scene)


def test_a_crash_before_the_answer_to_start_leaves_a_doubt_for_a_person(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.fault("slow", START)
        name = await counter.start()
        await asyncio.sleep(1)
        await counter.kill_and_restart()
        payment = await counter.end_of(name)
        assert payment.status is p.Status.IN_DOUBT
        await asyncio.sleep(300)
        assert len(counter.effects("started")) == 1

    at_counter(tmp_path, scene)


def test_it_cannot_be_stopped_from_the_till_and_the_answer_counts(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(continuations=5)
        name = await counter.start()
        await asyncio.sleep(1)
        await counter.ask("payment/cancel", payment_id=name)
        assert (await counter.end_of(name)).status is p.Status.APPROVED

    at_counter(tmp_path, scene)


def test_money_is_held_and_captured_in_part_where_a_site_allows_it(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        held = await counter.pay("50.00", type="preauth")
        assert (held.status, held.funds) == (p.Status.APPROVED, p.Funds.HELD)
        name = held.request.payment_id
        void = await counter.follow("void", name)
        assert void["error"]["code"] == "operation_not_supported"
        taken = await counter.follow("capture", name, "40.00")
        assert (await counter.end_of(taken["payment_id"])).status is p.Status.APPROVED
        assert [line["amount"] for line in counter.effects("captured")] == ["40.00"]

    at_counter(tmp_path, scene, preauthorization=True)


def test_a_server_without_terminal_payments_takes_none_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        counter.office.api.terminal_payments = "none"
        await counter.begin()
        assert counter.state.problem == "terminal_maintenance"
        assert "its schema has no terminalPayment" in counter.state.problem_text
        await counter.end()

    play(main)


def test_other_names_and_shapes_are_read_from_the_schema(tmp_path: Path) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path, preauthorization=True)
        counter.office.api.terminal_payments = "otherwise"
        await counter.begin()
        counter.play(outcome="authorize", continuations=2)
        assert (await counter.pay()).status is p.Status.APPROVED
        sale = await counter.pay()
        refund = await counter.follow("refund", sale.request.payment_id, "5.00")
        assert (await counter.end_of(refund["payment_id"])).status is p.Status.APPROVED
        held = await counter.pay("50.00", type="preauth")
        part = await counter.follow("capture", held.request.payment_id, "40.00")
        payment = await counter.end_of(part["payment_id"])
        assert payment.status is p.Status.FAILED  # it captures no part, and nothing was sent
        await counter.end()

    play(main)


def test_a_server_that_hides_its_schema_is_taken_at_its_assumed_names(tmp_path: Path) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        counter.office.api.introspection = False
        await counter.begin()
        counter.play(continuations=2)
        assert (await counter.pay()).status is p.Status.APPROVED
        counter.office.api.terminal_payments = "otherwise"
        payment = await counter.pay()
        assert payment.status is p.Status.FAILED
        assert payment.denial is not None
        assert payment.denial.code == "operation_not_supported"
        await counter.end()

    play(main)


def test_a_schema_that_changes_costs_one_payment_and_no_doubt(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        assert (await counter.pay()).status is p.Status.APPROVED
        counter.office.api.terminal_payments = "otherwise"
        assert (await counter.pay()).status is p.Status.FAILED
        assert (await counter.pay()).status is p.Status.APPROVED

    at_counter(tmp_path, scene)


def test_a_long_wait_fills_no_journal(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.play(continuations=60)
        payment = await counter.pay()
        entries = await counter.parts.journal.entries_of(payment.request.payment_id)
        kinds = [type(one.event).__name__ for one in entries]
        assert kinds.count("Progress") == 1

    at_counter(tmp_path, scene)


def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    async def scene(counter: PosServerCounter) -> None:
        mine = ALL_PERMISSIONS - {"MakeSaleTerminalPayment"}
        counter.office.permissions["paybridge"] = mine
        payment = await counter.pay()
        assert payment.status is p.Status.FAILED
        assert payment.denial is not None
        assert "MakeSaleTerminalPayment" in payment.denial.text

    at_counter(tmp_path, scene)


def test_an_office_that_is_away_is_a_terminal_that_is_offline(tmp_path: Path) -> None:
    async def main() -> None:
        counter = PosServerCounter(tmp_path)
        counter.office.away = True
        await counter.begin()
        assert counter.state.availability == "offline"
        await counter.end()

    play(main)


LINE = {
    "item_id": 1,
    "product_code": "4711",
    "quantity": "1",
    "unit_price": "12.50",
    "item_amount": "12.50",
}


@pytest.mark.parametrize("first", ["gift_card", "terminal"])
@pytest.mark.parametrize("booked", [None, "by_server"])
def test_the_rest_of_a_sale_is_booked_with_theirs_as_another_tender(
    tmp_path: Path, first: str, booked: str | None
) -> None:
    async def scene(counter: PosServerCounter) -> None:
        counter.office.state.gift_card_add(code="639621", pin="1234", balance=Decimal("50.00"))
        card = {"stored_value_id": "639621", "pin": "1234"}
        sale = {"total_amount": "12.50", "lines": [LINE]}
        ways: dict[str, Json] = {
            "gift_card": {"method": "gift_card", "gift_card": card, "amount": "5.00"},
            "terminal": {"terminal_id": TERMINAL, "amount": "7.50"},
        }
        order = [first, *(one for one in ways if one != first)]
        for way in order:
            said: dict[str, Any] = dict(ways[way])
            amounts = {"currency": "EUR", "requested_amount": said.pop("amount")}
            name = counter.new_id()
            answer = await counter.ask(
                "payment/start", payment_id=name, amounts=amounts, sale_id="S1", sale=sale, **said
            )
            assert answer["status"] == "accepted", answer["error"]
            assert (await counter.end_of(name)).status is p.Status.APPROVED
        (due,) = counter.parts.ledger.payments.open_purchases()
        content = due.purchase.content
        assert content.pay_amount.minor == 1250
        assert content.pay_method == "GIFT_CARD+OTHER"
        assert len(due.purchase.payment_ids) == 1

    at_counter(tmp_path, scene, booked=booked)
