"""Root steps down to the owner of a folder before it touches what may have been laid there."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from bridge.errors import ConfigError


def become_owner(folder: Path) -> None:
    """As root, go on as the user who owns `folder`, for good; else do nothing.

    The service's user may lay symbolic links in its own folder; whoever follows them must not have
    more rights than that user. A folder that is not there, or belongs to root, changes nothing.

    Raises:
        ConfigError: `site.state_directory`: its owner cannot be become.
    """
    if os.geteuid() != 0:
        return
    try:
        facts = folder.lstat()
    except FileNotFoundError:
        return
    if facts.st_uid == 0:
        return
    try:
        groups = os.getgrouplist(pwd.getpwuid(facts.st_uid).pw_name, facts.st_gid)
    except KeyError:
        groups = [facts.st_gid]
    try:
        os.setgroups(groups)
        os.setgid(facts.st_gid)
        os.setuid(facts.st_uid)
    except OSError as error:
        raise ConfigError(
            "site.state_directory", f"cannot go on as the owner of {folder}: {error.strerror}"
        ) from error
