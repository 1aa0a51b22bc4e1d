"""The file that remembers a login across restarts and between processes.

It knows how to keep tokens, not how to get them. One writer at a time holds the lock; a reader
never sees half a file, because a new one replaces the old in one step.

    STATE/login/            0700
        login.json          0600, the login; replaced, never changed
        login.lock          0600, flock while a login is being renewed or replaced
"""

from __future__ import annotations

import base64
import dataclasses
import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.errors import ConfigError
from bridge.private_files import close_to_others, make_folder, open_file

_LOGGER = logging.getLogger(__name__)

KEY_BYTES = 32
"""AES-256; the key is a systemd credential."""

NONCE_BYTES = 12
"""The nonce size of AES-GCM. Source: NIST SP 800-38D, section 5.2.1.1."""

FILE_BYTES_MAX = 1 << 18
"""A login is a few kilobytes; whatever is larger is not ours."""

_PURPOSE = b"paybridge login 1"
"""Bound to the ciphertext, so that no other file made with the same key can replace it."""


class Storage(Enum):
    """How the tokens lie on disk."""

    ENCRYPTED = "encrypted with the key given by systemd"
    PLAIN = "readable by root and by paybridge's own user (no key was given)"


class StoreUnreadable(Exception):
    """There is a login file and it cannot be used: damaged, or made with another key."""


class LockTaken(Exception):
    """Another process is changing the login just now."""


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A login as it is kept.

    Attributes:
        issuer, client_id: Whom the tokens are for; they are never sent to anybody else.
        subject, name: Who logged in; "" when the provider did not say.
        access_token: Opaque, never parsed.
        refresh_token: Good for one use; "" when there is none, or no longer.
        scope: What was granted, "" when the provider did not say.
        issued_at: Wall clock seconds of the answer that brought the tokens.
        lifetime_seconds: How long the access token is good from then on.
        needed_since: Wall clock seconds since when a person must log in; None while it is good.
        needed_reason: Why, in words for that person.
    """

    issuer: str
    client_id: str
    subject: str
    name: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    scope: str
    issued_at: int
    lifetime_seconds: int
    needed_since: int | None = None
    needed_reason: str = ""


Stamp = tuple[int, int, int]


class TokenStore:
    """The login file of one state directory; every method blocks for the length of a disk write.

    Args:
        directory: The state directory; the file lies in a private directory below it.
        key: 32 bytes to encrypt with, or None to store plainly.
    """

    def __init__(self, directory: Path, key: bytes | None = None) -> None:
        if key is not None and len(key) != KEY_BYTES:
            raise ConfigError(
                "credential login-key", f"the key must be {KEY_BYTES} bytes, not {len(key)}"
            )
        self._directory = directory / "login"
        self._path = self._directory / "login.json"
        self._lock_path = self._directory / "login.lock"
        self._key = key

    @property
    def storage(self) -> Storage:
        """How a login written now would lie on disk."""
        return Storage.PLAIN if self._key is None else Storage.ENCRYPTED

    def stamp(self) -> Stamp | None:
        """Return what changes whenever the file is replaced, None when there is no file.

        Raises:
            StoreUnreadable: The directory is not ours.
        """
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnreadable(f"{self._path} cannot be read: {error.strerror}") from error
        return (facts.st_ino, facts.st_mtime_ns, facts.st_size)

    def read(self) -> StoredLogin | None:
        """Return the login, None when there is none.

        Raises:
            StoreUnreadable: There is one and it cannot be used.
        """
        try:
            with self._path.open("rb") as file:
                close_to_others(file.fileno(), self._path)
                data = file.read(FILE_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnreadable(f"{self._path} cannot be read: {error.strerror}") from error
        return self._decode(data)

    def write(self, login: StoredLogin) -> None:
        """Replace the login; when this returns it is on disk, when it raises the old one is.

        The caller holds the lock.

        Raises:
            OSError: The disk is full or not ours.
        """
        self._make_directory()
        fresh = self._directory / f"login.{os.getpid()}.new"
        # A leftover of a killed process with our number; O_EXCL must not trip over it.
        fresh.unlink(missing_ok=True)
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                self._hand_over(descriptor)
                file.write(self._encode(login))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        finally:
            fresh.unlink(missing_ok=True)
        self._sync_directory()

    def delete(self) -> None:
        """Forget the login, on disk as well; the caller holds the lock."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return
        self._sync_directory()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of this state directory, or refuse at once.

        The system frees it when the process dies.

        Raises:
            LockTaken: Another process holds it.
        """
        self._make_directory()
        descriptor = open_file(self._lock_path, os.O_RDWR)
        try:
            self._hand_over(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LockTaken("another paybridge process is renewing the login") from error
            yield
        finally:
            os.close(descriptor)

    def _make_directory(self) -> None:
        make_folder(self._directory.parent)
        if self._directory.is_symlink():  # root must not write where the service's user points
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self._directory))
        make_folder(self._directory)
        self._hand_over(self._directory)

    def _hand_over(self, what: int | Path) -> None:
        """Give what root made to the owner of the state directory.

        A technician types `sudo paybridge login`; the service must still be able to read it.
        """
        if os.geteuid() == 0:
            owner = self._directory.parent.stat()
            os.chown(what, owner.st_uid, owner.st_gid, follow_symlinks=isinstance(what, int))

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _encode(self, login: StoredLogin) -> bytes:
        plain = dataclasses.asdict(login)
        if self._key is None:
            return json.dumps({"version": 1, "cipher": "none", "login": plain}).encode()
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._key).encrypt(nonce, json.dumps(plain).encode(), _PURPOSE)
        envelope = {
            "version": 1,
            "cipher": "aes-256-gcm",
            "nonce": base64.b64encode(nonce).decode(),
            "data": base64.b64encode(sealed).decode(),
        }
        return json.dumps(envelope).encode()

    def _decode(self, data: bytes) -> StoredLogin:
        try:
            envelope = json.loads(data)
            match envelope["cipher"]:
                case "none":
                    return _read_login(envelope["login"])
                case "aes-256-gcm" if self._key is not None:
                    nonce = base64.b64decode(envelope["nonce"], validate=True)
                    sealed = base64.b64decode(envelope["data"], validate=True)
                    return _read_login(
                        json.loads(AESGCM(self._key).decrypt(nonce, sealed, _PURPOSE))
                    )
                case "aes-256-gcm":
                    raise StoreUnreadable("the stored login is encrypted and no key was given")
                case _:
                    raise StoreUnreadable("the stored login is of a kind this version cannot read")
        except InvalidTag as error:
            raise StoreUnreadable("the stored login was made with another key") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreUnreadable("the stored login is damaged") from error


def _read_login(value: Any) -> StoredLogin:
    """Return the login that a JSON object spells.

    Raises:
        TypeError: Fields are missing, too many, or of another type.
    """
    login = StoredLogin(**value)
    texts: tuple[object, ...] = (
        login.issuer,
        login.client_id,
        login.subject,
        login.name,
        login.access_token,
    )
    texts += (login.refresh_token, login.scope, login.needed_reason)
    numbers = (login.issued_at, login.lifetime_seconds, login.needed_since or 0)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("text expected")
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError("number expected")
    return login
