"""Finding ports in a made-up sysfs, and asking simulated terminals who they are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

import pytest

from bridge.config import Terminal
from bridge.discovery.serial_ports import (
    PortAnswer,
    SerialPort,
    best,
    configuration,
    name_port,
)
from bridge.discovery.usb_ids import KINDS
from drivers import contract as c
from tests.unit.discovery.machine import Machine

ROOT = Path(__file__).parents[3]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


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


def test_the_table_to_paste_is_configuration_for_this_very_terminal() -> None:
    ready = c.TerminalReady(terminal_id="29001006", serial_number='S"1\\\n\x7f')
    place = {"port": "/dev/serial/by-id/usb-I-if00"}
    text = configuration("counter-1", place, PortAnswer("zvt", "ready", "", ready))
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
        PortAnswer(
            driver, state, "", c.TerminalReady(terminal_id=who) if state == "ready" else None
        )
        for driver, state, who in states
    ]
    answer = best(answers)
    assert (answer.driver if answer else "") == chosen
