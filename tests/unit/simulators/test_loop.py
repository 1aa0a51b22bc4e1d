import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.loop import Deadlock, VirtualLoop, run_virtual

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


def test_an_hour_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run_virtual(main) == pytest.approx(3600)


def test_waiting_for_what_cannot_happen_raises() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run_virtual(main)


def test_one_executor_does_its_work_in_order() -> None:
    writer = object()

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        done: list[int] = []
        await asyncio.gather(*(loop.run_in_executor(writer, done.append, n) for n in range(50)))
        return done

    assert run_virtual(main, seed=3) == list(range(50))


def test_work_that_raises_raises_at_its_caller() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        run_virtual(main)


class DiesBefore:
    def before(self, work: Callable[..., object]) -> bool:
        return False

    def after(self, work: Callable[..., object]) -> bool:
        return True


class DiesAfter:
    def before(self, work: Callable[..., object]) -> bool:
        return True

    def after(self, work: Callable[..., object]) -> bool:
        return False


@pytest.mark.parametrize(("hook", "done"), [(DiesBefore(), []), (DiesAfter(), ["row"])])
def test_a_process_can_die_before_or_after_its_work(
    hook: DiesBefore | DiesAfter, done: list[str]
) -> None:
    disk: list[str] = []

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, disk.append, "row")

    with pytest.raises(Deadlock):
        run_virtual(main, loop=VirtualLoop(0, executor_hook=hook))
    assert disk == done


def test_work_of_a_canceled_caller_is_done_all_the_same() -> None:
    disk: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        writing = asyncio.ensure_future(loop.run_in_executor(None, disk.append, "row"))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.sleep(10)

    run_virtual(main)
    assert disk == ["row"]


def test_sockets_are_not_there() -> None:
    async def main() -> None:
        await asyncio.open_connection("127.0.0.1", 1)

    with pytest.raises(NotImplementedError):
        run_virtual(main)
