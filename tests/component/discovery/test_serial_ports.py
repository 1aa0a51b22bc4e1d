"""Finding ports in a made-up sysfs, and asking simulated terminals who they are."""

from __future__ import annotations

import asyncio
import os
import random
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
import serial

from bridge.discovery.serial_ports import (
    PROBE_SECONDS_MAX,
    PortAnswer,
    Question,
    ask,
    best,
)
from bridge.errors import LineError
from bridge.terminal.transport import SerialAddress, TcpAddress
from drivers import contract as c
from drivers.pax import DRIVER as PAX
from drivers.telium import CAISSE_AP_DRIVER as CAISSE_AP
from drivers.telium import DRIVER as TELIUM
from drivers.telium import CaisseApSettings
from drivers.zvt import DRIVER as ZVT
from drivers.zvt import ZvtDriver
from simulators.loop import run_virtual
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from simulators.terminals.shared.shopper import BUILT_IN
from simulators.terminals.telium.device import PROFILES as TELIUM_PROFILES
from simulators.terminals.telium.program import CaisseApTerminal, TeliumTerminal
from simulators.terminals.zvt import ZvtTerminal

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


ALL: tuple[c.Driver, ...] = (CAISSE_AP, PAX, TELIUM, ZVT)


Place = SerialAddress | TcpAddress


CABLE, NOWHERE = SerialAddress("/dev/ttyACM0"), SerialAddress("/dev/x")


NETWORK = TcpAddress("192.168.1.20", 10009)


async def terminal_of(
    kind: str, line: Literal["serial", "tcp"] = "serial"
) -> tuple[MemoryPort, ZvtTerminal | PaxTerminal | TeliumTerminal | CaisseApTerminal]:
    loop = asyncio.get_running_loop()
    port = MemoryPort(random.Random(1), kind=line)

    def clock() -> datetime:
        return NOON + timedelta(seconds=loop.time())

    rng, scenario = random.Random(2), BUILT_IN["instant"]
    match kind:
        case "zvt":
            return port, ZvtTerminal(clock=clock, rng=rng, scenario=scenario, kind=line)
        case "pax":
            return port, PaxTerminal(clock=clock, rng=rng, scenario=scenario)
        case "pax_hanging_up":
            profile = PaxProfile(hangs_up=True)
            return port, PaxTerminal(clock=clock, rng=rng, scenario=scenario, profile=profile)
        case "caisse_ap":
            return port, CaisseApTerminal(clock=clock, rng=rng, scenario=scenario)
        case "mute":
            mute = TELIUM_PROFILES["mute"]
            return port, CaisseApTerminal(clock=clock, rng=rng, scenario=scenario, profile=mute)
        case _:
            return port, TeliumTerminal(clock=clock, rng=rng, scenario=scenario)


def by_default(*drivers: c.Driver) -> list[Question]:
    return [Question.with_defaults(driver) for driver in drivers]


def ask_simulated(
    kind: str, drivers: Sequence[c.Driver], place: Place = CABLE
) -> tuple[list[PortAnswer], int]:
    """Return what is answered by a terminal of this kind, and how much it wrote about money."""
    line: Literal["serial", "tcp"] = "serial" if place is CABLE else "tcp"

    async def main() -> tuple[list[PortAnswer], int]:
        port, terminal = await terminal_of(kind, line)

        async def connect(address: Place) -> CableEnd:
            asked = address.path if isinstance(address, SerialAddress) else str(address)
            assert asked == (place.path if isinstance(place, SerialAddress) else str(place))
            return port.open()

        async with asyncio.TaskGroup() as group:
            running = group.create_task(terminal.run(port))
            await asyncio.sleep(0.01)
            answers = [one async for one in ask(place, by_default(*drivers), connect=connect)]
            running.cancel()
        return answers, len(terminal.ledger.entries)

    return run_virtual(main)


@pytest.mark.parametrize("kind", ["zvt", "pax", "telium"])
@pytest.mark.parametrize("order", [ALL, ALL[::-1]])
def test_the_right_driver_is_told_and_no_money_moves(
    kind: str, order: tuple[c.Driver, ...]
) -> None:
    answers, entries = ask_simulated(kind, order)
    answer = best(answers)
    assert answer is not None
    assert (answer.driver, answer.state) == (kind, "ready")
    assert entries == 0


def test_a_terminal_that_says_who_it_is_ends_the_search() -> None:
    answers, _ = ask_simulated("zvt", (ZVT, PAX, TELIUM))
    assert [answer.driver for answer in answers] == ["zvt"]
    assert answers[0].ready is not None
    assert answers[0].ready.terminal_id == "29001006"


@pytest.mark.parametrize(
    ("kind", "driver"), [("zvt", "zvt"), ("pax", "pax"), ("pax_hanging_up", "pax")]
)
@pytest.mark.parametrize("order", [ALL, ALL[::-1]])
def test_a_terminal_on_the_network_is_told_and_no_money_moves(
    kind: str, driver: str, order: tuple[c.Driver, ...]
) -> None:
    answers, entries = ask_simulated(kind, order, NETWORK)
    answer = best(answers)
    assert answer is not None
    assert (answer.driver, answer.state) == (driver, "ready")
    assert answer.says_who
    assert entries == 0


def test_a_terminal_that_is_asked_by_its_text_says_who_it_is() -> None:
    answers, entries = ask_simulated("caisse_ap", (CAISSE_AP,), NETWORK)
    answer = best(answers)
    assert answer is not None
    assert answer.ready is not None
    assert (answer.state, answer.ready.serial_number) == ("ready", "330538600404")
    assert entries == 0


def test_an_open_port_alone_is_no_answer() -> None:
    answers, _ = ask_simulated("mute", (CAISSE_AP,), NETWORK)
    assert best(answers) is None
    assert answers == [PortAnswer("caisse_ap", "silent", "no answer; only that the port is open")]


def test_a_driver_that_asks_nothing_says_so() -> None:
    asks_nothing = Question(
        CAISSE_AP, CaisseApSettings(identification=False), CAISSE_AP.serial_defaults
    )

    async def main() -> list[PortAnswer]:
        port, terminal = await terminal_of("caisse_ap", "tcp")

        async def connect(_: Place) -> CableEnd:
            return port.open()

        async with asyncio.TaskGroup() as group:
            running = group.create_task(terminal.run(port))
            await asyncio.sleep(0.01)
            answers = [one async for one in ask(NETWORK, [asks_nothing], connect=connect)]
            running.cancel()
        return answers

    assert run_virtual(main) == [
        PortAnswer("caisse_ap", "not_tried", "it asks nothing; only that the port is open")
    ]


def test_a_driver_whose_settings_must_be_given_is_not_tried() -> None:
    @dataclass(frozen=True)
    class Settings:
        key: str

    @dataclass(frozen=True)
    class Demanding(ZvtDriver):
        settings: type = Settings

    answers, _ = ask_simulated("zvt", (Demanding(),))
    assert [answer.state for answer in answers] == ["not_tried"]


def test_a_driver_that_is_not_for_serial_lines_sends_nothing() -> None:
    answers, _ = ask_simulated("zvt", (CAISSE_AP,))
    assert [answer.state for answer in answers] == ["not_tried"]


@pytest.mark.parametrize("driver", [ZVT, PAX, TELIUM], ids=lambda driver: driver.name)
def test_silence_and_babble_end_in_bounded_time(driver: c.Driver) -> None:
    class Babbler:
        async def read(self) -> bytes:
            await asyncio.sleep(0.01)
            return b"\x06"

        def write(self, data: bytes) -> None: ...

        def close(self) -> None: ...

    async def main() -> float:
        async def silence(_: Place) -> CableEnd:
            port = MemoryPort(random.Random(1))
            await port.plug()
            return port.open()

        async def babble(_: Place) -> Babbler:
            return Babbler()

        loop = asyncio.get_running_loop()
        for connect in (silence, babble):
            answers = [one async for one in ask(NOWHERE, by_default(driver), connect=connect)]
            if connect is silence:
                assert [one.state for one in answers] == ["silent"]
        return loop.time()

    assert run_virtual(main) <= 2 * PROBE_SECONDS_MAX + 0.1


async def test_a_port_that_somebody_has_open_is_not_touched() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    path = os.ttyname(slave)
    with serial.Serial(path, exclusive=True):
        (answer,) = [one async for one in ask(SerialAddress(path), by_default(*ALL[1:]))]
    assert answer.state == "not_opened"
    assert "in use" in answer.text
    with pytest.raises(BlockingIOError):
        os.read(master, 1)
    os.close(master)
    os.close(slave)


def test_a_port_that_cannot_be_opened_is_asked_once() -> None:
    async def nobody(_: Place) -> CableEnd:
        raise LineError("no_permission", "no permission to open it")

    async def main() -> list[PortAnswer]:
        return [one async for one in ask(NOWHERE, by_default(ZVT, PAX), connect=nobody)]

    (answer,) = run_virtual(main)
    told = "no permission to open it"
    assert answer == PortAnswer("zvt", "not_opened", told, reason="no_permission")
