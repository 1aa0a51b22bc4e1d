"""`paybridge broker setup`: Mosquitto for a store, with an authority of its own.

    /etc/mosquitto/conf.d/paybridge.conf    what Mosquitto reads
    /etc/mosquitto/paybridge/               passwords, access list, certificates: root and mosquitto
    /etc/paybridge/broker-authority.key     the authority's key: root only
    /etc/credstore/mqtt-password            the bridge's password: root only; the unit hands it over

Run again it keeps the authority and all passwords, and makes a new certificate for the broker.
"""

from __future__ import annotations

import fcntl
import grp
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bridge.cli import mosquitto
from bridge.cli.store_authority import Pair, fingerprint, make_authority, make_server
from bridge.errors import BridgeError
from bridge.register.api.topics import DEFAULT_BASE

PASSWORD_BYTES = 18  # 24 characters: typed by hand once, if at all
GROUP = "mosquitto"
RELOAD_SECONDS = 30.0
_BASE = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


class BrokerError(BridgeError):
    """The broker cannot be set up, or a register cannot be added or removed."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie, below `root` (`/` but in tests)."""

    root: Path

    @property
    def configuration(self) -> Path:
        """What Mosquitto includes."""
        return self.root / "etc/mosquitto/conf.d/paybridge.conf"

    @property
    def folder(self) -> Path:
        """What its group may read."""
        return self.root / "etc/mosquitto/paybridge"

    @property
    def passwords(self) -> Path:
        """The users and the hashes of their passwords."""
        return self.folder / "passwords"

    @property
    def facts(self) -> Path:
        """What `registers add` shows beside the password."""
        return self.folder / "broker.json"

    @property
    def authority_key(self) -> Path:
        """Only root's, and needed by `setup` alone."""
        return self.root / "etc/paybridge/broker-authority.key"

    @property
    def credential(self) -> Path:
        """The bridge's own password."""
        return self.root / "etc/credstore/mqtt-password"


@dataclass(frozen=True, slots=True)
class Broker:
    """What a register must know to find the broker and to trust it."""

    host: str
    port: int
    base_topic: str
    fingerprint: str


def set_up(
    places: Places,
    listeners: mosquitto.Listeners,
    names: Sequence[str],
    now: datetime,
    base_topic: str = DEFAULT_BASE,
) -> Broker:
    """Write everything that Mosquitto needs; the first of `names` is the one registers are told.

    Raises:
        BrokerError: Mosquitto is not installed, a name is none, or a file cannot be written.
    """
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong or not names:
        raise BrokerError(f"no name or address of this machine: {', '.join(wrong) or 'none given'}")
    if not _BASE.fullmatch(base_topic):
        raise BrokerError(f"{base_topic!r} is no base topic: words with slashes between them")
    if listeners.local_port == listeners.store_port:
        raise BrokerError("the two listeners need two ports")
    if not places.configuration.parent.is_dir():
        raise BrokerError(f"there is no {places.configuration.parent}: apt install mosquitto")
    try:
        places.folder.mkdir(mode=0o750, exist_ok=True)
        _give(places.folder, 0o750)
        authority = _authority(places, names[0], now)
        server = make_server(authority, names, now)
        _write(places.folder / "ca.crt", authority.certificate, 0o644)
        _write(places.folder / "server.key", server.key, 0o640)
        _write(places.folder / "server.crt", server.certificate, 0o644)
        _write(places.folder / "acl", mosquitto.access_list(base_topic).encode(), 0o640)
        with _users(places) as lines:
            password = _bridge_password(places)
            lines[mosquitto.BRIDGE_USER] = _line(mosquitto.BRIDGE_USER, password)
        broker = Broker(
            names[0], listeners.store_port, base_topic, fingerprint(authority.certificate)
        )
        facts = {
            "host": broker.host,
            "port": broker.port,
            "base_topic": broker.base_topic,
            "fingerprint": broker.fingerprint,
        }
        _write(places.facts, json.dumps(facts).encode(), 0o640)
        text = mosquitto.configuration(listeners, places.folder)
        _write(places.configuration, text.encode(), 0o644)
    except OSError as error:
        raise BrokerError(f"{error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise BrokerError(f"the store's authority cannot be used: {error}") from error
    return broker


def known_broker(places: Places) -> Broker:
    """Return what `setup` wrote.

    Raises:
        BrokerError: It was not run yet, or cannot be read.
    """
    try:
        return Broker(**json.loads(places.facts.read_text()))
    except FileNotFoundError:
        raise BrokerError("no broker is set up here yet: paybridge broker setup") from None
    except (OSError, ValueError, TypeError) as error:
        raise BrokerError(f"{places.facts}: {error}") from error


def registers(places: Places) -> list[str]:
    """Return the registers that may log in.

    Raises:
        BrokerError: The password file cannot be read.
    """
    known_broker(places)
    try:
        found = mosquitto.users(places.passwords.read_text())
    except OSError as error:
        raise BrokerError(f"{places.passwords}: {error.strerror}") from error
    return sorted(found.keys() - {mosquitto.BRIDGE_USER})


def add_register(places: Places, name: str, *, again: bool) -> str:
    """Let a register log in and return its password, which is kept nowhere.

    Raises:
        BrokerError: It has one already (`again` makes a new one), or it cannot be written.
    """
    with _users(places) as lines:
        if name == mosquitto.BRIDGE_USER:
            raise BrokerError(f"{name!r} is the bridge itself")
        if name in lines and not again:
            raise BrokerError(f"{name} has a password already; --again makes a new one")
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        lines[name] = _line(name, password)
    return password


def revoke_register(places: Places, name: str) -> None:
    """Take a register's password away.

    Raises:
        BrokerError: There is no such register, or it cannot be written.
    """
    with _users(places) as lines:
        if name not in lines or name == mosquitto.BRIDGE_USER:
            raise BrokerError(f"there is no register {name}")
        del lines[name]


def reload_broker(places: Places) -> bool:
    """Have a running Mosquitto read its passwords anew; False where somebody must."""
    if places.root != Path("/") or shutil.which("systemctl") is None:
        return False
    command = ["systemctl", "reload-or-restart", "mosquitto"]
    try:
        done = subprocess.run(  # noqa: S603 - our own words, and no shell
            command, capture_output=True, timeout=RELOAD_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _authority(places: Places, name: str, now: datetime) -> Pair:
    certificate = places.folder / "ca.crt"
    if places.authority_key.exists() and certificate.exists():
        return Pair(certificate.read_bytes(), places.authority_key.read_bytes())
    made = make_authority(name, now)
    places.authority_key.parent.mkdir(parents=True, exist_ok=True)
    _write(places.authority_key, made.key, 0o600)
    return made


def _bridge_password(places: Places) -> str:
    """Return what the bridge logs in with, made if there is none yet."""
    if places.credential.exists():
        return places.credential.read_text(encoding="utf-8").rstrip("\r\n")
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    places.credential.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(places.credential, f"{password}\n".encode(), 0o600)
    return password


def _line(name: str, password: str) -> str:
    return mosquitto.password_line(name, password, secrets.token_bytes(mosquitto.SALT_BYTES))


@contextmanager
def _users(places: Places) -> Iterator[dict[str, str]]:
    """Yield the password file's lines to be changed; written whole at the end, one at a time."""
    try:
        places.folder.stat()
        with (places.folder / "passwords.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = places.passwords.read_text() if places.passwords.exists() else ""
            lines = mosquitto.users(text)
            yield lines
            _write(places.passwords, mosquitto.password_file(lines).encode(), 0o640)
    except FileNotFoundError:
        raise BrokerError("no broker is set up here yet: paybridge broker setup") from None
    except OSError as error:
        raise BrokerError(f"{error.filename}: {error.strerror}") from error


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all; nobody may read it before its mode is right."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _give(fresh, mode)
    fresh.rename(path)


def _give(path: Path, mode: int) -> None:
    """Let Mosquitto's group read what has rights for a group."""
    if os.geteuid() == 0 and mode & 0o070:
        try:
            os.chown(path, 0, grp.getgrnam(GROUP).gr_gid)
        except KeyError:
            raise BrokerError("there is no group mosquitto: install mosquitto") from None
    path.chmod(mode)
