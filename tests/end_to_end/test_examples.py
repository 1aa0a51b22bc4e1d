"""What the documents tell a register developer to run, run against a whole store."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from pathlib import Path

import pytest

from bridge.errors import RequestError
from tests.end_to_end.parts import Store, open_store, plan
from tests.end_to_end.till import BASE, Json
from tests.published import check
from tests.unit.register.api.mqtt_document import PAGES

pytestmark = pytest.mark.mosquitto

ROOT = Path(__file__).parents[2]
REGISTER = ROOT / "examples" / "register.py"
SECONDS_MAX = 30.0


async def start(store: Store, *words: str) -> Process:
    """Start the example in the store's folder."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(REGISTER), "till-1", *words),
        cwd=store.folder,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, "MQTT_PORT": str(store.broker.port)},
    )


async def ended(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(SECONDS_MAX):
        text, _ = await process.communicate()
    return process.returncode, text.decode()


def starts(store: Store) -> list[Json]:
    """Return every start that was sent so far."""
    topic = f"{store.till.prefix}/request/payment/start"
    return [one.content for one in store.till.heard if one.topic == topic]


def open_payments(store: Store) -> list[str]:
    return list(json.loads((store.folder / "till-1.json").read_text()))


def check_all(store: Store) -> None:
    """Hold everything that was heard to the contract."""
    assert store.till.heard
    for one in store.till.heard:
        check(one.topic, one.payload)


async def test_the_example_register_pays_shows_the_lines_and_acknowledges(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        status, said = await ended(await start(store, "12.50", "SALE-1"))
        assert status == 0, said
        assert "Paid 12,50 € | girocard" in said
        assert open_payments(store) == []
        (sent,) = starts(store)
        topic = f"{store.till.prefix}/payments/{sent['payment_id']}"
        await store.till.until(
            lambda: any(one.topic == topic and not one.payload for one in store.till.heard),
            "the emptied document",
        )
        await store.till.ready()
        await store.shopper(plan(outcome="decline"))
        status, said = await ended(await start(store, "8.00", "SALE-2"))
        assert status == 1
        assert "Not charged" in said
        assert open_payments(store) == []
        check_all(store)


async def test_the_example_register_takes_the_rest_of_a_part_payment_with_the_next_cards(
    tmp_path: Path,
) -> None:
    cards = [plan(partial_minor=100), plan(partial_minor=250), plan()]
    async with open_store(tmp_path, *cards) as store:
        status, said = await ended(await start(store, "12.50", "SALE-1"))
        assert status == 0, said
        asked = {one["payment_id"]: one["amounts"]["requested_amount"] for one in starts(store)}
        assert list(asked.values()) == ["12.50", "11.50", "9.00"]
        taken = [one.amount_minor for one in store.terminal_ledger() if one.kind == "approved"]
        assert taken == [100, 250, 900]
        check_all(store)


async def test_the_example_register_asks_again_with_the_same_id_while_nobody_answers(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path) as store:
        store.bridge.signal(signal.SIGSTOP)
        register = await start(store, "12.50", "SALE-1")
        await store.till.until(lambda: len(starts(store)) >= 2 or None, "a second start")
        store.bridge.signal(signal.SIGCONT)
        status, said = await ended(register)
        assert status == 0, said
        assert "asking again" in said
        assert len({one["payment_id"] for one in starts(store)}) == 1
        assert [one.kind for one in store.terminal_ledger()] == ["approved", "committed"]
        check_all(store)


async def test_the_example_register_learns_after_its_power_cut_what_became_of_its_payment(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path, plan(seconds_at_host=2)) as store:
        register = await start(store, "12.50", "SALE-1")
        sent = await store.till.until(
            lambda: next(iter(starts(store)), None), "a start", seconds=SECONDS_MAX
        )
        await store.till.document(sent["payment_id"], lambda d: bool(d["stage"] == "authorizing"))
        register.kill()
        await ended(register)
        assert open_payments(store) == [sent["payment_id"]]
        await store.till.recorded(sent["payment_id"])
        status, said = await ended(await start(store))
        assert status == 0, said
        assert "Paid 12,50 €" in said
        assert open_payments(store) == []
        assert len(starts(store)) == 1
        check_all(store)


async def test_the_example_register_forgets_a_payment_that_the_bridge_never_had(
    tmp_path: Path,
) -> None:
    never = "018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e"
    async with open_store(tmp_path) as store:
        (tmp_path / "till-1.json").write_text(json.dumps({never: {"payment_id": never}}))
        status, said = await ended(await start(store))
        assert status == 1
        assert "safe to start" in said
        assert open_payments(store) == []
        assert starts(store) == []


def blocks(page: Path) -> list[str]:
    """Return the shell blocks of a page of the guide, in order."""
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)


# What would be the recipe's own fault, and not the little store's.
OUR_FAULT = {"stale_command", "command_expired", "clock_skew", "unknown_operation"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_every_recipe_of_the_guide_runs_and_is_understood(tmp_path: Path, page: Path) -> None:
    if shutil.which("mosquitto_pub") is None:
        pytest.skip("mosquitto_pub is not installed (apt-get install mosquitto-clients)")
    asked = [block for block in blocks(page) if "/request/" in block]
    if not asked:
        assert page.stem == "reference"
        return
    async with open_store(tmp_path, plan(seconds_to_card=1)) as store:
        setting = blocks(page)[0].replace("1883", str(store.broker.port))
        # Watching does not end by itself; the reading recipe does.
        rest = [block for block in blocks(page)[1:] if "mosquitto_sub $BROKER -q 1 -v" not in block]
        said = await shell(setting, *rest)
        requests = [
            one for one in store.till.heard if one.topic.startswith(f"{store.till.prefix}/request/")
        ]
        assert len(requests) == len(asked), said
        for one in requests:
            check(one.topic, one.payload)
            response = await store.till.response(one.content["request_id"])
            error = response["error"] or {}
            assert error.get("error_condition") != "MessageFormat", (response, said)
            assert error.get("code") not in OUR_FAULT, (response, said)


async def shell(*blocks: str) -> str:
    """Run blocks of a shell script, none of which may fail; return what they said."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", "\n".join(("set -e", *blocks)), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    status, said = await ended(process)
    assert status == 0, said
    return said


def test_the_bridge_refuses_what_the_check_of_published_messages_refuses() -> None:
    with pytest.raises(RequestError):
        check(f"{BASE}/registers/till-1/request/payment/cancel", b'{"request_id": "r"}')
