"""A broken terminal is replaced, and its name goes with it: a doubt on it is still called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.parts import TERMINAL, open_store, plan, write_config

pytestmark = pytest.mark.mosquitto


async def test_a_doubt_on_a_terminal_that_is_configured_no_more_calls_a_person_at_once(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path, plan(seconds_at_host=600)) as store:
        payment_id = await store.till.start("12.00", sale_id="S1")
        await store.till.document(payment_id, lambda document: document["stage"] == "authorizing")
        await store.bridge.kill()
        store.tables["terminals.counter-2"] = store.tables.pop(f"terminals.{TERMINAL}")
        store.tables["terminals.counter-2"]["port"] = str(tmp_path / "nowhere")
        write_config(store.config, store.tables)
        after = len(store.till.heard)
        await store.bridge.start()
        await store.till.online(after=after)
        document = await store.till.document(
            payment_id, lambda document: bool((document["in_doubt"] or {}).get("needs_operator"))
        )
        assert document["status"] == "in_doubt"
        said = {"outcome": "not_charged", "approved_by": "anna", "evidence": {"source": "acquirer"}}
        answer = await store.till.ask("payment/resolve", {"payment_id": payment_id, **said})
        assert answer["payment_status"] == "failed"
