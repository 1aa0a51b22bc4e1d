"""What a person answered is checked once the terminal is back, where it can still tell."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.payment.machine import ANSWER_CHECKS_MAX
from drivers import contract as c
from tests.support.counter import KINDS, Counter, Kind, at_a_counter, trouble

TELLS = [one for one in KINDS if one.can.status_query != "none" and one.persistent]
EVERY_ONE_THAT_TELLS = pytest.mark.parametrize("kind", TELLS, ids=[one.name for one in TELLS])
SILENT = [one for one in KINDS if one.can.status_query == "none"]


async def answered(counter: Counter, outcome: str, *, charged: bool) -> str:
    """Take the terminal away in the middle of a payment, and have a person answer for it."""
    if counter.kind.can.status_query != "none":
        await counter.end_of(await counter.start("1.00"))  # what the terminal remembers before
        await counter.ready()
    before = counter.taken_minor()
    books_it = charged and counter.kind.simulator == "zvt"  # once its status is acknowledged
    away = trouble("unplug", "completion" if books_it else "status", seconds=60)
    if not charged:
        away = away.model_copy(update={"outcome": "decline"})
    counter.shoppers(away)
    payment_id = await counter.start("20.40")
    await counter.until(lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt")
    answer = await counter.ask(
        "payment/resolve",
        payment_id=payment_id,
        outcome=outcome,
        approved_by="supervisor-1",
        evidence={"source": "merchant_slip", "approval_code": "481516"},
    )
    assert answer["status"] == "accepted", answer
    await asyncio.sleep(5)
    assert counter.taken_minor() - before == (2040 if charged else 0)
    return payment_id


async def checked(counter: Counter, payment_id: str) -> p.Payment:
    """Return the payment once the terminal is back and was asked about it."""
    due = p.AnswerCheck.DUE
    await counter.until(lambda: counter.payment(payment_id).answer_check is not due, "a check")
    return counter.payment(payment_id)


@EVERY_ONE_THAT_TELLS
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
def test_a_payment_that_a_person_denied_is_found_when_the_terminal_is_back(
    kind: Kind, restarts: bool, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await answered(counter, "not_charged", charged=True)
        if restarts:
            await counter.kill_and_restart()
        payment = await checked(counter, payment_id)
        assert payment.answer_check is p.AnswerCheck.CONTRADICTED
        assert [odd.kind for odd in payment.discrepancies] == ["approved_after_failed"]
        assert payment.status is p.Status.FAILED, "what was told is not rewritten"

    at_a_counter(kind, tmp_path, visit)


@EVERY_ONE_THAT_TELLS
def test_a_payment_that_a_person_invented_is_found_when_the_terminal_is_back(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await answered(counter, "approved", charged=False)
        payment = await checked(counter, payment_id)
        assert payment.answer_check is p.AnswerCheck.CONTRADICTED
        assert [odd.kind for odd in payment.discrepancies] == ["denied_after_approved"]

    at_a_counter(kind, tmp_path, visit)


@EVERY_ONE_THAT_TELLS
@pytest.mark.parametrize("charged", [True, False], ids=["approved", "not charged"])
def test_a_person_who_was_right_hears_no_more_of_it(
    kind: Kind, charged: bool, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        outcome = "approved" if charged else "not_charged"
        payment_id = await answered(counter, outcome, charged=charged)
        payment = await checked(counter, payment_id)
        assert payment.answer_check is p.AnswerCheck.AGREED
        assert payment.discrepancies == ()
        if charged:
            assert payment.approval is not None
            assert payment.approval.fingerprint, "the terminal's own evidence is kept"

    at_a_counter(kind, tmp_path, visit)


@EVERY_ONE_THAT_TELLS
def test_the_next_payment_waits_for_the_check_of_what_it_would_overwrite(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await answered(counter, "not_charged", charged=True)
        again = counter.fields("5.00")
        answer = await counter.ask("payment/start", **again)
        for _ in range(120):
            if answer["status"] == "accepted":
                break
            await asyncio.sleep(0.5)
            answer = await counter.ask("payment/start", **again)
        after = await counter.end_of(again["payment_id"])
        assert after.status is p.Status.APPROVED
        assert after.discrepancies == ()
        payment = counter.payment(payment_id)
        assert payment.answer_check is p.AnswerCheck.CONTRADICTED

    at_a_counter(kind, tmp_path, visit)


@pytest.mark.parametrize("kind", SILENT, ids=[one.name for one in SILENT])
def test_a_terminal_that_remembers_nothing_is_not_asked_for_ever(
    kind: Kind, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await answered(counter, "not_charged", charged=False)
        payment = await checked(counter, payment_id)
        assert payment.answer_check is p.AnswerCheck.CANNOT_TELL
        assert payment.is_settled

    at_a_counter(kind, tmp_path, visit)


def test_a_terminal_that_never_can_tell_is_asked_for_a_while_only(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await answered(counter, "not_charged", charged=True)
        for _ in range(ANSWER_CHECKS_MAX):
            assert counter.payment(payment_id).answer_check is p.AnswerCheck.DUE
            await counter.life.ledger.apply(payment_id, c.Unclear("other_transaction"))
        assert counter.payment(payment_id).answer_check is p.AnswerCheck.CANNOT_TELL

    at_a_counter(TELLS[0], tmp_path, visit)
