"""A payment at a POS server's terminal, and a change of a card's code, that die at any commit.

A process dies before a commit (nothing of it is on disk) or after it (nobody heard that it is);
the next one takes up what can be taken up, and leaves the rest to a person.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.money import payment as p
from tests.component.backoffice.test_gift_card_codes import OLD, code_of, deactivate, edits
from tests.crash.test_plan_restarts import Fuse, Side, journal_with
from tests.support.office import play
from tests.support.pos_server_counter import PosServerCounter

WIRE_SECONDS = 0.25  # deaths fall between the two ends of a request
ENOUGH_SECONDS = 300.0
COMMITS_MAX = 40  # of one payment; there are about ten


async def live_until(counter: PosServerCounter, fuse: Fuse, *, seconds: float) -> None:
    """Wait until the process is dead, or has nothing more to do."""
    try:
        async with asyncio.timeout(seconds):
            await fuse.burnt.wait()
    except TimeoutError:
        return
    await counter.end()


async def revive(counter: PosServerCounter) -> None:
    await asyncio.sleep(1.0)
    await counter.begin()


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_payment_that_dies_at_any_commit_is_taken_up_or_left_to_a_person(
    tmp_path: Path, side: Side
) -> None:
    async def main() -> None:
        for number in range(1, COMMITS_MAX):
            fuse = Fuse(number, side)
            counter = PosServerCounter(tmp_path / str(number))
            counter.world.wire.delay_seconds = WIRE_SECONDS
            counter.play(outcome="authorize", continuations=2, capture_continuations=1)
            await counter.begin()
            counter.swap_journal(journal_with(fuse))
            asking = asyncio.get_running_loop().create_task(counter.start())
            await live_until(counter, fuse, seconds=60.0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            if not fuse.burnt.is_set():
                await counter.end()
                assert number > 5, "a payment has more commits than that"
                return
            await revive(counter)
            await asyncio.sleep(ENOUGH_SECONDS)
            _judge(counter)
            await counter.end()
        raise AssertionError("the payment has no end")

    play(main)


def _judge(counter: PosServerCounter) -> None:
    real = [line["effect"] for line in counter.office.state.ledger]
    assert real.count("terminal_payment_started") <= 1
    captured = real.count("terminal_payment_captured")
    assert captured <= 1
    for one in counter.parts.ledger.payments.in_memory():
        payment = one.payment
        if payment.status is p.Status.APPROVED:
            assert captured == 1
        elif payment.is_final:
            assert "terminal_payment_started" not in real, payment.denial
        else:
            assert payment.doubt is not None
            assert payment.doubt.needs_operator


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_change_of_a_code_that_dies_at_any_commit_is_done_once_or_unknown(
    tmp_path: Path, side: Side
) -> None:
    async def main() -> None:
        for number in range(1, COMMITS_MAX):
            fuse = Fuse(number, side)
            office = {"gift_card_code_changes": True}
            counter = PosServerCounter(tmp_path / str(number), office=office)
            counter.office.state.gift_card_add(code=OLD, balance=Decimal("50.00"))
            counter.world.wire.delay_seconds = WIRE_SECONDS
            await counter.begin()
            counter.swap_journal(journal_with(fuse))
            asking = asyncio.get_running_loop().create_task(deactivate(counter))
            await live_until(counter, fuse, seconds=30.0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            if not fuse.burnt.is_set():
                await counter.end()
                assert number > 2, "a change has two commits"
                return
            await revive(counter)
            answer = await deactivate(counter)
            if edits(counter):
                assert answer["status"] == "ok", answer
            else:
                assert code_of(answer) == "outcome_unknown"
            assert edits(counter) <= 1
            await counter.end()
        raise AssertionError("the change has no end")

    play(main)
