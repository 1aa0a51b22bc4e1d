import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.loop import run_virtual

ROOT = Path(__file__).parents[3]


TRACED_WORLD = """
import asyncio
from simulators.loop import run_virtual

trace = []

async def worker(name):
    loop = asyncio.get_running_loop()
    try:
        for _ in range(5):
            await asyncio.sleep(0)
            trace.append((name, round(loop.time(), 6)))
            await loop.run_in_executor(None, len, name)
        await asyncio.sleep(3600)
    finally:
        trace.append((name, "canceled"))

async def main():
    async with asyncio.timeout(60):
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(worker(f"w{number}"))

try:
    run_virtual(main, seed=SEED)
except TimeoutError:
    pass
print(trace)
"""


def traced(seed: int, hash_seed: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-c", TRACED_WORLD.replace("SEED", str(seed))],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return completed.stdout


def test_one_seed_gives_one_trace_whatever_the_hash_seed() -> None:
    traces = {traced(7, hash_seed) for hash_seed in ("0", "1", "5")}
    assert len(traces) == 1
    assert "canceled" in traces.pop()


def test_another_seed_gives_another_trace() -> None:
    assert traced(7, "0") != traced(8, "0")


def test_sockets_are_not_there() -> None:
    async def main() -> None:
        await asyncio.open_connection("127.0.0.1", 1)

    with pytest.raises(NotImplementedError):
        run_virtual(main)
