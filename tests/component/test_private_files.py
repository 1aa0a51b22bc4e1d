"""Who makes the journal and the login, and under which umask, does not decide who may read them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.adapters import open_state
from bridge.backoffice.login.token_file import TokenStore
from bridge.errors import JournalError
from bridge.money.store.database import Ownership, open_database
from bridge.private_files import make_folder
from tests.unit.test_private_files import mode_of

NOBODY = 65_534


@pytest.fixture(params=[0o022, 0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes_below(folder: Path) -> dict[str, int]:
    return {str(one.relative_to(folder)): mode_of(one) for one in sorted(folder.rglob("*"))}


def test_nobody_else_reads_what_a_first_login_and_a_first_run_make(
    tmp_path: Path, umask: int
) -> None:
    state = tmp_path / "store" / "state"
    with TokenStore(state).lock():
        pass
    assert mode_of(state) == 0o700
    make_folder(state)
    ownership = Ownership(state / "journal.sqlite")
    connection = open_database(state / "journal.sqlite")
    found = modes_below(state)
    assert found == {
        "journal.lock": 0o600,
        "journal.sqlite": 0o600,
        "journal.sqlite-shm": 0o600,
        "journal.sqlite-wal": 0o600,
        "login": 0o700,
        "login/login.lock": 0o600,
    }
    connection.close()
    ownership.release()


def test_what_an_older_version_left_open_is_closed_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state"
    make_folder(state)
    first = open_database(state / "journal.sqlite")  # left open: its -wal and -shm stay
    for path in (state, *state.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    make_folder(state)
    second = open_database(state / "journal.sqlite")
    assert mode_of(state) == 0o700
    assert set(modes_below(state).values()) == {0o600}
    assert "was open to others" in caplog.text
    second.close()
    first.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    state = tmp_path / "state"
    make_folder(state)
    os.chown(state, NOBODY, NOBODY)
    Ownership(state / "journal.sqlite").release()
    open_database(state / "journal.sqlite").close()
    with TokenStore(state).lock():
        pass
    assert {one.stat().st_uid for one in state.rglob("*")} == {NOBODY}


def test_no_link_that_somebody_laid_is_followed(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    make_folder(state)
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "file").write_text("mine")
    before = modes_below(elsewhere)
    (state / "journal.lock").symlink_to(elsewhere / "file")
    with pytest.raises(JournalError, match="symbolic links"):
        Ownership(state / "journal.sqlite")
    (state / "journal.sqlite").symlink_to(elsewhere / "file")
    with pytest.raises(JournalError, match="symbolic links"):
        open_database(state / "journal.sqlite")
    (state / "login").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"), TokenStore(state).lock():
        pass
    assert modes_below(elsewhere) == before
    assert (elsewhere / "file").read_text() == "mine"


def test_every_start_closes_what_is_ours_whoever_left_it_open(tmp_path: Path) -> None:
    state = tmp_path / "state"
    asyncio.run(start_once(state))
    (state / "backups" / "replaced-1").mkdir(parents=True)
    ours = ("backups/a.sqlite", "backups/replaced-1/journal.sqlite-wal", "support/b.zip", "login/x")
    for name in (*ours, "journal.sqlite.restoring", "somebody-elses"):
        (state / name).parent.mkdir(exist_ok=True)
        (state / name).touch()
    (tmp_path / "target").touch()
    (tmp_path / "target").chmod(0o644)
    (state / "backups" / "link").symlink_to(tmp_path / "target")
    for path in (state, *state.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    asyncio.run(start_once(state))
    found = modes_below(state)
    assert found.pop("somebody-elses") == 0o644
    assert mode_of(state / "backups" / "link") == 0o644  # of its target, which is not ours
    del found["backups/link"]
    assert {mode for name, mode in found.items() if (state / name).is_file()} == {0o600}
    assert {mode for name, mode in found.items() if (state / name).is_dir()} == {0o700}


async def start_once(state: Path) -> None:
    async with open_state(state, lambda: "0" * 32):
        pass
