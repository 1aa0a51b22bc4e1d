"""The broker goes away and comes back, with or without its memory; no payment notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulators.register import Register
from simulators.register_broker import Broker
from tests.end_to_end.parts import open_store, plan

pytestmark = pytest.mark.mosquitto


@pytest.mark.parametrize("persistence", [False, True])
async def test_a_result_reaches_the_register_over_a_broker_killed_in_mid_payment(
    tmp_path: Path, persistence: bool
) -> None:
    slow = plan(seconds_at_host=0.6)
    async with open_store(tmp_path, slow, persistence=persistence) as store:
        payment_id = await store.till.start("30.00")
        await store.till.document(payment_id, lambda d: d["stage"] == "authorizing")
        await store.broker.kill()
        after = len(store.till.heard)
        await store.broker.start()
        document = await store.till.document(
            payment_id, lambda d: d["recording"]["status"] == "recorded", after=after
        )
        assert document["status"] == "approved"
        again = await store.till.start("30.00", payment_id=payment_id)
        assert again == payment_id
        await store.check()


async def test_documents_are_there_again_after_the_broker_forgot_everything(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        payment_id = await store.till.start("31.00")
        told = await store.till.recorded(payment_id)
        await store.broker.kill()
        after = len(store.till.heard)
        await store.broker.start()
        document = await store.till.document(payment_id, lambda d: d["final"], after=after)
        assert document["rev"] == told["rev"]
        prefix = "paybridge/v1"
        wanted = {
            f"{prefix}/bridge/state",
            f"{prefix}/bridge/info",
            f"{prefix}/bridge/health",
            f"{prefix}/terminals/counter-1/info",
            f"{prefix}/terminals/counter-1/state",
            f"{store.till.prefix}/receipts/{payment_id}/customer",
        }
        await store.till.until(
            lambda: wanted <= {one.topic for one in store.till.heard[after:]} or None,
            "every retained topic",
        )


async def test_a_register_that_repeats_itself_while_the_broker_is_away_pays_once(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        register = Register(
            Broker.at(f"mqtt://127.0.0.1:{store.broker.port}"), "till-7", resend_seconds=0.5
        )
        running = asyncio.create_task(register.run())
        try:
            await register.connected.wait()
            await store.broker.kill()
            async with asyncio.timeout(10):
                while register.connected.is_set():  # noqa: ASYNC110 - an event's end has no waiter
                    await asyncio.sleep(0)
            paying = asyncio.create_task(register.pay("32.00"))
            await store.broker.start()
            response = await paying
            assert response["status"] == "accepted"
            async with asyncio.timeout(10):
                document = await register.final(response["payment_id"])
            assert document["status"] == "approved"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert [one.kind for one in store.terminal_ledger()] == ["approved", "committed"]
