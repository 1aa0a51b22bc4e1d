"""(c) purchases recorded per second from a queue, against an API that answers at once.

The floor sends the same requests over the same wire, eight at a time, and journals nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.stage import process
from bridge.adapters import Adapters
from bridge.assembly import build
from bridge.backoffice.api.attempts import Applied
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.login.session import LoginStatus
from bridge.backoffice.login.token_file import Storage
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX, Recorder, purchase_of
from bridge.config import Config, parse
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from drivers.contract import Approval, Approved, Baseline, Money


class Tokens:
    """Somebody who is always logged in."""

    status = LoginStatus(True, "bench", "", None, "", Storage.PLAIN)

    async def run(self) -> None:
        """There is nothing to renew."""

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
        endpoint = f"http://127.0.0.1:{port}/api/graphql"
        adapters = Adapters(login=lambda *_args: Tokens())
        async with (
            open_client() as http,
            build(_config(folder, endpoint), {}, adapters) as parts,
        ):
            books = BackOffice(http, endpoint, Tokens(), deadline_seconds=10.0)
            assert parts.recorder is not None, "the configuration has a back office"
            await parts.ledger.recover()
            await _fill(parts.ledger, count)
            floor = await _floor(books, parts.ledger, min(count, 3_000))
            ours = await _record(parts.recorder, parts.ledger, count)
    return ours, floor


def _config(folder: Path, endpoint: str) -> Config:
    login = {"issuer": "http://127.0.0.1/", "client_id": "bench"}
    return parse(
        {
            "site": {"store_code": "BENCH", "state_directory": folder / "recording"},
            "terminals": {"counter-1": {"driver": "zvt", "port": "/dev/null"}},
            "back_office": {"endpoint": endpoint, "deadline_seconds": 10.0, "login": login},
        }
    )


async def _fill(ledger: Ledger, count: int) -> None:
    async def pay(number: int) -> None:
        payment_id = f"018f6f0e-0000-7000-8000-{number:012d}"
        request = p.PaymentRequest(
            payment_id, "till-1", "counter-1", p.PaymentType.SALE, Money(1250, "EUR"), "h"
        )
        await ledger.accept(request, p.Started(Baseline("")))
        await ledger.apply(payment_id, Approved(Approval(request.amount, str(number))))

    for begin in range(0, count, 500):
        await asyncio.gather(*(pay(n) for n in range(begin, min(begin + 500, count))))


async def _record(recorder: Recorder, ledger: Ledger, count: int) -> float:
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
