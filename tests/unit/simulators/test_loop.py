import asyncio
from collections.abc import Callable

import pytest

from simulators.loop import Deadlock, VirtualLoop, run_virtual


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
