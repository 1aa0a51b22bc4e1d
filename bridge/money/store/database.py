"""The journal's file: who may write it, how it is opened, and how its tables came to be.

WAL with `synchronous=FULL` is read back at the start: every cheaper mode lost acknowledged commits
when power was cut in tests. Others (the command line) read on a connection that cannot write.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from bridge.errors import JournalError
from bridge.private_files import close_file, open_file

BUSY_TIMEOUT_SECONDS = 5.0  # a reader of the command line may hold a lock for a moment
SYNCHRONOUS_FULL = 2
SIDE_FILES = ("-wal", "-shm")
# The log is cut back to that after a checkpoint, so a larger one still has something in it: SQLite
# copies it into the file after 1 000 pages (4 MB), unless a reader holds on to what was before.
LOG_BYTES_KEPT = 8_000_000

MIGRATIONS: tuple[str, ...] = (
    """
    create table entry(
        seq integer primary key,
        subject text not null,
        kind text not null,
        at text not null,
        body text not null
    );
    create index entry_by_subject on entry(subject, seq);
    create table payment(
        payment_id text primary key,
        register_id text not null,
        terminal_id text not null,
        sale_key text not null,
        status text not null,
        recording text not null,
        amount_minor integer not null,
        currency text not null,
        created_at text not null,
        updated_at text not null,
        live integer not null
    ) without rowid;
    create index payment_by_sale on payment(sale_key);
    create index payment_live on payment(live) where live = 1;
    create index payment_by_time on payment(created_at);
    create table purchase(
        transaction_id text primary key,
        sale_key text not null,
        state text not null,
        created_at text not null,
        updated_at text not null
    ) without rowid;
    create index purchase_by_sale on purchase(sale_key);
    create index purchase_open on purchase(state) where state != 'recorded';
    """,
    """
    alter table payment add column pruned integer not null default 0;
    create index payment_prunable on payment(updated_at) where live = 0 and pruned = 0;
    """,
    # What registers list, and what is open, is found without a look at all the rest.
    """
    create index payment_by_register on payment(register_id, created_at);
    create index payment_open on payment(register_id, created_at)
        where status not in ('approved', 'declined', 'canceled', 'failed');
    """,
)


class Ownership:
    """The one process that may write a journal. Held until `release`, or until the process dies."""

    def __init__(self, path: Path) -> None:
        """Take the lock beside the journal `path`.

        Raises:
            JournalError: Another process has it, or the folder cannot be written.
        """
        try:
            self._descriptor = open_file(path.with_suffix(".lock"), os.O_RDWR)
        except OSError as error:
            raise JournalError(f"cannot write in {path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise JournalError(f"{path} belongs to another running paybridge") from error

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._descriptor)


def open_database(path: Path) -> sqlite3.Connection:
    """Return the one writing connection, migrated and proven durable; others cannot read the file.

    Raises:
        JournalError: It cannot be opened, is damaged, is newer than this program, or SQLite does
            not keep the promises we need.
    """
    try:
        os.close(open_file(path, os.O_RDWR))
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    for suffix in SIDE_FILES:  # SQLite makes new ones with the mode of the database
        close_file(path.with_name(path.name + suffix))
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from error
    try:
        prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(f"{path}: {error}") from error
    except JournalError:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Set the modes, read them back, and bring the tables up to date.

    Raises:
        JournalError: A mode was not taken, or the file is newer than this program.
    """
    connection.execute("pragma auto_vacuum=incremental")  # of a new file; an old one reuses pages
    connection.execute("pragma secure_delete=fast")  # what was pruned is gone from the file
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("pragma foreign_keys=on")
    connection.execute(f"pragma journal_size_limit={LOG_BYTES_KEPT}")
    (mode,) = connection.execute("pragma journal_mode").fetchone()
    (synchronous,) = connection.execute("pragma synchronous").fetchone()
    if mode != "wal" or synchronous != SYNCHRONOUS_FULL:
        raise JournalError(f"the disk takes journal_mode={mode} synchronous={synchronous} only")
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > len(MIGRATIONS):
        raise written_by_a_newer(version)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"begin immediate; {script} pragma user_version={number}; commit;")


def written_by_a_newer(version: int) -> JournalError:
    """Return the refusal of a journal that this program does not understand, with the way back."""
    return JournalError(
        f"a newer paybridge wrote this journal (version {version}; this program knows "
        f"{len(MIGRATIONS)}). Go back to that one: `paybridge releases` lists what is installed, "
        "`paybridge releases use VERSION` runs it"
    )


def log_bytes(path: Path) -> int:
    """Return how large the write-ahead log of the journal `path` is; 0 where there is none."""
    try:
        return path.with_name(path.name + SIDE_FILES[0]).stat().st_size
    except OSError:
        return 0


def open_for_reading(path: Path, *, in_one_thread: bool = True) -> sqlite3.Connection:
    """Return a connection that cannot change anything; it never writes a page back, either.

    With `in_one_thread` only the thread that opened it may use it.

    Raises:
        JournalError: There is no journal, or it cannot be read.
    """
    try:
        connection = sqlite3.connect(
            f"file:{path}?mode=ro",
            uri=True,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=in_one_thread,
        )
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from error
    try:
        connection.execute("pragma query_only=on")
        connection.execute("select 1 from entry limit 1")
    except sqlite3.Error as error:
        connection.close()
        raise JournalError(f"{path}: {error}") from error
    return connection
