"""A person must log in: payments go on, recording waits, and then everything is recorded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.parts import Store, open_store
from tests.end_to_end.program import Program

pytestmark = pytest.mark.mosquitto


async def log_in(store: Store) -> None:
    """Do what a technician does: `paybridge login`, and say yes on another screen."""
    program = Program(
        store.folder, "cli-login", "bridge", "login", "--config", str(store.config), "--json"
    )
    code = await program.start()
    await store.office.control({"do": "approve", "user_code": code["user_code"]})
    assert await program.ended() == 0, program.log


async def test_payments_go_on_without_a_login_and_are_recorded_after_it(tmp_path: Path) -> None:
    async with open_store(tmp_path, person=True) as store:
        first = await store.till.start("50.00")
        document = await store.till.status(first, "approved")
        assert document["recording"]["status"] == "pending"
        await store.till.ready()
        second = await store.till.start("50.01")
        await store.till.status(second, "approved")
        assert await store.office.ledger() == []
        pid = store.bridge.pid

        await log_in(store)
        for payment_id in (first, second):
            await store.till.recorded(payment_id)
            assert len(await store.office.purchases(payment_id)) == 1

        # Somebody ends every login at the provider: the same again, without a restart.
        await store.office.control({"do": "revoke"})
        third = await store.till.start("50.02")
        await store.till.status(third, "approved")
        await store.till.until(
            lambda: (store.bridge.log.count("login needed") >= 2) or None, "a call for a login"
        )
        assert store.till.documents(third)[-1]["recording"]["status"] == "pending"
        await log_in(store)
        await store.till.recorded(third)
        assert store.bridge.pid == pid
        await store.check()
