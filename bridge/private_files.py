"""Folders and files that only the service's own user may read, whatever the umask.

The journal holds whole gift card codes until they are forgotten, the login folder tokens. A mode
must not depend on the umask of the shell in which somebody typed the first command, so it is set
when a file is made and looked at again whenever it is opened.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

_LOGGER = logging.getLogger(__name__)

FOLDER_MODE = 0o700
FILE_MODE = 0o600
OTHERS = 0o077
FOLDERS_DEEP_MAX = 3  # backups/replaced-…/journal.sqlite


def make_folder(path: Path) -> None:
    """Make a folder, or close one that is there to others; what is above it is made plainly.

    What root makes belongs to the owner of the folder above. A folder that is not ours to change,
    or that many share (`/tmp`), stays as it is, and the log says so.

    Raises:
        OSError: It cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        if not path.is_dir():
            raise
        _close_folder(path)
        return
    _hand_over(path, path.parent.stat())


def open_file(path: Path, flags: int) -> int:
    """Return a descriptor of a file, made if need be, that others cannot read.

    A symbolic link is not followed: root must not write where another user points. What root
    makes belongs to the owner of its folder, so that the service can open it afterwards.

    Raises:
        OSError: It cannot be opened.
    """
    wanted = flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, wanted, FILE_MODE)
    try:
        close_to_others(descriptor, path)
        _hand_over(descriptor, path.parent.stat())
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def close_file(path: Path) -> None:
    """Close a file that is there to others; one that is absent, or not ours, stays as it is.

    Not for a database that this process has open: closing a descriptor of it drops its locks.
    Source: "How To Corrupt An SQLite Database File", section 2.2.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return  # the one that must open it reports what is wrong with it
    try:
        close_to_others(descriptor, path)
    finally:
        os.close(descriptor)


def close_all(folder: Path, names: Sequence[str]) -> None:
    """Close what lies in `folder` under these names (`*` and `?` match) and below them to others.

    Whoever made it: a person who copied a file, a version before. Symbolic links stay as they are.
    Nothing else in the folder is touched, for it may be a folder that holds more than ours. Call it
    before a database there is opened (see `close_file`).
    """
    for name in names:
        for path in folder.glob(name):
            _close_tree(path, depth=FOLDERS_DEEP_MAX)


def _close_tree(path: Path, depth: int) -> None:
    try:
        kind = path.lstat().st_mode
        if stat.S_ISREG(kind):
            close_file(path)
        elif stat.S_ISDIR(kind) and depth:
            _close_folder(path)
            for each in path.iterdir():
                _close_tree(each, depth - 1)
    except OSError as error:
        _LOGGER.warning("path=%s cannot be looked at: %s", path, error.strerror)


def close_to_others(descriptor: int, path: Path) -> None:
    """Take away what others may do with an open file; `path` is for the log."""
    facts = os.fstat(descriptor)
    if not facts.st_mode & OTHERS:
        return
    if not _is_ours(facts):
        _LOGGER.error("path=%s is open to others and not ours: chmod 600 it", path)
        return
    os.fchmod(descriptor, FILE_MODE)
    _LOGGER.warning("path=%s was open to others, closed it", path)


def _close_folder(path: Path) -> None:
    facts = path.stat()
    if not facts.st_mode & OTHERS:
        return
    shared = facts.st_mode & stat.S_ISVTX
    if shared or not _is_ours(facts):
        _LOGGER.error("folder=%s is open to others and not ours alone: chmod 700 it", path)
        return
    path.chmod(FOLDER_MODE)
    _LOGGER.warning("folder=%s was open to others, closed it", path)


def _is_ours(facts: os.stat_result) -> bool:
    return os.geteuid() in {0, facts.st_uid}


def _hand_over(what: int | Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        follow = isinstance(what, int)  # a path may be a link that somebody else laid
        os.chown(what, owner.st_uid, owner.st_gid, follow_symlinks=follow)
