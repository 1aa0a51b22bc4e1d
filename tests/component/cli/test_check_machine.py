"""`paybridge check` looks at the journal, its disk, the named files and what grabs ports."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.checks import files, journal, machine
from bridge.cli.checks.findings import Finding
from bridge.cli.checks.service import not_running, service
from bridge.config import CONTROL_NAME, Config, parse
from bridge.money.store.custody import MARK_NAME
from bridge.money.store.database import MIGRATIONS, Ownership, open_database
from bridge.settings import JOURNAL_NAME

Usage = namedtuple("Usage", "total used free")


def codes(findings: list[Finding]) -> set[str]:
    return {one.code for one in findings}


# --- the journal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    open_database(folder / JOURNAL_NAME).close()
    return folder


def test_a_whole_journal_on_a_quick_disk_is_ok_and_nothing_is_left_behind(state: Path) -> None:
    facts = journal.journal(state)
    assert codes(facts.findings) == {"journal_sound", "disk_ok"}
    assert not facts.running
    assert all(one.name.startswith("journal.") for one in state.iterdir())


def test_no_journal_yet_is_no_fault(tmp_path: Path) -> None:
    assert codes(journal.journal(tmp_path / "none").findings) == {"journal_none_yet"}
    assert "journal_none_yet" in codes(journal.journal(tmp_path).findings)
    (tmp_path / JOURNAL_NAME).touch()
    assert "journal_none_yet" in codes(journal.journal(tmp_path).findings)


def test_a_damaged_journal_says_no(state: Path) -> None:
    path = state / JOURNAL_NAME
    size = path.stat().st_size
    path.write_bytes(b"this is no database at all" * (size // 26))
    assert "journal_damaged" in codes(journal.journal(state).findings)


def test_a_journal_of_a_newer_version_says_no(state: Path) -> None:
    connection = sqlite3.connect(state / JOURNAL_NAME)
    connection.execute(f"pragma user_version={len(MIGRATIONS) + 1}")
    connection.close()
    assert "journal_newer" in codes(journal.journal(state).findings)


def test_a_journal_that_was_put_back_says_no(state: Path) -> None:
    (state / MARK_NAME).write_text(f"{17:020d}\n")
    (found,) = [one for one in journal.journal(state).findings if one.what.startswith("journal ")]
    assert (found.code, "entry 17" in found.text) == ("journal_restored", True)
    assert "paybridge take-over" in found.remedy


def test_a_journal_that_cannot_be_opened_says_no(state: Path) -> None:
    (state / JOURNAL_NAME).unlink()
    (state / JOURNAL_NAME).mkdir()
    assert "journal_unreadable" in codes(journal.journal(state).findings)


def test_a_journal_in_use_is_known_to_be(state: Path) -> None:
    owner = Ownership(state / JOURNAL_NAME)
    assert journal.journal(state).running
    owner.release()
    assert not journal.journal(state).running


def test_a_folder_that_cannot_be_written_says_no(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert codes(journal.journal(state).findings) == {"state_folder"}


def test_a_slow_disk_is_named_by_the_median_of_several_commits(state: Path) -> None:
    times = iter([t for n in range(journal.COMMITS_MEASURED) for t in (n * 1.0, n * 1.0 + 0.25)])
    (found,) = [
        one
        for one in journal.journal(state, clock=lambda: next(times)).findings
        if one.code == "disk_slow"
    ]
    assert "250.0 ms" in found.text
    # One that was in another's way says nothing of the disk.
    taken = [0.9, 0.8, *([0.002] * (journal.COMMITS_MEASURED - 2))]
    times = iter([t for n, one in enumerate(taken) for t in (n * 1.0, n * 1.0 + one)])
    assert "disk_ok" in codes(journal.journal(state, clock=lambda: next(times)).findings)


@pytest.mark.parametrize(("megabytes", "code"), [(150, "disk_low"), (5, "disk_full")])
def test_a_disk_that_is_filling_is_named(
    state: Path, monkeypatch: pytest.MonkeyPatch, megabytes: int, code: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, megabytes * 1_000_000))
    assert code in codes(journal.journal(state).findings)


def test_a_log_that_grows_is_named(state: Path) -> None:
    log = state / f"{JOURNAL_NAME}-wal"
    log.touch()
    os.truncate(log, 80_000_000)
    assert "journal_log_grows" in codes(journal.journal(state).findings)


# --- files and credentials


def store(folder: Path, **mqtt: Any) -> Config:
    return parse(
        {
            "site": {"store_code": "S1", "state_directory": str(folder)},
            "mqtt": mqtt,
            "terminals": {"counter-1": {"driver": "zvt", "port": "/dev/x"}},
        }
    )


def secret(folder: Path, text: bytes = b"word", mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_files_that_can_be_read_are_ok(tmp_path: Path) -> None:
    config = store(tmp_path, username="b", password_file=str(secret(tmp_path)))
    assert codes(files.secrets(config, {})) == {"secret_ok"}


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        (b"", 0o600, "secret_bad"),
        (b"\xff\xfe\x00", 0o600, "secret_bad"),
        (b"x" * 5000, 0o600, "secret_bad"),
        (b"word", 0o644, "secret_open"),
        (b"word", 0o602, "secret_open"),
        (b"word", 0o640, "secret_ok"),
    ],
)
def test_a_bad_or_open_secret_is_named(tmp_path: Path, text: bytes, mode: int, code: str) -> None:
    config = store(tmp_path, username="b", password_file=str(secret(tmp_path, text, mode)))
    (found,) = files.secrets(config, {})
    assert found.code == code
    if code != "secret_ok":
        assert found.key == "mqtt.password_file"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (found,) = files.secrets(store(tmp_path, username="b", password_file="/no/such"), {})
    assert (found.code, found.key) == ("secret_unreadable", "mqtt.password_file")


def test_what_we_can_read_and_the_service_cannot_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    path = secret(tmp_path)
    config = store(folder, username="b", password_file=str(path))
    if os.geteuid() == 0:  # root reads everything; what counts is the owner of the state
        os.chown(folder, 65534, 65534)
        for parent in (tmp_path, *tmp_path.parents):
            if parent.stat().st_uid == 0 and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o001)
    else:
        path.chmod(0)
    (found,) = files.secrets(config, {})
    assert found.code == "secret_unreadable"
    assert "may not read it" in found.text
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    path.chmod(0o600)
    assert codes(files.secrets(config, {})) == {"secret_ok"}


def test_credentials_that_only_the_service_has_are_told(tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").touch()
    (found,) = files._credentials({}, tmp_path)
    assert (found.code, "mqtt-password" in found.text) == ("secret_elsewhere", True)
    assert files._credentials({"CREDENTIALS_DIRECTORY": "/x"}, tmp_path) == []
    # Where they may be read, they are used.
    assert files.with_credentials({}, tmp_path)["CREDENTIALS_DIRECTORY"] == str(tmp_path)
    assert files.with_credentials({}, tmp_path / "none") == {}


# --- what grabs ports


def test_programs_that_grab_ports_are_named_unless_our_rules_keep_them_off(tmp_path: Path) -> None:
    assert machine.grabbers(tmp_path) == []
    program = tmp_path / "usr/sbin/ModemManager"
    program.parent.mkdir(parents=True)
    program.touch()
    assert codes(machine.grabbers(tmp_path)) == {"port_grabber_present"}
    process = tmp_path / "proc/17/comm"
    process.parent.mkdir(parents=True)
    process.write_text("ModemManager\n")
    (found,) = machine.grabbers(tmp_path)
    assert (found.code, found.what) == ("port_grabber_active", "ModemManager")
    rules = tmp_path / "etc/udev/rules.d" / machine.PORT_RULES
    rules.parent.mkdir(parents=True)
    rules.touch()
    assert machine.grabbers(tmp_path) == []


def test_the_rules_that_keep_them_off_are_ours() -> None:
    systemd = Path(__file__).parents[3] / "systemd"
    assert all((systemd / rules).exists() for _, rules in machine.GRABBERS.values())


# --- the service


def test_that_no_service_runs_is_worth_a_look() -> None:
    finding = not_running("paybridge/v1")
    assert (finding.code, finding.level) == ("service_not_running", "look")
    assert "systemctl start paybridge" in finding.remedy


async def test_a_service_that_does_not_answer_is_told(tmp_path: Path) -> None:
    served, findings = await service(tmp_path, "paybridge/v1")
    assert (served, codes(findings)) == (None, {"service_silent"})


@pytest.mark.parametrize(
    ("obstacles", "reasons", "expected"),
    [
        ([], [], {"service_runs"}),
        (
            ["an old journal"],
            ["an old journal", "the broker is away"],
            {"service_obstacle", "service_warning"},
        ),
        ([], ["no terminal can take a payment (x: y)"], {"service_runs"}),
    ],
)
async def test_the_running_service_says_what_is_in_its_way(
    tmp_path: Path, obstacles: list[str], reasons: list[str], expected: set[str]
) -> None:
    answers = {
        "obstacles": {"ok": True, "obstacles": obstacles, "warnings": []},
        "status": {"ok": True, "health": {"reasons": reasons}, "terminals": {"counter-1": {}}},
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())["do"]
        writer.write(json.dumps(answers[asked]).encode() + b"\n")
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / CONTROL_NAME)
    async with server:
        served, findings = await service(tmp_path, "paybridge/v1")
    assert served is not None
    assert (codes(findings), list(served.states)) == (expected, ["counter-1"])
