"""One life of the bridge's process: the real parts, built as the service builds them.

It ends by itself only when the journal cannot be written; otherwise it is killed, and from then on
nothing of it has any effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import httpx

from bridge import assembly
from bridge import config as cfg
from bridge.adapters import Adapters, State
from bridge.assembly import Parts
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX
from bridge.errors import JournalError
from bridge.money.ledger import Ledger
from bridge.money.store.database import prepare
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import EventCodec
from bridge.register import api as k
from bridge.register.commands.router import Desk
from bridge.register.mqtt.authority import Other
from bridge.register.mqtt.messages import Delivery
from bridge.register.outbox import Outgoing
from bridge.terminal.transport import SerialAddress, TcpAddress
from drivers import contract as c
from simulators.broker import Broker
from simulators.terminals.shared.cable import MemoryPort
from tests.simulation.disk import Disk, DiskDoor, Witness, open_journal
from tests.simulation.makes import Make
from tests.simulation.office import Office
from tests.simulation.ports import (
    Alive,
    BridgeBus,
    OfficeDoor,
    TokenPocket,
    WatchedLine,
    WatchedTerminal,
)

OFFICE_DEADLINE_SECONDS = 10.0
SIGNATURE_SECONDS = 10.0  # the tills here answer no questions: worlds end before a real clerk would
TOPICS = k.Topics()
CODEC = EventCodec()  # building it takes as long as a payment

Statements = Sequence[tuple[str, Sequence[Any]]]


class Killed(sqlite3.OperationalError):
    """The process died in the middle of its work; for the thread that was at it."""


class Watch(Protocol):
    """Who sees what a life does; the world and its judge."""

    def ordered(
        self, life: Incarnation, terminal_id: str, operation: c.MoneyOperation, conversation: int
    ) -> None:
        """An order about money leaves for a terminal."""

    def began(self, life: Incarnation, terminal_id: str, operation: c.Operation) -> None:
        """A conversation begins."""

    def relied_on(self, payment_id: str, events: Iterable[c.TerminalEvent]) -> None:
        """A dialogue is told that its events are on disk."""

    def delivered(self, life: Incarnation, delivery: Delivery, *, excess: bool = False) -> None:
        """The desk takes a delivery."""

    def acknowledged(self, life: Incarnation, delivery: Delivery) -> None:
        """The desk says that a delivery is safe."""

    def committing(self, life: Incarnation, statements: Statements) -> None:
        """A commit is about to be made; may kill."""

    def committed(self, life: Incarnation, statements: Statements) -> None:
        """A commit was made; may kill."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process finds when it starts."""

    seed: str
    disk: Disk
    broker: Broker
    ports: Mapping[str, MemoryPort]
    office: Office
    makes: Mapping[str, Make]  # of the terminals, by name
    persistent: bool  # lines stay open between conversations
    unsigned_stands: bool  # what nobody signed for in time
    now: Callable[[], datetime]
    watch: Watch


class StatusDocuments:
    """What the service tells of itself; only what registers need in a world."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def bridge_state(self, epoch: str) -> k.BridgeState:
        return k.BridgeState(state="online", epoch=epoch, time=self._now(), bridge_id="world")

    def bridge_info(self) -> k.BridgeInfo:
        limits = k.BridgeLimits(
            request_bytes_max=8192,
            sale_lines_max=500,
            retained_payments_max=200,
            response_within_s=3,
        )
        return k.BridgeInfo(
            bridge_id="world", version="0", operations=(), currencies=("EUR",), limits=limits
        )

    def frames(self) -> dict[str, object]:
        """Return nothing: nobody asks for a support bundle in a world."""
        return {}

    def health(self) -> k.BridgeState:
        """Return something small; health is not what a world is about."""
        return k.BridgeState(state="online")

    def as_json(self) -> dict[str, Any]:
        """Return nothing: nobody runs the command line in a world."""
        return {}

    def terminal_infos(self) -> Mapping[str, k.TerminalInfo]:
        return {}

    def terminal_states(self) -> Mapping[str, k.TerminalState]:
        return {}


class Alone:
    """The bridge of a world, where there is one only."""

    instance_id = "world"
    behind: Other | None = None

    def remember(self, behind: Other | None) -> None:
        """There is nobody to stand behind."""


def works(parts: Parts) -> list[Coroutine[Any, Any, None]]:
    """Return what runs in a world, in the order of the service."""
    assert parts.recorder is not None
    assert parts.gift_cards is not None
    return [
        *(one.run() for one in parts.stations.values()),
        *(parts.recorder.run() for _ in range(IN_FLIGHT_MAX)),
        parts.gift_cards.run(),
        parts.plans.run(),
        parts.publisher.run(),
        parts.desk.run(),
        parts.desk.late_answers.run(),
        parts.bus.run(),
        parts.reversals.run(),
    ]


class Incarnation(Witness):
    """One process. `run` returns when it is dead; `kill` makes it so."""

    def __init__(self, number: int, around: Surroundings) -> None:
        self.number = number
        self.alive = Alive()
        self.ready = False  # recovered and serving
        self.was_killed = False
        self.had_trouble = False  # its disk failed
        self._around = around
        self._rng = random.Random(f"{around.seed}/life/{number}")
        self._task: asyncio.Task[None] | None = None
        watch = around.watch
        self.door = DiskDoor(f"disk-{around.seed}-{number}", around.disk, self._random("disk"))
        self.bus = BridgeBus(
            around.broker,
            self.alive,
            self._random("bus"),
            lambda delivery: watch.acknowledged(self, delivery),
            lambda delivery: watch.delivered(self, delivery),
            refused=lambda delivery: watch.delivered(self, delivery, excess=True),
        )
        self.terminals: dict[str, WatchedTerminal] = {}
        self._connection: sqlite3.Connection | None = None
        self.ledger: Ledger
        self.desk: Desk

    async def run(self) -> None:
        """Live.

        Raises:
            JournalError, ExceptionGroup: It died by itself.
        """
        self._task = asyncio.current_task()
        try:
            async with self._built() as parts:
                self.ledger, self.desk = parts.ledger, parts.desk
                await parts.ledger.recover()
                parts.plans.recover()
                self.ready = True
                async with asyncio.TaskGroup() as group:
                    for work in works(parts):
                        group.create_task(work)
        finally:
            self._let_go()

    def kill(self) -> None:
        """End it here and now."""
        if not self.alive.yes:
            return
        self._let_go()
        if self._task is not None and not self._task.done():
            asyncio.get_running_loop().call_soon(self._task.cancel)

    def close(self) -> None:
        """Give the connection back, once nothing runs any more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def committing(self, statements: Statements) -> None:
        self._around.watch.committing(self, statements)
        if not self.alive.yes:
            raise Killed("died before the commit")

    def committed(self, statements: Statements) -> None:
        self._around.watch.committed(self, statements)
        if not self.alive.yes:
            raise Killed("died after the commit")

    def unsent(self) -> list[Outgoing]:
        """Return what it had to say and nobody heard."""
        return list(self.desk.outbox.responses) if hasattr(self, "desk") else []

    def _let_go(self) -> None:
        self.alive.yes = False
        self.ready = False
        self.door.shut = True
        self.bus.die()
        for terminal in self.terminals.values():
            terminal.die()

    def _random(self, concern: str) -> random.Random:
        return random.Random(f"{self._around.seed}/life/{self.number}/{concern}")

    @contextlib.asynccontextmanager
    async def _built(self) -> AsyncIterator[Parts]:
        """Yield the bridge as the service builds it; only its health is smaller."""
        around = self._around
        for name, port in around.ports.items():
            self.terminals[name] = self._watched(name, port)
        small = StatusDocuments(around.now)
        async with contextlib.AsyncExitStack() as opened:
            with patch.object(assembly, "StatusDocuments", lambda *_args, **_more: small):
                building = assembly.build(self._config(), {}, self._adapters())
                parts = await opened.enter_async_context(building)
            yield parts

    def _config(self) -> cfg.Config:
        around = self._around
        return cfg.parse(
            {
                "site": {
                    "store_code": "S1",
                    "state_directory": "/the/world/has/a/disk/of/its/own",
                    "unsigned": "stands" if around.unsigned_stands else "reversed",
                    "signature_seconds": SIGNATURE_SECONDS,
                },
                "terminals": {name: self._table(name) for name in around.ports},
                "back_office": {
                    "endpoint": "https://office.test/",
                    "login": {"issuer": "https://office.test/", "client_id": "world"},
                    "deadline_seconds": OFFICE_DEADLINE_SECONDS,
                    "gift_card_activation": True,
                    "store_credit": True,
                },
            }
        )

    def _table(self, name: str) -> dict[str, Any]:
        make, port = self._around.makes[name], self._around.ports[name]
        persistent = self._around.persistent and not make.hangs_up
        return {
            "driver": name,
            "settings": asdict(make.settings),
            "connection": "persistent" if persistent else "on_demand",
            **({"tcp": f"{name}:20007"} if port.kind == "tcp" else {"port": name}),
        }

    def _adapters(self) -> Adapters:
        around = self._around
        return Adapters(
            open_state=self._open_state,
            bus=lambda *_args, **_more: self.bus,
            load_driver=lambda name, _key: self.terminals[name],
            open_line=self._open_line,
            open_client=lambda *_settings: httpx.AsyncClient(
                transport=OfficeDoor(around.office, self.alive, self._random("http")),
                trust_env=False,
            ),
            login=lambda *_args: TokenPocket(around.office, self.alive),
            utc_now=around.now,
            to_local=lambda moment: moment,
            monotonic=asyncio.get_running_loop().time,
            new_id=lambda: f"{self._rng.getrandbits(128):032x}",
            chance=self._random,
        )

    @contextlib.asynccontextmanager
    async def _open_state(self, _folder: Path, _new_id: Callable[[], str]) -> AsyncIterator[State]:
        """Yield the journal on the world's disk; `close` gives it back."""
        try:
            self._connection = open_journal(self.door, self)
            prepare(self._connection)
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be opened: {error}") from error
        journal = Journal(self._connection, ThreadPoolExecutor(max_workers=1), CODEC)
        yield State(journal, None, Alone())

    async def _open_line(self, address: SerialAddress | TcpAddress) -> WatchedLine:
        name = address.path if isinstance(address, SerialAddress) else address.host
        return await self.terminals[name].open_line()

    def _watched(self, name: str, port: MemoryPort) -> WatchedTerminal:
        around = self._around
        return WatchedTerminal(
            around.makes[name],
            port,
            self.alive,
            self._random(name),
            on_order=lambda order, number: around.watch.ordered(self, name, order, number),
            on_begin=lambda operation: around.watch.began(self, name, operation),
            on_reliance=around.watch.relied_on,
        )


START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
