"""The answer that a terminal without memory insists on, after a person was quicker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bridge.money import payment as p
from simulators.terminals.telium.program import PROFILES, TeliumTerminal
from tests.support.counter import KINDS, Counter, at_a_counter, plan

SERIAL = next(kind for kind in KINDS if kind.name == "telium-serial")
STUBBORN = replace(SERIAL, terminal=partial(TeliumTerminal, profile=PROFILES["stubborn"]))


async def resolved_too_early(counter: Counter) -> str:
    """Pull the plug at the host, and have a person say that nothing was charged."""
    counter.shoppers(plan(seconds_at_host=5))
    payment_id = await counter.start("20.40")
    await asyncio.sleep(4)
    counter.port.unplug()
    await counter.until(lambda: counter.payment(payment_id).status is p.Status.IN_DOUBT, "a doubt")
    answer = await counter.ask(
        "payment/resolve",
        payment_id=payment_id,
        outcome="not_charged",
        approved_by="supervisor-1",
        evidence={"source": "merchant_slip"},
    )
    assert answer["status"] == "accepted", answer
    await counter.until(lambda: counter.taken_minor() == 2040, "the money, all the same")
    return payment_id


@pytest.mark.parametrize("restarts", [False, True])
def test_a_late_answer_contradicts_the_person_also_after_a_restart(
    restarts: bool, tmp_path: Path
) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await resolved_too_early(counter)
        if restarts:
            await counter.kill_and_restart()
        await counter.port.plug()
        await counter.until(
            lambda: bool(counter.payment(payment_id).discrepancies), "the terminal's own word"
        )
        odd = counter.payment(payment_id).discrepancies[0]
        assert odd.kind == "approved_after_failed"
        await counter.ready()
        after = await counter.end_of(await counter.start("5.00"))
        assert after.status is p.Status.APPROVED
        assert counter.taken_minor() == 2540

    at_a_counter(STUBBORN, tmp_path, visit)


def test_a_late_answer_is_never_taken_for_the_next_payment(tmp_path: Path) -> None:
    async def visit(counter: Counter) -> None:
        payment_id = await resolved_too_early(counter)
        await counter.kill_and_restart()
        again = counter.fields("20.40")
        await counter.port.plug()
        answer = await counter.ask("payment/start", **again)
        for _ in range(60):
            if answer["status"] == "accepted":
                break
            await asyncio.sleep(1)
            answer = await counter.ask("payment/start", **again)
        second = await counter.end_of(again["payment_id"])
        assert second.status is p.Status.APPROVED
        assert [one.amount_minor for one in counter.movements()] == [2040, 2040]
        assert counter.payment(payment_id).discrepancies
        assert second.discrepancies == ()

    at_a_counter(STUBBORN, tmp_path, visit)
