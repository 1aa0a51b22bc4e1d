"""`scripts/bench --load`: what stands beside its limit where much comes at once, or much has been.

The service runs as a process beside a real mosquitto; its terminal answers at once.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt

from benchmarks import history
from benchmarks.instant import InstantTerminal
from benchmarks.latency import BASE, NODELAY
from benchmarks.stage import bridge, mosquitto, process_seconds, write_config
from bridge.adapters import Adapters
from bridge.assembly import build
from bridge.config import load as load_config
from drivers.contract import BatchTotals, Money
from simulators.terminals.shared.serial_port import PtyLine

FLOOD_PER_SECOND = 500
FLOOD_SECONDS = 3.0
ANSWER_SECONDS_MAX = 60.0
LAST_WORDS_SECONDS = 0.1  # the terminal is free a little after the document of its payment
Json = dict[str, Any]
START: Json = {"amounts": {"currency": "EUR", "requested_amount": "12.50"}}
FLOODS: dict[str, Json] = {
    "payment/status": {"payment_id": history.payment_id(1)},
    "payment/list": {},
    "payment/start": {"payment_id": "none", **START},  # refused
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    limit: str


class Store:
    """One register beside the service, and all that it hears."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.heard: dict[str, int] = {}  # messages by their topic
        self.epochs: set[str] = set()
        self._awaited: dict[str, asyncio.Event] = {}

    async def listen(self) -> None:
        """Hear everything below the base topic, for ever."""
        async for message in self.client.messages:
            topic, payload = str(message.topic), bytes(message.payload)
            self.heard[topic] = self.heard.get(topic, 0) + 1
            if topic == f"{BASE}/bridge/state":
                self.epochs.add(json.loads(payload).get("epoch") or "")
            for mark, event in tuple(self._awaited.items()):
                if mark in topic or mark.encode() in payload:
                    if "/payments/" in topic and b'"status":"approved"' not in payload:
                        continue
                    event.set()

    async def until(self, mark: str, act: Callable[[], Any] | None = None) -> float:
        """Return the seconds until a message with `mark` comes, from `act` on."""
        event = self._awaited[mark] = asyncio.Event()
        began = time.perf_counter()
        if act is not None:
            await act()
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await event.wait()
        del self._awaited[mark]
        return time.perf_counter() - began

    async def ask(self, till: str, operation: str, **fields: object) -> float:
        """Return the seconds until the command's response."""
        name = uuid.uuid4().hex
        return await self.until(name, lambda: self.send(till, operation, request_id=name, **fields))

    async def pay(self, till: str) -> float:
        """Return the seconds from a start to its approved document."""
        await asyncio.sleep(LAST_WORDS_SECONDS)
        name = str(uuid.uuid4())
        return await self.until(
            f"/payments/{name}",
            lambda: self.send(till, "payment/start", request_id="b", payment_id=name, **START),
        )

    async def send(self, till: str, operation: str, **fields: object) -> None:
        """Publish a command."""
        topic = f"{BASE}/registers/{till}/request/{operation}"
        await self.client.publish(topic, json.dumps(fields), qos=1)


@asynccontextmanager
async def store(port: int) -> AsyncIterator[Store]:
    """Yield a register that hears everything."""
    async with aiomqtt.Client("127.0.0.1", port, socket_options=NODELAY) as client:
        await client.subscribe(
            [
                (f"{BASE}/{part}/#", 0)
                for part in ("registers/till-1", "registers/till-2", "bridge", "terminals")
            ]
        )
        found = Store(client)
        task = asyncio.create_task(found.listen())
        yield found
        task.cancel()


@asynccontextmanager
async def terminal(folder: Path, port: int, name: str) -> AsyncIterator[Path]:
    """Yield the configuration of a service with an instant terminal."""
    pty = PtyLine()
    serving = asyncio.create_task(InstantTerminal(pty).serve())
    (folder / name).mkdir()
    yield write_config(folder / name, port, pty.device)
    pty.close()
    serving.cancel()


async def measure(folder: Path, payments: int) -> list[Row]:
    """Return all rows; `payments` is how many a year has, a tenth of it a day without internet."""
    rows: list[Row] = []
    for name, part in (
        ("floods", _floods),
        ("waiting", _waiting),
        ("history", _history),
        ("due", _due),
    ):
        (folder / name).mkdir()
        async with mosquitto(folder / name, queued_max=0) as port:
            rows += await part(folder / name, port, payments)
    return rows


async def _floods(folder: Path, port: int, _payments: int) -> list[Row]:
    rows = []
    async with terminal(folder, port, "bridge") as config:
        history.write(folder / "bridge" / "state", 1_000)
        async with bridge(config) as (child, _), store(port) as till:
            await till.until('"ready":true')
            await till.pay("till-1")
            async with aiomqtt.Client("127.0.0.1", port, socket_options=NODELAY) as other:
                for operation, fields in FLOODS.items():
                    rows += [
                        await _flood(till, other, child.pid, operation, fields, registers)
                        for registers in (1, 10, 50)
                    ]
            once = max((n for t, n in till.heard.items() if "/payments/" in t), default=0)
            rows.append(Row("documents of one payment, progress included", f"{once}", "5"))
    return rows


async def _flood(  # noqa: PLR0917 - two clients, and what one of them does
    till: Store, other: aiomqtt.Client, pid: int, operation: str, fields: Json, registers: int
) -> Row:
    sending = asyncio.create_task(_send_evenly(other, operation, fields, registers))
    await asyncio.sleep(1.0)
    took, cpu, began = [], process_seconds(pid), time.perf_counter()
    while not sending.done():
        took.append(await till.pay("till-1"))
    share = (process_seconds(pid) - cpu) / (time.perf_counter() - began)
    await sending
    await till.ask("till-1", "payment/list")
    return Row(
        f"{operation}: {FLOOD_PER_SECOND}/s by {registers} registers, another's payment",
        f"{max(took) * 1000:.0f} ms at most of {len(took)}, {len(till.epochs)} connections, "
        f"{share:.2f} cores",
        "1 s, 1 connection",
    )


async def _send_evenly(
    client: aiomqtt.Client, operation: str, fields: Json, registers: int
) -> None:
    until = time.perf_counter() + FLOOD_SECONDS
    number = 0
    while time.perf_counter() < until:
        for _ in range(FLOOD_PER_SECOND // 50):
            number += 1
            topic = f"{BASE}/registers/flood-{number % registers}/request/{operation}"
            payload = json.dumps({"request_id": f"f{number}", **fields})
            await client.publish(topic, payload, qos=1)
        await asyncio.sleep(0.02)


async def _waiting(folder: Path, port: int, _payments: int) -> list[Row]:
    rows = []
    async with terminal(folder, port, "bridge") as config, store(port) as till:
        async with bridge(config):
            await till.until('"ready":true')
        for count in (400, 1_000, 3_000):
            for number in range(count):
                await till.send(
                    f"till-{number % 4 + 2}",
                    "payment/start",
                    request_id=f"w{number}",
                    payment_id=str(uuid.uuid4()),
                    **START,
                )
            began = time.perf_counter()
            async with bridge(config) as (_, ready):
                await till.until('"ready":true')
                while True:
                    try:
                        async with asyncio.timeout(3):
                            await till.pay("till-1")
                            break
                    except TimeoutError:
                        continue
                took = time.perf_counter() - began
            rows.append(
                Row(
                    f"{count} starts waited: first payment after the start",
                    f"{took:.2f} s, ready after {ready:.2f} s",
                    "2 s after ready",
                )
            )
    return rows


async def _history(folder: Path, _port: int, payments: int) -> list[Row]:
    rows = []
    for count in (1_000, payments):
        own = folder / f"broker-{count}"  # the base topic belongs to one bridge
        own.mkdir()
        async with mosquitto(own) as port, terminal(folder, port, f"bridge-{count}") as config:
            history.write(folder / f"bridge-{count}" / "state", count)
            async with bridge(config) as (child, ready), store(port) as till:
                await till.until('"ready":true')
                rows.append(Row(f"{count} payments: start to ready", f"{ready:.2f} s", "2 s"))
                for operation, fields in (
                    ("payment/list", {}),
                    ("payment/list", {"open": True}),
                ):
                    took = [await till.ask("till-1", operation, **fields) for _ in range(10)]
                    paid = await till.pay("till-2")
                    rows.append(
                        Row(
                            f"{count} payments: {operation} {'open' if fields else ''}".rstrip(),
                            f"{min(took) * 1000:.0f} to {max(took) * 1000:.0f} ms, a payment "
                            f"{paid * 1000:.0f} ms, {resident_mib(child.pid):.0f} MiB",
                            "the same for 1 000 and a year",
                        )
                    )
            rows.append(await _totals(config, count))
    return rows


async def _totals(config: Path, count: int) -> Row:
    """Compare a batch that was never closed, and measure how long the loop stood still."""
    async with build(load_config(config), {}, Adapters()) as parts:
        await parts.ledger.recover()
        told = BatchTotals(False, Money(1250 * count, "EUR"))
        stalls: list[float] = []

        async def tick() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                stalls.append(time.perf_counter() - before - 0.001)

        ticking = asyncio.create_task(tick())
        began = time.perf_counter()
        await parts.desk.operations.day_ends.totals("counter-1", told)
        took = time.perf_counter() - began
        ticking.cancel()
    return Row(
        f"{count} payments in one batch: terminal/totals",
        f"{took:.2f} s, the loop stood still for {max(stalls) * 1000:.0f} ms at most",
        "5 ms",
    )


async def _due(folder: Path, port: int, payments: int) -> list[Row]:
    count = payments // 10
    async with terminal(folder, port, "bridge") as config:
        history.write(folder / "bridge" / "state", count, due=True)
        text = config.read_text()
        config.write_text(
            f'{text}[back_office]\nendpoint = "http://127.0.0.1:9/api/graphql"\n'
            '[back_office.login]\nissuer = "http://127.0.0.1:9/"\nclient_id = "bench"\n'
        )
        async with store(port) as till:
            began = time.perf_counter()
            states = asyncio.create_task(till.until('"ready":true'))
            await asyncio.sleep(0)
            async with bridge(config) as (child, ready):
                cpu = process_seconds(child.pid)
                answer = await till.ask("till-1", "payment/list")
                first = time.perf_counter() - began
                await states
                state = time.perf_counter() - began
                paid = await till.pay("till-1")
    return [
        Row(
            f"{count} purchases due: ready",
            f"{ready:.2f} s, {cpu:.2f} s of processor time",
            "2 s",
        ),
        Row(
            f"{count} purchases due: first response, first terminal state",
            f"{first:.2f} s ({answer * 1000:.0f} ms), {state:.2f} s",
            "1 s after ready",
        ),
        Row(f"{count} purchases due: a payment", f"{paid * 1000:.0f} ms", "1 s"),
    ]


def resident_mib(pid: int) -> float:
    """Return how much memory a process has, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(
        int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")
    )
