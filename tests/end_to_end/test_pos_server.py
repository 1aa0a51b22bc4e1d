"""A terminal that the POS server drives, with real processes: paid, lost, killed, and resolved."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from simulators.back_office.resolvers import ALL_PERMISSIONS
from tests.end_to_end.parts import QUICK_TERMINAL, Store, open_store
from tests.end_to_end.till import BASE

pytestmark = [pytest.mark.mosquitto, pytest.mark.asyncio, pytest.mark.slow]

Json = dict[str, Any]
LANE = "lane-1"
TABLES: dict[str, Json] = {
    f"terminals.{LANE}": {"kind": "pos_server", "probe_seconds": 5},
    f"terminals.{LANE}.settings": {"terminal": "Lane 1", "currency": "EUR"},
    "back_office": {"pos_server_payments_booked": "by_us", "gift_card_code_changes": True},
}


@asynccontextmanager
async def open_lane(folder: Path) -> AsyncIterator[Store]:
    async with open_store(
        folder, terminal_module=QUICK_TERMINAL, changes=TABLES, ready=False
    ) as store:
        mine = sorted(ALL_PERMISSIONS)
        await store.office.control(
            {"do": "options", "terminal_payments": "plain"},
            {"do": "permissions", "client_id": "paybridge-server", "permissions": mine},
        )
        await start(store)
        yield store


async def start(store: Store) -> None:
    """Start the service and wait until the server's terminal can take a payment."""
    after = len(store.till.heard)
    await store.start_bridge()
    topic = f"{BASE}/terminals/{LANE}/state"
    await store.till.until(
        lambda: store.till._last(topic, after, lambda d: bool(d["ready"])), "a ready lane"
    )


async def effects(store: Store, payment_id: str) -> list[str]:
    return [
        line["effect"].removeprefix("terminal_payment_")
        for line in await store.office.ledger()
        if line.get("refNo") == payment_id
    ]


async def pay(store: Store, amount: str, **play: Any) -> str:
    await store.office.control({"do": "terminal_payment", **play})
    return await store.till.start(amount, terminal_id=LANE)


async def test_it_pays_refunds_and_declines_and_is_booked_once(tmp_path: Path) -> None:
    async with open_lane(tmp_path) as store:
        paid = await pay(store, "47.90", continuations=2)
        document = await store.till.recorded(paid)
        assert (document["status"], document["funds"]) == ("approved", "captured")
        assert document["card"]["masked_pan"].endswith("4242")
        assert await effects(store, paid) == ["started", "taken"]
        assert len(await store.office.purchases(paid)) == 1

        refund = str(uuid.uuid4())
        amounts = {"currency": "EUR", "requested_amount": "7.90"}
        fields = {"payment_id": refund, "original_payment_id": paid, "amounts": amounts}
        answer = await store.till.ask("payment/refund", fields)
        assert answer["status"] == "accepted", answer
        await store.till.recorded(refund)
        assert await effects(store, refund) == ["started", "given"]

        declined = await pay(store, "12.00", outcome="decline", continuations=1)
        document = await store.till.status(declined, "declined")
        assert document["error"]["money_moved"] == "no"


async def test_a_lost_answer_is_a_persons_and_a_kill_costs_nothing(tmp_path: Path) -> None:
    async with open_lane(tmp_path) as store:
        await store.office.control(
            {"do": "fault", "fault": "apply_then_drop", "operation": "terminalPayment.start"}
        )
        lost = await store.till.start("12.00", terminal_id=LANE)
        doubt = await store.till.document(
            lost, lambda d: bool(d["status"] == "in_doubt" and d["in_doubt"]["needs_operator"])
        )
        assert doubt["funds"] == "unknown"
        answer = await store.till.ask(
            "payment/resolve",
            {
                "payment_id": lost,
                "outcome": "approved",
                "approved_by": "anna",
                "evidence": {"source": "merchant_slip", "approval_code": "A1"},
            },
        )
        assert answer["payment_status"] == "approved", answer
        await store.till.recorded(lost)

        play = {"outcome": "authorize", "continuations": 4, "capture_continuations": 1}
        killed = await pay(store, "20.00", **play)
        await store.till.document(killed, lambda d: d["stage"] == "waiting_for_card")
        await asyncio.sleep(1.2)  # it has asked again, and waits
        await store.bridge.kill()
        await start(store)
        document = await store.till.status(killed, "approved")
        assert document["funds"] == "captured"
        assert await effects(store, killed) == ["started", "held", "captured"]
        assert "in_doubt" in store.till.statuses(killed)
        await store.till.recorded(killed)
        assert len(await store.office.purchases(killed)) == 1

        await store.office.control({"do": "gift_card", "code": "639621", "balance": "50.00"})
        wish = {
            "operation_id": str(uuid.uuid4()),
            "gift_card": {"stored_value_id": "639621"},
            "replacement": {"stored_value_id": "639622"},
            "approved_by": "anna",
        }
        for _ in range(2):
            answer = await store.till.ask("gift_card/replace", wish)
            assert answer["result"]["balance"] == "50.00", answer
        changed = [
            one for one in await store.office.ledger() if one["effect"] == "gift_card_codes_changed"
        ]
        assert len(changed) == 1
