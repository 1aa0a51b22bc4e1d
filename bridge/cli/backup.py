"""`paybridge backup` and `restore`: copies of the journal, by the rules of `journal_copy`.

Both may be typed by root: they go on as the owner of the state directory.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.cli.privileges import become_owner
from bridge.config import Config
from bridge.errors import JournalError
from bridge.money.store.journal_copy import (
    NO_JOURNAL,
    JournalFacts,
    PutBack,
    copy_journal,
    facts_of,
    is_there,
    put_back,
    set_aside,
)
from bridge.private_files import close_all, make_folder
from bridge.settings import JOURNAL_NAME

FOLDER_NAME = "backups"
BEFORE = "-before-"  # in the name of a copy that an upgrade made
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]*")
UPGRADE_COPIES_KEPT = 5  # of those that upgrades made; what a person made is never removed


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that lies on disk."""

    path: Path
    facts: JournalFacts

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"path": str(self.path), **asdict(self.facts)}


def back_up(config: Config, target: Path | None, before: str, now: datetime) -> Copy | None:
    """Copy the journal, in use or not; None where there is none yet.

    Without a `target` it goes to the state directory. `before` is the version that an upgrade is
    about to start; of these copies only the newest few are kept.

    Raises:
        JournalError: It could not be copied.
    """
    os.umask(0o077)
    if before and not _VERSION.fullmatch(before):
        raise JournalError(f"{before!r} is no version")
    state = config.site.state_directory
    become_owner(state)
    if not is_there(state / JOURNAL_NAME):
        return None
    name = (
        f"journal-{now:%Y%m%dT%H%M%S.%fZ}-{__version__}{BEFORE + before if before else ''}.sqlite"
    )
    if target is None:
        _make_folder(state / FOLDER_NAME)
    path = target or state / FOLDER_NAME / name
    found = copy_journal(state / JOURNAL_NAME, path)
    if before:
        _remove_old_ones(path)
    return Copy(path, found)


def _make_folder(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise JournalError(f"{folder}: {error.strerror}") from error


def _remove_old_ones(newest: Path) -> None:
    made = sorted(newest.parent.glob(f"journal-*{BEFORE}*.sqlite"))
    for old in [one for one in made if one != newest][: -UPGRADE_COPIES_KEPT + 1]:
        old.unlink()


def list_copies(config: Config) -> list[Copy | str]:
    """Return the copies in the state directory, newest first; words where one cannot be used."""
    state = config.site.state_directory
    become_owner(state)
    found: list[Copy | str] = []
    for path in sorted((state / FOLDER_NAME).glob("*.sqlite"), reverse=True):
        try:
            found.append(Copy(path, facts_of(path)))
        except JournalError as error:
            found.append(str(error))
    return found


def journal_facts(config: Config) -> JournalFacts:
    """Return the facts of the journal as it stands; `NO_JOURNAL` where there is none.

    Raises:
        JournalError: It cannot be read.
    """
    state = config.site.state_directory
    become_owner(state)
    path = state / JOURNAL_NAME
    return facts_of(path) if is_there(path) else NO_JOURNAL


def restore(config: Config, copy: Path, now: datetime) -> PutBack:
    """Make a copy the journal; the one before is kept beside the copies.

    Raises:
        JournalError: A bridge is running, the copy cannot be used, or there is no room.
    """
    os.umask(0o077)
    state = config.site.state_directory
    become_owner(state)
    close_all(state, (FOLDER_NAME,))
    kept_in = state / FOLDER_NAME / f"replaced-{now:%Y%m%dT%H%M%SZ}"
    return put_back(copy, state / JOURNAL_NAME, kept_in)


def clear(config: Config, now: datetime) -> None:
    """Set the journal aside, for a program that shall begin a new one.

    Raises:
        JournalError: A bridge is running, or it cannot be moved.
    """
    os.umask(0o077)
    state = config.site.state_directory
    become_owner(state)
    set_aside(state / JOURNAL_NAME, state / FOLDER_NAME / f"replaced-{now:%Y%m%dT%H%M%SZ}")


def in_words(facts: JournalFacts) -> str:
    """Return the facts for a person, in one line."""
    if not facts.last_seq:
        return "nothing was journaled"
    unsettled = f", {facts.unsettled} not settled" if facts.unsettled else ""
    return f"up to {facts.last_at[:19]}Z, {facts.payments} payments{unsettled}"


def what_it_means(copy: JournalFacts, journal: JournalFacts | None) -> list[str]:
    """Return what a person must know before an old journal is put back; `None`: cannot be read."""
    words = [f"The copy: {in_words(copy)}."]
    if journal is None:
        words.append("The journal that it replaces cannot be read: what it has more is not known.")
    elif journal.last_seq <= copy.last_seq:
        return [*words, "The journal that it replaces has nothing more."]
    else:
        words.append(f"The journal that it replaces: {in_words(journal)}.")
        words.append(f"{journal.last_seq - copy.last_seq} entries are forgotten with it.")
    return [
        *words,
        "An old journal does not know what was paid since. After the next start nothing begins,",
        "and every register is told *unknown*, until somebody has looked at the terminals' slips",
        "and the back office, and answers for it: paybridge take-over --by NAME",
    ]


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)
