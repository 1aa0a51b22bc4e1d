"""`paybridge find --tcp`: only where the operator points, and only in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.cli.find import Configured, Found, find_tcp, tcp_address
from bridge.config import Terminal
from bridge.discovery.private_network import is_near, resolve
from bridge.terminal.transport import TcpAddress
from drivers.pax import DRIVER as PAX
from drivers.zvt import DRIVER as ZVT


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.255.255.255", True),
        ("172.16.0.1", True),
        ("172.31.255.255", True),
        ("192.168.178.20", True),
        ("169.254.7.7", True),
        ("fe80::1", True),
        ("fd00::20", True),
        ("::ffff:192.168.1.1", True),
        ("172.32.0.1", False),
        ("8.8.8.8", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("203.0.113.5", False),
        ("2001:db8::1", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_near_is_this_machine_and_private_networks(text: str, near: bool) -> None:
    assert is_near(text) is near


async def test_a_far_address_is_left_alone_unless_told_otherwise() -> None:
    far = TcpAddress("203.0.113.5", 10009)
    why_not, reached = await resolve(far, anywhere=False)
    assert "not in a private network" in why_not
    assert reached is None
    assert await resolve(far, anywhere=True) == ("", far)


@pytest.mark.parametrize(
    ("text", "address", "written"),
    [
        ("127.0.0.1:10009", TcpAddress("127.0.0.1", 10009), "127.0.0.1:10009"),
        ("[::1]:22000", TcpAddress("::1", 22000), "[::1]:22000"),
        ("pinpad.local:1", TcpAddress("pinpad.local", 1), "pinpad.local:1"),
    ],
)
def test_an_address_is_read_and_written_as_in_the_configuration(
    text: str, address: TcpAddress, written: str
) -> None:
    assert tcp_address(text) == address
    assert str(address) == written


@pytest.mark.parametrize("text", ["", "10009", "host", "host:", "host:0", "host:65536", "host:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        tcp_address(text)


async def found_at(address: str, known: Configured | None = None) -> Found:
    one = tcp_address(address)
    (found,) = [
        each async for each in find_tcp([one], (PAX, ZVT), known or Configured(), anywhere=False)
    ]
    return found


async def test_a_terminal_of_the_running_bridge_is_left_to_it() -> None:
    theirs = {"till": Terminal(driver="pax", tcp="127.0.0.1:1")}
    found = await found_at("127.0.0.1:1", Configured(theirs, running=True))
    assert (found.configured_as, found.answers) == ("till", ())
    assert "running bridge" in found.not_asked
    idle = await found_at("127.0.0.1:1", Configured(theirs))
    assert [answer.state for answer in idle.answers] == ["not_opened"]


def status(*words: str) -> object:
    with pytest.raises(SystemExit) as left:
        main(words)
    return left.value.code


def test_the_command_asks_at_an_address_and_lists_no_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "paybridge.toml"
    config.write_text(
        "[site]\nstore_code = 'S'\n[terminals.till]\ndriver = 'zvt'\ntcp = '127.0.0.1:2'\n"
    )
    words = ["find", "--config", str(config), "--json", "--tcp", "127.0.0.1:1"]
    assert status(*words, "--tcp", "203.0.113.5:10009") == 1
    closed, far = json.loads(capsys.readouterr().out)
    assert (closed["tcp"], closed["answers"][0]["state"]) == ("127.0.0.1:1", "not_opened")
    assert "--anywhere" in far["not_asked"]
    assert far["answers"] == []
    assert status("find", "--config", str(config), "--tcp", "nonsense") == 78
