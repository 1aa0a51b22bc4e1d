"""Answers and effects that come late, in virtual time."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from simulators.back_office.faults import fault_named
from simulators.loop import run_virtual
from tests.component.simulators.office_client import BUY, client_of, control, new_office, send


def test_a_late_effect_happens_after_the_client_gave_up() -> None:
    failures: list[dict[str, object]] = []

    async def world() -> tuple[int, int]:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, it: failures.append(it))
        office = new_office()
        office.faults.add(fault_named("apply_late", late_seconds=60.0))
        async with client_of(office) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await send(client, BUY, id="T1")
            given_up = len(office.state.purchases)
            await asyncio.sleep(31)
            return given_up, len(office.state.purchases)

    assert run_virtual(world) == (0, 1)
    assert failures == []


def test_a_patient_client_hears_of_a_late_effect() -> None:
    async def world() -> tuple[float, int]:
        office = new_office()
        office.faults.add(fault_named("apply_late", late_seconds=60.0))
        async with client_of(office) as client:
            answer = await send(client, BUY, id="T1")
            return asyncio.get_running_loop().time(), answer.status_code

    assert run_virtual(world) == (60.0, 200)


@pytest.mark.parametrize("name", ["drop_then_apply_late", "timeout_then_apply_late"])
def test_an_effect_may_follow_an_answer_that_came_at_once(name: str) -> None:
    async def world() -> tuple[int, int]:
        office = new_office()
        office.faults.add(fault_named(name, late_seconds=60.0))
        async with client_of(office) as client:
            if name == "drop_then_apply_late":
                with pytest.raises(httpx.RemoteProtocolError):
                    await send(client, BUY, id="T1")
            else:
                assert (await send(client, BUY, id="T1")).status_code == 504
            before = len(office.state.purchases)
            await asyncio.sleep(61)  # what is due at the same instant comes in any order
            return before, len(office.state.purchases)

    assert run_virtual(world) == (0, 1)


def test_a_slow_answer_comes_after_the_effect() -> None:
    async def world() -> tuple[int, float]:
        office = new_office()
        office.faults.add(fault_named("slow", delay_seconds=20.0))
        async with client_of(office) as client, asyncio.TaskGroup() as tasks:
            tasks.create_task(send(client, BUY, id="T1"))
            await asyncio.sleep(1)
            early = len(office.state.purchases)
        return early, asyncio.get_running_loop().time()

    assert run_virtual(world) == (1, 20.0)


def test_an_office_that_is_away_refuses_and_comes_back_by_itself() -> None:
    async def world() -> int:
        office = new_office()
        async with client_of(office) as client:
            await control(client, {"do": "away", "seconds": 300})
            await asyncio.sleep(299)
            with pytest.raises(httpx.ConnectError):
                await send(client, BUY, id="T1")
            await asyncio.sleep(2)  # what is due at the same instant comes in any order
            await send(client, BUY, id="T1")
        return len(office.state.purchases)

    assert run_virtual(world) == 1
