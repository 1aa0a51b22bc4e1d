import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from drivers.zvt.codec import messages as m
from simulators.terminals.shared.ledger import read_ledger, taken_minor
from tests.component.simulators.raw_register import DeviceLine, RawRegister, SocketLine

ROOT = Path(__file__).parents[3]
PAY = m.Authorization(amount=2040, currency=978)
WITHOUT_RECEIPTS = m.Registration("000000", 0x3E, 978)


class Started:
    """The terminal as a process of its own."""

    def __init__(self, process: Process, address: dict[str, Any]) -> None:
        self.process = process
        self.address = address

    @classmethod
    async def terminal(cls, *words: str, control: bool = True) -> "Started":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulators", "terminal", "zvt", *words),
            *(("--control",) if control else ()),
            stdin=PIPE if control else DEVNULL,
            stdout=PIPE,
            cwd=ROOT,
        )
        return cls(process, await _read(process))

    async def control(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.process.stdin.drain()
        return await _read(self.process)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await self.process.wait()


async def _read(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(await process.stdout.readline())
    return line


def is_there(link: Path) -> bool:
    return os.path.lexists(link)


async def test_a_terminal_on_a_pty_is_unplugged_and_comes_back_as_another_device(
    tmp_path: Path,
) -> None:
    link, ledger = tmp_path / "ttyUSB0", tmp_path / "ledger.jsonl"
    terminal = await Started.terminal(
        *("--pty", str(link), "--scenario", "instant", "--ledger", str(ledger))
    )
    assert terminal.address["pty"] == str(link)
    line = DeviceLine(link)
    register = RawRegister(line, "serial")
    await register.run(WITHOUT_RECEIPTS)
    assert isinstance((await register.run(PAY))[-1], m.Completion)

    await terminal.control(do="unplug")
    while await line.read():
        pass
    assert not is_there(link)
    again = tmp_path / "ttyUSB1"
    answer = await terminal.control(do="replug", link=str(again), other_number=True)
    assert answer["device"] != terminal.address["device"]
    line.close()

    line = DeviceLine(again)
    register = RawRegister(line, "serial")
    assert isinstance((await register.run(PAY))[-1], m.Completion)
    line.close()
    assert await terminal.stop() == 0
    assert taken_minor(read_ledger(ledger)) == 4080
    assert not is_there(again)


async def test_a_terminal_on_tcp_loses_power_and_remembers(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    terminal = await Started.terminal(
        *("--tcp", "127.0.0.1:0", "--scenario", "instant", "--memory", str(memory))
    )
    port = terminal.address["port"]
    line = await SocketLine.open("127.0.0.1", port)
    register = RawRegister(line, "tcp")
    await register.run(WITHOUT_RECEIPTS)
    assert isinstance((await register.run(PAY))[-1], m.Completion)
    await terminal.control(do="power_cut", seconds=60)
    assert await line.read() == b""
    line.close()
    with pytest.raises(ConnectionRefusedError):
        await SocketLine.open("127.0.0.1", port)
    assert await terminal.stop(signal.SIGINT) == 0

    terminal = await Started.terminal(
        *("--tcp", f"127.0.0.1:{port}", "--scenario", "instant", "--memory", str(memory)),
        control=False,
    )
    line = await SocketLine.open("127.0.0.1", port)
    came = await RawRegister(line, "tcp").run(m.RepeatReceipt("000000", service=3))
    last = came[1]
    assert isinstance(last, m.StatusInformation)
    assert (last.amount, last.receipt) == (2040, "0001")
    line.close()
    assert await terminal.stop() == 0


async def test_control_lines_change_the_shopper_and_name_their_mistakes() -> None:
    terminal = await Started.terminal("--tcp", "127.0.0.1:0", "--scenario", "instant")
    assert "error" in await terminal.control(do="dance")
    declines = {"payments": [{"outcome": "decline", "code": 5}], "speed": 0}
    assert (await terminal.control(do="scenario", scenario=declines))["did"] == "scenario"
    assert terminal.process.stdin is not None
    terminal.process.stdin.close()

    line = await SocketLine.open("127.0.0.1", terminal.address["port"])
    register = RawRegister(line, "tcp")
    assert (await register.run(PAY))[-1] == m.Abort(5)
    line.close()
    assert await terminal.stop() == 0


async def test_a_network_terminal_half_closes_and_refuses() -> None:
    terminal = await Started.terminal("--tcp", "127.0.0.1:0", "--scenario", "instant")
    port = terminal.address["port"]
    line = await SocketLine.open("127.0.0.1", port)
    await RawRegister(line, "tcp").run(WITHOUT_RECEIPTS)
    await terminal.control(do="refuse")
    with pytest.raises(ConnectionRefusedError):
        await SocketLine.open("127.0.0.1", port)
    await terminal.control(do="half_close")
    assert await line.read() == b""
    line.close()
    await terminal.control(do="replug")
    line = await SocketLine.open("127.0.0.1", port)
    assert isinstance((await RawRegister(line, "tcp").run(PAY))[-1], m.Completion)
    line.close()
    assert await terminal.stop() == 0
