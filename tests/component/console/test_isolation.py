"""The console stands in nobody's way: not loaded where there is none, and not fatal where it is."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import config
from bridge.errors import ConfigError
from tests.component.test_missing_extras import HIDE
from tests.support.console import Browser, at_the_console
from tests.support.shop import Shop

PARTS = ("starlette", "uvicorn", "jinja2", "babel", "bridge.console", "bridge.operator_desk")
BUILD = """
import asyncio, sys
from bridge import assembly, config
from bridge.adapters import Adapters
async def main():
    table = {{"site": {{"store_code": "S", "state_directory": {folder!r}}},
             "terminals": {{"one": {{"driver": "zvt", "port": "/dev/none"}}}}, **{more!r}}}
    import bridge.service
    async with assembly.build(config.parse(table), {{}}, Adapters()) as parts:
        print(parts.console is not None, sorted(n for n in {parts!r} if n in sys.modules))
asyncio.run(main())
"""


def build(
    folder: Path, more: dict[str, object], before: str = ""
) -> subprocess.CompletedProcess[str]:
    code = before + BUILD.format(folder=str(folder), more=more, parts=PARTS)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_service_without_a_console_loads_nothing_of_it(tmp_path: Path) -> None:
    told = build(tmp_path, {})
    assert told.stdout.strip() == "False []", told.stderr
    off = build(tmp_path, {"console": {"enabled": False}})
    assert off.stdout.strip() == "False []", off.stderr


def test_what_a_console_needs_and_lacks_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    told = build(tmp_path, {"console": {}}, HIDE.format(hidden={"jinja2"}))
    assert "ConfigError" in told.stderr
    assert "'jinja2'" in told.stderr
    assert "pip install '.[console]'" in told.stderr


def test_a_port_in_use_is_told_in_health_and_payments_go_on(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        async def test(shop: Shop, browser: Browser) -> None:
            console = shop.parts.console
            assert console is not None
            with pytest.raises(OSError, match="in use"):
                await console.server._serve()
            console.server._tell("the console has no port")
            health = shop.parts.status.health()
            assert health.can_take_payments
            assert "the console has no port" in health.reasons
            assert "the console has no port" in await browser.page("/health")

        at_the_console(tmp_path, test, console={"port": port})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_an_address_that_others_can_reach_needs_tls(host: str) -> None:
    table = {
        "site": {"store_code": "S"},
        "terminals": {"one": {"driver": "zvt", "port": "/dev/none"}},
        "console": {"host": host},
    }
    with pytest.raises(ConfigError, match=r"console\.tls"):
        config.parse(table)
    files = {"certificate_file": "/c", "key_file": "/k"}
    assert config.parse({**table, "console": {"host": host, "tls": files}}).console is not None
