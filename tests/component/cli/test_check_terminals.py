"""`paybridge check` asks each terminal, and names a driver, a speed or a terminal that is wrong."""

from __future__ import annotations

import asyncio
import os
import random
import termios
import tty
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.checks.findings import Finding, exit_status
from bridge.cli.checks.terminals import Served, terminals
from bridge.config import Config, parse
from bridge.errors import LineError
from bridge.terminal.transport import SerialAddress, TcpAddress
from simulators.loop import run_virtual
from simulators.terminals.shared.cable import CableEnd, MemoryPort
from simulators.terminals.shared.serial_port import PtyPort
from tests.component.discovery.test_serial_ports import terminal_of

Place = SerialAddress | TcpAddress


def store(**terminal: object) -> Config:
    table = {"driver": "zvt", "port": "/dev/ttyACM0", **terminal}
    if "tcp" in terminal:
        table.pop("port")
    return parse({"site": {"store_code": "S1"}, "terminals": {"counter-1": table}})


def check(
    kind: str,
    speed: int | None = None,
    **terminal: object,
) -> tuple[Finding, int]:
    """Return what is found of a terminal of that kind at that speed, and what it wrote of money."""

    async def main() -> tuple[Finding, int]:
        port, simulated = await terminal_of(kind, "tcp" if "tcp" in terminal else "serial")

        async def connect(address: Place) -> CableEnd:
            at = address.settings.baud_rate if isinstance(address, SerialAddress) else None
            if speed is not None and at != speed:
                deaf = MemoryPort(random.Random(1))  # another speed is noise that nobody answers
                await deaf.plug()
                return deaf.open()
            return port.open()

        async with asyncio.TaskGroup() as group:
            running = group.create_task(simulated.run(port))
            await asyncio.sleep(0.01)
            (finding,) = await terminals(store(**terminal), None, connect=connect)
            running.cancel()
        return finding, len(simulated.ledger.entries)

    return run_virtual(main)


def test_a_terminal_that_answers_is_ok_with_who_it_is_and_no_money_moves() -> None:
    finding, entries = check("zvt")
    assert (finding.code, finding.level, entries) == ("terminal_ok", "ok", 0)
    assert "29001006" in finding.text


@pytest.mark.parametrize(("kind", "driver"), [("pax", "zvt"), ("zvt", "pax"), ("telium", "zvt")])
def test_a_wrong_driver_is_named_with_the_right_one_and_the_command(kind: str, driver: str) -> None:
    finding, entries = check(kind, driver=driver)
    assert (finding.code, finding.level, entries) == ("terminal_wrong_driver", "wrong", 0)
    assert f'driver = "{kind}"' in finding.remedy
    assert "paybridge find --port /dev/ttyACM0 --probe" in finding.remedy
    assert finding.key == "terminals.counter-1.driver"


def test_a_wrong_driver_on_the_network_is_named() -> None:
    finding, _ = check("pax", driver="zvt", tcp="192.168.1.20:10009")
    assert finding.code == "terminal_wrong_driver"
    assert "paybridge find --tcp 192.168.1.20:10009" in finding.remedy


@pytest.mark.parametrize(("right", "configured"), [(9_600, 57_600), (115_200, 9_600)])
def test_a_wrong_baud_rate_is_named_with_the_right_one(right: int, configured: int) -> None:
    finding, entries = check("zvt", right, baud_rate=configured)
    assert (finding.code, entries) == ("terminal_wrong_speed", 0)
    assert f"baud_rate = {right}" in finding.remedy
    assert finding.key == "terminals.counter-1.baud_rate"


def test_a_silent_line_says_what_was_tried_and_how_to_look_further() -> None:
    finding, _ = check("zvt", 1_200)
    assert (finding.code, finding.level) == ("terminal_silent", "wrong")
    assert "paybridge find --port /dev/ttyACM0 --probe" in finding.remedy


def test_another_terminal_than_the_configured_one_is_wrong() -> None:
    finding, _ = check("zvt", terminal_id="11111111")
    assert (finding.code, finding.key) == ("terminal_other", "terminals.counter-1.terminal_id")
    assert "29001006, not 11111111" in finding.text


def test_a_driver_that_cannot_ask_without_money_says_that_only_the_line_was_tried() -> None:
    place: dict[str, Any] = {"driver": "caisse_ap", "tcp": "192.168.1.20:8888"}
    finding, entries = check("caisse_ap", **place, settings={"identification": False})
    assert (finding.code, finding.level, entries) == ("terminal_not_asked", "look", 0)
    finding, entries = check("caisse_ap", **place)
    assert (finding.code, finding.level, entries) == ("terminal_ok", "ok", 0)


def test_a_terminal_that_says_that_it_cannot_is_told_in_its_words() -> None:
    finding, entries = check("zvt", settings={"currency": "CHF"})
    assert (finding.code, finding.level, entries) == ("terminal_not_ready", "wrong", 0)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("not_found", "terminal_port_missing"),
        ("no_permission", "terminal_port_denied"),
        ("in_use", "terminal_port_in_use"),
        ("unreachable", "terminal_unreachable"),
        ("refused", "terminal_unreachable"),
        ("io_error", "terminal_line_broken"),
    ],
)
async def test_a_line_that_does_not_open_says_why(reason: str, code: str) -> None:
    async def connect(_address: Place) -> CableEnd:
        raise LineError(reason, "the words of the line")

    findings = await terminals(store(), None, connect=connect)
    assert [(one.code, one.level, one.text) for one in findings] == [
        (code, "wrong", "the words of the line")
    ]
    assert exit_status(findings, ["counter-1"]) == 1


async def test_a_wrong_setting_is_named_before_anything_is_opened() -> None:
    async def connect(_address: Place) -> CableEnd:
        raise AssertionError("nobody wants a line")

    (finding,) = await terminals(store(settings={"pasword": "1"}), None, connect=connect)
    assert (finding.code, finding.key) == (
        "terminal_setting",
        "terminals.counter-1.settings.pasword",
    )
    (unknown,) = await terminals(store(driver="zvtt"), None, connect=connect)
    assert (unknown.code, unknown.key) == ("terminal_setting", "terminals.counter-1.driver")


STATE = {"availability": "online", "activity": "idle", "problems": []}


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (STATE, "terminal_ok"),
        ({**STATE, "activity": "busy"}, "terminal_busy"),
        ({**STATE, "availability": "unknown"}, "terminal_silent"),
        (
            {
                **STATE,
                "availability": "offline",
                "problems": [{"code": "usb_removed", "text": "gone"}],
            },
            "terminal_port_missing",
        ),
        ({**STATE, "problems": [{"code": "wrong_device", "text": "x"}]}, "terminal_other"),
        ({**STATE, "problems": [{"code": "no_answer", "text": "x"}]}, "terminal_silent"),
        (
            {**STATE, "problems": [{"code": "terminal_maintenance", "text": "no paper"}]},
            "terminal_not_ready",
        ),
        (None, "terminal_setting"),
    ],
)
async def test_the_running_service_is_asked_and_its_line_left_alone(
    state: dict[str, Any] | None, code: str
) -> None:
    async def connect(_address: Place) -> CableEnd:
        raise AssertionError("the service has the line")

    served = Served({} if state is None else {"counter-1": state})
    (finding,) = await terminals(store(), served, connect=connect)
    assert finding.code == code


# --- over real pseudo-terminals


async def test_over_a_pseudo_terminal_wrong_driver_and_pulled_cable_say_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.discovery.serial_ports.PROBE_SECONDS_MAX", 0.6)
    _, simulated = await terminal_of("zvt")
    port = PtyPort(tmp_path / "terminal")
    await port.plug()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(simulated.run(port))
        for driver, code in (("zvt", "terminal_ok"), ("pax", "terminal_wrong_driver")):
            (finding,) = await terminals(store(driver=driver, port=str(port.link)), None)
            assert finding.code == code, finding
        running.cancel()
    port.unplug()
    (pulled,) = await terminals(store(port=str(port.link)), None)
    assert (pulled.code, pulled.level) == ("terminal_port_missing", "wrong")


async def test_over_a_pseudo_terminal_a_wrong_speed_says_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.discovery.serial_ports.PROBE_SECONDS_MAX", 0.6)
    _, simulated = await terminal_of("zvt")
    port = PtyPort(tmp_path / "terminal")
    await port.plug()
    relay = SpeedRelay(tmp_path / "wire", port.link, baud=38_400)
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(simulated.run(port))
            (finding,) = await terminals(store(port=str(relay.link), baud_rate=9_600), None)
            assert (finding.code, finding.level) == ("terminal_wrong_speed", "wrong")
            assert "baud_rate = 38400" in finding.remedy
            (right,) = await terminals(store(port=str(relay.link), baud_rate=38_400), None)
            assert right.code == "terminal_ok"
            running.cancel()
    finally:
        relay.close()
        port.unplug()


class SpeedRelay:
    """A second pseudo-terminal that carries bytes only while both sides have one speed."""

    def __init__(self, link: Path, far: Path, *, baud: int) -> None:
        self.link = link
        self._speed = getattr(termios, f"B{baud}")
        self._near, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._far = os.open(far, os.O_RDWR | os.O_NOCTTY)
        for descriptor in (self._near, self._far):
            os.set_blocking(descriptor, False)
        link.symlink_to(os.ttyname(self._slave))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._near, self._carry, self._near, self._far)
        loop.add_reader(self._far, self._carry, self._far, self._near)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for descriptor in (self._near, self._far):
            loop.remove_reader(descriptor)
        for descriptor in (self._near, self._far, self._slave):
            os.close(descriptor)

    def _carry(self, source: int, target: int) -> None:
        try:
            data = os.read(source, 4096)
        except OSError:
            return
        if termios.tcgetattr(self._slave)[4] == self._speed:
            os.write(target, data)
