"""The journal: whether it is whole and ours, and how quickly its disk commits."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.cli.checks.findings import Finding, found
from bridge.errors import JournalError
from bridge.money.store.custody import MARK_NAME
from bridge.money.store.database import MIGRATIONS, Ownership, open_for_reading
from bridge.settings import JOURNAL_NAME
from bridge.status import FREE_MEGABYTES_MIN, SLOW_COMMIT_SECONDS

FOLDER_KEY = "site.state_directory"
FULL_MEGABYTES = 20  # SQLite needs room for its log before a commit counts
COMMITS_MEASURED = 9  # an odd number, so that one of them is the median
# SQLite moves the log into the file every 1000 pages (4 MB), unless somebody reads all the time.
LOG_MEGABYTES_MAX = 64


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What was found of the journal, and whether a service has it."""

    running: bool
    findings: list[Finding]


def journal(folder: Path, *, clock: Callable[[], float] = time.perf_counter) -> JournalFacts:
    """Look at the journal in `folder`, and at the disk that it lies on."""
    path = folder / JOURNAL_NAME
    what = f"journal {path}"
    if not folder.exists():
        text = "its folder does not exist yet; `run` makes it"
        return JournalFacts(False, [found("journal_none_yet", what, text, key=FOLDER_KEY)])
    if not os.access(folder, os.W_OK | os.X_OK):
        text = "this user may not write there"
        return JournalFacts(False, [found("state_folder", what, text, key=FOLDER_KEY)])
    running, findings = False, [*_disk(folder, clock)]
    if not path.exists():
        text = "will be made at the first start"
        return JournalFacts(
            False, [found("journal_none_yet", what, text, key=FOLDER_KEY), *findings]
        )
    if path.with_suffix(".lock").exists():
        try:
            Ownership(path).release()
        except JournalError:
            running = True
    findings = [_file(path, what, running=running), *_log(path), *findings]
    return JournalFacts(running, findings)


def _file(path: Path, what: str, *, running: bool) -> Finding:
    file = str(path)
    try:
        connection = open_for_reading(path)
        try:
            (version,) = connection.execute("pragma user_version").fetchone()
            (whole,) = connection.execute("pragma quick_check(1)").fetchone()
            (last,) = connection.execute("select max(seq) from entry").fetchone()
        finally:
            connection.close()
    except (JournalError, sqlite3.Error) as error:
        cause = error.__cause__ if isinstance(error, JournalError) else error
        damaged = isinstance(cause, sqlite3.DatabaseError) and not isinstance(
            cause, sqlite3.OperationalError
        )
        if "no such table" in str(cause):  # a power cut in the first start; the next one goes on
            return found("journal_none_yet", what, "is empty; the first start fills it", file=file)
        code = "journal_damaged" if damaged else "journal_unreadable"
        return found(code, what, str(cause or error), file=file)
    if version > len(MIGRATIONS):
        text = f"is of version {version}, and this program knows {len(MIGRATIONS)}"
        return found("journal_newer", what, text, file=file)
    if whole != "ok":
        return found("journal_damaged", what, f"is damaged: {whole}", file=file)
    remembered = _remembered(path.with_name(MARK_NAME))
    if not running and remembered is not None and (last or 0) < remembered:
        text = f"ends with entry {last or 0}, and entry {remembered} was written already"
        return found("journal_restored", what, text, file=file)
    text = "in use by the running service" if running else "whole"
    return found("journal_sound", what, f"{text}, {last or 0} entries", file=file)


def _remembered(mark: Path) -> int | None:
    try:
        return int(mark.read_text())
    except (OSError, ValueError):
        return None


def _log(path: Path) -> list[Finding]:
    log = path.with_name(path.name + "-wal")
    try:
        size = log.stat().st_size // 1_000_000
    except OSError:
        return []
    if size < LOG_MEGABYTES_MAX:
        return []
    return [found("journal_log_grows", f"journal's log {log}", f"has {size} MB", file=str(log))]


def _disk(folder: Path, clock: Callable[[], float]) -> list[Finding]:
    what, file = f"disk of {folder}", str(folder)
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < FULL_MEGABYTES:
        return [found("disk_full", what, f"{free} MB are free", key=FOLDER_KEY)]
    findings = []
    if free < FREE_MEGABYTES_MIN:
        findings.append(found("disk_low", what, f"only {free} MB are free", key=FOLDER_KEY))
    try:
        seconds = commit_seconds(folder, clock)
    except (OSError, sqlite3.Error) as error:
        return [*findings, found("state_folder", what, f"cannot be written: {error}", file=file)]
    text = f"a commit takes {seconds * 1000:.1f} ms (median of {COMMITS_MEASURED})"
    if seconds > SLOW_COMMIT_SECONDS:
        text = f"{text}; {SLOW_COMMIT_SECONDS * 1000:.0f} ms is the most that nobody notices"
        findings.append(found("disk_slow", what, text, key=FOLDER_KEY))
    elif not findings:
        findings.append(found("disk_ok", what, f"{text}, {free // 1000} GB are free"))
    return findings


def commit_seconds(folder: Path, clock: Callable[[], float]) -> float:
    """Return how long a commit takes in `folder`: the median of several, each as the journal's.

    They go to a database of their own, which is removed again. Nobody else's is touched.

    Raises:
        OSError, sqlite3.Error: Nothing can be written there.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".check-") as own:
        os.chmod(own, stat.S_IRWXU)
        connection = sqlite3.connect(Path(own) / "check.sqlite", isolation_level=None)
        try:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=full")
            connection.execute("create table entry(body text)")
            taken = []
            for _ in range(COMMITS_MEASURED):
                began = clock()
                connection.execute("insert into entry values(?)", ("x" * 512,))
                taken.append(clock() - began)
        finally:
            connection.close()
    return statistics.median(taken)
