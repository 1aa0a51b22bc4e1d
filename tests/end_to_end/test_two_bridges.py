"""Two services below one base topic, on one broker: one serves, the other says that it does not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest

from bridge.config import load
from bridge.money.store.database import open_for_reading
from bridge.money.store.journal_entries import EventCodec, read_entries
from simulators.terminals.shared.ledger import read_ledger
from tests.end_to_end.broker import Mosquitto
from tests.end_to_end.parts import base_tables, terminal_program, write_config
from tests.end_to_end.program import Json, Program
from tests.end_to_end.till import Account, Till

pytestmark = pytest.mark.mosquitto

HOLDER = "paybridge/v1/bridge/authority/holder"


@dataclass(slots=True)
class Pc:
    """A store PC: a service with its state, and a terminal of its own."""

    folder: Path
    name: str
    terminal: Program
    bridge: Program
    config: Path

    def charged(self) -> int:
        """Return how many payments its terminal took."""
        return [one.kind for one in read_ledger(self.folder / "terminal.jsonl")].count("approved")

    async def cli(self, command: str, *arguments: str) -> tuple[int, object]:
        """Run one command of the command line; return its status and what it says."""
        program = Program(
            self.folder,
            f"cli-{command}",
            *("bridge", command, *arguments, "--config", str(self.config), "--json"),
        )
        await program.launch()
        status = await program.ended()
        return status, json.loads(program.said[0])

    async def check(self) -> tuple[int, str]:
        """Return what `paybridge check` says of serving."""
        status, found = await self.cli("check")
        assert isinstance(found, list)
        return status, "; ".join(
            f"{one['level']}: {one['text']}" for one in found if one["what"].startswith("serving")
        )

    async def logged(self, text: str) -> None:
        """Wait until the service has logged that."""
        async with asyncio.timeout(15):
            while text not in self.bridge.log:  # noqa: ASYNC110 - a file has no waiter
                await asyncio.sleep(0.05)


def make_pc(root: Path, name: str, port: int) -> Pc:
    folder = root / name
    folder.mkdir()
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps({"otherwise": {"seconds_to_card": 0, "seconds_at_host": 0}}))
    tables = base_tables(folder, port, {"port": str(folder / "terminal")})
    tables["site"]["bridge_id"] = name
    tables["mqtt"]["client_id"] = f"paybridge-{name}"
    config = write_config(folder / "paybridge.toml", tables)
    return Pc(
        folder,
        name,
        terminal_program(folder, "--scenario", str(scenario)),
        Program(folder, "bridge", "bridge", "run", "--config", str(config), "--json"),
        config,
    )


@contextlib.asynccontextmanager
async def two_pcs(root: Path) -> AsyncIterator[tuple[Pc, Pc, Till]]:
    """Two PCs and a till on one broker; no service runs yet."""
    broker = Mosquitto(root)
    one, two = make_pc(root, "pc1", broker.port), make_pc(root, "pc2", broker.port)
    till = Till(Account(broker.port))
    try:
        await asyncio.gather(broker.start(), one.terminal.start(), two.terminal.start())
        async with till.at_work():
            yield one, two, till
    finally:
        for pc in (one, two):
            await pc.bridge.kill()
            await pc.terminal.kill()
        await broker.kill()


def states(till: Till) -> list[Json]:
    return [one.content for one in till.heard if one.topic.endswith("bridge/state")]


async def pay(till: Till) -> str:
    payment_id = await till.start()
    document = await till.document(payment_id, lambda d: d["final"])
    assert document["status"] == "approved"
    return payment_id


async def test_of_two_bridges_one_serves_and_the_other_says_that_it_does_not(
    tmp_path: Path,
) -> None:
    async with two_pcs(tmp_path) as (one, two, till):
        await one.bridge.start()
        await till.ready(after=await till.online())
        await two.bridge.start()
        await two.logged("belongs to another bridge, pc1")
        status, text = await two.check()
        assert status == 1
        assert text.startswith("wrong: paybridge/v1 belongs to another bridge, pc1")

        await pay(till)
        assert (one.charged(), two.charged()) == (1, 0)
        await one.logged("another bridge pc2")
        health = await till.until(
            lambda: next(
                (
                    found.content
                    for found in till.heard
                    if found.topic.endswith("bridge/health")
                    and any("pc2" in reason for reason in found.content["reasons"])
                ),
                None,
            ),
            "a health document that names the other bridge",
            seconds=40,
        )
        assert health["can_take_payments"] is True
        assert {state["bridge_id"] for state in states(till)} == {"pc1"}

        # Whoever stands by leaves no will behind, and does not take over by itself.
        await two.bridge.kill()
        await one.bridge.kill()
        await till.until(lambda: states(till)[-1]["state"] == "offline" or None, "the will of pc1")
        await two.bridge.start()
        await two.logged("which does not answer now")
        after = len(till.heard)
        await one.bridge.start()
        await till.ready(after=await till.online(after=after))
        await pay(till)
        assert (one.charged(), two.charged()) == (2, 0)


async def test_of_two_that_start_at_once_one_serves(tmp_path: Path) -> None:
    async with two_pcs(tmp_path) as (one, two, till):
        await asyncio.gather(one.bridge.start(), two.bridge.start())
        await till.online()
        await pay(till)
        assert one.charged() + two.charged() == 1
        lower, higher = sorted((one, two), key=lambda pc: instance(pc)["instance_id"])
        assert (lower.charged(), higher.charged()) == (1, 0)
        await higher.logged(f"another bridge, {lower.name}")


async def test_a_replaced_pc_takes_over_by_a_command_once_the_other_is_silent(
    tmp_path: Path,
) -> None:
    async with two_pcs(tmp_path) as (one, two, till):
        await one.bridge.start()
        await till.ready(after=await till.online())
        payment_id = await pay(till)
        await two.bridge.start()
        await two.logged("belongs to another bridge, pc1")
        status, refused = await two.cli("take-over", "--by", "m.muster")
        assert status == 1
        assert "still answers" in str(refused)

        one.bridge.signal(signal.SIGKILL)
        await one.bridge.ended()
        after = len(till.heard)
        status, taken = await two.cli("take-over", "--by", "m.muster")
        assert status == 0, taken
        await till.ready(after=await till.online(after=after))
        assert states(till)[-1]["bridge_id"] == "pc2"
        # What only the old PC's journal knows is unknown, never "no".
        unknown = await till.ask("payment/status", {"payment_id": payment_id})
        assert unknown["error"]["code"] == "outcome_unknown"
        assert unknown["error"]["money_moved"] == "unknown"
        again = await till.ask(
            "payment/start",
            {
                "payment_id": payment_id,
                "amounts": {"currency": "EUR", "requested_amount": "12.00"},
            },
        )
        assert again["error"]["code"] == "outcome_unknown"
        await pay(till)
        assert (one.charged(), two.charged()) == (1, 1)
        assert who_answered(two) == ["AuthorityTaken m.muster", "JournalConfirmed m.muster"]

        # The old one comes back, and stands by now.
        await one.bridge.start()
        await one.logged("belongs to another bridge, pc2")


async def test_who_finds_its_state_overwritten_publishes_it_again(tmp_path: Path) -> None:
    async with two_pcs(tmp_path) as (one, _, till):
        await one.bridge.start()
        await till.ready(after=await till.online())
        after = len(till.heard)
        async with aiomqtt.Client("127.0.0.1", till._account.port) as stranger:
            will = json.dumps({"state": "offline", "reason": "connection_lost"}).encode()
            await stranger.publish("paybridge/v1/bridge/state", will, qos=1, retain=True)
        await till.until(
            lambda: (
                any(
                    one.topic.endswith("bridge/state") and one.content["state"] == "online"
                    for one in till.heard[after:]
                )
                or None
            ),
            "the bridge's own state",
        )
        till.said.add(("paybridge/v1/bridge/state", will))


def instance(pc: Pc) -> Json:
    found: Json = json.loads((pc.folder / "state" / "instance.json").read_text())
    return found


def who_answered(pc: Pc) -> list[str]:
    journal = open_for_reading(load(pc.config).site.state_directory / "journal.sqlite")
    try:
        entries = read_entries(journal, EventCodec(), "bridge")
    finally:
        journal.close()
    return [
        f"{type(one.event).__name__} {one.event.by}" for one in entries if hasattr(one.event, "by")
    ]
