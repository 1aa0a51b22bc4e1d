"""The table of findings: whole, documented, each tried somewhere, and one exit status."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.cli.checks.findings import KINDS, Finding, exit_status, found, located, terminal_word

ROOT = Path(__file__).parents[4]
TESTS = sorted((ROOT / "tests" / "component" / "cli").glob("test_check*.py"))


def test_each_kind_says_what_stops_and_what_to_do() -> None:
    for code, kind in KINDS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert (kind.level == "wrong") == bool(kind.stops), code
        assert (kind.level == "ok") != bool(kind.remedy), code


def test_each_finding_has_a_test_that_makes_it() -> None:
    texts = "".join(path.read_text() for path in TESTS)
    assert [code for code in KINDS if f'"{code}"' not in texts] == []


def test_each_finding_is_made_somewhere() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "bridge/cli").rglob("*.py"))
    rows = re.compile(r'^    "([a-z_]+)": _(?:ok|look|wrong)\(', re.M)
    made = rows.sub("", texts)
    assert [code for code in KINDS if f'"{code}"' not in made] == []


def test_the_documents_have_each_finding_as_it_is() -> None:
    page = (ROOT / "docs" / "check.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+?) \|", page, re.M))
    assert list(rows) == list(KINDS)
    for code, kind in KINDS.items():
        level = kind.level if not kind.stops else f"wrong: {kind.stops}"
        assert rows[code] == level, code
        assert kind.meaning in page, code


def wrong(code: str, what: str = "x") -> Finding:
    return found(code, what, "text")


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], 0),
        ([wrong("disk_low"), wrong("disk_ok")], 0),
        ([wrong("broker_away")], 1),
        ([wrong("login_needed")], 3),
        ([wrong("terminal_silent", terminal_word("a"))], 3),
        ([wrong("terminal_silent", terminal_word(one)) for one in "ab"], 1),
        ([wrong("port_grabber_active", "brltty")], 3),
    ],
)
def test_the_exit_status_says_whether_payments_can_be_taken(
    findings: list[Finding], status: int
) -> None:
    assert exit_status(findings, ["a", "b"]) == status


def test_a_setting_is_found_in_the_file_that_was_read() -> None:
    one = found("broker_away", "broker", "text", key="mqtt.host")
    other = found("secret_open", "file", "text", file="/etc/x")
    assert [each.where for each in located([one, other], "/etc/p.toml")] == [
        "/etc/p.toml: mqtt.host",
        "/etc/x",
    ]
