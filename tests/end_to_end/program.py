"""One child process of a test: started, listened to by line, told things, stopped by its id."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

READY_SECONDS_MAX = 30.0  # a Python program with all imports, on a machine that does other work
ANSWER_SECONDS_MAX = 20.0
END_SECONDS_MAX = 20.0

Json = dict[str, Any]


class Program:
    """`python -m …` with one JSON object a line on standard output, and a log in a file."""

    def __init__(
        self, folder: Path, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.ready: Json = {}
        self.said: list[str] = []  # every line of standard output
        self._arguments = arguments
        self._environment = {**os.environ, **(environment or {})}
        self._log = folder / f"{name}.log"
        self._process: Process | None = None

    @property
    def log(self) -> str:
        """What it wrote to standard error, over all its lives."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Its process id while it runs."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def fell(self) -> bool:
        """Whether it ended without being told to."""
        return self._process is not None and self._process.returncode is not None

    async def launch(self) -> None:
        """Start it and return at once."""
        assert not self.alive, f"{self.name} runs already"
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self._arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                env=self._environment,
                limit=1 << 20,
            )

    async def start(self) -> Json:
        """Start it and return its first line."""
        await self.launch()
        self.ready = await self.line(READY_SECONDS_MAX)
        return self.ready

    async def line(self, seconds: float = ANSWER_SECONDS_MAX) -> Json:
        """Return the next line it says."""
        process = self._running()
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                text = (await process.stdout.readline()).decode()
        except TimeoutError:
            raise AssertionError(f"{self.name} says nothing; its log: {self.log[-2000:]}") from None
        assert text, f"{self.name} ended; its log: {self.log[-2000:]}"
        self.said.append(text)
        found: Json = json.loads(text)
        return found

    async def tell(self, **command: object) -> Json:
        """Send one control line and return the answer."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(command).encode() + b"\n")
        answer = await self.line()
        assert "error" not in answer, answer
        return answer

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process only."""
        self._running().send_signal(number)

    async def stop(self) -> int:
        """Ask it to end (SIGTERM); return its exit status."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it as a power cut does. Harmless when it has ended."""
        if self.alive:
            self.signal(signal.SIGKILL)
        if self._process is not None:
            await self.ended()

    async def ended(self, seconds: float = END_SECONDS_MAX) -> int:
        """Wait for its end; return its exit status, minus the signal's number if one ended it."""
        process = self._running()
        try:
            async with asyncio.timeout(seconds):
                rest, _ = await process.communicate()
        except TimeoutError:
            raise AssertionError(f"{self.name} does not end; its log: {self.log[-2000:]}") from None
        self.said += rest.decode().splitlines(keepends=True)
        self._process = None
        assert process.returncode is not None
        return process.returncode

    def _running(self) -> Process:
        assert self._process is not None, f"{self.name} was not started"
        return self._process
