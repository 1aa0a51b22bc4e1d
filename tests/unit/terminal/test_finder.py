"""Finding ports in a made-up sysfs, and asking simulated terminals who they are."""

from __future__ import annotations

import asyncio
import os
import random
import re
import tomllib
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import serial

from bridge.config import Terminal
from bridge.discovery.serial_ports import (
    PROBE_SECONDS_MAX,
    Answer,
    Question,
    SerialPort,
    ask,
    best,
    configuration,
    name_port,
)
from bridge.discovery.usb_ids import KINDS
from bridge.errors import LineError
from bridge.terminal.transport import SerialAddress, TcpAddress
from drivers import contract as c
from drivers.pax import DRIVER as PAX
from drivers.telium import CAISSE_AP_DRIVER as CAISSE_AP
from drivers.telium import DRIVER as TELIUM
from drivers.zvt import DRIVER as ZVT
from drivers.zvt import ZvtDriver
from simulators.loop import run_virtual
from simulators.terminals.pax.profile import PaxProfile
from simulators.terminals.pax.terminal import PaxTerminal
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from simulators.terminals.shared.shopper import BUILT_IN
from simulators.terminals.telium.program import CaisseApTerminal, TeliumTerminal
from simulators.terminals.zvt import ZvtTerminal
from tests.unit.terminal.machine import Machine

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL: tuple[c.Driver, ...] = (CAISSE_AP, PAX, TELIUM, ZVT)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# --- listing


def test_a_terminal_is_listed_with_all_that_the_system_knows(machine: Machine) -> None:
    usb = {
        "idVendor": "0b00",
        "idProduct": "0060",
        "manufacturer": "INGENICO",
        "product": "Desk 3500",
        "serial": "18123CT2",
    }
    device = machine.plug("ttyACM0", usb, "02")
    by_id = machine.link("by-id", "usb-INGENICO_Desk_3500_18123CT2-if00", "ttyACM0")
    by_path = machine.link("by-path", "pci-0000:00:14.0-usb-0:2:1.0", "ttyACM0")
    assert machine.ports() == (
        SerialPort(
            device=str(device),
            by_id=by_id,
            by_path=by_path,
            vendor_id="0b00",
            product_id="0060",
            manufacturer="INGENICO",
            product="Desk 3500",
            serial_number="18123CT2",
            interface_class="02",
        ),
    )


def test_ports_without_hardware_and_consoles_are_left_out(machine: Machine) -> None:
    machine.solder("ttyS1", "0")
    console = machine.sysfs / "devices/virtual/tty/console"
    console.mkdir(parents=True)
    (machine.sysfs / "class/tty/console").symlink_to(console)
    real = machine.solder("ttyS0", "4")
    assert machine.ports() == (SerialPort(str(real)),)


def test_a_converter_is_described_by_its_usb_device(machine: Machine) -> None:
    machine.plug("ttyUSB0", {"idVendor": "0403", "idProduct": "6001"}, "ff", converter=True)
    (port,) = machine.ports()
    assert (port.vendor_id, port.product_id, port.interface_class) == ("0403", "6001", "ff")
    assert port.kind is not None
    assert not port.may_be_asked


def test_the_tenth_port_comes_after_the_second(machine: Machine) -> None:
    for number in (10, 2):
        machine.plug(f"ttyACM{number}", {"idVendor": "0b00", "idProduct": "1"}, "02")
    assert [Path(port.device).name for port in machine.ports()] == ["ttyACM2", "ttyACM10"]


def test_a_machine_without_serial_ports_has_none(machine: Machine) -> None:
    assert machine.ports() == ()


def test_a_port_is_found_by_any_of_its_names_and_keeps_the_operators_link(
    machine: Machine,
) -> None:
    device = machine.plug("ttyACM0", {"idVendor": "0b00", "idProduct": "1", "serial": "S"}, "02")
    link = machine.link("by-id", "usb-I-if00", "ttyACM0")
    assert name_port(str(device), machine.ports()).stable_name == link
    own = machine.devices / "counter-1"
    own.symlink_to(device)
    assert name_port(str(own), machine.ports()).stable_name == str(own)
    assert name_port("/nowhere/tty", machine.ports()) == SerialPort("/nowhere/tty")


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"by_id": "I", "by_path": "P", "serial_number": "S"}, "I"),
        ({"by_id": "I", "by_path": "P"}, "P"),  # two of a kind without numbers share one by-id name
        ({"by_id": "I"}, "I"),
        ({}, "/dev/ttyACM0"),
    ],
)
def test_the_name_to_configure_is_one_that_stays(facts: dict[str, str], name: str) -> None:
    assert SerialPort("/dev/ttyACM0", **facts).stable_name == name


# --- who may be asked


@pytest.mark.parametrize(
    ("vendor", "product", "interface_class", "may"),
    [
        ("0b00", "0060", "02", True),
        ("0b00", "1001", "02", False),  # a stream deck that uses Ingenico's vendor id
        ("0b00", "0060", "03", False),  # the same maker, not a serial port by class
        ("0b00", "0060", "", False),
        ("079b", "0028", "02", True),
        ("079b", "0027", "02", False),
        ("1eab", "0006", "02", False),  # Newland's barcode scanners are CDC, too
        ("0403", "6001", "ff", False),
        ("1a86", "55d4", "02", False),  # an adapter that is CDC
        ("2fb8", "2203", "02", True),
        ("9908", "9030", "02", True),
        ("9908", "0001", "02", False),
        ("046d", "c52b", "02", False),
        ("", "", "", False),
    ],
)
def test_only_what_is_surely_a_terminal_is_asked_unnamed(
    vendor: str, product: str, interface_class: str, may: bool
) -> None:
    port = SerialPort(
        "/dev/ttyACM0", vendor_id=vendor, product_id=product, interface_class=interface_class
    )
    assert port.may_be_asked is may


def test_the_list_names_the_makers_that_the_udev_rules_name() -> None:
    rules = (ROOT / "systemd/70-paybridge.rules").read_text()
    named = re.findall(r'ENV\{ID_VENDOR_ID\}=="(\w+)".*PAYBRIDGE_MAKER\}="(?!adapter)', rules)
    assert {kind.vendor_id for kind in KINDS if kind.may_be_asked} == set(named)


# --- asking


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
        case _:
            return port, TeliumTerminal(clock=clock, rng=rng, scenario=scenario)


def by_default(*drivers: c.Driver) -> list[Question]:
    return [Question.with_defaults(driver) for driver in drivers]


def ask_simulated(
    kind: str, drivers: Sequence[c.Driver], place: Place = CABLE
) -> tuple[list[Answer], int]:
    """Return what is answered by a terminal of this kind, and how much it wrote about money."""
    line: Literal["serial", "tcp"] = "serial" if place is CABLE else "tcp"

    async def main() -> tuple[list[Answer], int]:
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


def test_an_open_port_alone_is_no_answer() -> None:
    answers, _ = ask_simulated("caisse_ap", (CAISSE_AP,), NETWORK)
    assert best(answers) is None
    assert answers == [
        Answer("caisse_ap", "not_tried", "it asks nothing; only that the port is open")
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

    async def main() -> list[Answer]:
        return [one async for one in ask(NOWHERE, by_default(ZVT, PAX), connect=nobody)]

    (answer,) = run_virtual(main)
    assert answer == Answer("zvt", "not_opened", "no permission to open it")


# --- telling


def test_the_table_to_paste_is_configuration_for_this_very_terminal() -> None:
    ready = c.TerminalReady(terminal_id="29001006", serial_number='S"1\\\n\x7f')
    place = {"port": "/dev/serial/by-id/usb-I-if00"}
    text = configuration("counter-1", place, Answer("zvt", "ready", "", ready))
    terminal = Terminal.model_validate(tomllib.loads(text)["terminals"]["counter-1"])
    assert terminal.port == "/dev/serial/by-id/usb-I-if00"
    assert (terminal.driver, terminal.terminal_id) == ("zvt", "29001006")
    assert terminal.serial_number == 'S"1\\\n\x7f'


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ((("a", "silent", ""), ("b", "not_ready", "")), "b"),
        ((("a", "ready", ""), ("b", "ready", "T1")), "b"),
        ((("a", "not_ready", ""), ("b", "ready", "")), "b"),
        ((("a", "silent", ""),), ""),
    ],
)
def test_who_names_itself_is_believed_first(
    states: tuple[tuple[str, Literal["ready", "not_ready", "silent"], str], ...], chosen: str
) -> None:
    answers = [
        Answer(driver, state, "", c.TerminalReady(terminal_id=who) if state == "ready" else None)
        for driver, state, who in states
    ]
    answer = best(answers)
    assert (answer.driver if answer else "") == chosen
