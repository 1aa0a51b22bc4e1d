"""A signature on a slip: the cashier says yes, no, or nothing at all; on real parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.money.background.signature_reversals import void_id
from bridge.register.api import prompt_id
from tests.end_to_end.parts import Store, open_store, plan

Json = dict[str, Any]

SIGNS = plan(signature=True, entry="chip", brand="visa")


async def asked(store: Store, amount: str) -> tuple[str, Json]:
    """Pay with a signature; return the payment's id and the question."""
    payment_id = await store.till.start(amount)
    topic = f"{store.till.prefix}/prompts/{prompt_id(payment_id)}"
    question = await store.till.until(
        lambda: next((o.content for o in store.till.heard if o.topic == topic and o.payload), None),
        "a question",
    )
    return payment_id, question


async def gone(store: Store, question: Json) -> None:
    """Wait until the question was taken away."""
    topic = f"{store.till.prefix}/prompts/{question['prompt_id']}"
    await store.till.until(
        lambda: (
            True if [o for o in store.till.heard if o.topic == topic][-1].payload == b"" else None
        ),
        "the end of the question",
    )


@pytest.mark.mosquitto
@pytest.mark.asyncio(loop_scope="module")
async def test_a_signature_that_is_right_is_recorded_once_the_clerk_said_so(
    shared_store: Store,
) -> None:
    store = shared_store
    await store.shopper(SIGNS)
    payment_id, question = await asked(store, "47.09")
    document = await store.till.status(payment_id, "approved")
    assert document["display"]["lines"][0] == "Check signature on slip"
    assert {one["copy"] for one in document["receipts"] if one["requires_signature"]} == {
        "signature"
    }
    assert await store.office.purchases(payment_id) == []
    answer = await store.till.ask(
        "prompt/answer", {"prompt_id": question["prompt_id"], "answer": {"confirmed": True}}
    )
    assert answer["status"] == "accepted"
    await store.till.recorded(payment_id)
    await gone(store, question)
    (purchase,) = await store.office.purchases(payment_id)
    assert purchase["payAmount"] == "47.09"
    await store.till.ready()


@pytest.mark.mosquitto
@pytest.mark.asyncio(loop_scope="module")
async def test_a_signature_that_is_not_right_gives_the_money_back_and_leaves_no_record(
    shared_store: Store,
) -> None:
    store, before = shared_store, len(shared_store.terminal_ledger())
    await store.shopper(SIGNS)
    payment_id, question = await asked(store, "48.09")
    await store.till.ask(
        "prompt/answer", {"prompt_id": question["prompt_id"], "answer": {"confirmed": False}}
    )
    document = await store.till.document(payment_id, lambda d: d["funds"] == "voided")
    assert document["recording"]["status"] == "not_required"
    void = await store.till.status(void_id(payment_id, 0), "approved")
    assert (void["type"], void["original_payment_id"]) == ("void", payment_id)
    await gone(store, question)
    kinds = [one.kind for one in store.terminal_ledger()[before:]]
    assert kinds[:2] == ["approved", "committed"]
    assert "reversed" in kinds
    assert await store.office.purchases(payment_id) == []
    await store.till.ready()


@pytest.mark.slow
@pytest.mark.mosquitto
async def test_a_signature_that_nobody_compares_stands_also_over_a_power_cut(
    tmp_path: Path,
) -> None:
    changes = {"site": {"signature_seconds": 5}}
    async with open_store(tmp_path, SIGNS, changes=changes) as store:
        payment_id, question = await asked(store, "49.09")
        await store.bridge.kill()
        assert await store.office.purchases(payment_id) == []
        await store.start_bridge()
        await store.till.recorded(payment_id)
        await gone(store, question)
        assert len(await store.office.purchases(payment_id)) == 1
        await store.check()
