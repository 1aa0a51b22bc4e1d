"""Everything that reaches out of the bridge: disk, broker, terminals, back office, clocks, chance.

The defaults here are the service's. A simulated store, a crash test or a benchmark puts
something else in the place of one adapter, and has the same bridge built around it.
"""

from __future__ import annotations

import random
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx

from bridge import status, takeover
from bridge.backoffice.api.client import BackOffice, TokenSource
from bridge.backoffice.http_exchange import Proxy, open_client
from bridge.backoffice.item_copy.copy import ItemCopy, open_item_copy
from bridge.backoffice.login.login import Login
from bridge.backoffice.login.session import LoginStatus
from bridge.errors import ConfigError
from bridge.money.store.custody import MARK_NAME, JournalMark
from bridge.money.store.database import Ownership, open_database, open_for_reading
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import EventCodec
from bridge.money.store.journal_reading import Aside
from bridge.private_files import close_all, make_folder
from bridge.register.commands import router
from bridge.register.mqtt.authority import Other
from bridge.register.mqtt.client import Mqtt
from bridge.register.mqtt.instance import INSTANCE_NAME, Instance
from bridge.register.publishing import sources
from bridge.settings import JOURNAL_NAME
from bridge.terminal.conversation import Line
from bridge.terminal.plugins import load_driver
from bridge.terminal.transport import SerialAddress, TcpAddress, open_line
from drivers.contract import Driver


class Bus(router.Bus, sources.Bus, status.Bus, takeover.Bus, Protocol):
    """The broker; `Mqtt` is one."""

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""

    async def retained_documents(self) -> tuple[str, ...]:
        """Return the payments whose documents the broker retained when it was first reached."""


class BackOfficeLogin(TokenSource, Protocol):
    """The login to the back office; `Login` is one."""

    @property
    def status(self) -> LoginStatus:
        """How things stood when they were last looked at."""

    async def run(self) -> None:
        """Keep the login fresh until cancelled."""


class BridgeInstance(Protocol):
    """Which bridge this is; `Instance` is one, in a file."""

    @property
    def instance_id(self) -> str:
        """The id, made once."""

    @property
    def behind(self) -> Other | None:
        """Behind whom this bridge stands; None: the base topic is ours."""

    def remember(self, behind: Other | None) -> None:
        """Keep it over restarts; raises JournalError."""


# What lies in the state directory that only the service's user may read; `login` sees to itself.
PRIVATE_NAMES = ("journal.*", INSTANCE_NAME, "backups", "support", "login")


@dataclass(frozen=True, slots=True)
class State:
    """What one process has of the state directory. No other process has it meanwhile."""

    journal: Journal
    remembered: int | None  # the journal's last entry before this start, as known outside of it
    instance: BridgeInstance


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a random UUID as 32 hexadecimal digits."""
    return uuid.uuid4().hex


def free_bytes(folder: Path) -> int:
    """Return how much more fits onto the disk that a folder lies on."""
    return shutil.disk_usage(folder).free


def real_chance(_concern: str) -> random.Random:
    """Return the machine's own chance, for whatever concern."""
    return random.SystemRandom()


@asynccontextmanager
async def open_state(
    folder: Path, new_id: Callable[[], str], make_journal: Callable[..., Journal] = Journal
) -> AsyncIterator[State]:
    """Yield what lies in the state directory `folder`, made if need be; let go of it afterwards.

    Raises:
        ConfigError: The folder cannot be made.
        JournalError: The journal is somebody else's, damaged, or cannot be written.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise ConfigError("site.state_directory", f"{folder}: {error.strerror}") from error
    close_all(folder, PRIVATE_NAMES)
    async with AsyncExitStack() as opened:  # closed in reverse: the journal after its thread
        ownership = Ownership(folder / JOURNAL_NAME)
        opened.callback(ownership.release)
        connection = open_database(folder / JOURNAL_NAME)
        opened.callback(connection.close)
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        opened.callback(executor.shutdown)
        mark = JournalMark(folder / MARK_NAME)
        opened.callback(mark.close)
        remembered = mark.read()
        reading = open_for_reading(folder / JOURNAL_NAME, in_one_thread=False)
        opened.callback(reading.close)
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")
        opened.callback(reader.shutdown)
        codec = EventCodec()
        aside = Aside(reading, reader, codec)
        journal = make_journal(connection, executor, codec, remember=mark.write, aside=aside)
        opened.push_async_callback(journal.finish)
        if remembered is None:
            mark.write(journal.last_seq())  # from now on it remembers
        yield State(journal, remembered, Instance(folder / INSTANCE_NAME, new_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """What the bridge is built on. A crash test dies inside one of these."""

    # The state directory and the maker of ids, then what lies there for as long as it is ours.
    open_state: Callable[[Path, Callable[[], str]], AbstractAsyncContextManager[State]] = open_state
    bus: Callable[..., Bus] = Mqtt  # called as `Mqtt` is
    load_driver: Callable[[str, str], Driver] = load_driver  # by its name and the setting's
    open_line: Callable[[SerialAddress | TcpAddress], Awaitable[Line]] = open_line
    # By the CA file and the proxy.
    open_client: Callable[[Path | None, Proxy | None], httpx.AsyncClient] = open_client
    login: Callable[..., BackOfficeLogin] = Login  # called as `Login` is
    back_office: Callable[..., BackOffice] = BackOffice  # called as `BackOffice` is
    # The copy of the back office's items: its path, who knows how full the disk is, whose they are.
    open_item_copy: Callable[
        [Path, Callable[[Path], int], str], AbstractAsyncContextManager[ItemCopy | None]
    ] = open_item_copy
    free_bytes: Callable[[Path], int] = free_bytes  # of the disk that a folder lies on
    utc_now: Callable[[], datetime] = utc_now
    to_local: Callable[[datetime], datetime] = datetime.astimezone  # the store's own time
    monotonic: Callable[[], float] = time.monotonic
    new_id: Callable[[], str] = new_id
    chance: Callable[[str], random.Random] = real_chance  # by who asks: "recorder", "bus"
