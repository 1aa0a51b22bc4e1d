"""The whole bridge in virtual time, built as the service builds it; its adapters are simulated.

The disk is the real one (a folder of the test's own), the terminals hang on cables in memory, the
broker is a queue or `simulators/broker.py`, and the back office answers in this process.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import httpx

from bridge import assembly
from bridge import config as cfg
from bridge.adapters import Adapters, BackOfficeLogin, Bus, State
from bridge.assembly import Parts
from bridge.backoffice.api.names import ApiNames
from bridge.backoffice.login.session import LoginStatus
from bridge.backoffice.login.token_file import Storage
from bridge.errors import BusError, LineError
from bridge.money.store.custody import MARK_NAME, JournalMark
from bridge.money.store.database import Ownership, open_database
from bridge.money.store.journal import Journal
from bridge.money.store.journal_entries import EventCodec
from bridge.private_files import make_folder
from bridge.register.mqtt.instance import INSTANCE_NAME, Instance
from bridge.register.mqtt.messages import Connected, Delivery
from bridge.settings import JOURNAL_NAME
from bridge.terminal.conversation import Line
from bridge.terminal.transport import SerialAddress, TcpAddress
from drivers import zvt
from drivers.contract import Driver
from simulators.terminals.shared.cable import MemoryPort

STORE_CODE = "S012"
EPOCH = "e1"
CODEC = EventCodec()  # building it takes as long as a payment
EXECUTOR = ThreadPoolExecutor(max_workers=1)  # never used: a virtual loop works inline

Json = dict[str, Any]
Works = Callable[[Parts], list[Coroutine[Any, Any, None]]]
MakeJournal = Callable[..., Journal]


class Tokens:
    """A login that always holds."""

    status = LoginStatus(True, "till", "", None, "", Storage.PLAIN)

    async def run(self) -> None:
        """There is nothing to renew."""

    async def access_token(self) -> str:
        return "good"

    async def reject(self, token: str) -> None:
        """Take no note: the next one is as good."""


class QueueBus:
    """A broker that is always there, keeps nothing, and has one register's messages in a queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Connected | Delivery] = asyncio.Queue()
        self.queue.put_nowait(Connected(EPOCH, "5.0", session_present=False))

    connected = True
    protocol: Literal["5.0", "3.1.1"] | None = "5.0"
    away = None
    authority = None

    async def run(self) -> None:
        """There is nothing to keep."""

    async def next(self) -> Connected | Delivery:
        return await self.queue.get()

    def acknowledge(self, delivery: Delivery) -> None:
        """The queue forgets by itself."""

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_seconds: int | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Nobody listens."""

    async def retained_documents(self) -> tuple[str, ...]:
        return ()

    async def is_other_alive(self) -> bool:
        raise BusError("this bridge serves alone")

    def take_over(self) -> None:
        """There is nobody to take over from."""


@dataclass(frozen=True, slots=True)
class Device:
    """A terminal as the configuration has it, and the cable it hangs on."""

    port: MemoryPort
    driver: Driver = zvt.DRIVER
    settings: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)  # of the terminal's table
    opener: Callable[[], Awaitable[Line]] | None = None  # None: the near end of the cable itself

    def table(self, name: str) -> Json:
        """Return the terminal's part of the configuration; its driver goes by the same name."""
        where = {"tcp": f"{name}:20007"} if self.port.kind == "tcp" else {"port": f"/dev/{name}"}
        return {"driver": name, "settings": dict(self.settings), **where, **self.more}


def office_table(
    endpoint: str = "https://office.test/api", names: ApiNames | None = None, **more: object
) -> Json:
    """Return the back office's part of the configuration."""
    login = {"issuer": "https://office.test/", "client_id": "paybridge"}
    table: Json = {"endpoint": endpoint, "login": login, **more}
    if names is not None:
        number = "capture_id_is_number"
        others = set(cfg.ApiNames.model_fields) - {number}
        table["names"] = {name: getattr(names, name) for name in others}
        table["names"][number] = names.id_is_number
    return table


def open_cable(port: MemoryPort) -> Any:
    """Return the near end of a cable.

    Raises:
        LineError: It is unplugged, or the terminal is off the network.
    """
    try:
        return port.open()
    except FileNotFoundError as error:
        raise LineError("not_found", "the cable is unplugged") from error
    except ConnectionRefusedError as error:
        raise LineError("refused", "the terminal is off the network") from error


async def open_cables(devices: Mapping[str, Device], address: SerialAddress | TcpAddress) -> Line:
    """Open the cable of the terminal at `address`; see `open_cable`."""
    if isinstance(address, SerialAddress):
        device = devices[address.path.removeprefix("/dev/")]
    else:
        device = devices[address.host]
    line: Line = open_cable(device.port) if device.opener is None else await device.opener()
    return line


@asynccontextmanager
async def mortal_state(
    folder: Path, new_id: Callable[[], str], *, make_journal: MakeJournal = Journal
) -> AsyncIterator[State]:
    """Yield the state in `folder`. The end is a process's death: what is not on disk is lost."""
    make_folder(folder)
    with ExitStack() as opened:
        ownership = Ownership(folder / JOURNAL_NAME)
        opened.callback(ownership.release)
        connection = open_database(folder / JOURNAL_NAME)
        opened.callback(connection.close)
        mark = JournalMark(folder / MARK_NAME)
        opened.callback(mark.close)
        remembered = mark.read()
        journal = make_journal(connection, EXECUTOR, CODEC, remember=mark.write)
        if remembered is None:
            mark.write(journal.last_seq())
        yield State(journal, remembered, Instance(folder / INSTANCE_NAME, new_id))


async def _nobody_answers(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("there is no back office in this store", request=request)


@dataclass(kw_only=True)
class VirtualStore:
    """What lies around the bridge and outlives its process. `alive` is one life of the bridge."""

    folder: Path  # the state directory
    now: Callable[[], datetime]  # the wall clock, UTC
    devices: Mapping[str, Device]
    bus: Callable[[], Bus] = QueueBus  # a new one for each life
    office: httpx.AsyncBaseTransport | None = None  # who answers for the back office
    tokens: Callable[[], BackOfficeLogin] = Tokens
    sections: Json = field(default_factory=dict)  # of the configuration, besides the terminals
    journal: MakeJournal = Journal
    # Parts with a planted bug, by the name of the part that they are in the place of.
    planted: dict[str, type] = field(default_factory=dict)

    def config(self) -> cfg.Config:
        """Return the store's configuration file."""
        site = {"store_code": STORE_CODE, "state_directory": self.folder}
        terminals = {name: device.table(name) for name, device in self.devices.items()}
        terminals |= self.sections.get("terminals", {})  # those without a cable
        sections = {**self.sections, "site": {**site, **self.sections.get("site", {})}}
        return cfg.parse({**sections, "terminals": terminals})

    def adapters(self) -> Adapters:
        """Return what the bridge of this store is built on."""
        loop = asyncio.get_running_loop()
        ids = random.Random(f"{self.folder.name}/ids/{loop.time()}")
        transport = self.office or httpx.MockTransport(_nobody_answers)
        return Adapters(
            open_state=partial(mortal_state, make_journal=self.journal),
            bus=lambda *_args, **_more: self.bus(),
            load_driver=lambda name, _key: self.devices[name].driver,
            open_line=partial(open_cables, self.devices),
            open_client=lambda *_settings: httpx.AsyncClient(transport=transport, trust_env=False),
            login=lambda *_args: self.tokens(),
            utc_now=self.now,
            to_local=lambda moment: moment,
            monotonic=loop.time,
            new_id=lambda: f"{ids.getrandbits(128):032x}",
            chance=lambda concern: random.Random(f"{self.folder.name}/{concern}"),
        )

    @asynccontextmanager
    async def built(self) -> AsyncIterator[Parts]:
        """Yield the bridge, recovered and not running."""
        async with self._built() as parts:
            await parts.ledger.recover()
            parts.plans.recover()
            yield parts

    @asynccontextmanager
    async def alive(self, works: Works) -> AsyncIterator[Parts]:
        """Have the bridge's `works` run within the block; its end is the process's death.

        A part that fails ends the block, as it ends the service: an ExceptionGroup has its error.
        """
        async with self.built() as parts, asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works(parts)]
            yield parts
            for task in tasks:
                task.cancel()

    @asynccontextmanager
    async def _built(self) -> AsyncIterator[Parts]:
        async with AsyncExitStack() as opened:
            with ExitStack() as planting:
                for name, part in self.planted.items():
                    planting.enter_context(patch.object(assembly, name, part))
                parts = await opened.enter_async_context(
                    assembly.build(self.config(), {}, self.adapters())
                )
            yield parts
