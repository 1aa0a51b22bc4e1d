"""One life of the bridge's process: the real parts, put together as `service.py` does.

It ends by itself only when the journal cannot be written; otherwise it is killed, and from then on
nothing of it has any effect.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

from bridge.backoffice.api.client import BackOffice
from bridge.backoffice.gift_cards.payment_method import GiftCards
from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.backoffice.purchase_recorder import IN_FLIGHT_MAX, Recorder
from bridge.errors import JournalError
from bridge.money.background.signature_reversals import Reversals, SignaturePolicy
from bridge.money.background.split_payments import SplitPayments
from bridge.money.commit_decision import BooksPolicy
from bridge.money.ledger import Ledger
from bridge.money.store.database import prepare
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import EventCodec
from bridge.register import api as k
from bridge.register.commands.router import Desk, DeskSettings
from bridge.register.mqtt.messages import Delivery
from bridge.register.outbox import Outgoing
from bridge.register.publishing.publisher import Publisher
from bridge.terminal.station import Station
from bridge.terminal.status import StationSettings
from drivers import contract as c
from simulators.broker import Broker
from simulators.terminals.shared.cable import MemoryPort
from tests.simulation.disk import Disk, DiskDoor, Witness, open_journal
from tests.simulation.makes import Make
from tests.simulation.office import Office
from tests.simulation.ports import Alive, BridgeBus, OfficeDoor, TokenPocket, WatchedTerminal

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

    def delivered(self, life: Incarnation, delivery: Delivery) -> None:
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

    def health(self) -> k.BridgeState:
        """Return something small; health is not what a world is about."""
        return k.BridgeState(state="online")

    def terminal_infos(self) -> Mapping[str, k.TerminalInfo]:
        return {}

    def terminal_states(self) -> Mapping[str, k.TerminalState]:
        return {}


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
        )
        self.terminals: dict[str, WatchedTerminal] = {}
        self._connection: sqlite3.Connection | None = None
        self._http = httpx.AsyncClient(
            transport=OfficeDoor(around.office, self.alive, self._random("http")), trust_env=False
        )
        self.journal: Journal
        self.ledger: Ledger
        self.stations: dict[str, Station]
        self.gift_cards: GiftCards
        self.plans: SplitPayments
        self.desk: Desk
        self.reversals: Reversals

    async def run(self) -> None:
        """Live.

        Raises:
            JournalError, ExceptionGroup: It died by itself.
        """
        self._task = asyncio.current_task()
        try:
            recorder, publisher = self._build()
            await self.ledger.recover()
            self.plans.recover()
            self.ready = True
            async with asyncio.TaskGroup() as group:
                for station in self.stations.values():
                    group.create_task(station.run())
                for _ in range(IN_FLIGHT_MAX):
                    group.create_task(recorder.run())
                group.create_task(self.gift_cards.run())
                group.create_task(self.plans.run())
                for work in (
                    publisher.run(),
                    self.desk.run(),
                    self.desk.late_answers.run(),
                    self.bus.run(),
                    self.reversals.run(),
                ):
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

    def _build(self) -> tuple[Recorder, Publisher]:
        around = self._around
        try:
            self._connection = open_journal(self.door, self)
            prepare(self._connection)
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be opened: {error}") from error
        self.journal = Journal(self._connection, ThreadPoolExecutor(max_workers=1), CODEC)
        self.ledger = Ledger(
            self.journal,
            books=BooksPolicy(store_code="S1"),
            now=lambda: k.format_time(around.now()),
            local_now=lambda: around.now().strftime("%Y-%m-%dT%H:%M:%S"),
            terminals=around.ports,
        )
        self.stations = {name: self._station(name, port) for name, port in around.ports.items()}
        pocket = TokenPocket(around.office, self.alive)
        books = BackOffice(
            self._http, "https://office.test/", pocket, deadline_seconds=OFFICE_DEADLINE_SECONDS
        )
        steps = GiftCardSteps(self.ledger, books, deadline_seconds=OFFICE_DEADLINE_SECONDS)
        self.gift_cards = GiftCards(self.ledger, books, steps, activates=True, store_credit=True)
        self.plans = SplitPayments(
            self.ledger, lambda terminal, payment: self.stations[terminal].release(payment)
        )
        self.desk = Desk(
            self.bus,
            self.ledger,
            self.stations,
            DeskSettings(TOPICS),
            now=around.now,
            gift_cards=self.gift_cards,
            plans=self.plans,
        )
        self.reversals = Reversals(
            self.ledger,
            self.stations,
            SignaturePolicy(around.unsigned_stands, answer_seconds=SIGNATURE_SECONDS),
            now=around.now,
            is_connected=lambda: self.bus.connected,
        )
        publisher = Publisher(
            self.bus,
            self.ledger,
            self.desk.outbox,
            StatusDocuments(around.now),  # type: ignore[arg-type]  # a smaller health
            TOPICS,
            terminal_names={},
            signatures=self.reversals,
            now=around.now,
        )
        recorder = Recorder(self.ledger, books, pocket, self._random("recorder"))
        return recorder, publisher

    def _station(self, name: str, port: MemoryPort) -> Station:
        around, make = self._around, self._around.makes[name]
        terminal = WatchedTerminal(
            make,
            port,
            self.alive,
            self._random(name),
            on_order=lambda order, number: around.watch.ordered(self, name, order, number),
            on_begin=lambda operation: around.watch.began(self, name, operation),
            on_reliance=around.watch.relied_on,
        )
        self.terminals[name] = terminal
        return Station(
            StationSettings(
                terminal_id=name,
                transport=port.kind,
                address=name,
                persistent=around.persistent and not make.hangs_up,
            ),
            terminal,
            make.settings,
            open_line=terminal.open_line,
            ledger=self.ledger,
            changed=self.ledger.payments.something_changed,
            now=lambda: k.format_time(around.now()),
        )


START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
