"""`scripts/bench --only draining`: an outage's purchases reach a back office 200 ms away.

The service runs as a process beside a real mosquitto, and logs in at the same slow server. That is
too busy at first, until all registers know what is due; then it is back. A register asks for
payments meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import history
from benchmarks.load import Row, Store, resident_mib, store, terminal
from benchmarks.stage import bridge, mosquitto, percentile, process
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX

LATENCY_SECONDS = 0.2
SLACK = 1.3  # of what the latency alone costs
GROWTH_MIB_MAX = 20
ANSWER_SECONDS_MAX = 1.0
ASKED_EVERY_SECONDS = 0.1
STALLED_SECONDS = 60.0  # without one more purchase; it asks twice a minute whether all is well
QUIET_SECONDS = 3.0  # without a word: everything that is due has been told to registers


@dataclass(slots=True)
class SlowOffice:
    """A provider and a back office in one that take their time over each purchase."""

    latency: float
    port: int = 0
    is_back: bool = False  # until then it is too busy for anybody
    taken: int = 0
    began: float = 0.0
    ended: float = 0.0

    async def serve(self) -> None:
        """Say the port, then serve for ever."""
        server = await asyncio.start_server(self._one, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        print(json.dumps({"port": self.port}), flush=True)
        await server.serve_forever()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length")]
        length = int(lengths[0].partition(":")[2]) if lengths else 0
        body = await reader.readexactly(length)
        path = head.split(" ")[1]
        self.is_back |= path == "/go"
        is_busy = path == "/api/graphql" and not self.is_back
        answer = b"" if is_busy else json.dumps(await self._answer(path, body)).encode()
        writer.write(
            (b"HTTP/1.1 429 Busy" if is_busy else b"HTTP/1.1 200 OK")
            + b"\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(answer) + answer
        )
        writer.close()

    async def _answer(self, path: str, body: bytes) -> object:
        here = f"http://127.0.0.1:{self.port}"
        if path.endswith("openid-configuration"):
            return {"issuer": here, "token_endpoint": f"{here}/token", "jwks_uri": f"{here}/keys"}
        if path == "/token":
            return {"access_token": "bench", "token_type": "Bearer", "expires_in": 36_000}
        if path in {"/count", "/go"}:
            return {"taken": self.taken, "seconds": self.ended - self.began}
        if b"purchaseAdd" not in body:
            return {"data": {"__typename": "Query"}}
        self.began = self.began or time.perf_counter()
        await asyncio.sleep(self.latency)
        self.taken += 1
        self.ended = time.perf_counter()
        return {"data": {"purchaseAdd": {"id": f"P{self.taken}"}}}


async def _count(port: int, path: str = "/count") -> tuple[int, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    answer = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()
    return answer["taken"], answer["seconds"]


async def _quiet(till: Store) -> None:
    """Return when all documents of an outage have been published."""
    heard = -1
    while heard != sum(till.heard.values()):
        heard = sum(till.heard.values())
        await asyncio.sleep(QUIET_SECONDS)


async def measure(folder: Path, count: int) -> list[Row]:
    """Return what it took to drain `count` purchases, beside its limits."""
    command = (sys.executable, "-m", "benchmarks", "--slow-office", str(LATENCY_SECONDS))
    async with process(*command) as office, mosquitto(folder, queued_max=0) as port:
        assert office.stdout is not None
        books = json.loads(await office.stdout.readline())["port"]
        async with terminal(folder, port, "bridge") as config, store(port) as till:
            history.write(folder / "bridge" / "state", count, due=True)
            secret = folder / "secret"
            secret.touch(mode=0o600)
            secret.write_text("bench")
            config.write_text(
                f"{config.read_text()}[back_office]\n"
                f'endpoint = "http://127.0.0.1:{books}/api/graphql"\n'
                f'[back_office.login]\nissuer = "http://127.0.0.1:{books}"\nclient_id = "bench"\n'
                f'flow = "client_credentials"\nclient_secret_file = "{secret}"\n'
            )
            async with bridge(config) as (child, _ready):
                await _quiet(till)
                before = most = resident_mib(child.pid)
                await _count(books, "/go")
                answers: list[float] = []
                taken, seconds, moved = 0, 0.0, time.perf_counter()
                while taken < count:
                    number = len(answers) * 37 % count
                    name = history.payment_id(number)
                    register = f"till-{number % 4 + 1}"
                    if register in {"till-1", "till-2"}:
                        answers.append(await till.ask(register, "payment/status", payment_id=name))
                    else:
                        answers.append(await till.ask("till-1", "payment/list"))
                    most = max(most, resident_mib(child.pid))
                    await asyncio.sleep(ASKED_EVERY_SECONDS)
                    now, seconds = await _count(books)
                    if now > taken:
                        taken, moved = now, time.perf_counter()
                    if time.perf_counter() - moved > STALLED_SECONDS:
                        raise RuntimeError(f"only {taken} of {count} purchases were recorded")
                most = max(most, resident_mib(child.pid))
    limit = SLACK * count * LATENCY_SECONDS / IN_FLIGHT_MAX
    late = percentile(answers, 0.99)
    what = f"{count} purchases due, {LATENCY_SECONDS * 1000:.0f} ms away"
    return [
        Row(f"{what}: drained", f"{seconds:.1f} s", f"{limit:.1f} s"),
        Row(f"{what}: memory growth", f"{most - before:.1f} MiB", f"{GROWTH_MIB_MAX} MiB"),
        Row(
            f"{what}: registers answered meanwhile, p99 of {len(answers)}",
            f"{late * 1000:.0f} ms",
            f"{ANSWER_SECONDS_MAX * 1000:.0f} ms",
        ),
    ]
