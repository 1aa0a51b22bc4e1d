"""(d) One whole payment of each driver, against an instant terminal in a process of its own.

Ours is station, ledger and journal in this process, from the register's request until the payment
is approved on disk. The floor is the driver's dialogue alone on the same kind of line, with two
bare commits (the request, the result) of the same strength. Rounds alternate, so that a busy
moment of the machine hits both.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks import floor
from benchmarks.stage import free_port, process
from bridge.adapters import Adapters
from bridge.assembly import build
from bridge.config import parse
from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.terminal.plugins import load_driver
from bridge.terminal.station import Station
from bridge.terminal.transport import SerialAddress, TcpAddress, open_line
from drivers import contract as c

TERMINAL = "counter-1"
ROUND_SECONDS_MAX = 20.0
WARM_ROUNDS = 10  # caches and the terminal's first answers
LOOK_SECONDS = 0.001
FIELD_ZVT_SECONDS = {"pty": 0.011, "tcp": 0.092}  # a payment of the field's Python library


@dataclass(frozen=True, slots=True)
class Kind:
    """One driver on one transport."""

    driver: str
    simulator: str
    transport: Literal["pty", "tcp"]
    settings: dict[str, Any] = field(default_factory=dict)
    persistent: bool = True

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.driver} over {self.settings.get('transport', self.transport)}"


KINDS = (
    Kind("zvt", "zvt", "pty"),
    Kind("zvt", "zvt", "tcp"),
    Kind("pax", "pax", "pty"),
    Kind("pax", "pax", "tcp"),
    Kind("pax", "pax", "tcp", {"transport": "http"}, persistent=False),
    Kind("telium", "telium", "pty"),
    Kind("caisse_ap", "telium", "tcp", persistent=False),
)


@dataclass(slots=True)
class Samples:
    """Seconds of whole payments, one per round."""

    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)


async def measure(folder: Path, rounds: int) -> dict[str, Samples]:
    """Return the seconds of payments by driver and transport."""
    found = {}
    for kind in KINDS:
        place = folder / kind.name.replace(" ", "-")
        place.mkdir()
        found[kind.name] = await _measure(kind, place, rounds)
    return found


async def _measure(kind: Kind, folder: Path, rounds: int) -> Samples:
    samples = Samples()
    async with (
        _terminal(kind, folder / "ours") as ours,
        _terminal(kind, folder / "bare") as bare,
        _register(kind, folder, ours) as register,
    ):
        connection = floor.open_database(str(folder / "floor.sqlite"))
        client = _Client(kind, bare, connection)
        for number in range(rounds + WARM_ROUNDS):
            one = await register.pay(number)
            two = await client.pay(number)
            if number >= WARM_ROUNDS:
                samples.ours.append(one)
                samples.floor.append(two)
        client.close()
        connection.close()
    return samples


@asynccontextmanager
async def _terminal(kind: Kind, link: Path) -> AsyncIterator[SerialAddress | TcpAddress]:
    """Start a simulated terminal whose shoppers and hosts take no time."""
    port = free_port()
    is_serial = kind.transport == "pty"
    where = ("--pty", str(link)) if is_serial else ("--tcp", f"127.0.0.1:{port}")
    command = (sys.executable, "-m", "simulators", "terminal", kind.simulator)
    async with process(*command, *where, "--scenario", "instant", ready=b"{"):
        driver = load_driver(kind.driver, "driver")
        yield (
            SerialAddress(str(link), driver.serial_defaults)
            if is_serial
            else TcpAddress("127.0.0.1", port)
        )


class _Register:
    """Has payments taken by a station."""

    def __init__(self, ledger: Ledger, station: Station, currency: str) -> None:
        self._ledger = ledger
        self._station = station
        self._currency = currency

    async def pay(self, number: int) -> float:
        """Take one payment; return how long it took."""
        payment_id = f"018f6f0e-0000-7000-8000-{number:012d}"
        request = p.PaymentRequest(
            payment_id,
            "till-1",
            TERMINAL,
            p.PaymentType.SALE,
            c.Money(1250 + number, self._currency),
            "h",
        )
        async with asyncio.timeout(ROUND_SECONDS_MAX):
            while not self._is_free(payment_id):  # noqa: ASYNC110 - not what is measured
                await asyncio.sleep(LOOK_SECONDS)
            began = time.perf_counter()
            started = self._station.claim(payment_id, "till-1")
            await self._ledger.accept(request, started)
            while not (payment := self._payment(payment_id)).is_final:
                self._ledger.payments.something_changed.clear()
                await self._ledger.payments.something_changed.wait()
            took = time.perf_counter() - began
        assert payment.status is p.Status.APPROVED, payment
        return took

    def _is_free(self, payment_id: str) -> bool:
        try:
            self._station.claim(payment_id, "till-1")
        except RequestError:
            return False
        self._station.release(payment_id)
        return True

    def _payment(self, payment_id: str) -> p.Payment:
        account = self._ledger.payments.get_stored(payment_id)
        assert account is not None, "it was accepted"
        return account.payment


@asynccontextmanager
async def _register(
    kind: Kind, folder: Path, address: SerialAddress | TcpAddress
) -> AsyncIterator[_Register]:
    config = parse(
        {
            "site": {"store_code": "BENCH", "state_directory": folder / "state"},
            "terminals": {TERMINAL: _table(kind, address)},
        }
    )
    async with build(config, {}, Adapters()) as parts:
        await parts.ledger.recover()
        station = parts.stations[TERMINAL]
        serving = asyncio.create_task(station.run())
        yield _Register(parts.ledger, station, station.capabilities.currencies[0])
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _table(kind: Kind, address: SerialAddress | TcpAddress) -> dict[str, Any]:
    """Return the terminal's part of the configuration."""
    return {
        "driver": kind.driver,
        "settings": kind.settings,
        "connection": "persistent" if kind.persistent else "on_demand",
        "probe_seconds": 3600.0,
        **({"port": address.path} if isinstance(address, SerialAddress) else {"tcp": str(address)}),
    }


class _Client:
    """The least that takes a payment with a driver: no station, no ledger, two commits."""

    def __init__(
        self, kind: Kind, address: SerialAddress | TcpAddress, connection: sqlite3.Connection
    ) -> None:
        self._kind = kind
        self._address = address
        self._connection = connection
        self._driver = load_driver(kind.driver, "driver")
        self._settings = self._driver.settings(**kind.settings)
        self._line: Any = None

    async def pay(self, number: int) -> float:
        """Take one payment; return how long it took."""
        if number == 0:
            await self._hold(c.Probe())
        currency = self._driver.capabilities(self._settings).currencies[0]
        began = time.perf_counter()
        floor.commit(self._connection, b"x" * 400)
        order = c.Pay(f"018f6f0e-0000-7000-8000-{number:012d}", c.Money(1250 + number, currency))
        final, approved_at = await self._hold(order)
        assert isinstance(final, c.Approved), final
        return approved_at - began

    def close(self) -> None:
        """Give the line back."""
        if self._line is not None:
            self._line.close()

    async def _hold(self, operation: c.Operation) -> tuple[object, float]:
        """Hold one conversation; return its last word and when it was stored."""
        loop = asyncio.get_running_loop()
        if self._line is None:
            self._line = await open_line(self._address)
        line = self._line
        transport: Literal["serial", "tcp"] = "serial" if self._kind.transport == "pty" else "tcp"
        dialogue = self._driver.dialogue(self._settings, transport)
        final, at = None, 0.0
        step = dialogue.begin(operation, loop.time())
        while True:
            if step.send:
                line.write(step.send)
            if step.events:
                if isinstance(step.events[-1], c.Approved):
                    floor.commit(self._connection, b"x" * 1000)
                    final, at = step.events[-1], time.perf_counter()
                step = dialogue.committed(loop.time())
                continue
            if step.wake_at is None:
                break
            try:
                async with asyncio.timeout_at(step.wake_at):
                    data = await line.read()
            except TimeoutError:
                step = dialogue.timeout(loop.time())
            else:
                now = loop.time()
                step = dialogue.receive(data, now) if data else dialogue.line_lost(now)
        if not self._kind.persistent:
            line.close()
            self._line = None
        return final, at
