"""(i) a payment while ten consoles watch, beside the same payment alone; pages, search, memory.

One service, one terminal: blocks of payments with and without watchers alternate, so that a busy
moment of the machine hits both. A watcher reads its page's stream as a browser does.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import httpx

from benchmarks.footprint import resident_mib, status_of
from benchmarks.instant import InstantTerminal
from benchmarks.latency import BASE, NODELAY, bridge_round, until_message
from benchmarks.stage import bridge, free_port, mosquitto, write_config
from bridge.reports.outcome import Outcome
from bridge.reports.payment_index import INDEX_NAME, PaymentIndex, PaymentQuery
from bridge.settings import JOURNAL_NAME
from simulators.terminals.shared.serial_port import PtyLine

WATCHERS = 10
BLOCKS = 4  # of each kind
PAYMENTS_SEARCHED = 100_000
PAGES = ("/", "/attention", "/payments", "/terminals", "/registers", "/day", "/login", "/health")


@dataclass(slots=True)
class Found:
    """Seconds, bytes and MiB."""

    alone: list[float] = field(default_factory=list)  # command → approved document
    watched: list[float] = field(default_factory=list)
    page_seconds: float = 0.0  # the slowest page
    page_bytes: int = 0  # the largest page
    search_seconds: float = 0.0  # the slowest search among `PAYMENTS_SEARCHED`
    memory_mib: float = 0.0


async def measure(folder: Path, rounds: int) -> Found:
    """Return what the console costs; `rounds` payments of each kind."""
    found = Found()
    async with mosquitto(folder) as port, asyncio.TaskGroup() as group:
        pty = PtyLine()
        terminal = InstantTerminal(pty)
        serving = group.create_task(terminal.serve())
        console = free_port()
        config = write_config(folder, port, pty.device)
        with config.open("a") as file:
            file.write(f"[console]\nport = {console}\n")
        address = f"http://127.0.0.1:{console}"
        async with (
            bridge(config) as (child, _),
            aiomqtt.Client("127.0.0.1", port, socket_options=NODELAY) as client,
        ):
            await client.subscribe(f"{BASE}/registers/till-1/payments/#", qos=1)
            await client.subscribe(f"{BASE}/terminals/+/state", qos=1)
            messages = aiter(client.messages)
            await until_message(messages, lambda m: b'"ready":true' in m.payload)
            for number in range(2 * BLOCKS + 1):
                kept = found.watched if number % 2 else found.alone
                async with _watchers(address, WATCHERS if number % 2 else 0):
                    for _ in range(max(rounds // BLOCKS, 5)):
                        one = await bridge_round(client, messages, terminal)
                        if number:  # the first block warms caches and connections
                            kept.append(one[2])
            async with _watchers(address, WATCHERS):
                found.page_seconds, found.page_bytes = await _pages(address)
                found.memory_mib = resident_mib(status_of(child.pid))
        pty.close()
        serving.cancel()
    found.search_seconds = await asyncio.to_thread(_search, folder)
    return found


@asynccontextmanager
async def _watchers(address: str, count: int) -> AsyncIterator[None]:
    async def watch() -> None:
        async with (
            httpx.AsyncClient(trust_env=False, timeout=None) as http,
            http.stream("GET", f"{address}/live") as answer,
        ):
            async for _ in answer.aiter_bytes():
                pass

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch()) for _ in range(count)]
        await asyncio.sleep(0.5 if count else 0.0)
        yield
        for task in tasks:
            task.cancel()


async def _pages(address: str) -> tuple[float, int]:
    slowest, largest = 0.0, 0
    async with httpx.AsyncClient(trust_env=False) as http:
        for path in PAGES:
            began = time.perf_counter()
            answer = await http.get(address + path)
            slowest = max(slowest, time.perf_counter() - began)
            largest = max(largest, len(answer.content))
    return slowest, largest


def _search(folder: Path) -> float:
    """Return the slowest of usual searches, in a copy with so many payments."""
    state = folder / "state"
    path = folder / INDEX_NAME
    index = PaymentIndex(state / JOURNAL_NAME, path)
    index.search(PaymentQuery())
    index.close()
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "insert into payment values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    f"{number:032x}",
                    f"2026-{1 + number * 12 // PAYMENTS_SEARCHED:02}-{1 + number % 28:02}"
                    f"T{number % 24:02}:{number % 60:02}:00.000Z",
                    f"till-{number % 12}",
                    f"counter-{number % 4}",
                    f"S-{number:06}",
                    "sale",
                    Outcome.PAID.value,
                    "recorded",
                    "EUR",
                    number % 20_000,
                    number % 20_000,
                    "Visa",
                    f"{number % 10_000:04}",
                    f"{number % 1_000_000:06}",
                    0,
                )
                for number in range(PAYMENTS_SEARCHED)
            ),
        )
    index = PaymentIndex(state / JOURNAL_NAME, path)
    slowest = 0.0
    for query in (
        PaymentQuery(),
        PaymentQuery(amount_minor=4790),
        PaymentQuery(last4="4242"),
        PaymentQuery(sale_id="S-0420"),
        PaymentQuery(register_id="till-3"),
        PaymentQuery(since="2026-05-01", until="2026-05-02"),
        PaymentQuery(outcomes=(Outcome.DOUBT, Outcome.CHECKING)),
        PaymentQuery(amount_minor=1, register_id="till-3", since="2026-02-01"),
    ):
        index.search(query)
        began = time.perf_counter()
        index.search(query)
        slowest = max(slowest, time.perf_counter() - began)
    index.close()
    return slowest
