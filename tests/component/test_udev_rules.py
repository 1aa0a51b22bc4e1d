"""Plays the shipped udev rules against devices, as udevd of systemd 252 would read them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
NAMES = (SYSTEMD / "70-paybridge.rules").read_text()
BRLTTY = (SYSTEMD / "95-paybridge-brltty.rules").read_text()

# key, attribute, operator, value; see udev(7)
TOKEN = re.compile(r'([A-Z]+)(?:\{([A-Za-z_]+)\})?(==|!=|\+=|=)"([^"]*)"(?:, |$)')
MATCHES = {"ACTION", "SUBSYSTEM", "ENV", "ATTR", "ATTRS"}
ASSIGNS = {("GOTO", "="), ("LABEL", "="), ("SYMLINK", "+="), ("ENV", "=")}

Token = tuple[str, str, str, str]


@dataclass
class Device:
    subsystem: str
    env: dict[str, str]
    attributes: dict[str, str] = field(default_factory=dict)
    action: str = "add"
    links: list[str] = field(default_factory=list)


class BadRule(Exception):
    """A line that udevd would ignore with an error."""


def parse(text: str) -> list[list[Token]]:
    rules = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        tokens = [(m[1], m[2] or "", m[3], m[4]) for m in TOKEN.finditer(line)]
        if "".join(m[0] for m in TOKEN.finditer(line)) != line:
            raise BadRule(line)
        for key, _, operator, _ in tokens:
            is_match = operator in {"==", "!="} and key in MATCHES
            if not is_match and (key, operator) not in ASSIGNS:
                raise BadRule(line)
        rules.append(tokens)
    return rules


def holds(token: Token, device: Device) -> bool:
    key, name, operator, value = token
    match key:
        case "ACTION":
            actual = device.action
        case "SUBSYSTEM":
            actual = device.subsystem
        case "ENV":
            actual = device.env.get(name, "")
        case _:
            if name not in device.attributes:
                return False
            actual = device.attributes[name]
    found = any(fnmatchcase(actual, pattern) for pattern in value.split("|"))
    return found == (operator == "==")


def play(text: str, device: Device) -> Device:
    wanted = ""
    for rule in parse(text):
        labels = [value for key, _, _, value in rule if key == "LABEL"]
        if wanted and wanted not in labels:
            continue
        wanted = ""
        if not all(holds(token, device) for token in rule if token[2] in {"==", "!="}):
            continue
        for key, name, operator, value in rule:
            filled = re.sub(r"\$env\{(\w+)\}", lambda m: device.env.get(m[1], ""), value)
            if key == "ENV" and operator == "=":
                device.env[name] = filled
            elif key == "SYMLINK":
                device.links.append(filled)
            elif key == "GOTO":
                wanted = value
    assert wanted == "", "a GOTO leads nowhere"
    return device


def usb(vendor: str, product: str) -> Device:
    return Device("usb", {"DEVTYPE": "usb_device"}, {"idVendor": vendor, "idProduct": product})


def port(
    vendor: str, product: str, *, interface_class: str = "02", serial: str = "", path: str = ""
) -> Device:
    env = {"ID_BUS": "usb", "ID_VENDOR_ID": vendor, "ID_MODEL_ID": product}
    env |= {"ID_USB_INTERFACE_NUM": "00", "ID_SERIAL_SHORT": serial, "ID_PATH": path}
    return Device("tty", env, {"bInterfaceClass": interface_class})


def test_a_terminal_with_a_serial_number_is_named_by_it() -> None:
    device = play(NAMES, port("0b00", "0054", serial="18123CT2", path="pci-0-usb-0:1:1.0"))
    assert device.links == ["paybridge/ingenico-18123CT2-if00"]


def test_a_terminal_without_a_serial_number_is_named_by_its_socket() -> None:
    device = play(NAMES, port("2fb8", "2200", path="pci-0-usb-0:1:1.0"))
    assert device.links == ["paybridge/pax-pci-0-usb-0:1:1.0"]


def test_a_terminal_without_either_gets_no_name() -> None:
    assert play(NAMES, port("2fb8", "2200")).links == []


def test_two_ports_of_one_terminal_have_two_names() -> None:
    first, second = port("11ca", "0219", serial="7"), port("11ca", "0219", serial="7")
    second.env["ID_USB_INTERFACE_NUM"] = "02"
    assert play(NAMES, first).links != play(NAMES, second).links


def test_equal_adapters_are_told_apart_by_their_sockets() -> None:
    device = play(NAMES, port("1a86", "7523", interface_class="ff", path="pci-0-usb-0:2:1.0"))
    assert device.links == ["paybridge/adapter-pci-0-usb-0:2:1.0"]


@pytest.mark.parametrize(
    "device",
    [
        port("0b00", "1001", serial="355499441494"),  # a stream deck with Ingenico's vendor id
        port("0b00", "0054", serial="7", interface_class="03"),  # not a communications interface
        port("1eab", "0c06", serial="7"),  # a barcode scanner of a maker of terminals
        port("2c7c", "0125", serial="7", path="usb-1"),  # a mobile modem
        Device("tty", {"ID_PATH": "platform-serial8250"}),  # a port on the mainboard
    ],
)
def test_other_devices_are_left_alone(device: Device) -> None:
    play(NAMES, device)
    assert device.links == []
    assert "ID_MM_PORT_IGNORE" not in device.env


@pytest.mark.parametrize(
    ("vendor", "product", "ignored"),
    [
        ("0b00", "0054", True),
        ("0403", "6001", True),
        ("067b", "23a3", True),
        ("9908", "9030", True),
        ("0b00", "1001", False),
        ("1eab", "0c06", False),
        ("2c7c", "0125", False),
        ("0403", "0000", False),
    ],
)
def test_modem_manager_is_kept_from_terminals_and_adapters_only(
    vendor: str, product: str, ignored: bool
) -> None:
    device = play(NAMES, usb(vendor, product))
    assert ("ID_MM_DEVICE_IGNORE" in device.env) == ignored


@pytest.mark.parametrize(("product", "wants"), [("7523", ""), ("1111", "brltty-device@.service")])
def test_brltty_is_kept_from_adapters_only(product: str, wants: str) -> None:
    device = play(NAMES, usb("1a86", product))
    device.env["SYSTEMD_WANTS"] = "brltty-device@.service"
    assert play(BRLTTY, device).env["SYSTEMD_WANTS"] == wants


def test_an_unplugged_device_is_not_touched() -> None:
    device = port("0b00", "0054", serial="7")
    device.action = "remove"
    assert play(NAMES, device).links == []


@pytest.mark.parametrize(
    "line",
    [
        'SUBSYSTEM="tty", SYMLINK+="x"',
        'SUBSYSTEM=="tty" SYMLINK+="x"',
        'SUBSYSTEM=="tty, SYMLINK+="x"',
        'NONSENSE=="tty", SYMLINK+="x"',
        'SUBSYSTEM=="tty", SYMLINK="x"',
    ],
)
def test_a_malformed_rule_would_be_noticed(line: str) -> None:
    with pytest.raises(BadRule):
        parse(line)
