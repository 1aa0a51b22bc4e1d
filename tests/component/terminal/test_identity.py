"""The device behind a name is the one that was configured, or it gets no payment."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bridge.errors import LineError, RequestError
from bridge.money import payment as p
from bridge.money.ledger import Ledger
from bridge.terminal.station import Station
from drivers.contract import Money
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from simulators.terminals.shared.shopper import BUILT_IN
from simulators.terminals.zvt import PROFILES, ZvtTerminal
from tests.support.virtual_store import Device as Configured
from tests.support.virtual_store import VirtualStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OURS, OTHER = "29001006", "29009999"
PAY_COMMAND = bytes.fromhex("0601")
SOON_SECONDS = 30.0  # a few probes, also failed ones


class Tap:
    """A line that keeps what the bridge wrote."""

    def __init__(self, end: CableEnd, written: bytearray) -> None:
        self._end = end
        self._written = written

    async def read(self) -> bytes:
        return await self._end.read()

    def write(self, data: bytes) -> None:
        self._written += data
        self._end.write(data)

    def close(self) -> None:
        self._end.close()


class Device:
    """A terminal with its cable, and what the bridge ever wrote into it."""

    def __init__(self, terminal_id: str) -> None:
        loop = asyncio.get_running_loop()
        self.port = MemoryPort(random.Random(terminal_id))
        self.written = bytearray()
        self.terminal = ZvtTerminal(
            clock=lambda: NOON + timedelta(seconds=loop.time()),
            rng=random.Random(terminal_id),
            scenario=BUILT_IN["instant"],
            profile=replace(PROFILES["default"], terminal_id=terminal_id),
        )

    async def serve(self) -> None:
        await self.terminal.run(self.port)

    @property
    def was_asked_for_money(self) -> bool:
        return PAY_COMMAND in self.written or bool(self.terminal.ledger.entries)


class Counter:
    """A counter whose terminal is configured by a link, as udev makes it below by-id."""

    def __init__(self, folder: Path, *, persistent: bool) -> None:
        self.ours, self.other = Device(OURS), Device(OTHER)
        self._folder = folder
        self._devices: dict[str, Device] = {}
        table = {
            "connection": "persistent" if persistent else "on_demand",
            "terminal_id": OURS,
        }
        self.store = VirtualStore(
            folder=folder / "state",
            now=lambda: NOON + timedelta(seconds=asyncio.get_running_loop().time()),
            devices={"counter-1": Configured(self.ours.port, more=table, opener=self._open)},
        )
        self.ledger: Ledger
        self.station: Station

    async def plug(self, device: Device, number: int) -> None:
        """Plug `device` in: the kernel gives it `number`, udev the name that is configured."""
        await device.port.plug()
        self._devices[f"ttyACM{number}"] = device
        (self._folder / "by-id").symlink_to(f"ttyACM{number}")

    async def give_number(self, device: Device, number: int) -> None:
        """Plug `device` in without the configured name."""
        await device.port.plug()
        self._devices[f"ttyACM{number}"] = device

    def unplug(self) -> None:
        (self._folder / "by-id").unlink()
        for device in self._devices.values():
            device.port.unplug()
        self._devices.clear()

    async def _open(self) -> Tap:
        try:
            device = self._devices[os.readlink(self._folder / "by-id")]
        except OSError as error:
            raise LineError("not_found", "no serial port by-id") from error
        return Tap(device.port.open(), device.written)

    async def until(self, problem: str) -> None:
        """Wait until the station says `problem`, "" for being ready."""
        async with asyncio.timeout(SOON_SECONDS):
            while self.station.state.problem != problem:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.05)

    async def pay(self, number: int, started: p.Started | None = None) -> p.Payment:
        """Have a payment taken, as the desk does it, and return how it ended."""
        wanted = request(number)
        await self.ledger.accept(wanted, started)
        return await self.end_of(wanted.payment_id)

    async def end_of(self, payment_id: str) -> p.Payment:
        async with asyncio.timeout(SOON_SECONDS):
            while True:
                account = self.ledger.payments.get(payment_id)
                assert account is not None
                if account.payment.is_final:
                    return account.payment
                await asyncio.sleep(0.05)


def request(number: int) -> p.PaymentRequest:
    return p.PaymentRequest(
        payment_id=f"018f6f0e-8a44-7c1b-9a3e-{number:012d}",
        register_id="till-1",
        terminal_id="counter-1",
        type=p.PaymentType.SALE,
        amount=Money(2040, "EUR"),
        content_hash="hash",
    )


Test = Callable[[Counter], Awaitable[None]]


def at_a_counter(folder: Path, test: Test, *, persistent: bool = True) -> None:
    """Run `test` in virtual time beside the station and both terminals."""
    run_virtual(partial(_main, folder, test, persistent=persistent))


async def _main(folder: Path, test: Test, *, persistent: bool) -> None:
    counter = Counter(folder, persistent=persistent)
    async with (
        asyncio.TaskGroup() as group,
        counter.store.alive(lambda parts: [one.run() for one in parts.stations.values()]) as parts,
    ):
        counter.ledger, counter.station = parts.ledger, parts.stations["counter-1"]
        serving = [group.create_task(one.serve()) for one in (counter.ours, counter.other)]
        await asyncio.sleep(0.01)
        await test(counter)
        for task in serving:
            task.cancel()


def test_the_configured_terminal_takes_the_payment(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.plug(counter.ours, 0)
        await counter.until("")
        payment = await counter.pay(1, counter.station.claim(request(1).payment_id, "till-1"))
        assert payment.status is p.Status.APPROVED
        assert counter.ours.was_asked_for_money

    at_a_counter(tmp_path, test)


def test_another_device_behind_the_name_is_refused_to_the_register(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.plug(counter.other, 0)
        await counter.until("wrong_device")
        assert OTHER in counter.station.state.problem_text
        with pytest.raises(RequestError, match=OTHER) as refusal:
            counter.station.claim(request(1).payment_id, "till-1")
        assert refusal.value.code == "terminal_maintenance"
        await asyncio.sleep(300)  # probes go on, and only probes
        assert counter.other.written
        assert not counter.other.was_asked_for_money

    at_a_counter(tmp_path, test)


def test_a_waiting_payment_is_not_started_on_another_device(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.plug(counter.other, 0)
        await counter.until("wrong_device")
        payment = await counter.pay(1)
        assert payment.status is p.Status.FAILED
        assert not counter.other.was_asked_for_money

    at_a_counter(tmp_path, test)


def test_a_payment_that_came_with_the_plug_waits_for_the_identity(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.ledger.accept(request(1))
        await counter.plug(counter.other, 0)
        payment = await counter.end_of(request(1).payment_id)
        assert payment.status is p.Status.FAILED
        assert not counter.other.was_asked_for_money

    at_a_counter(tmp_path, test)


def test_a_replug_under_another_number_goes_on_with_the_same_terminal(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.plug(counter.ours, 0)
        await counter.until("")
        counter.unplug()
        await counter.until("not_found")
        await counter.give_number(counter.other, 0)  # the old number is now somebody else's
        await counter.plug(counter.ours, 3)
        await counter.until("")
        payment = await counter.pay(1, counter.station.claim(request(1).payment_id, "till-1"))
        assert payment.status is p.Status.APPROVED
        assert counter.ours.terminal.ledger.taken_minor() == 2040
        assert counter.other.written == b""

    at_a_counter(tmp_path, test)


def test_a_device_that_was_exchanged_gets_no_payment_until_the_right_one_is_back(
    tmp_path: Path,
) -> None:
    async def test(counter: Counter) -> None:
        await counter.plug(counter.ours, 0)
        await counter.until("")
        counter.unplug()
        await counter.plug(counter.other, 1)
        await counter.until("wrong_device")
        with pytest.raises(RequestError):
            counter.station.claim(request(1).payment_id, "till-1")
        counter.unplug()
        await counter.plug(counter.ours, 2)
        await counter.until("")
        payment = await counter.pay(2, counter.station.claim(request(2).payment_id, "till-1"))
        assert payment.status is p.Status.APPROVED
        assert not counter.other.was_asked_for_money

    at_a_counter(tmp_path, test)


def test_a_claim_does_not_outlive_an_exchange(tmp_path: Path) -> None:
    """The disk may stall between the claim and the start for as long as a replug takes."""

    async def test(counter: Counter) -> None:
        await counter.plug(counter.ours, 0)
        await counter.until("")
        started = counter.station.claim(request(1).payment_id, "till-1")
        assert started is not None
        counter.unplug()
        await counter.plug(counter.other, 1)
        await counter.until("wrong_device")
        payment = await counter.pay(1, started)
        assert payment.status is p.Status.FAILED
        assert not counter.other.was_asked_for_money

    at_a_counter(tmp_path, test)


def test_a_line_opened_for_one_payment_leads_to_the_configured_terminal(tmp_path: Path) -> None:
    async def test(counter: Counter) -> None:
        await counter.plug(counter.ours, 0)
        await counter.until("")
        counter.unplug()
        await counter.plug(counter.other, 1)
        try:
            started = counter.station.claim(request(1).payment_id, "till-1")
        except RequestError:
            return
        payment = await counter.pay(1, started)
        assert payment.status is p.Status.FAILED
        assert not counter.other.was_asked_for_money

    at_a_counter(tmp_path, test, persistent=False)
