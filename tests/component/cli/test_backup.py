"""`paybridge backup` and `restore`, typed by the service's user and by root."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from bridge.cli import main
from bridge.money.store.database import Ownership, open_database
from tests.unit.test_private_files import mode_of

ROOT = Path(__file__).parents[3]
NOBODY = 65_534


class Site:
    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.journal = self.state / "journal.sqlite"
        self.config = folder / "paybridge.toml"
        self.config.write_text(
            f'[site]\nstore_code = "S012"\nstate_directory = "{self.state}"\n'
            '[terminals.counter-1]\ndriver = "zvt"\nport = "/dev/null"\n'
        )
        self.state.mkdir(mode=0o700)

    def write(self, entries: int) -> None:
        with closing(open_database(self.journal)) as connection:
            for _ in range(entries):
                connection.execute(
                    "insert into entry(subject, kind, at, body) values('a','b','2026','c')"
                )

    def run(self, *words: str) -> tuple[int, Any, str]:
        """Run a command in this process; return its exit status and what it says."""
        out, error = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(error), pytest.raises(SystemExit) as ended:
            main([*words, "--config", str(self.config), "--json"])
        status = int(ended.value.code or 0)
        return status, json.loads(out.getvalue() or "null"), error.getvalue()

    def run_apart(self, *words: str) -> tuple[int, Any, str]:
        """Run it in a process of its own, which may give up being root."""
        done = subprocess.run(
            [sys.executable, "-m", "bridge", *words, "--config", str(self.config), "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout or "null"), done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    before = os.umask(0o022)
    yield Site(tmp_path)
    os.umask(before)


def test_a_backup_is_made_listed_explained_and_put_back(site: Site) -> None:
    assert site.run("backup")[:2] == (1, {"path": None})
    site.write(3)
    status, made, _ = site.run("backup")
    assert (status, made["last_seq"]) == (0, 3)
    assert mode_of(Path(made["path"])) == 0o600
    site.write(2)
    _, listed, _ = site.run("backup", "--list")
    assert listed == [made]
    _, facts, _ = site.run("backup", "--facts")
    assert facts["last_seq"] == 5

    status, meant, _ = site.run("restore", made["path"])
    assert status == 1
    assert (meant["copy"]["last_seq"], meant["journal"]["last_seq"]) == (3, 5)
    assert site.run("backup", "--facts")[1]["last_seq"] == 5
    status, done, _ = site.run("restore", made["path"], "--yes")
    assert (status, done["lost_nothing"]) == (0, False)
    assert site.run("backup", "--facts")[1]["last_seq"] == 3
    assert (Path(done["kept_in"]) / "journal.sqlite").exists()


def test_restore_is_refused_while_a_bridge_runs(site: Site) -> None:
    site.write(1)
    _, made, _ = site.run("backup")
    running = Ownership(site.journal)
    status, said, _ = site.run("restore", made["path"], "--yes")
    running.release()
    assert status == 74
    assert "running" in said["message"]


def test_only_the_copies_of_upgrades_are_cleaned_up(site: Site) -> None:
    site.write(1)
    site.run("backup")
    folder = site.state / "backups"
    for day in range(10, 18):
        shutil.copy(site.journal, folder / f"journal-202601{day}T000000Z-0.0-before-0.1.sqlite")
    site.run("backup", "--before", "0.2")
    names = [one.name for one in sorted(folder.iterdir())]
    assert len([one for one in names if "-before-" in one]) == 5
    assert len(names) == 6
    assert names[-1].endswith("-before-0.2.sqlite")


@pytest.mark.parametrize(
    "words", [("restore",), ("restore", "x", "--none"), ("restore", "/nowhere")]
)
def test_wrong_use_of_restore_is_told_without_a_traceback(
    site: Site, words: tuple[str, ...]
) -> None:
    site.write(1)
    status, _, _ = site.run(*words)
    assert status in {1, 74}
    assert site.run("backup", "--facts")[1]["last_seq"] == 1


def test_a_version_is_a_word_and_no_way_out_of_the_folder(site: Site) -> None:
    site.write(1)
    status, said, _ = site.run("backup", "--before", "../../../etc/x")
    assert status == 74
    assert "no version" in said["message"]


def test_a_folder_of_somebodys_own_keeps_its_mode(site: Site, tmp_path: Path) -> None:
    site.write(1)
    stick = tmp_path / "stick"
    stick.mkdir()
    stick.chmod(0o755)
    assert site.run("backup", str(stick / "copy.sqlite"))[0] == 0
    assert mode_of(stick) == 0o755
    assert mode_of(stick / "copy.sqlite") == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down")
def test_root_steps_down_and_follows_no_link_that_the_service_laid() -> None:
    # Not below pytest's own folder: that one is closed to others again by every session.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        step_down(Site(folder))


def step_down(site: Site) -> None:
    site.write(1)
    for path in (site.state, *site.state.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    _, made, error = site.run_apart("backup")
    assert made.get("last_seq") == 1, (made, error)
    assert Path(made["path"]).stat().st_uid == NOBODY
    guarded = site.state.parent / "guarded"
    guarded.mkdir(mode=0o700)
    shutil.rmtree(site.state / "backups")
    (site.state / "backups").symlink_to(guarded)
    status, _, _ = site.run_apart("backup")
    assert status == 74
    assert list(guarded.iterdir()) == []
