"""What the folders of the tests promise: `unit/` mirrors modules and runs nothing but Python.

A test of `bridge/money/store/journal_entries.py` lies in `unit/money/store/`, as
`test_journal_entries.py` or `test_journal_entries_<promise>.py`; drivers and simulators have
folders of their own there. What wires parts together lies in `component/`, and is built by the
assembly.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import rules

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "tests" / "unit"

# Disks, sockets and processes, and what simulates them.
WIRES = frozenset(
    {"sqlite3", "socket", "serial", "subprocess", "asyncio.subprocess", "multiprocessing", "httpx"}
    | {"amqtt", "uvicorn", "concurrent.futures", "bridge.money.store.database"}
    | {"simulators.broker", "simulators.http_server", "simulators.register"}
    | {f"simulators.terminals.{name}" for name in ("zvt", "pax", "telium")}
    | {f"simulators.terminals.shared.{name}" for name in ("cable", "serial_port", "tcp_port")}
    | {"simulators.back_office.program", "simulators.identity_provider.site"}
    | {f"tests.{name}" for name in ("support", "component", "end_to_end", "simulation")}
    | {f"tests.{name}" for name in ("attack", "crash", "matrix", "protocol")}
)
WIRE_NAMES = frozenset({"Journal", "open_database"})
WIRE_CALLS = frozenset(
    {"start_server", "start_unix_server", "open_connection", "create_subprocess_exec", "openpty"}
)
# Who is more than one of these in a test builds a bridge by hand, beside the assembly.
PARTS = frozenset({"Ledger", "Station", "Desk", "Publisher", "GiftCards", "Recorder"})
BY_HAND = frozenset(
    {
        "tests/simulation/test_regressions.py",
        "tests/component/backoffice/test_purchase_recorder.py",  # a ledger to record from
        "tests/component/backoffice/test_outages.py",  # the same, behind the simulated server
    }
)


def unit_tests_reach_for_nothing(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a unit test has that is no Python of this process."""
    for each in rules.imports(module, tree):
        known = any(each.is_of(wire) for wire in WIRES)
        if known or each.name.rpartition(".")[2] in WIRE_NAMES:
            yield f"{module}:{each.line} imports {each.name}; it belongs in tests/component"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in WIRE_CALLS:
            yield f"{module}:{node.lineno} calls {node.attr}; it belongs in tests/component"


def parts_built(tree: ast.AST) -> set[str]:
    """Return the parts of the bridge that a module calls into being."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {call.id for call in calls if isinstance(call, ast.Name)} & PARTS


def mirrored(test: Path) -> bool:
    """Say whether a module lies where `test` (below tests/unit) says, under the name it says."""
    words = test.stem.removeprefix("test_").split("_")
    names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
    roots = (ROOT / "bridge", ROOT)  # drivers and simulators have their own folders
    places = [root / test.parent / name for root in roots for name in names]
    return any(
        one.with_suffix(".py").is_file() or (one / "__init__.py").is_file() for one in places
    )


def sources(folder: str) -> dict[str, ast.AST]:
    return {name: ast.parse(text) for name, text in rules.sources(ROOT, folder).items()}


def test_unit_tests_run_without_disks_brokers_terminals_and_processes() -> None:
    found = sources("tests/unit")
    assert found
    broken = [
        sentence
        for module, tree in found.items()
        for sentence in unit_tests_reach_for_nothing(module, tree)
    ]
    assert broken == []


@pytest.mark.parametrize(
    "line",
    [
        "import sqlite3",
        "from bridge.money.store.journal import Journal",
        "from bridge.money.store.database import open_database",
        "def test_x():\n    import socket",
        "from simulators.terminals.zvt import ZvtTerminal",
        "from simulators.broker import Broker",
        "from tests.support.shop import in_a_shop",
        "import asyncio\nasync def serve():\n    await asyncio.start_server(f)",
    ],
)
def test_a_unit_test_that_reaches_out_is_found(line: str) -> None:
    assert list(unit_tests_reach_for_nothing("tests.unit.test_x", ast.parse(line)))


def test_every_unit_test_lies_where_its_module_does() -> None:
    tests = [path.relative_to(UNIT) for path in sorted(UNIT.rglob("test_*.py"))]
    assert tests
    assert [str(test) for test in tests if not mirrored(test)] == []


@pytest.mark.parametrize(
    ("test", "is_there"),
    [
        ("money/store/test_journal_entries.py", True),
        ("register/publishing/test_payment_document_amounts.py", True),
        ("drivers/test_script.py", True),
        ("money/test_journal_entries.py", False),
        ("terminal/test_everything.py", False),
    ],
)
def test_a_test_without_its_module_is_found(test: str, is_there: bool) -> None:
    assert mirrored(Path(test)) == is_there


def test_only_the_assembly_builds_a_bridge() -> None:
    by_hand = {
        str(path.relative_to(ROOT))
        for folder in ("bridge", "tests", "benchmarks", "simulators")
        for path in (ROOT / folder).rglob("*.py")
        if len(parts_built(ast.parse(path.read_text(encoding="utf-8")))) > 1
    }
    assert by_hand - {"bridge/assembly.py"} == BY_HAND
