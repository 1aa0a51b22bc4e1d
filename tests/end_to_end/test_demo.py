"""`paybridge demo` itself: every scene keeps its promise, and all books agree."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PLAYED_SECONDS_MAX = 180.0  # 22 s on two idle cores; a busy machine may take its time
STOPPED_SECONDS_MAX = 60.0


async def started(folder: Path, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "demo", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def named_in_processes(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        if text in command:
            found.append(command)
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the demo's service has a Unix socket in it, of at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


@pytest.mark.slow
async def test_a_day_at_the_till_ends_with_equal_books(folder: Path) -> None:
    process = await started(folder, "--fast", "--json")

    async with asyncio.timeout(PLAYED_SECONDS_MAX):
        out, told = await process.communicate()

    outcome = json.loads(out)
    assert outcome["broken"] == [], told.decode()
    assert outcome["equal"] is True
    assert all(scene["kept"] for scene in outcome["scenes"])
    assert len(outcome["scenes"]) == 12
    split = {"terminal_minor": 1990, "gift_cards_minor": 3000}
    sales = [
        ("approved", {"terminal_minor": 4790}),
        ("declined", {}),
        ("canceled", {}),
        ("approved", {"terminal_minor": -800}),
        ("approved", {"terminal_minor": 3000}),
        ("approved", split),
        ("approved", {"terminal_minor": 2345}),
        ("approved", {"terminal_minor": 1520}),
        ("approved", {"terminal_minor": 3100}),
    ]
    assert [sale["status"] for sale in outcome["sales"]] == [status for status, _ in sales]
    for sale, (_, taken) in zip(outcome["sales"], sales, strict=True):
        total = sum(taken.values())
        books = {"journal_minor": total, "back_office_minor": total}
        expected = {"terminal_minor": 0, "gift_cards_minor": 0, **taken, **books}
        assert sale == {**sale, **expected}
    (filled,) = outcome["gift_cards_filled"]
    assert filled["gift_cards_minor"] == filled["journal_minor"] == 3000
    assert outcome["charges"] == outcome["purchases"] == 7
    assert outcome["terminal_minor"] == 4790 - 800 + 3000 + 1990 + 2345 + 1520 + 3100
    assert outcome["terminal_minor"] + outcome["gift_cards_minor"] == outcome["journal_minor"]
    assert outcome["journal_minor"] == outcome["back_office_minor"]
    assert process.returncode == 0
    assert left_behind(folder) == []


@pytest.mark.slow
async def test_a_demo_that_is_stopped_leaves_no_process_and_no_file(folder: Path) -> None:
    process = await started(folder, "--fast")
    assert process.stdout is not None
    async with asyncio.timeout(STOPPED_SECONDS_MAX):
        while b"service: started" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        await process.communicate()

    assert process.returncode == 130
    assert left_behind(folder) == []
    assert named_in_processes(str(folder)) == []
