"""A person logs the machine in with a real browser: at the provider, and back to the machine."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.end_to_end.browser import Chromium
from tests.end_to_end.parts import Office, base_tables, office_program, write_config
from tests.end_to_end.program import Program

pytestmark = [pytest.mark.slow, pytest.mark.chromium]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Desk:
    """A machine without a login, its provider, and a browser beside it."""

    folder: Path
    office: Office
    browser: Chromium
    config: Path

    def login(self, *more: str) -> Program:
        """Return `paybridge login`, which opens our browser when it wants one."""
        return Program(
            self.folder,
            "login",
            *("bridge", "login", "--config", str(self.config), *more),
            environment={"BROWSER": str(self.browser.command)},
        )


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    port = free_port()
    browser = Chromium(tmp_path)
    office = Office(office_program(tmp_path, "--redirect-uri", f"http://127.0.0.1:{port}/callback"))
    try:
        await office.program.start()
        tables = base_tables(tmp_path, 1883, {"port": str(tmp_path / "terminal")})
        tables |= office.tables(person=True, folder=tmp_path)
        tables["back_office.login"] |= {"redirect_port": port}
        config = tmp_path / "paybridge.toml"
        write_config(config, tables)
        yield Desk(tmp_path, office, browser, config)
    finally:
        await browser.close()
        await office.program.kill()


async def test_a_browser_on_the_machine_logs_it_in(desk: Desk) -> None:
    program = desk.login("--browser")
    try:
        await program.launch()
        await desk.browser.press("Allow")
        await desk.browser.read("You may close this window")
        # The browser stays open, as a person leaves it; the login does not wait for that.
        assert await program.ended() == 0, program.log
    finally:
        await program.kill()


async def test_a_person_who_says_no_is_told_that_nobody_is_logged_in(desk: Desk) -> None:
    program = desk.login("--browser")
    try:
        await program.launch()
        await desk.browser.press("Deny")
        assert await program.ended() != 0
        assert "denied: somebody said no" in program.log
    finally:
        await program.kill()


async def test_the_code_is_agreed_to_in_a_browser_elsewhere(desk: Desk) -> None:
    program = desk.login("--json")
    try:
        code = await program.start()
        await desk.browser.open(code["verification_uri_complete"])
        await desk.browser.press("Allow")
        await desk.browser.read("The device is connected.")
        assert await program.ended() == 0, program.log
    finally:
        await program.kill()
