"""Who works at the register: a person who is told what to do, or commands that are run."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

END_SECONDS_MAX = 10.0  # a command that has its result should end


class RegisterOperator(Protocol):
    """Does what a scenario asks; each method tells whether that can be done here."""

    @property
    def patience_seconds(self) -> float:
        """How long the register may take to begin."""

    @property
    def pace(self) -> float:
        """How much slower than a program it acts in the middle of a payment."""

    @property
    def obeys(self) -> bool:
        """Whether it surely does what it is told, so that nothing happening is a fault."""

    @property
    def is_at_rest(self) -> bool:
        """Whether it surely does nothing more by itself."""

    async def start(self, amount: str, sale: str) -> bool:
        """Start a payment at the register."""

    async def cancel(self, payment_id: str) -> bool:
        """Cancel it there."""

    async def cut_power(self) -> bool:
        """Take the register's power away."""

    async def recover(self, sale: str, payment_id: str) -> bool:
        """Switch it on again and let it look after what was open."""

    async def finish(self) -> None:
        """End what a scenario has left running."""


@dataclass(frozen=True, slots=True)
class Commands:
    """Shell commands; `{amount}`, `{sale}` and `{payment_id}` are filled in. "" where none is."""

    pay: str
    cancel: str = ""
    recover: str = ""


class CommandOperator:
    """Runs commands, each in a session of its own, so that it can be killed with its children."""

    patience_seconds = 20.0  # programs start within seconds
    pace = 1.0
    obeys = True

    def __init__(self, commands: Commands, log: Path) -> None:
        self._commands = commands
        self._log = log
        self._running: list[Process] = []

    @property
    def is_at_rest(self) -> bool:
        """Whether all commands have ended."""
        return all(process.returncode is not None for process in self._running)

    async def start(self, amount: str, sale: str) -> bool:
        """Run the command that pays."""
        return await self._run(self._commands.pay, amount=amount, sale=sale)

    async def cancel(self, payment_id: str) -> bool:
        """Run the command that cancels, if there is one."""
        return await self._run(self._commands.cancel, payment_id=payment_id)

    async def cut_power(self) -> bool:
        """Kill what runs."""
        self._kill()
        return bool(self._commands.recover)

    async def recover(self, sale: str, payment_id: str) -> bool:
        """Run the command that recovers, if there is one."""
        return await self._run(self._commands.recover, sale=sale, payment_id=payment_id)

    async def finish(self) -> None:
        """Wait for the commands to end; kill those that do not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS_MAX):
                for process in self._running:
                    await process.wait()
        self._kill()
        for process in self._running:
            await process.wait()
        self._running.clear()

    async def _run(self, command: str, **values: str) -> bool:
        if not command:
            return False
        for name, value in values.items():
            command = command.replace(f"{{{name}}}", value)
        with self._log.open("ab") as log:
            self._running.append(
                await asyncio.create_subprocess_shell(
                    command, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            )
        return True

    def _kill(self) -> None:
        for process in self._running:
            if process.returncode is None:
                with suppress(ProcessLookupError):  # it ended by itself in this moment
                    os.killpg(process.pid, signal.SIGKILL)


class PersonOperator:
    """Tells a person what to do."""

    patience_seconds = 180.0  # people read, walk and type
    pace = 5.0
    obeys = False
    is_at_rest = False  # its register goes on by itself

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    async def start(self, amount: str, sale: str) -> bool:
        """Ask for a payment."""
        self._say(f"Start a payment of {amount} EUR, as the sale {sale} if it has a number.")
        return True

    async def cancel(self, payment_id: str) -> bool:
        """Ask for a cancel."""
        self._say("Cancel the payment at the register, now.")
        return True

    async def cut_power(self) -> bool:
        """Ask for the plug."""
        self._say("Pull the register's plug (or kill its program), now.")
        return True

    async def recover(self, sale: str, payment_id: str) -> bool:
        """Ask for the power."""
        self._say("Switch the register on again and let it look after the open payment.")
        return True

    async def finish(self) -> None:
        """Nothing is left running by a person."""
