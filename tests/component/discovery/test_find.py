"""`paybridge find` asks nobody whom it was not told to ask."""

from __future__ import annotations

import json

from bridge.cli.find import configured
from bridge.money.store.database import Ownership
from bridge.settings import JOURNAL_NAME
from tests.unit.cli.test_find import findings, machine
from tests.unit.discovery.machine import Machine

__all__ = ["machine"]  # the fixture


async def test_a_port_of_the_running_bridge_is_left_to_it(machine: Machine) -> None:
    device = machine.plug("ttyACM0", {"idVendor": "0b00", "idProduct": "0060"}, "02")
    link = machine.link("by-id", "usb-I-if00", "ttyACM0")
    state = machine.devices / "state"
    state.mkdir()
    (state / JOURNAL_NAME).touch()
    config = machine.devices / "paybridge.toml"
    config.write_text(
        f"[site]\nstore_code = 'S'\nstate_directory = {json.dumps(str(state))}\n"
        f"[terminals.counter-1]\ndriver = 'zvt'\nport = {json.dumps(link)}\n"
    )
    (free,) = await findings(machine.ports(), [str(device)], configured(config))
    assert (free.configured_as, len(free.answers)) == ("counter-1", 1)
    running_bridge = Ownership(state / JOURNAL_NAME)
    (owned,) = await findings(machine.ports(), [str(device)], configured(config))
    running_bridge.release()
    assert (owned.configured_as, owned.answers) == ("counter-1", ())
    assert "running bridge" in owned.not_asked
