"""A process that cannot start says why, and every one that was started is gone at the end."""

from __future__ import annotations

import os
import sys

import pytest

from simulators.demo.process import Process, ProcessFailed

ECHO = """
import sys
print('{"ready": true}', flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
"""


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_process_answers_and_is_gone_after_its_end() -> None:
    process = Process("echo")
    try:
        assert await process.start((sys.executable, "-c", ECHO)) == {"ready": True}
        assert await process.command({"do": "this"}) == {"do": "this"}
        process_id = process.process_id
        assert is_alive(process_id)
    finally:
        await process.end()

    assert not is_alive(process_id)


async def test_a_process_that_refuses_is_not_taken_for_one_that_obeys() -> None:
    process = Process("echo")
    try:
        await process.start((sys.executable, "-c", ECHO))
        with pytest.raises(ProcessFailed, match="no such cable"):
            await process.command({"error": "no such cable"})
    finally:
        await process.end()


async def test_a_process_that_ends_at_once_is_quoted() -> None:
    process = Process("broker")
    try:
        with pytest.raises(ProcessFailed, match="the port is in use"):
            await process.start((sys.executable, "-c", "raise SystemExit('the port is in use')"))
    finally:
        await process.end()


async def test_ending_what_never_started_is_nothing() -> None:
    await Process("ghost").end()
