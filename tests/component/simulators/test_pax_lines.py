"""The PAX terminal as a process, over a real pseudo-terminal and a real socket."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from bridge.terminal.conversation import Line
from bridge.terminal.transport import SerialAddress, TcpAddress, open_line
from drivers.contract import Approved, BatchTotals, EndOfDay, FinalEvent, Inquire, Operation
from drivers.pax import DRIVER, PaxSettings
from drivers.pax.codec.framing import encode_frame
from drivers.pax.codec.messages import Outcome
from drivers.pax.codec.payload import encode_answer
from simulators.terminals.shared.ledger import read_ledger, taken_minor
from tests.component.simulators.pax_shop import PAY, Shop, in_shop

ROOT = Path(__file__).parents[3]
A00 = bytes.fromhex("02 41 30 30 1C 31 2E 33 35 1C 03 5B")
WAIT_SECONDS = 20.0  # for a process to start on a busy machine


@asynccontextmanager
async def terminal(*words: str) -> AsyncIterator[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators", "terminal", "pax", "--scenario", "instant", *words),
        stdin=DEVNULL,
        stdout=PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            address: dict[str, Any] = json.loads(await process.stdout.readline())
        yield address
    finally:
        process.terminate()
        assert await process.wait() == 0


async def talk(
    line: Line,
    operation: Operation,
    kind: Literal["serial", "tcp"],
    settings: PaxSettings | None = None,
) -> FinalEvent:
    loop = asyncio.get_running_loop()
    dialogue = DRIVER.dialogue(settings or PaxSettings(), kind)
    last: Any = None
    step = dialogue.begin(operation, loop.time())
    while True:
        line.write(step.send)
        if step.events:
            last = step.events[-1]
            step = dialogue.committed(loop.time())
            continue
        if step.wake_at is None:
            assert last is not None
            final: FinalEvent = last
            return final
        try:
            async with asyncio.timeout_at(step.wake_at):
                data = await line.read()
        except TimeoutError:
            step = dialogue.timeout(loop.time())
        else:
            now = loop.time()
            step = dialogue.receive(data, now) if data else dialogue.line_lost(now)


@pytest.mark.parametrize("kind", ["tcp", "serial"])
async def test_a_day_at_the_till(kind: Literal["serial", "tcp"], tmp_path: Path) -> None:
    ledger, link = tmp_path / "ledger.jsonl", tmp_path / "ttyUSB0"
    where = ("--tcp", "127.0.0.1:0") if kind == "tcp" else ("--pty", str(link))
    async with terminal(*where, "--ledger", str(ledger)) as address:
        if kind == "tcp":
            line = await open_line(TcpAddress("127.0.0.1", address["port"]))
        else:
            line = await open_line(SerialAddress(os.fspath(link)))
        try:
            assert isinstance(await talk(line, PAY, kind), Approved)
            assert isinstance(await talk(line, Inquire(PAY, None), kind), Approved)
            closed = await talk(line, EndOfDay(), kind)
        finally:
            line.close()
    assert isinstance(closed, BatchTotals)
    assert closed.total == PAY.amount
    assert taken_minor(read_ledger(ledger), "USD") == PAY.amount.minor


async def test_http_over_a_real_socket() -> None:
    async with terminal("--tcp", "127.0.0.1:0") as address:
        line = await open_line(TcpAddress("127.0.0.1", address["port"]))
        try:
            final = await talk(line, PAY, "tcp", PaxSettings(transport="http"))
        finally:
            line.close()
    assert isinstance(final, Approved)


# --- what independent clients do


async def raw(shop: Shop, *says: bytes) -> bytes:
    """Write each of `says` after a pause, and return everything that came."""
    line = await shop.open()
    got = b""
    for words in says:
        line.write(words)
        try:
            async with asyncio.timeout(1):
                while data := await line.read():
                    got += data
        except TimeoutError:
            continue
    line.close()
    return got


def test_an_acknowledgement_in_two_letters_is_understood() -> None:
    got = in_shop(lambda shop: raw(shop, A00, b"36"))
    assert got.startswith(b"\x06\x020\x1cA01\x1c1.35\x1c000000")
    assert got.endswith(b"\x04")
    assert got.count(b"A01") == 1


def test_a_refused_answer_comes_again_and_the_command_is_not_done_again() -> None:
    got = in_shop(lambda shop: raw(shop, A00, b"\x15", b"\x06"))
    assert got.count(b"A01") == 2
    assert got.endswith(b"\x04")


def test_a_damaged_request_is_refused() -> None:
    assert in_shop(lambda shop: raw(shop, A00[:-1] + b"\x00")) == b"\x15"


def test_an_unknown_command_is_refused_in_words() -> None:
    got = in_shop(lambda shop: raw(shop, encode_frame(b"Z98\x1c1.35"), b"\x06"))
    assert encode_frame(encode_answer(Outcome("Z99", "100027", "UNSUPPORTED"))) in got


def test_a_query_that_is_no_frame_is_a_bad_request() -> None:
    got = in_shop(lambda shop: raw(shop, b"GET /?!!! HTTP/1.1\r\n\r\n"))
    assert got.startswith(b"HTTP/1.1 400 ")
