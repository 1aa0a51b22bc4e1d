"""`paybridge status` says how it is, also that nothing runs, and what to type next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bridge.cli.status_screen import Status, look, next_steps, screen
from bridge.config import CONTROL_NAME
from bridge.money import payment as p
from bridge.money.store.database import Ownership
from bridge.settings import JOURNAL_NAME
from drivers.contract import Baseline, Unclear
from tests.support.shop import Shop, in_a_shop
from tests.support.till import open_till, pay

EAST = timezone(timedelta(hours=9))


def shown(status: Status) -> str:
    console = Console(width=120, no_color=True, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(status, lambda at: at.astimezone(EAST)))
    return captured.get()


@asynccontextmanager
async def service(folder: Path, answer: object) -> AsyncIterator[None]:
    """Answer at the control socket as the service does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / CONTROL_NAME)
    async with server:
        yield


def answer_of_a_shop(folder: Path, *, unplugged: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def test(shop: Shop) -> None:
        if unplugged:
            shop.ports["counter-1"].unplug()
            await asyncio.sleep(90)
        found.update(json.loads(json.dumps(shop.parts.status.as_json())))

    in_a_shop(folder, test)
    return {"ok": True, **found}


def test_a_service_that_takes_payments_is_shown_so_in_local_time(tmp_path: Path) -> None:
    status = Status("yes", answer_of_a_shop(tmp_path, unplugged=False))
    assert status.takes_payments
    text = shown(status)
    assert "Payments can be taken." in text
    assert "running since 2026-11-23 21:00" in text, "noon in UTC"
    assert "counter-1" in text
    assert list(next_steps(status)) == []


def test_a_cable_that_is_out_is_shown_with_the_next_command(tmp_path: Path) -> None:
    status = Status("yes", answer_of_a_shop(tmp_path, unplugged=True))
    text = shown(status)
    assert "No payment can be taken." in text
    assert "offline" in text
    assert "paybridge check" in list(next_steps(status))


async def test_that_nothing_runs_is_said_and_what_waits_is_shown_all_the_same(
    tmp_path: Path,
) -> None:
    async with open_till(tmp_path) as till:
        doubt = pay(1, 1250)
        await till.ledger.accept(doubt, p.Started(Baseline("")))
        await till.ledger.apply(doubt.payment_id, Unclear("link_lost"))
        await till.ledger.apply(doubt.payment_id, p.DoubtAged())
    status = await look(tmp_path)
    assert (status.running, status.takes_payments) == ("no", False)
    text = shown(status)
    assert "The service is not running" in text
    assert "paybridge resolve 00000001 approved" in text
    steps = list(next_steps(status))
    assert steps[0].startswith("systemctl start paybridge")
    assert "paybridge show 00000001" in steps
    said = json.loads(json.dumps(status.as_json()))
    assert (said["running"], said["waiting"][0]["at_stake"]) == ("no", "12.50")


async def test_a_service_that_hangs_is_not_told_as_stopped(tmp_path: Path) -> None:
    owner = Ownership(tmp_path / JOURNAL_NAME)
    status = await look(tmp_path)
    assert status.running == "silent"
    assert "does not answer" in shown(status)
    owner.release()
    assert (await look(tmp_path)).running == "no"


async def test_a_service_of_another_version_is_not_told_as_well(tmp_path: Path) -> None:
    async with service(tmp_path, {"ok": False, "code": "invalid_request", "message": "what?"}):
        status = await look(tmp_path)
    assert (status.running, status.why_silent, status.takes_payments) == ("silent", "what?", False)


async def test_the_running_service_is_asked(tmp_path: Path) -> None:
    health = {
        "can_take_payments": False,
        "reasons": ["the back office wants a login; payments go on", "only 17 MB are free"],
    }
    answer = {"ok": True, "health": health, "terminals": {}, "version": "1"}
    async with service(tmp_path, answer):
        status = await look(tmp_path)
    assert status.running == "yes"
    assert list(next_steps(status)) == ["paybridge login", "df -h; make room"]


@pytest.mark.parametrize("reason", ["[bold]x[/]", "[/nothing]", "a [link=x]"])
def test_hostile_words_of_a_terminal_steer_nothing(reason: str) -> None:
    health = {
        "can_take_payments": True,
        "reasons": [reason],
        "recording": {"pending": 0, "unconfirmed": 0, "rejected": 0, "login": "ok"},
        "payments": {"open": 0, "in_doubt": 0},
        "journal": {"ok": True, "path_free_mb": 1},
        "mqtt": {"connected": True, "protocol": "5.0"},
    }
    states = {"counter-1": {"availability": "online", "activity": reason, "problems": []}}
    text = shown(Status("yes", {"health": health, "terminals": states}))
    assert text.count(reason) == 2
    assert datetime.now(EAST).tzinfo is EAST
