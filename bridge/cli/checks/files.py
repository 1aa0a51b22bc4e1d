"""Files that the configuration names: whether the service's user can read them, and nobody else.

What root can read says nothing of the service, so the question is asked as the service's user: the
owner of the state directory.
"""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge import config as cfg
from bridge.cli.checks.findings import Finding, found
from bridge.errors import ConfigError

READ_SECONDS_MAX = 5.0
CREDENTIALS = Path("/run/credentials/paybridge.service")  # what systemd handed to the service
HANDED_OVER = ("mqtt-password", "client-secret", "login-key")
EVERYBODY = stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Named:
    """A file that a setting names; one with a secret is for the service's user only."""

    key: str
    path: Path
    is_secret: bool


def named_files(config: cfg.Config) -> Iterator[Named]:
    """Yield the files that the configuration names."""
    mqtt, office = config.mqtt, config.back_office
    if mqtt.password_file is not None:
        yield Named("mqtt.password_file", mqtt.password_file, True)
    if mqtt.tls is not None:
        tls = mqtt.tls
        for key, path in (("ca_file", tls.ca_file), ("certificate_file", tls.certificate_file)):
            if path is not None:
                yield Named(f"mqtt.tls.{key}", path, False)
        if tls.key_file is not None:
            yield Named("mqtt.tls.key_file", tls.key_file, True)
    if office is None:
        return
    if office.ca_file is not None:
        yield Named("back_office.ca_file", office.ca_file, False)
    if office.login.client_secret_file is not None:
        key = "back_office.login.client_secret_file"
        yield Named(key, office.login.client_secret_file, True)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody as whom a file is tried."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def service_user(state: Path) -> User | None:
    """Return the owner of the state directory; None where it does not exist yet."""
    try:
        uid = state.stat().st_uid
    except OSError:
        return None
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a user of another machine
        return User(str(uid), uid, uid, ())
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return User(entry.pw_name, uid, entry.pw_gid, tuple(groups))


def secrets(config: cfg.Config, environment: Mapping[str, str]) -> list[Finding]:
    """Return which of the named files the service's user cannot use, and which others can read."""
    user = service_user(config.site.state_directory)
    findings = []
    files = list(named_files(config))
    for one in files:
        findings += _file(one, user)
    findings += _credentials(environment)
    if not findings and files:
        who = user.name if user is not None else "this user"
        text = f"{len(files)} files that the configuration names can be read by {who}"
        findings.append(found("secret_ok", "credentials", text))
    return findings


def _file(named: Named, user: User | None) -> list[Finding]:
    what = f"file {named.path}"
    try:
        if not _can_read(named.path, user):
            who = user.name if user is not None else "this user"
            mode = named.path.stat().st_mode
            text = f"{who} may not read it; its mode is {stat.filemode(mode)}"
            return [found("secret_unreadable", what, text, key=named.key)]
        mode = named.path.stat().st_mode
        if named.is_secret and mode & EVERYBODY:
            text = f"everybody can read it; its mode is {stat.filemode(mode)}"
            return [found("secret_open", what, text, key=named.key)]
        if named.is_secret and not cfg.read_secret(named.key, named.path, named.key, {}):
            return [found("secret_bad", what, "is empty", key=named.key)]
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        return [found("secret_unreadable", what, text, key=named.key)]
    except ConfigError as error:
        text = str(error).removeprefix(f"{named.key}: ")
        return [found("secret_bad", what, text, key=named.key)]
    return []


def _can_read(path: Path, user: User | None) -> bool:
    """Try as `user`, where we are root; else as ourselves.

    Raises:
        OSError: There is no such file.
    """
    path.stat()
    if user is None or os.geteuid() != 0 or user.uid == 0:
        return os.access(path, os.R_OK)
    done = subprocess.run(  # noqa: S603 - a program of the system, without a shell
        ["/usr/bin/test", "-r", str(path)],
        user=user.uid,
        group=user.gid,
        extra_groups=user.groups,
        check=False,
        timeout=READ_SECONDS_MAX,
    )
    return done.returncode == 0


def _credentials(environment: Mapping[str, str], handed: Path = CREDENTIALS) -> list[Finding]:
    """Say that the service has credentials which this command was not given."""
    if environment.get("CREDENTIALS_DIRECTORY") or not handed.is_dir():
        return []
    try:
        names = [name for name in HANDED_OVER if (handed / name).exists()]
    except OSError:
        names = list(HANDED_OVER)
    if not names:
        return []
    text = f"systemd hands {', '.join(names)} to the service, and not to this command"
    return [found("secret_elsewhere", "credentials", text, file=str(handed))]


def with_credentials(
    environment: Mapping[str, str], handed: Path = CREDENTIALS
) -> Mapping[str, str]:
    """Return the environment with the running service's own credentials, where we may read them."""
    if environment.get("CREDENTIALS_DIRECTORY") or not os.access(handed, os.R_OK | os.X_OK):
        return environment
    return {**environment, "CREDENTIALS_DIRECTORY": str(handed)}
