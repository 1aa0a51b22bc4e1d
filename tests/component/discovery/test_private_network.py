"""`paybridge find --tcp`: only where the operator points, and only in the store."""

from __future__ import annotations

from tests.component.simulators.test_pax_lines import terminal
from tests.unit.discovery.test_private_network import found_at


async def test_a_terminal_that_answers_is_told_with_what_to_configure() -> None:
    async with terminal("--tcp", "127.0.0.1:0") as simulated:
        found = await found_at(simulated["tcp"])
    assert [answer.state for answer in found.answers] == ["ready"]
    assert 'driver = "pax"' in found.toml
    assert f'tcp = "{simulated["tcp"]}"' in found.toml
    assert 'serial_number = "5A123456"' in found.toml
