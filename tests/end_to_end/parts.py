"""A whole store from real parts: mosquitto, a terminal, a back office, the service, a till.

Each part is a process of its own, on loopback ports and in a folder of the test, and is ended by
its process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from bridge.cli.journal import find_payment
from bridge.config import load
from simulators.terminals.shared.ledger import Entry, read_ledger
from tests.end_to_end.broker import Mosquitto
from tests.end_to_end.judge import violations
from tests.end_to_end.program import Json, Program
from tests.end_to_end.tap import Tap
from tests.end_to_end.till import Account, Heard, Till

TERMINAL = "counter-1"
STORE_CODE = "S012"
QUICK_TERMINAL = ("tests.end_to_end.quick_terminal",)
SECRET = "simulated-secret"  # the simulated provider's, printed in its help

AWAY_SECONDS_MAX = 10.0  # the simulated server looks ten times a second whether it shall stop

Tables = dict[str, dict[str, Any]]

# A shopper who is quick, and a terminal that shows its stages.
QUICK_PLAN: Json = {
    "seconds_to_card": 0,
    "seconds_to_pin": 0,
    "seconds_at_host": 0,
    "seconds_to_remove": 0,
}


def plan(**changes: object) -> Json:
    """Return a quick plan with changes; `seconds_at_host` and the like are real seconds."""
    return {**QUICK_PLAN, **changes}


def scenario(*plans: Json, **more: object) -> Json:
    """Return a scenario of these plans, then quick approvals."""
    return {"payments": list(plans), "otherwise": QUICK_PLAN, **more}


def write_config(path: Path, tables: Tables) -> Path:
    """Write the tables as TOML; plain values look the same in TOML and JSON."""
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def base_tables(folder: Path, mqtt_port: int, terminal: Mapping[str, Any]) -> Tables:
    """Return a configuration without a back office."""
    return {
        "site": {
            "store_code": STORE_CODE,
            "bridge_id": "store-12",
            "state_directory": str(folder / "state"),
        },
        "mqtt": {"port": mqtt_port},
        f"terminals.{TERMINAL}": {"driver": "zvt", "name": "Counter 1", **terminal},
        "service": {"drain_seconds": 10},
    }


@dataclass(slots=True)
class Office:
    """A running back office with its login provider."""

    program: Program

    async def control(self, *commands: Json) -> Any:
        """Give it control commands and return what it says."""
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(self.program.ready["control"], json=list(commands))
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    async def go_away(self) -> None:
        """Refuse connections until told `back`; return when it really does.

        Before, it may take a request and drop it, which proves nothing to who sent it.
        """
        await self.control({"do": "away"})
        host, _, port = urlsplit(self.program.ready["graphql"]).netloc.partition(":")
        async with asyncio.timeout(AWAY_SECONDS_MAX):
            with contextlib.suppress(ConnectionRefusedError):
                while True:
                    _, writer = await asyncio.open_connection(host, int(port))
                    writer.close()

    async def ledger(self) -> list[Json]:
        """Return every effect it had, also one whose commit was lost."""
        url = self.program.ready["control"].replace("/_control", "/_ledger")
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(url)
        found: list[Json] = answer.json()["ledger"]
        return found

    async def purchases(self, payment_id: str) -> list[Json]:
        """Return the purchases it holds for a payment."""
        name = f"{STORE_CODE}-{payment_id}"
        return [
            one
            for one in await self.ledger()
            if one["effect"] == "purchase_added" and one["transactionId"] == name
        ]

    def tables(self, *, person: bool, folder: Path) -> Tables:
        """Return the configuration for it; without a person it needs no login."""
        issuer = self.program.ready["issuer"]
        login = {"issuer": issuer, "client_id": "paybridge"}
        if not person:
            (folder / "client-secret").write_text(SECRET)
            (folder / "client-secret").chmod(0o600)
            login |= {
                "client_id": "paybridge-server",
                "client_secret_file": str(folder / "client-secret"),
                "flow": "client_credentials",
            }
        return {
            "back_office": {"endpoint": self.program.ready["graphql"], "deadline_seconds": 5},
            "back_office.login": login,
        }


@dataclass(slots=True)
class Store:
    """All parts, running."""

    folder: Path
    broker: Mosquitto
    terminal: Program
    office: Office
    bridge: Program
    till: Till
    tables: Tables
    wire: Tap | None = None
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        self.config = self.folder / "paybridge.toml"

    async def start_bridge(self) -> None:
        """Start the service and wait until it can take a payment."""
        after = len(self.till.heard)
        await self.bridge.start()
        await self.till.ready(after=await self.till.online(after=after))

    async def shopper(self, *plans: Json, **more: object) -> None:
        """Say what the next shoppers do."""
        await self.terminal.tell(do="scenario", scenario=scenario(*plans, **more))

    def terminal_ledger(self) -> list[Entry]:
        """Return what really happened to money at the terminal."""
        return read_ledger(self.folder / "terminal.jsonl")

    def story(self, payment_id: str) -> Json | None:
        """Return what the journal says of a payment, None when it knows none."""
        return find_payment(load(self.config), payment_id)

    async def check(self) -> None:
        """Let the judge compare all ledgers: at rest, nothing is left open."""
        ids = sorted({one.topic.rpartition("/")[2] for one in self.till.heard if _is_document(one)})
        stories = [story for one in ids if (story := self.story(one)) is not None]
        purchases = [e for e in await self.office.ledger() if e["effect"] == "purchase_added"]
        told = {one: self.till.documents(one) for one in ids}
        found = violations(self.terminal_ledger(), stories, purchases, told)
        assert not found, "\n".join(found)

    async def cli(self, *arguments: str) -> tuple[int, Json]:
        """Run one command of the command line with --json; return exit status and first line."""
        command, *rest = arguments
        program = Program(
            self.folder,
            f"cli-{command}",
            "bridge",
            command,
            *rest,
            "--config",
            str(self.config),
            "--json",
        )
        await program.launch()
        status = await program.ended()
        answer: Json = json.loads(program.said[0]) if program.said else {}
        return status, answer


def _is_document(heard: Heard) -> bool:
    return "/payments/" in heard.topic


def terminal_program(folder: Path, *more: str, module: tuple[str, ...] | None = None) -> Program:
    """Return the terminal simulator at `folder/terminal`, with a ledger and a memory."""
    return Program(
        folder,
        "terminal",
        *(module or ("simulators", "terminal", "zvt")),
        *("--pty", str(folder / "terminal")),
        *("--ledger", str(folder / "terminal.jsonl")),
        *("--memory", str(folder / "terminal.flash")),
        "--control",
        *more,
    )


def office_program(folder: Path, *more: str) -> Program:
    """Return the back office simulator on a free port."""
    arguments = ("--ledger", str(folder / "office.jsonl"), "--interval", "1", *more)
    return Program(folder, "office", "simulators", "backoffice", "--port", "0", *arguments)


@contextlib.asynccontextmanager
async def open_store(
    folder: Path,
    *plans: Json,
    person: bool = False,
    persistence: bool = False,
    terminal_module: tuple[str, ...] | None = None,
    tapped: bool = False,
    changes: Tables | None = None,
    ready: bool = True,
) -> AsyncIterator[Store]:
    """Run a whole store within the block.

    Args:
        folder: Where everything lies.
        plans: What the first shoppers do; later ones approve at once.
        person: A person must log in; otherwise the machine has its own credentials.
        persistence: Whether the broker keeps its data over a restart.
        terminal_module: Another program than the terminal simulator.
        tapped: Keep a copy of what goes over the serial line, in `wire`.
        changes: Put over the tables of the configuration.
        ready: Start the service and wait until it can take a payment.
    """
    broker = Mosquitto(folder, persistence=persistence)
    file = folder / "scenario.json"
    file.write_text(json.dumps(scenario(*plans)))
    terminal = terminal_program(folder, "--scenario", str(file), module=terminal_module)
    office = Office(office_program(folder))
    bridge = Program(
        folder,
        "bridge",
        *("bridge", "run", "--config", str(folder / "paybridge.toml"), "--json"),
    )
    till = Till(Account(broker.port))
    wire: Tap | None = None
    port = folder / ("tap" if tapped else "terminal")
    try:
        await asyncio.gather(broker.start(), terminal.start(), office.program.start())
        if tapped:
            wire = Tap(port, folder / "terminal")
        tables = base_tables(folder, broker.port, {"port": str(port)})
        tables |= office.tables(person=person, folder=folder)
        for name, table in (changes or {}).items():
            tables[name] = {**tables.get(name, {}), **table}
        store = Store(folder, broker, terminal, office, bridge, till, tables, wire)
        write_config(store.config, tables)
        till.worth_waiting = lambda: not bridge.fell
        async with till.at_work():
            if ready:
                await store.start_bridge()
            yield store
    finally:
        await bridge.kill()
        if wire is not None:
            wire.close()
        await asyncio.gather(terminal.kill(), office.program.kill())
        await broker.kill()
