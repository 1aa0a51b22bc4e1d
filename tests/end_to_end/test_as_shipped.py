"""paybridge under the conditions of its own unit: what is shipped is run the way it is shipped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.broker import Mosquitto
from tests.end_to_end.parts import (
    SECRET,
    Office,
    Tables,
    base_tables,
    office_program,
    scenario,
    terminal_program,
    write_config,
)
from tests.end_to_end.program import Json
from tests.end_to_end.shipped import (
    STATE,
    USER_ID,
    Shipped,
    need_namespaces,
    unit_settings,
)
from tests.end_to_end.till import Account, Till

pytestmark = pytest.mark.mosquitto

PASSWORD = "b-secret"
KEY = b"k" * 32
ALL_FILES = {
    "login-key": KEY,
    "mqtt-password": PASSWORD.encode() + b"\n",
    "client-secret": SECRET.encode(),
}
FLOWS = ("auto", "client_credentials", pytest.param("device", marks=pytest.mark.slow))


@dataclass(slots=True)
class Site:
    """A store around the shipped program."""

    folder: Path
    broker: Mosquitto
    office: Office
    till: Till
    tables: Tables

    @property
    def config(self) -> Path:
        return self.folder / "service" / "paybridge.toml"

    def configure(self, flow: str) -> None:
        login = {
            "issuer": self.office.program.ready["issuer"],
            "client_id": "paybridge-server" if flow == "client_credentials" else "paybridge",
            "flow": flow,
        }
        self.tables["back_office.login"] = login
        write_config(self.config, self.tables)

    def shipped(self, *arguments: str, credentials: Mapping[str, bytes]) -> Shipped:
        command, *rest = arguments
        words = (command, "--config", str(self.config), *rest)
        return Shipped(self.folder / "service", words, credentials)

    async def ask(self, *arguments: str, credentials: Mapping[str, bytes]) -> tuple[int, str]:
        program = self.shipped(*arguments, credentials=credentials)
        await program.start()
        return await program.output()


@contextlib.asynccontextmanager
async def a_site(folder: Path) -> AsyncIterator[Site]:
    """A broker with users, a terminal whose port belongs to dialout, and a back office."""
    need_namespaces()
    broker = Mosquitto(folder, users={"bridge": PASSWORD, "till-1": "t-secret"})
    (folder / "scenario.json").write_text(json.dumps(scenario()))
    terminal = terminal_program(folder, "--scenario", str(folder / "scenario.json"))
    office = Office(office_program(folder))
    till = Till(Account(broker.port, "till-1", "t-secret"))
    (folder / "service").mkdir()
    try:
        await asyncio.gather(broker.start(), terminal.start(), office.program.start())
        port = (folder / "terminal").resolve()
        give_to_dialout(port)
        tables = base_tables(folder, broker.port, {"port": str(port)})
        tables["site"]["state_directory"] = str(STATE)
        tables["mqtt"] |= {"username": "bridge"}
        tables["back_office"] = {"endpoint": office.program.ready["graphql"]}
        async with till.at_work():
            yield Site(folder, broker, office, till, tables)
    finally:
        await asyncio.gather(terminal.kill(), office.program.kill())
        await broker.kill()


def give_to_dialout(port: Path) -> None:
    """Do what udev does with a serial port on Debian."""
    import grp

    os.chown(port, 0, grp.getgrnam("dialout").gr_gid)
    port.chmod(0o660)


def modes(folder: Path) -> dict[str, str]:
    return {
        str(one.relative_to(folder)): stat.filemode(one.stat().st_mode) for one in folder.rglob("*")
    }


def lines_of(log: str, priority: int) -> list[str]:
    return [line for line in log.splitlines() if line.startswith(f"<{priority}>")]


async def test_the_service_takes_a_payment_under_its_own_unit(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        site.configure("client_credentials")
        service = site.shipped("run", credentials=ALL_FILES)
        await service.start()
        try:
            assert "READY=1\nSTATUS=" in await service.until_said("READY=1")
            await service.until_said("STATUS=taking payments")
            await service.until_said("WATCHDOG=1")
            facts = service.facts()
            assert facts["Uid"].split() == [str(USER_ID)] * 4
            assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
            assert facts["NoNewPrivs"] == "1"
            assert facts["Umask"] == unit_settings()["UMask"][0]

            await site.till.ready()
            payment_id = await site.till.start("12.50")
            await site.till.status(payment_id, "approved")
            await site.till.recorded(payment_id)

            service.signal(signal.SIGTERM)
            assert "STOPPING=1\nSTATUS=stopping" in await service.until_said("STOPPING=1")
            status, _ = await service.output()
            assert status == 0, service.log
        finally:
            await service.kill()
        kept = modes(service.state)
        assert kept["journal.sqlite"] == "-rw-------"
        assert {one[0] + one[4:] for one in kept.values()} <= {"-------", "d------"}, kept
        assert any("draining open=" in line for line in lines_of(service.log, 6))
        assert not errors_of(service.log), service.log
        assert all(line.startswith("<") for line in service.log.splitlines()), service.log


def errors_of(log: str) -> list[str]:
    return [line for number in range(4) for line in lines_of(log, number)]


@pytest.mark.parametrize("files", [{}, ALL_FILES], ids=["empty", "full"])
@pytest.mark.parametrize("flow", FLOWS)
async def test_run_and_check_agree_on_every_credentials_folder(
    tmp_path: Path, flow: str, files: Mapping[str, bytes]
) -> None:
    async with a_site(tmp_path) as site:
        if not files:
            site.broker.users.clear()
            await site.broker.stop()
            await site.broker.start()
        site.configure(flow)
        checked, said = await site.ask("check", "--json", credentials=files)
        found = {one["what"]: one for one in json.loads(said)}
        service = site.shipped("run", credentials=files)
        await service.start()
        try:
            if flow == "client_credentials" and not files:
                status, _ = await service.output()
                assert status == 78
                (reason,) = lines_of(service.log, 3)
                assert "client_secret" in reason
                (wrong,) = [one for one in found.values() if one["level"] == "wrong"]
                assert "client_secret" in wrong["text"]
                assert checked == 1
                return
            # Without a login sales are not recorded, and payments go on.
            assert checked == (0 if flow == "client_credentials" else 3), said
            await service.until_said("STATUS=taking payments")
            if flow != "client_credentials":
                await service.until_said("the back office wants a login")
        finally:
            await service.kill()
        told = [one for one in errors_of(service.log) if "login needed" not in one]
        assert not told, service.log


@pytest.mark.parametrize("files", [{}, ALL_FILES], ids=["empty", "full"])
async def test_a_login_with_the_units_credentials_is_taken_over_by_the_service(
    tmp_path: Path, files: Mapping[str, bytes]
) -> None:
    files = {**files, "mqtt-password": PASSWORD.encode()}
    async with a_site(tmp_path) as site:
        site.configure("auto")
        service = site.shipped("run", credentials=files)
        await service.start()
        try:
            await service.until_said("the back office wants a login")
            payment_id = await site.till.start("7.00")
            await site.till.status(payment_id, "approved")
            await log_in(site, files)
            await site.till.recorded(payment_id)
        finally:
            await service.kill()
        stored = json.loads((service.state / "login" / "login.json").read_text())
        assert stored["cipher"] == ("aes-256-gcm" if "login-key" in files else "none")
        _, said = await site.ask("check", "--json", credentials=files)
        found = {one["what"].split()[0]: one["level"] for one in json.loads(said)}
        assert found["back"] == "ok", said


async def log_in(site: Site, files: Mapping[str, bytes]) -> None:
    program = site.shipped("login", "--json", credentials=files)
    program.folder.mkdir(exist_ok=True)
    await program.start()
    code = await first_line(program)
    await site.office.control({"do": "approve", "user_code": code["user_code"]})
    status, _ = await program.output()
    assert status == 0, program.log


async def first_line(program: Shipped) -> Json:
    assert program._process is not None
    assert program._process.stdout is not None
    async with asyncio.timeout(60):
        found: Json = json.loads(await program._process.stdout.readline())
    return found


async def test_a_wrong_configuration_is_an_error_to_journald_too(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        site.tables["mqtt"]["prot"] = 1883
        site.configure("auto")
        service = site.shipped("run", credentials={})
        await service.start()
        status, _ = await service.output()
        assert status == 78
        (reason,) = lines_of(service.log, 3)
        assert "mqtt.prot" in reason
        assert all(line.startswith("<") for line in service.log.splitlines()), service.log


async def test_the_status_line_says_what_does_not_work(tmp_path: Path) -> None:
    async with a_site(tmp_path) as site:
        site.configure("auto")
        await site.broker.stop()
        service = site.shipped("run", credentials=ALL_FILES)
        await service.start()
        try:
            said = await service.until_said("STATUS=no payments can be taken")
            assert "the broker is away" in said or await service.until_said("the broker is away")
            await site.broker.start()
            await service.until_said("STATUS=taking payments; the back office wants a login")
        finally:
            await service.kill()
