"""A command whose extra was not installed says one line, and sends nobody to an index."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bridge.cli.extras import DISTRIBUTION, missing_part

ROOT = Path(__file__).parents[2]
HIDE = """
import importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def extras() -> dict[str, list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, list[str]] = tomllib.load(file)["project"]["optional-dependencies"]
    return found


def run_without(hidden: set[str], code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDE.format(hidden=hidden) + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_distribution_is_named_as_the_hints_believe() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["name"] == DISTRIBUTION != "paybridge"


@pytest.mark.parametrize(
    ("module", "extra"),
    [("aiomqtt", "demo"), ("graphql.language", "demo")],
)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(module: str, extra: str) -> None:
    said = missing_part(ModuleNotFoundError("no", name=module))
    assert said is not None
    assert f"pip install '.[{extra}]'" in said
    assert extra in extras()


@pytest.mark.parametrize(
    "module", [None, "importlib.metadata", "bridge.nothing", "drivers.zvt.x", "simulators.demo"]
)
def test_a_module_of_our_own_that_is_missing_stays_a_bug(module: str | None) -> None:
    assert missing_part(ModuleNotFoundError("no", name=module)) is None


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        (["demo"], "bridge.cli"),
        (["conformance", "--register", "till-1"], "bridge.cli"),
        (["backoffice"], "simulators.__main__"),
        (["oidc"], "simulators.__main__"),
        (["register"], "simulators.__main__"),
    ],
)
def test_without_extras_a_command_says_one_line(words: list[str], entry: str) -> None:
    hidden = {"aiomqtt", "amqtt", "graphql", "starlette", "uvicorn"}
    ran = run_without(hidden, f"import sys; from {entry} import main; sys.exit(main({words!r}))")
    assert ran.returncode == 1, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert "pip install '.[demo]'" in line


def test_no_text_of_ours_tells_to_install_a_name_from_an_index() -> None:
    told = []
    for folder in ("bridge", "drivers", "simulators", "docs", "examples", "scripts"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ""} and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                lines = [line for line in text.splitlines() if "pip install" in line]
                told += [one for one in lines if "install paybridge" in one or "'paybridge" in one]
    assert not told
