"""A terminal's end of day: never forgotten, never done twice, and unknown is told as unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.money import payment as p
from bridge.money.terminal_batch import (
    Batch,
    BatchClosed,
    advance_batch,
)
from drivers.contract import BatchTotals, Money
from tests.support.till import EUR, Till, after, open_till, pay
from tests.unit.money.test_terminal_batch import CLOSING

TERMINAL = "counter-1"


def totals(net_minor: int) -> BatchTotals:
    """Return what a terminal tells of its open batch."""
    return BatchTotals(closed=False, total=Money(abs(net_minor), EUR), gave_more=net_minor < 0)


def test_a_close_without_a_name_is_a_close() -> None:
    closed = BatchClosed("2026-11-23T20:00:09.000Z", Money(0, EUR))
    batch = advance_batch(advance_batch(Batch(), CLOSING, 7), closed, 9)
    assert (batch.closed_at, batch.closing, batch.closed) == (closed.closed_at, None, {})


async def test_an_end_of_day_is_known_by_its_name_after_a_restart(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.ledger.batches.begin_close(TERMINAL, "eod-1")
        total = Money(5000, EUR)
        await till.ledger.batches.close(TERMINAL, total, name="eod-1", answer='{"a": 1}')
        again = await reborn(till)
        assert again.closing is None
        assert again.closed["eod-1"].answer == '{"a": 1}'


async def test_a_crash_while_the_terminal_closes_leaves_an_attempt(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.ledger.batches.begin_close(TERMINAL, "eod-1")
        again = await reborn(till)
        assert again.closing is not None
        assert (again.closing.name, again.closed_at) == ("eod-1", "")


@pytest.mark.parametrize(("told", "found"), [(0, "closed"), (5000, "kept")])
async def test_the_next_totals_tell_what_became_of_an_attempt(
    tmp_path: Path, told: int, found: str
) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000))
        await till.ledger.batches.begin_close(TERMINAL, "eod-1")
        await reborn(till)
        assert await till.ledger.batches.judge(TERMINAL, totals(told)) == found
        batch = await reborn(till)
        assert batch.closing is None
        assert ("eod-1" in batch.closed) is (found == "closed")
        left = await till.ledger.batches.payments_of(TERMINAL)
        assert len(left) == (0 if found == "closed" else 1)


async def test_what_was_paid_after_the_attempt_is_in_the_next_batch(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000))
        await till.ledger.batches.begin_close(TERMINAL, "eod-1")
        later = pay(2, 700, "S2")
        await till.done(later)
        assert await till.ledger.batches.judge(TERMINAL, totals(700)) == "closed"
        (left,) = await till.ledger.batches.payments_of(TERMINAL)
        assert left.payment_id == later.payment_id
        assert till.ledger.batches.of(TERMINAL).closed["eod-1"].total == Money(5000, EUR)


async def test_an_attempt_that_was_never_sent_can_be_taken_back(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.ledger.batches.begin_close(TERMINAL, "eod-1")
        await till.ledger.batches.keep(TERMINAL, "terminal_offline")
        batch = await reborn(till)
        assert (batch.closing, batch.closed_seq, batch.closed) == (None, 0, {})


async def test_a_clock_that_is_set_back_moves_no_payment_into_another_batch(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        first = pay(1, 5000)
        await till.done(first)
        await till.ledger.batches.begin_close(TERMINAL, "eod-1")
        await till.ledger.batches.close(TERMINAL, Money(5000, EUR), name="eod-1")
        till.set_clock_back()
        second = pay(2, 700, "S2")
        await till.done(second)
        for _ in range(2):
            left = await till.ledger.batches.payments_of(TERMINAL)
            assert [one.payment_id for one in left] == [second.payment_id]
            void = p.PaymentType.VOID
            assert await till.refused(after(first, 3, void, 5000)) == "void_not_possible"
            await reborn(till)
            await till.ledger.payments.find_original(first.payment_id)
            await till.ledger.payments.find_original(second.payment_id)
        assert await till.refused(after(second, 4, p.PaymentType.VOID, 700)) == ""


async def reborn(till: Till) -> Batch:
    """Return what the next process knows of the batch."""
    await till.reborn()
    return till.ledger.batches.of(TERMINAL)
