"""`paybridge find` asks nobody whom it was not told to ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.cli.find import Configured, Found, find
from bridge.config import Terminal
from bridge.discovery.serial_ports import SerialPort
from bridge.errors import ConfigError
from drivers import contract as c
from drivers.zvt import ZvtSettings
from tests.unit.discovery.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class Unasked:
    """Stands where a driver stands, and says no to every wish to talk."""

    api, name, version, settings, serial_defaults = 1, "none", "1", dict, c.SerialDefaults()

    def capabilities(self, settings: object) -> c.Capabilities:
        raise AssertionError("nobody wants to know")

    def dialogue(self, settings: object, transport: str) -> c.Dialogue:
        raise ValueError("somebody wanted to talk")


async def findings(
    ports: Sequence[SerialPort],
    paths: Sequence[str] = (),
    known: Configured | None = None,
    *,
    probe: bool = True,
) -> list[Found]:
    known = known or Configured()
    return [one async for one in find(ports, paths, (Unasked(),), known, probe=probe)]


async def test_nobody_is_asked_without_being_told_to(machine: Machine) -> None:
    device = machine.plug("ttyACM0", {"idVendor": "0b00", "idProduct": "0060"}, "02")
    (only_listed,) = await findings(machine.ports(), probe=False)
    (asked,) = await findings(machine.ports())
    assert (only_listed.answers, asked.answers[0].state) == ((), "not_tried")
    (named,) = await findings(machine.ports(), [str(device)], probe=False)
    assert named.answers == ()


async def test_a_scanner_is_asked_only_by_name(machine: Machine) -> None:
    device = machine.plug("ttyACM0", {"idVendor": "1eab", "idProduct": "0006"}, "02")
    (unnamed,) = await findings(machine.ports())
    assert unnamed.answers == ()
    assert "--port" in unnamed.not_asked
    (named,) = await findings(machine.ports(), [str(device)])
    assert len(named.answers) == 1


def test_a_configured_terminal_is_asked_as_it_is_configured() -> None:
    terminal = Terminal(
        driver="zvt", port="/dev/x", baud_rate=57_600, settings={"password": "123456"}
    )
    question = Configured({"counter-1": terminal}).question("counter-1")
    assert question.driver.name == "zvt"
    assert question.settings == ZvtSettings(password="123456")
    assert question.line == c.SerialDefaults(baud_rate=57_600, stop_bits=2)


def test_a_wrong_setting_of_a_terminal_that_is_to_be_asked_is_named() -> None:
    terminal = Terminal(driver="zvt", port="/dev/x", settings={"pasword": "123456"})
    with pytest.raises(ConfigError, match="password") as caught:
        Configured({"counter-1": terminal}).question("counter-1")
    assert caught.value.key == "terminals.counter-1.settings.pasword"


async def test_a_port_that_is_not_there_is_told(machine: Machine) -> None:
    (missing,) = await findings(machine.ports(), [str(machine.devices / "ttyACM7")])
    assert missing.answers == ()
    assert "no such port" in missing.not_asked


async def test_what_is_found_is_json_as_it_is(machine: Machine) -> None:
    machine.plug("ttyACM0", {"idVendor": "0b00", "idProduct": "3070"}, "02")
    (found,) = await findings(machine.ports(), probe=False)
    row = json.loads(json.dumps(found.as_json()))
    assert row["known_as"] == "Ingenico iPP3xx PIN pad"
    assert row["may_be_asked"] is True
