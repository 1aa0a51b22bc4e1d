"""One program of the demo: started, heard, and stopped by its own process number."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

READY_SECONDS_MAX = 20.0  # a slow machine that runs other things as well
STOP_SECONDS_MAX = 5.0  # then it is killed; none of the programs has anything to lose
LAST_WORDS_MAX = 20  # lines kept to explain why a process ended
LINE_BYTES_MAX = 1 << 20


class ProcessFailed(Exception):
    """A program of the demo could not be started, or said something unexpected."""


class Process:
    """A running program that prints JSON lines on its standard output.

    Args:
        name: For people.
        heard: Called with each line of its standard error.
    """

    def __init__(self, name: str, heard: Callable[[str], None] = lambda _: None) -> None:
        self.name = name
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS_MAX)

    @property
    def process_id(self) -> int:
        """The number of the process that was started last."""
        assert self._process is not None, "it was started"
        return self._process.pid

    async def start(self, command: Sequence[str]) -> dict[str, Any]:
        """Start it in a session of its own, so that Ctrl-C reaches us first; return its first line.

        Raises:
            ProcessFailed: It ended, or said nothing in time.
        """
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=LINE_BYTES_MAX,
        )
        self._listening = asyncio.create_task(self._listen())
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """Return the next line of its standard output.

        Raises:
            ProcessFailed: There is none in time, or it is no JSON.
        """
        assert self._process is not None, "it was started"
        assert self._process.stdout is not None, "it has a pipe"
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                line = await self._process.stdout.readline()
                if not line and self._listening is not None:
                    await self._listening  # it is ending: hear why
            answer: dict[str, Any] = json.loads(line)
        except (TimeoutError, ValueError) as error:
            words = "\n".join(self._last_words) or type(error).__name__
            raise ProcessFailed(f"the {self.name} did not answer:\n{words}") from error
        return answer

    async def command(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send one JSON line to its standard input; return what it answers.

        Raises:
            ProcessFailed: It does not answer, or refuses.
        """
        assert self._process is not None, "it was started"
        assert self._process.stdin is not None, "it has a pipe"
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        answer = await self.answer()
        if "error" in answer:
            raise ProcessFailed(f"the {self.name} refused {order}: {answer['error']}")
        return answer

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for that; what does not obey in time is killed."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._signal(number)
            try:
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await self._process.wait()
            except TimeoutError:
                self._signal(signal.SIGKILL)
                await self._process.wait()
        if self._listening is not None:
            await self._listening
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it was started"
        with contextlib.suppress(ProcessLookupError):  # it ended by itself in this moment
            os.kill(self._process.pid, number)

    async def _listen(self) -> None:
        assert self._process is not None, "it was started"
        assert self._process.stderr is not None, "it has a pipe"
        async for line in self._process.stderr:
            text = line.decode(errors="replace").rstrip()
            self._last_words.append(text)
            self._heard(text)
