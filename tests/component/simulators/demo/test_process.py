"""A part that cannot start says why, and every part that was started is gone at the end."""

from __future__ import annotations

import os
import sys

import pytest

from simulators.demo.process import Part, PartFailed

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


async def test_a_part_answers_and_is_gone_after_its_end() -> None:
    part = Part("echo")
    try:
        assert await part.start((sys.executable, "-c", ECHO)) == {"ready": True}
        assert await part.command({"do": "this"}) == {"do": "this"}
        process_id = part.process_id
        assert is_alive(process_id)
    finally:
        await part.end()

    assert not is_alive(process_id)


async def test_a_part_that_refuses_is_not_taken_for_one_that_obeys() -> None:
    part = Part("echo")
    try:
        await part.start((sys.executable, "-c", ECHO))
        with pytest.raises(PartFailed, match="no such cable"):
            await part.command({"error": "no such cable"})
    finally:
        await part.end()


async def test_a_part_that_ends_at_once_is_quoted() -> None:
    part = Part("broker")
    try:
        with pytest.raises(PartFailed, match="the port is in use"):
            await part.start((sys.executable, "-c", "raise SystemExit('the port is in use')"))
    finally:
        await part.end()


async def test_ending_what_never_started_is_nothing() -> None:
    await Part("ghost").end()
