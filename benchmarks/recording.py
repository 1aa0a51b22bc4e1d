"""(c) purchases recorded per second from a queue, against an API that answers at once.

The floor sends the same requests over the same wire, eight at a time, and journals nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.stage import process
from bridge.backoffice.api.attempts import Applied
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX, Recorder, purchase_of
from bridge.money import payment as p
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import open_database
from bridge.money.store.journal import Journal
from drivers.contract import Approval, Approved, Baseline, Money

NOW = "2026-11-23T12:00:00.000Z"


class Tokens:
    """Somebody who is always logged in."""

    async def access_token(self) -> str:
        """Return a token."""
        return "bench"

    async def reject(self, token: str) -> None:
        """Never mind."""


async def serve_instant_api(port: int) -> None:
    """Answer every POST at once with an id; a process of its own."""
    body = json.dumps({"data": {"purchaseAdd": {"id": "P1"}}}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
    answer = head + b"content-length: %d\r\n\r\n" % len(body) + body

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        for line in request.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


async def measure(folder: Path, count: int) -> tuple[float, float]:
    """Return purchases per second of the recorder and of the floor."""
    command = (sys.executable, "-m", "benchmarks", "--instant-api")
    async with process(*command) as api:
        assert api.stdout is not None
        port = json.loads(await api.stdout.readline())["port"]
        async with open_client() as http:
            books = BackOffice(
                http, f"http://127.0.0.1:{port}/api/graphql", Tokens(), deadline_seconds=10.0
            )
            ledger, executor = await _full_ledger(folder, count)
            floor = await _floor(books, ledger, min(count, 3_000))
            ours = await _record(books, ledger, count)
            executor.shutdown()
    return ours, floor


async def _full_ledger(folder: Path, count: int) -> tuple[Ledger, ThreadPoolExecutor]:
    executor = ThreadPoolExecutor(max_workers=1)
    journal = Journal(open_database(folder / "recording.sqlite"), executor)
    ledger = Ledger(
        journal, books=BooksPolicy("BENCH"), now=lambda: NOW, local_now=lambda: NOW[:19]
    )

    async def pay(number: int) -> None:
        payment_id = f"018f6f0e-0000-7000-8000-{number:012d}"
        request = p.PaymentRequest(
            payment_id, "till-1", "counter-1", p.PaymentType.SALE, Money(1250, "EUR"), "h"
        )
        await ledger.accept(request, p.Started(Baseline("")))
        await ledger.apply(payment_id, Approved(Approval(request.amount, str(number))))

    for begin in range(0, count, 500):
        await asyncio.gather(*(pay(n) for n in range(begin, min(begin + 500, count))))
    return ledger, executor


async def _record(books: BackOffice, ledger: Ledger, count: int) -> float:
    recorder = Recorder(ledger, books, Tokens(), random.SystemRandom())
    tasks = [asyncio.create_task(recorder.run()) for _ in range(IN_FLIGHT_MAX)]
    began = time.perf_counter()
    while ledger.payments.open_purchases():  # noqa: ASYNC110 - the ledger tells nobody, on purpose
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return count / took


async def _floor(books: BackOffice, ledger: Ledger, count: int) -> float:
    contents = [one.purchase.content for one in ledger.payments.open_purchases()[:count]]
    waiting = iter(contents)

    async def send() -> None:
        for content in waiting:
            assert isinstance(await books.purchase_add(purchase_of(content)), Applied)

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(IN_FLIGHT_MAX)))
    return count / (time.perf_counter() - began)
