"""(e) the copy of items: how long a whole catalogue takes, what it costs, how fast it answers.

The back office is a process of its own that answers every page at once. The floor asks for the same
pages over the same wire and throws them away.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.recording import Tokens
from benchmarks.stage import percentile, process
from bridge.backoffice.api.attempts import CannotTell
from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.api.items import ITEM
from bridge.backoffice.api.reader import Reader
from bridge.backoffice.http_exchange import open_client
from bridge.backoffice.item_copy.copy import ItemCopy, open_item_copy
from bridge.backoffice.item_copy.file import COPY_NAME
from bridge.backoffice.item_copy.sync import BOUNDS, PAGE_ROWS, ItemSync, SyncSettings

CHECKS = 2_000
LOOK_SECONDS = 0.002  # how often the loop says that it is there
_SINCE = re.compile(r'since: \\"([0-9]*)\\"')
_FIRST = re.compile(r"first: ([0-9]+)")


@dataclass(frozen=True, slots=True)
class ItemFigures:
    """What was measured; seconds, MiB."""

    seconds: float
    floor_seconds: float
    growth_mib: float
    file_mib: float
    late_p99: float  # how late the loop was while it copied
    late_max: float
    check_p50: float
    check_p99: float
    trolley_p99: float  # twenty SKUs at once


def page_of(body: bytes, count: int) -> bytes:
    """Return the answer to one question for items; anything else is refused."""
    text = body.decode()
    if "item(" not in text:
        code = {"code": "NO_INTROSPECTION"}
        return json.dumps({"errors": [{"message": "hidden", "extensions": code}]}).encode()
    since, first = _SINCE.search(text), _FIRST.search(text)
    begin = int(since[1] or 0) if since else 0
    end = min(begin + int(first[1] if first else 100), count)
    rows = ",".join(
        f'{{"sku":"{100_000 + n}","name":"Mug blue {n}","longName":"Mug blue {n}, from the '
        f'catalogue of 2026","saleUom":"EA","stockUom":"EA"}}'
        for n in range(begin, end)
    )
    more = "true" if end < count else "false"
    page = f'{{"hasMoreResults":{more},"until":"{end}","results":[{rows}]}}'
    return f'{{"data":{{"item":{page}}}}}'.encode()


async def serve_items(count: int) -> None:
    """Answer every POST at once with a page; a process of its own."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            body = page_of(await reader.readexactly(length), count)
            status = b"400 Bad Request" if body.startswith(b'{"errors"') else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\n")
            writer.write(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


async def measure(folder: Path, count: int) -> ItemFigures:
    """Copy `count` items once, then ask for some of them."""
    command = (sys.executable, "-m", "benchmarks", "--item-api", str(count))
    settings = SyncSettings(("item",), 300.0, timedelta(days=7), timedelta(hours=24))
    path = folder / "items"
    path.mkdir()
    async with process(*command) as api, open_client() as http:
        assert api.stdout is not None
        port = json.loads(await api.stdout.readline())["port"]
        endpoint = f"http://127.0.0.1:{port}/api/graphql"
        reader = Reader(BackOffice(http, endpoint, Tokens(), deadline_seconds=10.0))
        floor = await _floor(reader)
        async with open_item_copy(path / COPY_NAME, lambda _folder: 10**12, endpoint) as copy:
            assert copy is not None, "the folder can be written"
            sync = ItemSync(copy, reader, settings, lambda: datetime.now(UTC))
            late: list[float] = []
            watch = asyncio.create_task(_watch(late))
            before, began = _resident_mib(), time.perf_counter()
            peak = asyncio.create_task(_peak())
            assert await sync.round(), sync.warnings()
            seconds = time.perf_counter() - began
            for task in (watch, peak):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await peak
            assert await copy.count("item") == count
            checks = await _time([[f"{100_000 + n * 37 % count}"] for n in range(CHECKS)], copy)
            trolley = [f"{100_000 + n * 37 % count}" for n in range(20)]
            trolleys = await _time([trolley] * (CHECKS // 10), copy)
            growth = max(_PEAK[0], _resident_mib()) - before
            file_mib = sum(one.stat().st_size for one in path.iterdir()) / (1 << 20)
    return ItemFigures(
        seconds=seconds,
        floor_seconds=floor,
        growth_mib=growth,
        file_mib=file_mib,
        late_p99=percentile(late, 0.99),
        late_max=max(late),
        check_p50=percentile(checks, 0.5),
        check_p99=percentile(checks, 0.99),
        trolley_p99=percentile(trolleys, 0.99),
    )


async def _floor(reader: Reader) -> float:
    began = time.perf_counter()
    async for page in reader.pages(ITEM, since="", first=PAGE_ROWS, bounds=BOUNDS):
        assert not isinstance(page, CannotTell), page
    return time.perf_counter() - began


async def _time(questions: list[list[str]], copy: ItemCopy) -> list[float]:
    taken = []
    for skus in questions:
        began = time.perf_counter()
        assert await copy.unknown(skus) == ()
        taken.append(time.perf_counter() - began)
    return taken


_PEAK = [0.0]


async def _peak() -> None:
    while True:
        _PEAK[0] = max(_PEAK[0], _resident_mib())
        await asyncio.sleep(0.05)


async def _watch(late: list[float]) -> None:
    while True:
        wanted = time.perf_counter() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        late.append(time.perf_counter() - wanted)


def _resident_mib() -> float:
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in one]
    return int(line.split()[1]) / 1024
