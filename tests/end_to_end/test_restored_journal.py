"""Yesterday's journal is put back into a running store: nothing is charged or told as "no"."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from bridge.service import FIRST_WORD_SECONDS
from tests.end_to_end.parts import Store, open_store
from tests.support.commands import start_fields

pytestmark = pytest.mark.mosquitto


@pytest.mark.parametrize("whole", [False, True], ids=["the journal alone", "the whole directory"])
async def test_a_journal_put_back_begins_nothing_until_a_person_confirmed(
    tmp_path: Path, whole: bool
) -> None:
    async with open_store(tmp_path) as store:
        state, copy = tmp_path / "state", tmp_path / "yesterday"
        earlier = await store.till.start("11.00")
        await store.till.recorded(earlier)
        assert await store.bridge.stop() == 0
        shutil.copytree(state, copy)
        await store.start_bridge()
        paid = await store.till.start("12.00")
        await store.till.recorded(paid)
        assert await store.bridge.stop() == 0
        if whole:
            shutil.rmtree(state)
            shutil.copytree(copy, state)
        else:
            for left in state.glob("journal.sqlite*"):
                left.unlink()
            shutil.copy(copy / "journal.sqlite", state)

        after = len(store.till.heard)
        await store.bridge.start()
        await store.till.online(after=after)
        status = await store.till.ask("payment/status", {"payment_id": paid})
        assert status["error"]["code"] == "journal_unconfirmed"
        assert status["error"]["money_moved"] == "unknown"
        again = await store.till.ask("payment/start", start_fields(paid, "12.00"))
        assert again["error"]["code"] == "journal_unconfirmed"
        assert again["error"]["money_moved"] == "unknown"
        assert charges(store) == 2
        health = [o.content for o in store.till.heard if o.topic.endswith("bridge/health")][-1]
        assert health["can_take_payments"] is False
        assert "journal" in health["reasons"][0]

        # A restart confirms nothing; a person does.
        await store.bridge.kill()
        after = len(store.till.heard)
        await store.bridge.start()
        await store.till.online(after=after)
        code, answer = await store.cli("take-over", "--by", "m.muster")
        assert code == 0, answer
        after = len(store.till.heard)
        await store.till.ready(after=await store.till.online(after=after))
        # The broker's documents named it: it stays unknown, and is never charged again.
        refused = await store.till.ask("payment/start", start_fields(paid, "12.00"))
        assert refused["error"]["code"] == "outcome_unknown"
        known = await store.till.ask("payment/status", {"payment_id": earlier})
        assert known["payment_status"] == "approved"
        assert charges(store) == 2
        assert len(await store.office.purchases(earlier)) == 1
        assert len(await store.office.purchases(paid)) == 1
        new = await store.till.start("13.00")
        await store.till.recorded(new)


async def test_a_directory_put_back_books_nothing_before_the_broker_was_heard(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        state, copy = tmp_path / "state", tmp_path / "yesterday"
        await store.office.go_away()
        paid = await store.till.start("14.00")
        await store.till.status(paid, "approved")
        assert await store.bridge.stop() == 0
        shutil.copytree(state, copy)  # in here the purchase is still due
        await store.office.control({"do": "back"})
        await store.start_bridge()
        await store.till.recorded(paid)
        later = await store.till.start("15.00")
        await store.till.recorded(later)
        assert await store.bridge.stop() == 0
        shutil.rmtree(state)
        shutil.copytree(copy, state)

        store.broker.pause()
        try:
            await store.bridge.start()
            await asyncio.sleep(FIRST_WORD_SECONDS + 3.0)  # it goes on without a broker
            assert len(await store.office.purchases(paid)) == 1
        finally:
            store.broker.resume()
        await asyncio.sleep(3.0)
        assert len(await store.office.purchases(paid)) == 1
        status = await store.till.ask("payment/status", {"payment_id": later})
        assert status["error"]["code"] == "journal_unconfirmed"


def charges(store: Store) -> int:
    return [one.kind for one in store.terminal_ledger()].count("approved")
