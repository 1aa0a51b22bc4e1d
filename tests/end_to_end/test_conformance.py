"""`paybridge conformance` as a register developer runs it: it knows good from bad."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from simulators.conformance.scenarios import SCENARIOS
from tests.end_to_end.broker import Mosquitto, free_port, running
from tests.end_to_end.program import Json, Program

RUN_SECONDS_MAX = 240.0
README = Path(__file__).parents[2] / "README.md"
NAIVE = Path(__file__).parent / "naive_register.py"
EXAMPLE = Path(__file__).parents[2] / "examples" / "register.py"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with running(Mosquitto(tmp_path)) as server:
        yield server


def good(folder: Path, port: int, *more: str) -> list[str]:
    """Return the arguments by which our own register is played at."""
    words = (
        f"{sys.executable} -m simulators register --broker mqtt://127.0.0.1:{port} "
        f"--register-id till-1 --ledger {folder}/till.jsonl {' '.join(more)}"
    )
    return [
        *("--command", f"{words} pay {{amount}} --sale {{sale}} --accept-partial --signature yes"),
        *("--cancel", f"{words} cancel {{payment_id}}"),
        *("--recover", f"{words} recover"),
    ]


def naive(port: int, habit: str = "") -> list[str]:
    words = f"{sys.executable} {NAIVE} {port}"
    return [
        *("--command", f"{words} pay {{amount}} {{sale}} {habit}"),
        *("--cancel", f"{words} cancel {{payment_id}}"),
        *("--recover", f"{words} recover {{sale}}"),
    ]


async def conformance(folder: Path, *arguments: str) -> tuple[int, Json]:
    """Run it; return exit status and answer."""
    program = Program(
        folder, "conformance", "bridge", "conformance", "--register", "till-1", "--json", *arguments
    )
    await program.launch()
    status = await program.ended(RUN_SECONDS_MAX)
    assert program.said, program.log
    answer: Json = json.loads(program.said[-1])
    return status, answer


def scenarios(*names: str) -> list[str]:
    return [word for name in names for word in ("--scenario", name)]


def wrong(answer: Json) -> list[tuple[str, str]]:
    return [(f["scenario"], f["text"]) for f in answer["findings"] if f["verdict"] == "wrong"]


def not_shown(answer: Json) -> list[tuple[str, str]]:
    return [(f["scenario"], f["text"]) for f in answer["findings"] if f["verdict"] == "not shown"]


def right(answer: Json) -> set[str]:
    return {f["scenario"] for f in answer["findings"] if f["verdict"] == "right"}


def at(broker: Mosquitto) -> list[str]:
    return ["--broker", f"mqtt://127.0.0.1:{broker.port}"]


@pytest.mark.mosquitto
async def test_our_own_register_keeps_the_contract(tmp_path: Path, broker: Mosquitto) -> None:
    status, answer = await conformance(
        tmp_path,
        *at(broker),
        *good(tmp_path, broker.port),
        *scenarios("approve", "silence", "power cut of the register", "in doubt"),
    )
    assert wrong(answer) == []
    assert (status, answer["kept"]) == (0, True)
    assert right(answer) == {
        *("approve", "silence", "power cut of the register", "in doubt", "always")
    }


@pytest.mark.slow
async def test_our_own_register_keeps_the_contract_in_every_scenario_with_a_broker_of_its_own(
    tmp_path: Path,
) -> None:
    port = free_port()
    status, answer = await conformance(
        tmp_path, "--port", str(port), *good(tmp_path, port, "--mqtt311")
    )
    assert wrong(answer) == []
    assert (status, answer["kept"]) == (0, True)
    assert right(answer) == {*SCENARIOS, "always"}
    assert not_shown(answer) == []


@pytest.mark.slow
@pytest.mark.mosquitto
async def test_the_example_register_keeps_the_contract_in_every_scenario_it_can_show(
    tmp_path: Path, broker: Mosquitto
) -> None:
    words = f"cd {tmp_path} && MQTT_PORT={broker.port} {sys.executable} {EXAMPLE} till-1"
    commands = ["--command", f"{words} {{amount}} {{sale}}", "--recover", words]
    status, answer = await conformance(tmp_path, *at(broker), *commands)
    assert (status, wrong(answer)) == (0, [])
    assert right(answer) == {*SCENARIOS, "always"}
    # It cannot cancel: that needs somebody who presses a button.
    assert [scenario for scenario, _ in not_shown(answer)] == ["cancel race"]


def from_the_readme(port: int) -> str:
    """Return the README's own start as a command: only amount, sale and port are put in."""
    script = re.findall(r"```sh\n(ME=.*?)```", README.read_text(), re.S)[0]
    assert '"T1-118"' in script
    assert '"12.50"' in script
    script = script.replace('"T1-118"', '"{sale}"').replace('"12.50"', '"{amount}"')
    for name in ("mosquitto_pub", "mosquitto_sub"):
        script = script.replace(name, f"{name} -p {port}")
    return f"bash -c {shlex.quote(script)}"


@pytest.mark.mosquitto
async def test_the_readmes_own_start_carries_a_guard_and_keeps_the_contract(
    tmp_path: Path, broker: Mosquitto
) -> None:
    command = ["--command", from_the_readme(broker.port)]
    status, answer = await conformance(
        tmp_path, *at(broker), *command, *scenarios("approve", "decline", "duplicate delivery")
    )
    assert (status, wrong(answer)) == (0, [])
    assert {"approve", "decline", "duplicate delivery", "always"} <= right(answer)


@pytest.mark.mosquitto
async def test_a_naive_register_is_found_out(tmp_path: Path, broker: Mosquitto) -> None:
    status, answer = await conformance(
        tmp_path, *at(broker), *naive(broker.port), *scenarios("silence", "in doubt")
    )
    assert (status, answer["kept"]) == (1, False)
    said = wrong(answer)
    assert ("silence", "asked again with a new payment_id: that may charge twice") in said
    assert ("in doubt", "never acknowledged the final document (failed)") in said or (
        "in doubt",
        "never acknowledged the final document (approved)",
    ) in said
    texts = {text for _, text in said}
    assert any("while the first payment was in doubt" in text for text in texts)
    assert "payment/start without expires_at, bridge_epoch or message expiry up to 30 s" in texts


@pytest.mark.slow
async def test_a_naive_register_fails_in_every_scenario_and_hears_why(tmp_path: Path) -> None:
    port = free_port()
    status, answer = await conformance(tmp_path, "--port", str(port), *naive(port))
    assert (status, answer["kept"]) == (1, False)
    said = wrong(answer)
    assert {scenario for scenario, _ in said} >= set(SCENARIOS)
    for scenario, words in {
        "approve": "never acknowledged the final document",
        "decline": "never acknowledged the final document",
        "partial": "although the part payment left",
        "signature": "never acknowledged the final document",
        "cancel race": "payment/cancel",  # not by its rules, or not in time
        "silence": "asked again with a new payment_id: that may charge twice",
        "duplicate delivery": "never acknowledged the final document",
        "power cut of the register": "forgot the open payment",
        "bridge restart": "a second payment_id",
        "in doubt": "while the first payment was in doubt",
    }.items():
        assert any(name == scenario and words in text for name, text in said), (scenario, said)


async def test_it_brings_a_broker_of_its_own_which_tells_of_retained_commands_too(
    tmp_path: Path,
) -> None:
    port = free_port()
    status, answer = await conformance(
        tmp_path, "--port", str(port), *naive(port, "retain"), *scenarios("approve")
    )
    assert status == 1
    assert ("approve", "payment/start was retained") in wrong(answer)


@pytest.mark.mosquitto
async def test_it_refuses_a_broker_where_a_bridge_is_online(
    tmp_path: Path, broker: Mosquitto
) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("paybridge/v1/bridge/state", '{"state": "online"}', 1, retain=True)
    status, answer = await conformance(tmp_path, *at(broker), *naive(broker.port))
    assert status == 1
    assert answer["error"] == "BusError"
    assert "a bridge is online" in answer["message"]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--broker", "127.0.0.1"], "--broker"),
        (["--broker", "mqtts://127.0.0.1"], "--ca-file"),
        (["--scenario", "lunch"], "--scenario"),
        (["--cancel", "true"], "--command"),
        (["--broker", "mqtt://h", "--password-file", "/nowhere"], "--password-file"),
    ],
)
async def test_wrong_arguments_are_named(tmp_path: Path, arguments: list[str], key: str) -> None:
    status, answer = await conformance(tmp_path, *arguments)
    assert (status, answer["key"]) == (78, key)


async def test_no_broker_is_told_in_words(tmp_path: Path) -> None:
    where = f"mqtt://127.0.0.1:{free_port()}"
    status, answer = await conformance(tmp_path, "--broker", where, "--command", "true")
    assert status == 1
    assert "no broker at" in answer["message"]


@pytest.mark.slow
@pytest.mark.mosquitto
async def test_a_person_is_told_what_to_do_and_gets_a_certificate(
    tmp_path: Path, broker: Mosquitto
) -> None:
    words = (sys.executable, "-u", "-m", "bridge", "conformance", "--register", "till-1")
    process = await asyncio.create_subprocess_exec(
        *words, *at(broker), *scenarios("approve"), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    assert process.stdout is not None
    async with asyncio.timeout(RUN_SECONDS_MAX):
        told = ""
        while (
            found := re.search(r"Start a payment of (\S+) EUR, as the sale (\S+)", told)
        ) is None:
            line = await process.stdout.readline()
            assert line, told
            told += line.decode()
        pay = good(tmp_path, broker.port)[1].format(amount=found[1], sale=found[2])
        register = await asyncio.create_subprocess_shell(pay, stdout=DEVNULL)
        rest, _ = await process.communicate()
        await register.wait()
    told = rest.decode()
    assert "\nCERTIFICATE\n" in told
    assert "till-1, paybridge simulator" in told
    assert "till-1 keeps the contract" in told
    assert process.returncode == 0
