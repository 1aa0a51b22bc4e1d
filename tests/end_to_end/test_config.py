"""A configuration that cannot work is refused with the setting's name; a port may come later."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.parts import Tables, base_tables, open_store, write_config
from tests.end_to_end.program import Json, Program

TERMINAL = "terminals.counter-1"


async def refused(tmp_path: Path, tables: Tables) -> tuple[int, Json]:
    config = write_config(tmp_path / "paybridge.toml", tables)
    program = Program(tmp_path, "bridge", "bridge", "run", "--config", str(config), "--json")
    answer = await program.start()
    return await program.ended(), answer


@pytest.mark.parametrize(
    ("table", "change", "key", "words"),
    [
        pytest.param(
            TERMINAL, {"prot": "/dev/x"}, f"{TERMINAL}.prot", "did you mean port", id="typo"
        ),
        pytest.param(
            TERMINAL, {"port": None}, TERMINAL, "either port", id="no_port", marks=pytest.mark.slow
        ),
        pytest.param(TERMINAL, {"driver": "zvtt"}, f"{TERMINAL}.driver", "zvt", id="driver"),
        pytest.param(
            f"{TERMINAL}.settings",
            {"pasword": "123456"},
            f"{TERMINAL}.settings.pasword",
            "did you mean password",
            id="driver_setting",
        ),
        pytest.param(
            f"{TERMINAL}.settings",
            {"password": "12"},
            f"{TERMINAL}.settings",
            "six digits",
            id="driver_value",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "mqtt", {"port": 70000}, "mqtt.port", "65535", id="number", marks=pytest.mark.slow
        ),
        pytest.param(
            "back_office",
            {"endpoint": "http://example.org/graphql"},
            "back_office",
            "",
            id="half_a_back_office",
            marks=pytest.mark.slow,
        ),
    ],
)
async def test_a_wrong_setting_is_named_and_the_status_is_78(
    tmp_path: Path, table: str, change: dict[str, Any], key: str, words: str
) -> None:
    tables = base_tables(tmp_path, 1883, {"port": str(tmp_path / "terminal")})
    tables[table] = {**tables.get(table, {}), **change}
    tables[table] = {name: value for name, value in tables[table].items() if value is not None}
    status, answer = await refused(tmp_path, tables)
    assert status == 78
    assert answer["error"] == "ConfigError"
    assert answer["key"].startswith(key), answer
    assert words in answer["message"], answer


@pytest.mark.mosquitto
async def test_a_port_that_is_missing_or_in_use_is_said_and_then_found(tmp_path: Path) -> None:
    async with open_store(tmp_path, ready=False) as store:
        await store.terminal.tell(do="unplug")
        await store.bridge.start()
        state = await store.till.terminal(lambda d: d["availability"] == "offline")
        assert state["problems"][0]["code"] == "not_found"
        assert str(tmp_path / "terminal") in state["problems"][0]["text"]

        await store.bridge.stop()
        await store.terminal.tell(do="replug")
        other = os.open(tmp_path / "terminal", os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX)
            after = len(store.till.heard)
            await store.bridge.start()
            state = await store.till.terminal(lambda d: d["availability"] == "offline", after=after)
            assert state["problems"][0]["code"] == "in_use"
        finally:
            os.close(other)
        await store.till.ready()
