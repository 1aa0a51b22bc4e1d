"""Somebody else's driver, installed by pip beside paybridge, takes a payment with real parts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulators.register.broker_address import Broker
from simulators.register.till import Register
from tests.end_to_end.broker import Mosquitto, running

pytestmark = [pytest.mark.slow, pytest.mark.mosquitto]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "driver_hello"
PACKAGE = "paybridge-driver-hello"
PROJECT = ("bridge", "drivers", "simulators", "pyproject.toml", "README.md", "LICENSE")
INSTALL_SECONDS_MAX = 300.0
ANSWER_SECONDS_MAX = 30.0
EXIT_CONFIG = 78

BROKEN_ENTRY = "[paybridge.drivers]\nbroken = broken_driver:DRIVER\n"
BROKEN_METADATA = "Metadata-Version: 2.1\nName: broken-driver\nVersion: 0.1\n"


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python of its own, in which nothing of the source tree is seen but what pip installed."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        (found,) = (self.folder / "venv" / "lib").glob("python3*/site-packages")
        return found

    def variables(self) -> dict[str, str]:
        return {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS_MAX,
            check=False,
        )

    def pip(self, *arguments: str) -> None:
        done = self.run("-m", "pip", "--quiet", "--no-input", *arguments)
        assert done.returncode == 0, done.stderr

    def copy(self, source: Path, *names: str) -> str:
        """Copy a package's source, so that building it leaves nothing in the tree."""
        target = self.folder / "source" / source.name
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            origin = source / name
            if origin.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, target / name, dirs_exist_ok=True, ignore=ignore)
            else:
                shutil.copy(origin, target / name)
        return str(target)

    def paybridge(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with --json; return its exit status and what it says."""
        done = self.run("-m", "bridge", *arguments, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def configure(self, mqtt_port: int, **terminal: str) -> Path:
        keys = "\n".join(f"{key} = {json.dumps(text)}" for key, text in terminal.items())
        path = self.folder / "paybridge.toml"
        path.write_text(
            f'[site]\nstore_code = "S012"\nstate_directory = "{self.folder}/state"\n'
            f"[mqtt]\nport = {mqtt_port}\n"
            f'[terminals.counter-1]\ndriver = "hello"\n{keys}\n'
        )
        return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with paybridge as a store PC has it, without its extras."""
    found = Environment(tmp_path_factory.mktemp("environment"))
    subprocess.run([sys.executable, "-m", "venv", str(found.folder / "venv")], check=True)
    found.pip("install", found.copy(ROOT, *PROJECT))
    source = found.copy(EXAMPLE, "driver_hello", "pyproject.toml", "README.md")
    found.pip("wheel", "--no-deps", "--wheel-dir", str(found.folder / "wheels"), source)
    return found


@pytest.fixture
def hello(environment: Environment) -> Iterator[Environment]:
    """The same with the example's package, until the end of the test."""
    (wheel,) = (environment.folder / "wheels").glob("*.whl")
    environment.pip("install", str(wheel))
    yield environment
    environment.pip("uninstall", "--yes", PACKAGE)


@contextlib.asynccontextmanager
async def program(environment: Environment, *arguments: str) -> AsyncIterator[Process]:
    """Run `python -m ...` of the environment until the end of the block; by then it is gone."""
    with (environment.folder / f"{arguments[0]}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(environment.python), "-m", *arguments),
            stdout=PIPE,
            stderr=log,
            cwd=environment.folder,
            env=environment.variables(),
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await process.wait()


async def line_of(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        text = await process.stdout.readline()
    assert text, "it ended without a word"
    found: dict[str, Any] = json.loads(text)
    return found


@contextlib.asynccontextmanager
async def till_at(port: int) -> AsyncIterator[Register]:
    register = Register(Broker("127.0.0.1", port), "till-1")
    async with asyncio.TaskGroup() as group:
        running_till = group.create_task(register.run())
        try:
            yield register
        finally:
            running_till.cancel()


async def terminal_state(register: Register, *, ready: bool) -> dict[str, Any]:
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        async for topic, content in register.watch():
            known = topic.endswith("terminals/counter-1/state")
            if known and content["availability"] == "online" and content["ready"] is ready:
                return content
    raise AssertionError("a watch does not end")


async def stage_of(register: Register, payment_id: str, stage: str) -> None:
    """Wait until a payment is at `stage`."""
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        async for topic, content in register.watch():
            if topic.endswith(f"/payments/{payment_id}") and content["stage"] == stage:
                return


async def test_a_foreign_driver_takes_a_payment(hello: Environment, tmp_path: Path) -> None:
    link = tmp_path / "hello"
    async with (
        running(Mosquitto(tmp_path)) as broker,
        program(hello, "driver_hello.terminal", "--pty", str(link)) as terminal,
    ):
        await line_of(terminal)
        config = hello.configure(broker.port, port=str(link), serial_number="SN-42")
        async with program(hello, "bridge", "run", "--json", "--config", str(config)) as bridge:
            assert await line_of(bridge) == {"ready": True}
            async with till_at(broker.port) as till:
                await terminal_state(till, ready=True)
                answer = await till.pay("20.40", terminal_id="counter-1")
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    document = await till.final(answer["payment_id"])
        truth = await line_of(terminal)
    assert (document["status"], document["funds"]) == ("approved", "captured")
    assert document["amounts"]["captured_amount"] == "20.40"
    assert document["card"]["masked_pan"].endswith("1111")
    assert (truth["said"], truth["amount_minor"]) == ("PAID", 2040)
    assert truth["reference"] == answer["payment_id"]


async def test_another_device_behind_the_name_is_never_asked_for_money(
    hello: Environment, tmp_path: Path
) -> None:
    link = tmp_path / "hello"
    async with (
        running(Mosquitto(tmp_path)) as broker,
        program(hello, "driver_hello.terminal", "--pty", str(link)) as terminal,
    ):
        await line_of(terminal)
        config = hello.configure(broker.port, port=str(link), serial_number="SN-43")
        async with program(hello, "bridge", "run", "--json", "--config", str(config)) as bridge:
            await line_of(bridge)
            async with till_at(broker.port) as till:
                state = await terminal_state(till, ready=False)
                answer = await till.pay("20.40", terminal_id="counter-1")
        terminal.terminate()
        assert terminal.stdout is not None
        assert await terminal.stdout.read() == b"", "it was asked for money"
    assert [one["code"] for one in state["problems"]] == ["wrong_device"]
    assert answer["status"] == "error"
    assert answer["error"]["money_moved"] == "no"


async def test_a_payment_that_the_service_died_over_is_asked_for_by_reference(
    hello: Environment, tmp_path: Path
) -> None:
    link = tmp_path / "hello"
    words = ("--pty", str(link), "--verdict", "never")
    async with (
        running(Mosquitto(tmp_path)) as broker,
        program(hello, "driver_hello.terminal", *words) as terminal,
        till_at(broker.port) as till,
    ):
        await line_of(terminal)
        config = hello.configure(broker.port, port=str(link))
        service = ("bridge", "run", "--json", "--config", str(config))
        async with program(hello, *service) as bridge:
            await line_of(bridge)
            await terminal_state(till, ready=True)
            answer = await till.pay("20.40", terminal_id="counter-1")
            await stage_of(till, answer["payment_id"], "waiting_for_card")
            bridge.kill()
        async with program(hello, *service), asyncio.timeout(ANSWER_SECONDS_MAX):
            document = await till.final(answer["payment_id"])
        truth = await line_of(terminal)
    assert (document["status"], document["funds"]) == ("canceled", "none")
    assert (truth["said"], truth["code"]) == ("NO", "stopped")
    assert truth["reference"] == answer["payment_id"]


async def test_find_leaves_the_port_of_a_running_bridge_alone(
    hello: Environment, tmp_path: Path
) -> None:
    link = tmp_path / "hello"
    async with (
        running(Mosquitto(tmp_path)) as broker,
        program(hello, "driver_hello.terminal", "--pty", str(link)) as terminal,
        till_at(broker.port) as till,
    ):
        await line_of(terminal)
        config = hello.configure(broker.port, port=str(link))
        async with program(hello, "bridge", "run", "--json", "--config", str(config)) as bridge:
            await line_of(bridge)
            await terminal_state(till, ready=True)
            loop = asyncio.get_running_loop()
            ask = ("find", "--port", str(link), "--probe")
            with_config = (*ask, "--config", str(config))
            _, (known,) = await loop.run_in_executor(None, hello.paybridge, *with_config)
            config.rename(config.with_suffix(".elsewhere"))
            _, (unknown,) = await loop.run_in_executor(None, hello.paybridge, *ask)
    assert (known["configured_as"], known["answers"]) == ("counter-1", [])
    assert "running bridge" in known["not_asked"]
    tried = [one for one in unknown["answers"] if one["state"] != "not_tried"]
    assert [one["state"] for one in tried] == ["not_opened"]
    assert "in use" in tried[0]["text"]


async def test_find_says_which_driver_answered_and_what_to_configure(
    hello: Environment, tmp_path: Path
) -> None:
    link = tmp_path / "hello"
    async with program(hello, "driver_hello.terminal", "--pty", str(link)) as terminal:
        await line_of(terminal)
        config = hello.configure(1883, port=str(link))
        arguments = ("find", "--config", str(config), "--port", str(link), "--probe")
        loop = asyncio.get_running_loop()
        status, (row,) = await loop.run_in_executor(None, hello.paybridge, *arguments)
    assert status == 0
    assert [one["driver"] for one in row["answers"] if one["state"] == "ready"] == ["hello"]
    assert row["toml"].splitlines() == [
        "[terminals.counter-1]",
        'driver = "hello"',
        f'port = "{link}"',
        'terminal_id = "H-0001"',
        'serial_number = "SN-42"',
    ]


def test_an_installed_driver_is_listed_with_its_settings(hello: Environment) -> None:
    status, drivers = hello.paybridge("drivers")
    found = {driver["name"]: driver for driver in drivers}
    assert status == 0
    assert {"hello", "zvt"} <= set(found)
    assert found["hello"]["package"] == f"{PACKAGE} 1.0.0"
    assert found["hello"]["serial_defaults"]["baud_rate"] == 115_200
    assert found["hello"]["settings"][0] == {
        "name": "currency",
        "type": "text",
        "default": "EUR",
        "required": False,
    }
    assert found["hello"]["capabilities"]["status_query"] == "by_reference"


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("raise RuntimeError('not on this machine')", "not on this machine"),
        ("import sys\nsys.exit('bye')", "bye"),
        ("import a_module_that_is_not_there\nDRIVER = None", "a_module_that_is_not_there"),
        ("class DRIVER:\n    api = 7", "API 7"),
        ("class DRIVER:\n    api = 1", "settings"),
    ],
)
def test_a_broken_driver_is_listed_with_its_error_beside_the_others(
    environment: Environment, module: str, told: str
) -> None:
    site = environment.site_packages
    metadata = site / "broken_driver-0.1.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(BROKEN_METADATA)
    (metadata / "entry_points.txt").write_text(BROKEN_ENTRY)
    (site / "broken_driver.py").write_text(module)
    try:
        status, drivers = environment.paybridge("drivers")
    finally:
        shutil.rmtree(metadata)
        (site / "broken_driver.py").unlink()
    errors = {driver["name"]: driver["error"] for driver in drivers}
    assert status == 1
    assert told in errors["broken"]
    assert errors["zvt"] == ""


def test_a_driver_that_was_uninstalled_is_a_config_error_that_names_the_others(
    hello: Environment,
) -> None:
    config = hello.configure(1883, port="/dev/null")
    hello.pip("uninstall", "--yes", PACKAGE)
    status, error = hello.paybridge("run", "--config", str(config))
    assert status == EXIT_CONFIG
    assert (error["error"], error["key"]) == ("ConfigError", "terminals.counter-1.driver")
    assert "'hello'" in error["message"]
    assert "zvt" in error["message"]


def test_the_example_keeps_the_rules_where_it_is_installed(hello: Environment) -> None:
    hello.pip("install", "pytest>=8.3")
    tests = hello.copy(EXAMPLE, "tests")
    done = hello.run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"{tests}/tests")
    assert done.returncode == 0, done.stdout
