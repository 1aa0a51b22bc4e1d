"""Copies of the journal: made while it is written, looked at, and put back.

A copy is one file in rollback mode, so that no `-wal` beside it can be forgotten. It becomes a
journal again by `put_back`, never by opening it: what was paid since it was made is not in it, and
`custody.py` must notice that (`journal.seq` is left where it was, or moved forward).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import JournalError
from bridge.money.store.custody import MARK_NAME, JournalMark
from bridge.money.store.database import (
    BUSY_TIMEOUT_SECONDS,
    MIGRATIONS,
    SIDE_FILES,
    Ownership,
    written_by_a_newer,
)
from bridge.private_files import make_folder, open_file

# What must stay free beside a copy; the service warns long before, at 200 MB.
FREE_BYTES_KEPT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What two journals are compared by.

    `last_seq` is 0 and `last_at` "" where nothing was ever journaled. `unsettled` counts payments
    and bookings that still wait for somebody.
    """

    schema: int
    last_seq: int
    last_at: str
    payments: int
    unsettled: int


NO_JOURNAL = JournalFacts(schema=0, last_seq=0, last_at="", payments=0, unsettled=0)


@dataclass(frozen=True, slots=True)
class PutBack:
    """What happened to the journal that was there before.

    Attributes:
        restored: The copy's facts; it is the journal now.
        replaced: The facts of the one before; None where it could not be read.
        kept_in: The folder that has it now; None where there was none.
        lost_nothing: Whether the journal before is proven to hold nothing that the copy lacks.
    """

    restored: JournalFacts
    replaced: JournalFacts | None
    kept_in: Path | None
    lost_nothing: bool


def facts_of(path: Path) -> JournalFacts:
    """Return the facts of a journal that may be in use, or of a copy; changes nothing.

    Raises:
        JournalError: It is not there, is no journal, is damaged, or cannot be read.
    """
    if not is_there(path):
        raise JournalError(f"{path}: there is no such file")
    try:
        # Closed side files would have to be made by a reader: a file without any is opened as is.
        alone = not any(path.with_name(path.name + suffix).exists() for suffix in SIDE_FILES)
        how = "immutable=1" if alone else "mode=ro"
        with closing(
            sqlite3.connect(f"file:{_quoted(path)}?{how}", uri=True, timeout=BUSY_TIMEOUT_SECONDS)
        ) as connection:
            return _read_facts(connection, path)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from error


def is_there(path: Path) -> bool:
    """Say whether there is something by that name, were it a link to nowhere.

    Raises:
        JournalError: It cannot be told: the folder is somebody else's.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    return True


def copy_journal(journal: Path, target: Path) -> JournalFacts:
    """Copy a journal, in use or not, as it stands now; return the facts of the copy.

    The copy is whole and on disk before it has its name. Others cannot read it.

    Raises:
        JournalError: It cannot be read, or there is no room for a copy, or it came out damaged.
    """
    if not is_there(journal):
        raise JournalError(f"{journal}: there is no such file")
    if is_there(target):
        raise JournalError(f"{target}: is there already")
    partial = target.with_name(target.name + ".partial")
    try:
        if not target.parent.exists():  # somebody's own folder keeps its mode
            make_folder(target.parent)
        _need_room(journal, target.parent)
        partial.unlink(missing_ok=True)
        os.close(open_file(partial, os.O_RDWR | os.O_EXCL))
        with (
            closing(sqlite3.connect(f"file:{_quoted(journal)}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            source.execute(f"pragma busy_timeout={int(BUSY_TIMEOUT_SECONDS * 1000)}")
            source.backup(copy)
            copy.execute("pragma journal_mode=delete")
            found = _read_facts(copy, target)
        _sync(partial)
        partial.rename(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"{target}: {_words(error)}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return found


def put_back(copy: Path, journal: Path, kept_in: Path) -> PutBack:
    """Make `copy` the journal; the one that was there goes to the folder `kept_in`, whole.

    Cut off anywhere, a start afterwards finds one journal or the other, or none, and notices by
    `journal.seq` that entries are missing.

    Raises:
        JournalError: A bridge is running, the copy cannot be used by this program, or no room.
    """
    ownership = Ownership(journal)
    try:
        restored = facts_of(copy)
        if restored.schema > len(MIGRATIONS):
            raise written_by_a_newer(restored.schema)
        replaced, lost_nothing = _compared(journal, restored)
        fresh = journal.with_name(journal.name + ".restoring")
        fresh.unlink(missing_ok=True)
        copy_journal(copy, fresh)
        moved = _set_aside(journal, kept_in)
        if not lost_nothing:
            _remember_more(journal, restored, replaced)
        fresh.rename(journal)
        _sync(journal.parent)
    except OSError as error:
        raise JournalError(f"{journal}: {_words(error)}") from error
    finally:
        ownership.release()
    return PutBack(restored, replaced, kept_in if moved else None, lost_nothing)


def set_aside(journal: Path, kept_in: Path) -> None:
    """Move a journal and what lies beside it into a folder; the next start makes a new one.

    Raises:
        JournalError: A bridge is running, or it cannot be moved.
    """
    ownership = Ownership(journal)
    try:
        _set_aside(journal, kept_in)
    except OSError as error:
        raise JournalError(f"{journal}: {_words(error)}") from error
    finally:
        ownership.release()


def _compared(journal: Path, restored: JournalFacts) -> tuple[JournalFacts | None, bool]:
    """Return the facts of the journal that is to go, and whether it has nothing that we lack."""
    try:
        replaced = facts_of(journal) if is_there(journal) else None
    except JournalError:
        replaced = None
    if replaced is None:
        return None, False
    mark = JournalMark(journal.with_name(MARK_NAME))
    try:
        remembered = mark.read() or 0
    finally:
        mark.close()
    return replaced, max(replaced.last_seq, remembered) <= restored.last_seq


def _remember_more(journal: Path, restored: JournalFacts, replaced: JournalFacts | None) -> None:
    """Have the next start notice that entries are missing, also where nobody counted them."""
    mark = JournalMark(journal.with_name(MARK_NAME))
    try:
        known = (mark.read() or 0, replaced.last_seq if replaced else 0, restored.last_seq + 1)
        mark.write(max(known))
    finally:
        mark.close()


def _set_aside(journal: Path, kept_in: Path) -> bool:
    files = [journal.with_name(journal.name + suffix) for suffix in ("", *SIDE_FILES)]
    there = [one for one in files if one.exists()]
    if there:
        make_folder(kept_in.parent)
        make_folder(kept_in)
    for one in there:
        one.rename(kept_in / one.name)
    return bool(there)


def _read_facts(connection: sqlite3.Connection, path: Path) -> JournalFacts:
    (sound,) = connection.execute("pragma quick_check(1)").fetchone()
    if sound != "ok":
        raise JournalError(f"{path}: damaged: {sound}")
    (schema,) = connection.execute("pragma user_version").fetchone()
    if schema == 0:
        raise JournalError(f"{path}: is no journal of paybridge")
    newest = connection.execute("select seq, at from entry order by seq desc limit 1").fetchone()
    (payments,) = connection.execute("select count(*) from payment").fetchone()
    (unsettled,) = connection.execute(
        "select (select count(*) from payment where status in"
        " ('queued','in_progress','canceling','in_doubt'))"
        " + (select count(*) from purchase where state != 'recorded')"
    ).fetchone()
    seq, at = newest or (0, "")
    return JournalFacts(schema, seq, at, payments, unsettled)


def _need_room(journal: Path, folder: Path) -> None:
    needed = sum(
        one.stat().st_size
        for suffix in ("", *SIDE_FILES)
        if (one := journal.with_name(journal.name + suffix)).exists()
    )
    free = shutil.disk_usage(folder).free
    if free < needed + FREE_BYTES_KEPT:
        raise JournalError(
            f"{folder}: {free // 1_000_000} MB are free, a copy of the journal needs "
            f"{(needed + FREE_BYTES_KEPT) // 1_000_000 + 1} MB"
        )


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
