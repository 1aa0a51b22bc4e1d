"""Copies of the journal: whole, private, and never put back under a running bridge or silently."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.errors import JournalError
from bridge.money.store.custody import MARK_NAME, JournalMark
from bridge.money.store.database import MIGRATIONS, Ownership, open_database
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_copy import copy_journal, facts_of, put_back, set_aside
from bridge.money.store.journal_entries import Entry
from bridge.money.store.provenance import JournalConfirmed
from tests.unit.test_private_files import mode_of

AT = "2026-12-01T08:00:00.000Z"


class Store:
    """A state directory with a journal that remembers its last entry outside, as the service."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite"
        self.backups = folder / "backups"

    def write(self, count: int) -> None:
        """Append entries in a process's lifetime of its own."""
        ownership = Ownership(self.path)
        mark = JournalMark(self.path.with_name(MARK_NAME))
        with closing(open_database(self.path)) as connection, ThreadPoolExecutor(1) as executor:
            asyncio.run(self._append(Journal(connection, executor, remember=mark.write), count))
        mark.close()
        ownership.release()

    @staticmethod
    async def _append(journal: Journal, count: int) -> None:
        for _ in range(count):
            await journal.append(Change((Entry("journal", JournalConfirmed("anna"), AT),)))

    def remembered(self) -> int | None:
        mark = JournalMark(self.path.with_name(MARK_NAME))
        try:
            return mark.read()
        finally:
            mark.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "state")
    found.path.parent.mkdir(mode=0o700)
    found.write(3)
    return found


def test_a_copy_says_what_the_journal_says_and_is_one_private_file(store: Store) -> None:
    copied = copy_journal(store.path, store.backups / "one.sqlite")
    assert copied == facts_of(store.path) == facts_of(store.backups / "one.sqlite")
    assert (copied.last_seq, copied.last_at, copied.schema) == (3, AT, len(MIGRATIONS))
    assert [one.name for one in store.backups.iterdir()] == ["one.sqlite"]
    assert mode_of(store.backups) == 0o700
    assert mode_of(store.backups / "one.sqlite") == 0o600


def test_a_copy_of_a_journal_in_use_has_what_was_committed_by_then(store: Store) -> None:
    with closing(open_database(store.path)) as writer:
        writer.execute("insert into entry(subject, kind, at, body) values('a','b','c','d')")
        copied = copy_journal(store.path, store.backups / "one.sqlite")
        writer.execute("insert into entry(subject, kind, at, body) values('a','b','c','d')")
        assert (copied.last_seq, facts_of(store.path).last_seq) == (4, 5)
    assert facts_of(store.backups / "one.sqlite").last_seq == 4


def test_the_facts_of_a_journal_whose_process_was_killed_are_those_of_its_log(store: Store) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from bridge.money.store.database import open_database\n"
        "c = open_database(Path(sys.argv[1]))\n"
        "c.execute(\"insert into entry(subject, kind, at, body) values('a','b','c','d')\")\n"
        f"os.kill(os.getpid(), {signal.SIGKILL})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(store.path)], check=False)
    assert store.path.with_name("journal.sqlite-wal").stat().st_size > 0
    assert facts_of(store.path).last_seq == 4
    assert copy_journal(store.path, store.backups / "one.sqlite").last_seq == 4


def test_a_full_disk_refuses_a_copy_before_it_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=40_000_000))
    with pytest.raises(JournalError, match="40 MB are free"):
        copy_journal(store.path, store.backups / "one.sqlite")
    assert list(store.backups.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0" + b"x" * 900])
def test_what_is_no_journal_is_neither_copied_nor_put_back(store: Store, content: bytes) -> None:
    wrong = store.path.with_name("wrong.sqlite")
    wrong.write_bytes(content)
    before = facts_of(store.path)
    with pytest.raises(JournalError, match=r"wrong\.sqlite"):
        put_back(wrong, store.path, store.backups / "replaced")
    with pytest.raises(JournalError):
        copy_journal(wrong, store.backups / "one.sqlite")
    assert facts_of(store.path) == before
    assert not (store.backups / "one.sqlite").exists()


def test_putting_back_what_lacks_nothing_raises_no_doubt(store: Store) -> None:
    copy_journal(store.path, store.backups / "one.sqlite")
    done = put_back(store.backups / "one.sqlite", store.path, store.backups / "replaced")
    assert done.lost_nothing
    assert store.remembered() == 3
    assert facts_of(store.path).last_seq == 3
    assert mode_of(store.path) == 0o600
    store.write(1)
    assert facts_of(store.path).last_seq == 4


def test_putting_back_an_old_journal_is_noticed_by_the_next_start(store: Store) -> None:
    copy_journal(store.path, store.backups / "one.sqlite")
    store.write(2)
    done = put_back(store.backups / "one.sqlite", store.path, store.backups / "replaced")
    assert (done.lost_nothing, done.restored.last_seq) == (False, 3)
    assert done.replaced is not None
    assert done.replaced.last_seq == 5
    assert store.remembered() == 5  # more than the journal's 3: custody holds everything back
    assert facts_of(store.backups / "replaced" / "journal.sqlite").last_seq == 5


@pytest.mark.parametrize("before", ["unreadable", "absent"])
def test_where_nobody_can_tell_what_was_lost_the_next_start_doubts(
    store: Store, before: str
) -> None:
    copy_journal(store.path, store.backups / "one.sqlite")
    store.path.unlink()
    for name in (MARK_NAME, "journal.sqlite-wal", "journal.sqlite-shm"):
        store.path.with_name(name).unlink(missing_ok=True)
    if before == "unreadable":
        store.path.write_bytes(b"burnt" * 1000)
    done = put_back(store.backups / "one.sqlite", store.path, store.backups / "replaced")
    assert not done.lost_nothing
    assert done.replaced is None
    assert (done.kept_in is not None) == (before == "unreadable")
    assert store.remembered() == 4


def test_nothing_is_put_back_under_a_running_bridge(store: Store) -> None:
    copy_journal(store.path, store.backups / "one.sqlite")
    running = Ownership(store.path)
    with pytest.raises(JournalError, match="running"):
        put_back(store.backups / "one.sqlite", store.path, store.backups / "replaced")
    with pytest.raises(JournalError, match="running"):
        set_aside(store.path, store.backups / "replaced")
    running.release()


def test_a_copy_by_a_newer_program_is_refused_with_the_way_back(store: Store) -> None:
    copy = store.backups / "one.sqlite"
    copy_journal(store.path, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute(f"pragma user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(JournalError, match="paybridge releases use"):
        put_back(copy, store.path, store.backups / "replaced")
    shutil.copy(copy, store.path)
    with pytest.raises(JournalError, match="paybridge releases use"):
        open_database(store.path)


def test_a_symbolic_link_in_the_place_of_a_copy_is_not_followed(store: Store) -> None:
    store.backups.mkdir()
    victim = store.path.with_name("victim")
    os.symlink(victim, store.backups / "one.sqlite.partial")
    copy_journal(store.path, store.backups / "one.sqlite")
    assert not victim.exists()
