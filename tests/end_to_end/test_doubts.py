"""What a payment in doubt means for the terminal and for others, at a counter in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.errors import RequestError
from bridge.money import payment as p
from tests.support.counter import KINDS, Counter, at_a_counter, plan, trouble

BY_NAME = {kind.name: kind for kind in KINDS}
LIFE_SECONDS = 40.0  # shorter than the wait for a person


async def fall_into_doubt(counter: Counter) -> str:
    """Lose the line in a payment that stays at its host for hours."""
    counter.shoppers(plan(seconds_at_host=40_000))
    payment_id = await counter.start("20.40")
    await asyncio.sleep(5)
    counter.port.unplug()
    await counter.until(lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt")
    return payment_id


@pytest.mark.parametrize("name", ["zvt-serial", "zvt-tcp", "pax-tcp"])
def test_a_person_is_called_however_often_the_service_is_restarted(
    name: str, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await fall_into_doubt(counter)
        for _ in range(3):
            await asyncio.sleep(LIFE_SECONDS)
            await counter.kill_and_restart()
        await asyncio.sleep(5)  # it knows that it does not find its terminal
        doubt = counter.payment(payment_id).doubt
        assert doubt is not None
        assert doubt.needs_operator
        with pytest.raises(RequestError) as refusal:
            counter.life.station.claim("018f6f0e-8a44-7c1b-9a3e-999999999999", "till-2")
        assert refusal.value.code == "terminal_offline", "no doubt is in the way, only the cable"

    at_a_counter(BY_NAME[name], tmp_path, visit)


def test_a_terminal_that_is_asked_by_reference_is_not_blocked_by_a_doubt(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        assert counter.kind.can.status_query == "by_reference"
        # It dies before it has a record, and there is no older one to witness that.
        counter.shoppers(trouble("die", "command", seconds=5))
        payment_id = await counter.start("20.40")
        await counter.until(
            lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt"
        )
        await counter.ready()
        other = await counter.start("5.00", sale_id="another")
        doubt = counter.payment(payment_id).doubt
        assert doubt is not None
        assert not doubt.needs_operator, "nobody was called yet"
        assert (await counter.end_of(other)).status is p.Status.APPROVED
        await counter.end_of(payment_id)
        assert counter.payment(payment_id).status is not p.Status.APPROVED
        assert counter.taken_minor() == 500, "each is told its own outcome"

    at_a_counter(BY_NAME["pax-tcp"], tmp_path, visit)


@pytest.mark.parametrize("name", ["zvt-serial", "pax-tcp"])
def test_what_the_terminal_printed_is_still_there_after_a_crash(name: str, tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await counter.start("20.40")
        await counter.end_of(payment_id)
        await asyncio.sleep(1)  # nobody waits for a receipt to be stored, but it is
        before = counter.payment(payment_id).receipts
        await counter.kill_and_restart()
        account = await counter.life.ledger.payments.find(payment_id)
        assert account is not None
        assert account.payment.receipts == before
        assert bool(before) is (name == "zvt-serial"), "one of them prints by itself"

    at_a_counter(BY_NAME[name], tmp_path, visit)
