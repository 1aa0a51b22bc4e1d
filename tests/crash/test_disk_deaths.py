"""The journal's file when power is cut at any of its writes: while it is made,
checkpointed (C21), migrated (C23) and closed (C24). A disk in memory that forgets what was not
synced, under the real SQLite.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from bridge.money import payment as p
from bridge.money.store.database import MIGRATIONS, prepare
from bridge.money.store.journal import Change, Journal
from bridge.money.store.journal_entries import Entry, read_entries, read_payments
from bridge.money.store.records import fold_payment
from simulators.loop import run_virtual
from tests.simulation.disk import Disk, DiskDoor, Witness, open_journal
from tests.simulation.incarnation import CODEC
from tests.support.till import pay

AT = "2026-11-23T12:00:00.000Z"
COMMITS = 6
STEPS_MAX = 2_000  # writes and syncs of one story; there are some dozens
_NAMES = itertools.count()

Story = Callable[[sqlite3.Connection, list[str]], None]


class PowerCut(Exception):
    """The machine is dead; nothing that comes later reaches the disk."""


def connect(disk: Disk, trouble: Callable[[DiskDoor], None] | None = None) -> sqlite3.Connection:
    """Return a process's connection; `trouble` is called before each write and sync."""
    door = DiskDoor(f"death-{next(_NAMES)}", disk, random.Random(1))
    connection = open_journal(door, Witness())
    if trouble is not None:
        door.trouble = lambda: trouble(door)
    return connection


def deaths(begin: Callable[[], Disk], story: Story, seed: int = 0) -> Iterator[tuple[int, Disk]]:
    """Yield how many commits were promised, and the disk, for a death at each step of a story."""
    for fatal in range(1, STEPS_MAX):
        disk, steps, promised = begin(), 0, list[str]()

        def trouble(door: DiskDoor, fatal: int = fatal) -> None:
            nonlocal steps
            steps += 1
            if steps == fatal:
                door.shut = True

        connection = connect(disk, trouble)
        try:
            story(connection, promised)
        except sqlite3.Error:
            assert steps >= fatal, "nothing else goes wrong"
        if steps < fatal:
            assert fatal > 10, "a story has more steps than that"
            return
        disk._rng = random.Random(fatal + seed)
        disk.cut_power()
        yield len(promised), disk
    raise AssertionError(f"a story with {STEPS_MAX} steps")


def commit(connection: sqlite3.Connection, promised: list[str], count: int = COMMITS) -> None:
    """Append payments as the ledger does; `promised` gets those that are said to be on disk."""

    async def scene() -> None:
        journal = Journal(connection, None, CODEC)
        for number in range(count):
            request = pay(len(promised) + 1, 100, f"S{number}")
            entry = Entry(request.payment_id, p.Requested(request), AT)
            await journal.append(Change((entry,)))
            promised.append(request.payment_id)

    try:
        run_virtual(scene)
    except Exception as error:
        raise sqlite3.OperationalError(str(error)) from error


def check(disk: Disk, promised: int) -> None:
    """The next process finds everything that was promised, whole, and can go on."""
    connection = connect(disk)
    prepare(connection)
    assert connection.execute("pragma integrity_check").fetchone()[0] == "ok"
    assert connection.execute("pragma user_version").fetchone()[0] == len(MIGRATIONS)
    for number in range(1, promised + 1):
        (entry,) = read_entries(connection, CODEC, pay(number, 100).payment_id)
        assert fold_payment([entry]).payment.status is p.Status.QUEUED
    commit(connection, [""] * 50, 1)
    connection.close()


def check_all(begin: Callable[[], Disk], story: Story, seed: int = 0) -> None:
    """Have every death of a story followed by a life that finds what was promised."""
    for promised, disk in deaths(begin, story, seed):
        check(disk, promised)


def empty() -> Disk:
    return Disk(random.Random(0))


def prepared() -> Disk:
    disk = empty()
    connection = connect(disk)
    prepare(connection)
    connection.close()
    return disk


def of_the_first_version() -> Disk:
    """Return a disk whose journal was written by the first version, with payments in it."""
    disk = empty()
    connection = connect(disk)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.executescript(f"begin immediate; {MIGRATIONS[0]} pragma user_version=1; commit;")
    commit(connection, [], COMMITS)
    connection.execute(
        "insert into payment values('p','till-1','t','S','approved','recorded',1,'EUR',?,?,0)",
        (AT, AT),
    )
    connection.close()
    return disk


def test_a_journal_whose_making_is_cut_is_made_again() -> None:
    check_all(empty, lambda connection, _: prepare(connection))


def test_a_journal_whose_migration_is_cut_is_brought_up_to_date_by_the_next_start() -> None:
    count = 0
    for _, disk in deaths(of_the_first_version, lambda connection, _: prepare(connection)):
        check(disk, COMMITS)
        connection = connect(disk)
        (row,) = read_payments(connection, "payment_id='p'", ())
        assert (row.status, row.pruned) == ("approved", 0)
        connection.close()
        count += 1
    assert count > 10


@pytest.mark.parametrize("pages", [1, 4])
def test_a_commit_that_was_promised_survives_a_cut_in_any_checkpoint(pages: int) -> None:
    def story(connection: sqlite3.Connection, promised: list[str]) -> None:
        prepare(connection)
        connection.execute(f"pragma wal_autocheckpoint={pages}")
        commit(connection, promised)

    check_all(prepared, story, seed=pages)


def test_a_clean_stop_that_is_cut_loses_nothing() -> None:
    def story(connection: sqlite3.Connection, promised: list[str]) -> None:
        prepare(connection)
        commit(connection, promised)
        connection.close()

    check_all(prepared, story)


def test_the_judge_sees_a_journal_that_does_not_wait_for_the_disk() -> None:
    def story(connection: sqlite3.Connection, promised: list[str]) -> None:
        prepare(connection)
        connection.execute("pragma synchronous=normal")
        commit(connection, promised)

    with pytest.raises((AssertionError, ValueError)):
        check_all(prepared, story)
