"""The broker goes away and comes back, with or without its memory; no payment notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulators.register.broker_address import Broker
from simulators.register.till import Register
from tests.end_to_end.parts import open_store, plan

pytestmark = pytest.mark.mosquitto


@pytest.mark.parametrize("persistence", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_a_broker_killed_in_mid_payment_has_every_document_again_and_the_result(
    tmp_path: Path, persistence: bool
) -> None:
    slow = plan(seconds_at_host=0.6)
    async with open_store(tmp_path, plan(), slow, persistence=persistence) as store:
        earlier = await store.till.start("31.00")
        told = await store.till.recorded(earlier)
        await store.till.ready()
        payment_id = await store.till.start("30.00")
        await store.till.document(payment_id, lambda d: d["stage"] == "authorizing")
        await store.broker.kill()
        after = len(store.till.heard)
        await store.broker.start()
        document = await store.till.document(
            payment_id, lambda d: d["recording"]["status"] == "recorded", after=after
        )
        assert document["status"] == "approved"
        again_told = await store.till.document(earlier, lambda d: d["final"], after=after)
        assert again_told["rev"] == told["rev"]
        wanted = {
            "paybridge/v1/bridge/state",
            "paybridge/v1/bridge/info",
            "paybridge/v1/bridge/health",
            "paybridge/v1/terminals/counter-1/info",
            "paybridge/v1/terminals/counter-1/state",
            f"{store.till.prefix}/receipts/{earlier}/customer",
        }
        await store.till.until(
            lambda: wanted <= {one.topic for one in store.till.heard[after:]} or None,
            "every retained topic",
        )
        again = await store.till.start("30.00", payment_id=payment_id)
        assert again == payment_id
        await store.check()


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
