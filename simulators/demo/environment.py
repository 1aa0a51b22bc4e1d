"""The environment of the demo: a broker, a terminal, a back office, a till and the real service.

Everything lives in one temporary folder, listens on loopback, and is gone at the end.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bridge.console.pins import PINS_NAME, PinFile, Role
from bridge.private_files import make_folder
from bridge.settings import JOURNAL_NAME
from simulators.demo.books import read_bookings, read_charges, read_gift_moves
from simulators.demo.process import Process, ProcessFailed
from simulators.demo.screen_model import ScreenModel
from simulators.register.broker_address import Broker
from simulators.register.till import Register

HOST = "127.0.0.1"
CONSOLE_PIN = "2468"  # of a supervisor; everything here is practice
REGISTER_ID = "till-1"
TERMINAL_ID = "counter-1"
BASE_TOPIC = "paybridge/v1"
LOGIN_INTERVAL_SECONDS = 1  # how often a device login asks; the provider's choice
CONTROL_SECONDS_MAX = 5.0

_LOG_LINE = re.compile(r"(?P<level>[A-Z]+) [\w.]+ (?P<text>.*)")
_LONG_ID = re.compile(r"(?:S012-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8}")
# amqtt leaves a greeting in MQTT 5 unanswered, so finding that out would cost 3 s a start.
_CONFIGURATION = """\
[site]
store_code = "S012"
bridge_id = "store-12"
name = "Demo store"
state_directory = "{folder}/state"

[mqtt]
host = "{host}"
port = {broker_port}
protocol = "3.1.1"

[terminals.{terminal}]
driver = "zvt"
name = "Counter 1"
port = "{folder}/terminal"

[back_office]
endpoint = "{graphql}"
deadline_seconds = 5.0

[back_office.login]
issuer = "{issuer}"
client_id = "paybridge"
"""
_CONSOLE = """
[console]
port = {port}
"""


@dataclass(slots=True)
class Environment:
    """Everything that runs, and where it is."""

    folder: Path
    screen_model: ScreenModel
    broker_port: int
    fast: bool
    register: Register = field(init=False)
    service: Process = field(init=False)
    terminal: Process = field(init=False)
    office: Process = field(init=False)
    broker: Process = field(init=False)
    console_port: int = 0  # 0: without a console
    office_control: str = ""
    issuer: str = ""

    def __post_init__(self) -> None:
        self.register = Register(
            Broker(HOST, self.broker_port, mqtt5=False),
            REGISTER_ID,
            ledger=self.folder / "till.jsonl",
        )
        self.service = Process("service", self._hear_service)
        self.terminal = Process("terminal")
        self.office = Process("back office")
        self.broker = Process("broker")

    @property
    def console(self) -> str:
        """The console's address, "" without one."""
        return f"http://{HOST}:{self.console_port}/" if self.console_port else ""

    @property
    def configuration(self) -> Path:
        """The service's own configuration file."""
        return self.folder / "paybridge.toml"

    @property
    def journal(self) -> Path:
        """The service's journal."""
        return self.folder / "state" / JOURNAL_NAME

    @property
    def terminal_ledger(self) -> Path:
        """What the terminal really did."""
        return self.folder / "terminal.jsonl"

    @property
    def office_ledger(self) -> Path:
        """What the back office really has."""
        return self.folder / "back_office.jsonl"

    async def start_world(self) -> None:
        """Start all but the service.

        Raises:
            ProcessFailed: One of them did not start.
        """
        python = (sys.executable, "-m")
        terminal_words = ["--pty", f"{self.folder}/terminal", "--control"]
        terminal_words += ["--ledger", str(self.terminal_ledger), "--scenario", "amounts"]
        office_words = ["--ledger", str(self.office_ledger)]
        office_words += ["--interval", str(LOGIN_INTERVAL_SECONDS)]
        async with asyncio.TaskGroup() as group:
            group.create_task(
                self.broker.start((*python, "simulators.demo.broker", str(self.broker_port)))
            )
            group.create_task(
                self.terminal.start((*python, "simulators", "terminal", "zvt", *terminal_words))
            )
            office = group.create_task(
                self.office.start((*python, "simulators", "backoffice", *office_words))
            )
        ready = office.result()
        self.office_control = ready["control"]
        self.issuer = ready["issuer"]
        self.configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                host=HOST,
                broker_port=self.broker_port,
                terminal=TERMINAL_ID,
                graphql=ready["graphql"],
                issuer=ready["issuer"],
            )
            + (_CONSOLE.format(port=self.console_port) if self.console_port else "")
        )
        if self.console_port:
            make_folder(self.folder / "state")
            pins = PinFile(self.folder / "state" / PINS_NAME)
            await asyncio.to_thread(pins.set, Role.SUPERVISOR, CONSOLE_PIN)

    async def start_service(self) -> None:
        """Start `paybridge run`, a process of its own."""
        command = (sys.executable, "-m", "bridge", "run", "--config", str(self.configuration))
        await self.service.start((*command, "--json"))
        self.screen_model.service_runs = True
        self.screen_model.tell(f"service: started, process {self.service.process_id}")

    async def kill_service(self) -> None:
        """End the service as a power cut would."""
        number = self.service.process_id
        await self.service.end(signal.SIGKILL)
        self.screen_model.service_runs = False
        self.screen_model.tell(f"demo: kill -9 {number}")

    async def command_terminal(self, **order: Any) -> None:
        """Follow a control line of the simulated terminal."""
        await self.terminal.command(order)

    async def command_office(self, **order: Any) -> dict[str, Any]:
        """Follow a control command of the simulated back office.

        Raises:
            ProcessFailed: It refuses, or is not there.
        """
        async with httpx.AsyncClient(timeout=CONTROL_SECONDS_MAX) as http:
            try:
                answer = await http.post(self.office_control, json=order)
            except httpx.HTTPError as error:
                raise ProcessFailed(f"the back office's control: {error!r}") from error
        if answer.is_error:
            raise ProcessFailed(f"the back office refused {order}: {answer.text}")
        done: dict[str, Any] = answer.json()
        return done

    async def watch(self) -> None:
        """Bring what the till hears into the screen model, for ever."""
        screen_model = self.screen_model
        async for topic, content in self.register.watch():
            match topic.removeprefix(BASE_TOPIC + "/").split("/"):
                case ["bridge", "state"]:
                    screen_model.bridge = content
                case ["terminals", _, "state"]:
                    screen_model.terminal = content
                case ["terminals", _, "reconciliation"]:
                    screen_model.reconciliation = content
                case ["registers", _, "payments", payment_id]:
                    screen_model.documents.setdefault(payment_id, []).append(content)
                    screen_model.document = content
            self._look_into_books()
            screen_model.changed()

    def _look_into_books(self) -> None:
        self.screen_model.charges = read_charges(self.terminal_ledger)
        self.screen_model.bookings = read_bookings(self.office_ledger)
        self.screen_model.gift_moves = read_gift_moves(self.office_ledger)

    def _hear_service(self, line: str) -> None:
        """Show a log line without its time and module, and with short ids.

        amqtt gives a session that is resumed everything that is retained, asked for or not; that
        the service ignores it is of no interest here.
        """
        _, _, rest = line.partition(" ")
        found = _LOG_LINE.fullmatch(rest)
        if found is None or found["text"].startswith("ignored topic="):
            return
        text = _LONG_ID.sub("…", found["text"].removeprefix("payment="))
        mark = "" if found["level"] == "INFO" else f"{found['level']} "
        self.screen_model.tell(f"service: {mark}{text}")


@asynccontextmanager
async def running(
    folder: Path, screen_model: ScreenModel, *, fast: bool, console: bool = False
) -> AsyncIterator[Environment]:
    """Run the till within the block, and end everything that was started in it.

    With `console` the service has one, with the PIN `CONSOLE_PIN`.
    """
    environment = Environment(folder, screen_model, _free_port(), fast)
    environment.console_port = _free_port() if console else 0
    async with AsyncExitStack() as ends:
        for process in (
            environment.broker,
            environment.office,
            environment.terminal,
            environment.service,
        ):
            ends.push_async_callback(process.end)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(environment.register.run()),
                group.create_task(environment.watch()),
            ]
            try:
                yield environment
            finally:
                for task in tasks:
                    task.cancel()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
