"""What runs around the register: terminal, back office and the real bridge, each a process."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from simulators.conformance.message_recorder import BrokerAddress
from simulators.demo.process import Process

TERMINAL_ID = "counter-1"
# The simulated provider's, which its help prints.
_CLIENT_ID, _CLIENT_SECRET = "paybridge-server", "simulated-secret"


class Store:
    """Started, disturbed and stopped by the scenarios.

    Args:
        folder: Where everything lies; nothing is kept of it.
        address: The broker.
        base_topic: The contract's base.
    """

    def __init__(self, folder: Path, address: BrokerAddress, base_topic: str) -> None:
        self._folder = folder
        self._address = address
        self._base_topic = base_topic
        self._bridge = Process("bridge")
        self._terminal = Process("terminal")
        self._office = Process("back office")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything within the block.

        Raises:
            ProcessFailed: A process did not start.
        """
        async with AsyncExitStack() as ends:
            for process in (self._office, self._terminal, self._bridge):
                ends.push_async_callback(process.end)
            python = (sys.executable, "-m", "simulators")
            office = await self._office.start((*python, "backoffice", "--port", "0"))
            line = ("--pty", str(self._folder / "terminal"), "--control")
            await self._terminal.start((*python, "terminal", "zvt", *line))
            self._configure(office)
            await self.start_bridge()
            yield

    async def start_bridge(self) -> None:
        """Start the bridge, again if need be."""
        configuration = str(self._folder / "paybridge.toml")
        program = (sys.executable, "-m", "bridge", "run", "--config", configuration, "--json")
        await self._bridge.start(program)

    async def kill_bridge(self) -> None:
        """End the bridge as a power cut does."""
        await self._bridge.end(signal.SIGKILL)

    def freeze_bridge(self) -> None:
        """Let the bridge neither hear nor answer, for less than its keep-alive."""
        os.kill(self._bridge.process_id, signal.SIGSTOP)

    def thaw_bridge(self) -> None:
        """Let it go on."""
        os.kill(self._bridge.process_id, signal.SIGCONT)

    async def shopper(self, plan: dict[str, Any]) -> None:
        """Decide what the next shopper does; those after are quick and approved."""
        quick = {"seconds_to_card": 0.2, "seconds_at_host": 0.2, "seconds_to_remove": 0}
        scenario = {"payments": [quick | plan], "otherwise": quick}
        await self._terminal.command({"do": "scenario", "scenario": scenario})

    def _configure(self, office: dict[str, Any]) -> None:
        secret = self._folder / "client-secret"
        secret.touch(mode=0o600)
        secret.write_text(_CLIENT_SECRET)
        mqtt: dict[str, Any] = {
            "host": self._address.host,
            "port": self._address.port,
            "client_id": "paybridge-conformance",
            "base_topic": self._base_topic,
            "protocol": "5.0" if self._address.mqtt5 else "3.1.1",
        }
        if self._address.username is not None:
            password = self._folder / "mqtt-password"
            password.touch(mode=0o600)
            password.write_text(self._address.password or "")
            mqtt |= {"username": self._address.username, "password_file": str(password)}
        tables: dict[str, dict[str, Any]] = {
            "site": {
                "store_code": "S000",
                "bridge_id": "conformance",
                "state_directory": str(self._folder / "state"),
            },
            "mqtt": mqtt,
            f"terminals.{TERMINAL_ID}": {
                "driver": "zvt",
                "name": "Counter 1",
                "port": str(self._folder / "terminal"),
            },
            "back_office": {"endpoint": office["graphql"]},
            "back_office.login": {
                "issuer": office["issuer"],
                "client_id": _CLIENT_ID,
                "client_secret_file": str(secret),
                "flow": "client_credentials",
            },
        }
        if self._address.ca_file:
            tables["mqtt.tls"] = {"ca_file": self._address.ca_file}
        lines = []
        for name, table in tables.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        (self._folder / "paybridge.toml").write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def embedded_broker(port: int) -> AsyncIterator[BrokerAddress]:
    """Run a broker of our own within the block. It speaks MQTT 3.1.1 only.

    Raises:
        ProcessFailed: The port is in use.
    """
    broker = Process("broker")
    try:
        await broker.start((sys.executable, "-m", "simulators.demo.broker", str(port)))
        yield BrokerAddress("127.0.0.1", port, mqtt5=False)
    finally:
        await broker.end()
