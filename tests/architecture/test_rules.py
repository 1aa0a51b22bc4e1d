"""Walks the project's files; every rule is also fed a snippet that breaks it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import rules

ROOT = Path(__file__).parents[2]

Rule = Callable[[str, ast.AST], Iterator[str]]

# A rule, and the package whose modules it holds for.
RULES: tuple[tuple[Rule, str], ...] = (
    (rules.drivers_are_pure, "drivers"),
    (rules.simulators_know_codecs_only, "simulators"),
    (rules.bridge_knows_no_protocol, "bridge"),
    (rules.every_room_has_its_neighbors, "bridge"),
    (rules.money_knows_no_column, "bridge"),
    (rules.columns_know_only_themselves_and_money, "bridge"),
    (rules.time_chance_and_tasks_are_passed_in, "bridge"),
    (rules.only_the_command_line_prints, "bridge"),
)
# A module's name and a line that it must not hold, per rule.
BAD: dict[Rule, tuple[tuple[str, str], ...]] = {
    rules.drivers_are_pure: (
        ("drivers.zvt.conversation.dialogue", "import asyncio"),
        ("drivers.zvt.codec.framing", "from time import monotonic"),
        ("drivers.zvt.codec.framing", "def now():\n    import datetime"),
        ("drivers.contract", "import logging"),
        ("drivers.zvt", "from bridge.errors import LineError"),
        ("drivers.zvt.codec.fields", "import pydantic"),
    ),
    rules.simulators_know_codecs_only: (
        ("simulators.terminals.zvt", "from drivers.zvt.conversation.dialogue import Talk"),
        ("simulators.terminals.zvt", "from drivers.zvt import dialogue"),
        ("simulators.terminals.zvt", "from drivers.zvt import DRIVER"),
        ("simulators.terminals.zvt", "import drivers.zvt"),
        ("simulators.register", "from bridge.register.api import decode"),
    ),
    rules.bridge_knows_no_protocol: (
        ("bridge.terminal.station", "from drivers.zvt import DRIVER"),
        ("bridge.terminal.plugins", "import drivers.zvt.codec.messages"),
        ("bridge.terminal.conversation", "from drivers.script import Script"),
        ("bridge.service", "from simulators import cable"),
        ("bridge.log", "import tests.conftest"),
    ),
    rules.every_room_has_its_neighbors: (
        ("bridge.cellar", "import json"),
        ("bridge.register.commands.router", "from bridge.register.publishing import publisher"),
        ("bridge.register.publishing.publisher", "from bridge.register.commands import router"),
        ("bridge.register.publishing.publisher", "from bridge.register.mqtt import messages"),
        ("bridge.register.outbox", "from bridge.register.commands.router import Desk"),
        ("bridge.register.outbox", "from bridge.register.publishing.publisher import Publisher"),
        ("bridge.register.mqtt.client", "from bridge.money.payment import Status"),
        ("bridge.register.mqtt.client", "from bridge.register.api import PaymentDocument"),
        ("bridge.register.api.documents", "from bridge.register.commands import replies"),
        ("bridge.register.api.documents", "from bridge.register.publishing import publisher"),
        ("bridge.register.api.documents", "from bridge.money.ledger import Ledger"),
        ("bridge.register.receipts.receipt_text", "from bridge.register.outbox import Outbox"),
        ("bridge.money.payment.machine", "from bridge.money.ledger import Ledger"),
        ("bridge.money.ledger", "from bridge.money.background.retention import Retention"),
        ("bridge.backoffice.api.client", "from bridge.backoffice.gift_cards import steps"),
        ("bridge.backoffice.login.login", "from bridge.money.ledger import Ledger"),
        ("bridge.config", "from bridge.service import run"),
    ),
    rules.money_knows_no_column: (
        ("bridge.money.ledger", "from bridge.register.commands import router"),
        ("bridge.money.ledger", "from bridge.terminal.transport import open_line"),
        ("bridge.money.live_actions", "from ..backoffice import purchase_recorder"),
        ("bridge.money.store.journal", "import httpx"),
        ("bridge.money.store.journal", "from bridge.service import Service"),
    ),
    rules.columns_know_only_themselves_and_money: (
        ("bridge.register.commands.router", "from bridge.terminal.station import Station"),
        ("bridge.backoffice.purchase_recorder", "import bridge.register.api.documents"),
        ("bridge.terminal.transport", "from bridge.cli import main"),
        ("bridge.terminal.station", "from bridge.discovery import usb_ids"),
        ("bridge.discovery.usb_ids", "from bridge.register.api import topics"),
    ),
    rules.time_chance_and_tasks_are_passed_in: (
        ("bridge.money.ledger", "import time"),
        ("bridge.money.ledger", "from time import monotonic as now"),
        ("bridge.money.ledger", "now = datetime.now(UTC)"),
        ("bridge.money.ledger", "import datetime as d\nnow = d.datetime.now"),
        ("bridge.money.ledger", "import random\nx = random.uniform(0, 1)"),
        ("bridge.money.ledger", "from random import uniform"),
        ("bridge.money.ledger", "import random\nx = random.SystemRandom()"),
        ("bridge.service", "import random\nx = random.uniform(0, 1)"),
        ("bridge.money.ledger", "from uuid import uuid4"),
        ("bridge.money.ledger", "import uuid\nx = uuid.uuid4()"),
        ("bridge.service", "import asyncio\nawait asyncio.wait_for(x, 1)"),
        ("bridge.service", "from asyncio import wait_for"),
        ("bridge.terminal.station", "asyncio.create_task(x())"),
        ("bridge.terminal.station", "tasks.create_task(x())"),
        ("bridge.terminal.station", "asyncio.ensure_future(x())"),
    ),
    rules.only_the_command_line_prints: (("bridge.service", "print('ready')"),),
}
# What stands beside the bad and must pass.
GOOD: tuple[tuple[Rule, str, str], ...] = (
    (rules.drivers_are_pure, "drivers.zvt.codec.framing", "from drivers.contract import Step"),
    (
        rules.simulators_know_codecs_only,
        "simulators.terminals.zvt",
        "from drivers.zvt.codec.messages import Abort",
    ),
    (
        rules.simulators_know_codecs_only,
        "simulators.terminals.zvt",
        "from drivers.zvt.codec import framing",
    ),
    (
        rules.simulators_know_codecs_only,
        "simulators.terminals.zvt",
        "from drivers.contract import Money",
    ),
    (rules.bridge_knows_no_protocol, "bridge.cli", "import simulators.demo"),
    (
        rules.bridge_knows_no_protocol,
        "bridge.money.amounts",
        "from drivers.amounts import MINOR_DIGITS",
    ),
    (rules.money_knows_no_column, "bridge.money.ledger", "from bridge.money import journal"),
    (
        rules.every_room_has_its_neighbors,
        "bridge.register.commands.router",
        "from bridge.register.outbox import Outbox\nfrom bridge.register.commands import replies",
    ),
    (
        rules.columns_know_only_themselves_and_money,
        "bridge.register.commands.router",
        "from bridge.money.ledger import Ledger",
    ),
    (
        rules.time_chance_and_tasks_are_passed_in,
        "bridge.money.ledger",
        "import random\ndef f(chance: random.Random, time: str): return chance.uniform(0, time.x)",
    ),
    (rules.time_chance_and_tasks_are_passed_in, "bridge.service", "group.create_task(x(uuid4))"),
    (
        rules.time_chance_and_tasks_are_passed_in,
        "bridge.service",
        "import random\nchance = random.SystemRandom()",
    ),
    (rules.only_the_command_line_prints, "bridge.cli", "print('hello')"),
)


@pytest.mark.parametrize(
    ("rule", "package"), RULES, ids=lambda value: getattr(value, "__name__", value)
)
def test_every_module_keeps_the_rule(rule: Rule, package: str) -> None:
    broken = [
        sentence
        for module, source in rules.sources(ROOT, package).items()
        for sentence in rule(module, ast.parse(source))
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("rule", "module", "line"),
    [(rule, module, line) for rule, lines in BAD.items() for module, line in lines],
)
def test_the_rule_notices(rule: Rule, module: str, line: str) -> None:
    assert list(rule(module, ast.parse(line)))


@pytest.mark.parametrize(("rule", "module", "line"), GOOD)
def test_the_rule_forbids_no_more_than_it_says(rule: Rule, module: str, line: str) -> None:
    assert list(rule(module, ast.parse(line))) == []


def test_no_room_is_allowed_more_than_it_uses() -> None:
    used: dict[str, set[str]] = {room: set() for room in rules.ROOMS}
    for module, source in rules.sources(ROOT, "bridge").items():
        names = [each.name for each in rules.imports(module, ast.parse(source))]
        used.get(rules.room_of(module), set()).update(names)
    idle = [
        f"{room} imports nothing of {neighbor}; take it out of ROOMS"
        for room, allowed in rules.ROOMS.items()
        for neighbor in allowed
        if not any(name == neighbor or name.startswith(f"{neighbor}.") for name in used[room])
    ]
    assert idle == []


def test_no_module_imports_itself_by_a_detour() -> None:
    trees = {module: ast.parse(source) for module, source in rules.sources(ROOT, "bridge").items()}
    assert rules.circles(trees) == []


def test_a_circle_is_noticed() -> None:
    lines = {"a.x": "from a import y", "a.y": "import a.z", "a.z": "from a.x import f", "a": ""}
    trees = {module: ast.parse(line) for module, line in lines.items()}
    assert rules.circles(trees) == [["a.x", "a.y", "a.z"]]


def test_every_rule_has_been_seen_to_fail() -> None:
    assert {rule for rule, _ in RULES} == set(BAD)


def test_wires_and_behaviors_meet_in_the_service_only() -> None:
    trees = {module: ast.parse(source) for module, source in rules.sources(ROOT, "bridge").items()}
    wires = frozenset(module for module, tree in trees.items() if rules.is_wire(module, tree))
    broken = [
        sentence
        for module, tree in trees.items()
        for sentence in rules.behavior_knows_no_wire(module, tree, wires)
    ]
    assert broken == []
    assert "bridge.terminal.transport" in wires


def test_every_driver_has_the_same_folders() -> None:
    root = ROOT / "drivers"
    paths = [str(path.relative_to(root)) for path in root.rglob("*.py")]
    assert list(rules.driver_folders_are_alike(paths)) == []


def test_a_driver_of_another_shape_is_noticed() -> None:
    whole = ["__init__.py", "settings.py", *(f"{name}/a.py" for name in rules.DRIVER_FOLDERS)]
    paths = [f"zvt/{path}" for path in whole if path != "codec/a.py"]
    beside = ["script.py", "zvt_words.py"]
    assert list(rules.driver_folders_are_alike([*beside, *paths, "zvt/dialogue.py"])) == [
        "drivers/zvt_words.py is of one driver, or for none",
        "drivers/zvt lacks codec",
        "drivers/zvt has dialogue.py",
    ]


@pytest.mark.parametrize(
    ("module", "lines", "broken"),
    [
        ("bridge.terminal.station", "from bridge.terminal.transport import open_line", True),
        ("bridge.terminal.station", "from bridge.terminal import transport", True),
        ("bridge.register.commands.router", "import aiomqtt", True),
        ("bridge.terminal.transport", "import serial, bridge.terminal.station", True),
        ("bridge.config", "from bridge.terminal import transport, station", True),
        ("bridge.service", "from bridge.terminal import transport, station", False),
        ("bridge.config", "from bridge.terminal import transport", False),
        ("bridge.terminal.station", "from bridge.terminal.conversation import converse", False),
    ],
)
def test_a_meeting_elsewhere_is_noticed(module: str, lines: str, broken: bool) -> None:
    wires = frozenset({"bridge.terminal.transport"})
    assert bool(list(rules.behavior_knows_no_wire(module, ast.parse(lines), wires))) == broken


def test_no_name_would_fit_any_content() -> None:
    packages = ("bridge", "drivers", "simulators", "tests", "benchmarks", "examples")
    paths = [str(path.relative_to(ROOT)) for name in packages for path in (ROOT / name).rglob("*")]
    assert [sentence for path in paths for sentence in rules.names_say_what_is_inside(path)] == []


@pytest.mark.parametrize("path", ["bridge/utils.py", "bridge/helpers/x.py", "drivers/zvt/base.py"])
def test_an_empty_name_is_noticed(path: str) -> None:
    assert list(rules.names_say_what_is_inside(path))


def test_long_files_and_functions_are_noticed() -> None:
    long_function = "def talk():\n" + "    step()\n" * 70
    assert list(rules.over_budget("x.py", long_function)) == ["x.py:1 talk: 71 lines"]
    assert list(rules.over_budget("x.py", "step()\n" * 401)) == ["x.py: 401 lines"]
    assert list(rules.over_budget("x.py", "def talk():\n" + "    step()\n" * 69)) == []
