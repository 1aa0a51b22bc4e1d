"""`payment=` finds every line about a payment: its booking, and what persons said of it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.log import LineFormatter
from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.purchase_answers import Answer, PurchaseAnswers
from drivers.contract import Baseline, Unclear
from tests.support.shop import Shop, in_a_shop, payment_id
from tests.support.till import goods, open_till, pay

GUARD = {"expires_at": "2026-11-23T12:30:00Z"}


class Lines(logging.Handler):
    """Every line as the service would write it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(LineFormatter(for_journal=True))
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def about(self, payment: str, words: str) -> list[str]:
        return [line for line in self.written if f"payment={payment}" in line and words in line]


@pytest.fixture
def lines() -> object:
    handler = Lines()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


def test_a_persons_answer_is_found_by_the_payment(tmp_path: Path, lines: Lines) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "8.00", **GUARD)
        shop.ports["counter-1"].unplug()
        await shop.until("till-1", 1, status="in_doubt")
        said = p.Resolved("not_charged", "anna", why="the slip says so")
        account = await shop.desk.existing.resolve(payment_id(1), said)
        assert account.payment.answers[-1].why == "the slip says so"
        again = p.Resolved("approved", "bert", "A1", why="the wrong slip")
        corrected = await shop.desk.existing.resolve(payment_id(1), again)
        assert [one.why for one in corrected.payment.answers] == [
            "the slip says so",
            "the wrong slip",
        ]

    in_a_shop(tmp_path, test)
    assert lines.about(payment_id(1), "resolved outcome=not_charged by=anna")
    assert lines.about(payment_id(1), "answer corrected outcome=approved by=bert")


async def test_a_booking_that_somebody_answers_is_found_by_each_of_its_payments(
    tmp_path: Path, lines: Lines
) -> None:
    async with open_till(tmp_path) as till:
        sale = goods(1000)
        first, second = pay(1, 400, sale=sale), pay(2, 600, sale=sale)
        await till.done(first)
        await till.done(second)
        (name,) = till.ledger.payments.take_pending_purchases()
        await till.ledger.apply_purchase(name, s.Sending())
        await till.ledger.apply_purchase(name, s.Unproven("cut"))
        answers = PurchaseAnswers(till.ledger, None)
        await answers.answer(Answer(name, "R-1"), "anna", "seen there")
    for one in (first, second):
        assert lines.about(one.payment_id, "booking answered")


def test_an_end_of_day_that_is_not_matched_is_a_warning_with_its_payments(
    tmp_path: Path, lines: Lines
) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "8.00", **GUARD)
        await shop.until("till-1", 1, status="approved")
        await shop.ask("till-1", "terminal/reconcile", terminal_id="counter-1")

    in_a_shop(tmp_path, test)
    (line,) = lines.about(payment_id(1), "end_of_day=")
    assert line.startswith("<4>"), "journalctl -p warning shows it"
    assert "not_booked" in line


async def test_a_doubt_can_be_answered_with_a_reason_only_once(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        doubt = pay(1, 100)
        await till.ledger.accept(doubt, p.Started(Baseline("")))
        await till.ledger.apply(doubt.payment_id, Unclear("link_lost"))
        await till.ledger.apply(
            doubt.payment_id, p.Resolved("approved", "anna", "A1", why="slip 17")
        )
        assert till.payment(doubt).answers[0].why == "slip 17"
        ledger = await till.reborn()
        account = await ledger.payments.find(doubt.payment_id)
        assert account is not None
        assert account.payment.answers[0].why == "slip 17"
        with pytest.raises(RequestError):
            await ledger.accept(pay(2, 100, sale_id="S1"))
