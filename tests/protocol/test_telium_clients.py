"""Clients that other people wrote drive our simulated terminal over a real pseudo-terminal.

They run in processes of their own: they block, and one of them is AGPL and is only ever executed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.terminal.transport import DescriptorLine, SerialAddress, TcpAddress, open_line
from drivers.contract import Approved, Dialogue, Money, Pay, Probe, TerminalReady
from drivers.telium import CAISSE_AP_DRIVER, DRIVER, CaisseApSettings, TeliumSettings
from simulators.terminals.shared.serial_port import PtyPort
from simulators.terminals.shared.shopper import BUILT_IN, Scenario
from simulators.terminals.shared.tcp_port import TcpPort
from simulators.terminals.telium.program import PROFILES, CaisseApTerminal, TeliumTerminal

CLIENT_SECONDS = 30  # a client that waits longer than this waits for ever
INSTANT = BUILT_IN["instant"]
PAY = Pay("018f6f0e-8a44-7c1b-9a3e-3d2f4b5c6d7e", Money(1250, "EUR"))

PY_TELIUM_MANAGER = """
import json, sys
from telium import Telium, TeliumAsk
terminal = Telium(sys.argv[1], timeout=1)
ready = terminal.is_ok()
wish = TeliumAsk.new_payment(12.50, payment_mode=sys.argv[2], target_currency="EUR",
                             collect_payment_source_info=sys.argv[3] == "long")
asked = terminal.ask(wish)
answer = terminal.verify(wish, waiting_timeout=10)
print(json.dumps({"ready": ready, "asked": asked, "paid": answer.has_succeeded,
                  "amount": answer.amount, "report": answer.repport.strip(),
                  "result": int(answer.transaction_result)}))
"""

PYPOSTELIUM = """
import json, logging, sys
logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
from pypostelium import Driver
terminal = Driver({"telium_terminal_device_name": sys.argv[1], "telium_terminal_retry_count": 1})
wish = json.dumps({"amount": 42.60, "payment_mode": sys.argv[2], "currency_iso": "EUR"})
print(json.dumps({"started": terminal.transaction_start(wish)}))
"""


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(module) is None, reason=f"{module} is not installed"
    )


@asynccontextmanager
async def on_a_pty(
    folder: Path, scenario: Scenario = INSTANT, profile: str = "default"
) -> AsyncIterator[TeliumTerminal]:
    """Run a terminal on a pseudo-terminal at `folder / "tty"`."""
    terminal = TeliumTerminal(
        clock=lambda: datetime(2026, 11, 23, tzinfo=UTC),
        rng=random.Random(1),
        scenario=scenario,
        profile=PROFILES[profile],
    )
    port = PtyPort(folder / "tty")
    await port.plug()
    task = asyncio.create_task(terminal.run(port))
    try:
        yield terminal
    finally:
        task.cancel()
        await asyncio.wait([task])
        port.unplug()


async def client(program: str, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run a client and return what it printed, and its log."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", program, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(CLIENT_SECONDS):
            out, log = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, log.decode()
    return json.loads(out), log.decode()


def shopper(**plan: Any) -> Scenario:
    return Scenario(speed=0, otherwise=INSTANT.otherwise.model_copy(update=plan))


@needs("telium")
@pytest.mark.parametrize(
    ("plan", "arguments", "expected", "booked"),
    [
        ({}, ("debit", "short"), {"paid": True, "result": 0, "report": ""}, "approved"),
        (
            {"brand": "visa", "whole_pan": True},
            ("debit", "long"),
            {"paid": True, "result": 0, "report": "4242424242424242"},
            "approved",
        ),
        ({"outcome": "cancel"}, ("debit", "long"), {"paid": False, "result": 7}, "declined"),
        ({}, ("credit", "short"), {"paid": True}, "refunded"),
    ],
)
async def test_py_telium_manager_hears_what_happened(
    tmp_path: Path,
    plan: dict[str, Any],
    arguments: tuple[str, str],
    expected: dict[str, Any],
    booked: str,
) -> None:
    async with on_a_pty(tmp_path, shopper(**plan)) as terminal:
        said, _ = await client(PY_TELIUM_MANAGER, str(tmp_path / "tty"), *arguments)
    assert said.items() >= {"ready": True, "asked": True, "amount": 12.5, **expected}.items()
    assert [entry.kind for entry in terminal.ledger.entries] == [booked]


@needs("pypostelium")
@pytest.mark.parametrize("mode", ["card", "check"])
async def test_pypostelium_finds_nothing_to_complain_about(tmp_path: Path, mode: str) -> None:
    async with on_a_pty(tmp_path) as terminal:
        said, log = await client(PYPOSTELIUM, str(tmp_path / "tty"), mode)
    # The answer came before the shopper; an instant one pays in the same turn of the loop.
    assert said == {"started": True}
    assert "Answer received from Terminal" in log
    assert "WARNING" not in log
    assert "ERROR" not in log
    assert [entry.amount_minor for entry in terminal.ledger.entries] == [4260]


async def hold(dialogue: Dialogue, operation: Pay | Probe, line: DescriptorLine) -> list[object]:
    """Hold one conversation over a real line and return what the dialogue told."""
    loop = asyncio.get_running_loop()
    told: list[object] = []
    step = dialogue.begin(operation, loop.time())
    while True:
        line.write(step.send)
        if step.events:
            told += step.events
            step = dialogue.committed(loop.time())
            continue
        if step.wake_at is None:
            line.close()
            return told
        try:
            async with asyncio.timeout_at(step.wake_at):
                data = await line.read()
        except TimeoutError:
            step = dialogue.timeout(loop.time())
        else:
            now = loop.time()
            step = dialogue.receive(data, now) if data else dialogue.line_lost(now)


async def test_the_driver_pays_over_a_real_serial_port(tmp_path: Path) -> None:
    address = SerialAddress(str(tmp_path / "tty"), DRIVER.serial_defaults)
    async with on_a_pty(tmp_path) as terminal:
        for operation, final in ((Probe(), TerminalReady), (PAY, Approved)):
            dialogue = DRIVER.dialogue(TeliumSettings(), "serial")
            told = await hold(dialogue, operation, await open_line(address))
            assert isinstance(told[-1], final)
    assert [entry.kind for entry in terminal.ledger.entries] == ["approved"]


async def test_the_driver_pays_over_a_real_tcp_connection() -> None:
    terminal = CaisseApTerminal(
        clock=lambda: datetime(2026, 11, 23, tzinfo=UTC), rng=random.Random(1), scenario=INSTANT
    )
    port = TcpPort("127.0.0.1", 0)
    await port.plug()
    task = asyncio.create_task(terminal.run(port))
    try:
        for operation, final in ((Probe(), TerminalReady), (PAY, Approved), (PAY, Approved)):
            dialogue = CAISSE_AP_DRIVER.dialogue(CaisseApSettings(), "tcp")
            told = await hold(
                dialogue, operation, await open_line(TcpAddress(port.host, port.port))
            )
            assert isinstance(told[-1], final)
    finally:
        task.cancel()
        await asyncio.wait([task])
        port.unplug()
    assert [entry.kind for entry in terminal.ledger.entries] == ["approved", "approved"]
