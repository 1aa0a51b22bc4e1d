"""The cable is pulled and put back: the line is found again, and no card is charged twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.parts import QUICK_TERMINAL, TERMINAL, open_store, plan
from tests.support.commands import start_fields

pytestmark = pytest.mark.mosquitto

PAYMENT = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"


@pytest.mark.parametrize("other_number", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_a_terminal_that_was_unplugged_starts_nothing_and_is_found_again(
    tmp_path: Path, other_number: bool
) -> None:
    async with open_store(tmp_path) as store:
        after = len(store.till.heard)
        await store.terminal.tell(do="unplug")
        gone = await store.till.terminal(lambda d: d["availability"] == "offline", after=after)
        assert gone["problems"][0]["code"] in {"usb_removed", "not_found"}
        answer = await store.till.ask("payment/start", start_fields(PAYMENT, "23.00"))
        assert answer["error"]["code"] == "terminal_offline"
        assert (answer["error"]["money_moved"], answer["error"]["retry"]) == ("no", "same_id")
        assert store.story(PAYMENT) is None

        after = len(store.till.heard)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await store.terminal.tell(do="replug", other_number=other_number)
        await store.till.ready(after=after)
        print(f"ready {loop.time() - began:.2f} s after the plug was put back (promised: 2 s)")
        await store.till.start("23.00", payment_id=PAYMENT)
        await store.till.recorded(PAYMENT)
        await store.check()


@pytest.mark.parametrize("other_number", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_a_plug_pulled_while_the_host_is_asked_never_charges_twice(
    tmp_path: Path, other_number: bool
) -> None:
    slow = plan(seconds_at_host=0.5)
    async with open_store(tmp_path, slow, terminal_module=QUICK_TERMINAL) as store:
        payment_id = await store.till.start("20.00")
        await store.till.document(payment_id, lambda d: d["stage"] == "authorizing")
        await store.terminal.tell(do="unplug")
        doubt = await store.till.status(payment_id, "in_doubt")
        assert doubt["funds"] == "unknown"
        assert doubt["display"]["lines"][0] == "Do not charge again"
        await store.terminal.tell(do="replug", other_number=other_number)
        document = await store.till.document(payment_id, lambda d: d["final"])
        if document["status"] == "approved":
            await store.till.recorded(payment_id)
        await store.check()
        await store.till.ready()
        second = await store.till.start("21.00")
        await store.till.recorded(second)
        await store.check()


@pytest.mark.parametrize(
    "place",
    [
        "status",
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in ("command", "replied", "prints", "completion")
        ),
    ],
)
async def test_a_short_break_anywhere_in_a_payment_is_resolved_by_the_terminal(
    tmp_path: Path, place: str
) -> None:
    broken = plan(mischief=[{"kind": "unplug", "at": place, "seconds": 0.2}])
    # Its memory can tell: it holds an older payment, and nobody types payments in at this terminal.
    locked = {f"terminals.{TERMINAL}.settings": {"keypad_stays_locked": True}}
    async with open_store(
        tmp_path, plan(), broken, terminal_module=QUICK_TERMINAL, changes=locked
    ) as store:
        await store.till.recorded(await store.till.start("19.00"))
        await store.till.ready()
        payment_id = await store.till.start("22.00")
        document = await store.till.document(payment_id, lambda d: d["final"])
        print(place, store.till.statuses(payment_id))
        if document["status"] == "approved":
            await store.till.recorded(payment_id)
        await store.check()
