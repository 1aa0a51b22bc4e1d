"""Who may do what at the console: one PIN for each role, kept as salted hashes.

The file lies in the state directory and is the service user's own. A PIN is never kept, logged or
shown. Source for scrypt and its cost: RFC 7914; OWASP, "Password Storage Cheat Sheet".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path

from bridge.errors import ConfigError
from bridge.private_files import open_file

PINS_NAME = "console-pins.json"
PIN_CHARACTERS_MIN = 4
PIN_CHARACTERS_MAX = 64
FILE_BYTES_MAX = 65_536
# 16 MiB and some 50 ms for each try, in a thread of its own: dear for who guesses, and a store PC
# has the memory once.
COST_N, COST_R, COST_P = 16_384, 8, 1
_MEMORY_MAX = 64 * 1024 * 1024


class Role(IntEnum):
    """What a person may do; each may do what those before it may."""

    SEE = 1
    SUPERVISOR = 2
    TECHNICIAN = 3

    @property
    def word(self) -> str:
        """The role as it is written in files and commands."""
        return self.name.lower()


ROLES = {role.word: role for role in Role}


@dataclass(frozen=True, slots=True)
class HashedPin:
    """What is kept of a PIN; hexadecimal."""

    salt: str
    hash: str

    def fits(self, pin: str) -> bool:
        """Tell whether this is the PIN. Takes some 50 ms on purpose."""
        return hmac.compare_digest(_hash(pin, bytes.fromhex(self.salt)), self.hash)


def _hash(pin: str, salt: bytes) -> str:
    key = hashlib.scrypt(
        pin.encode(), salt=salt, n=COST_N, r=COST_R, p=COST_P, maxmem=_MEMORY_MAX, dklen=32
    )
    return key.hex()


def hashed(pin: str) -> HashedPin:
    """Return what is kept of a PIN.

    Raises:
        ValueError: It is too short, too long or only one character over and over.
    """
    if not PIN_CHARACTERS_MIN <= len(pin) <= PIN_CHARACTERS_MAX:
        raise ValueError(f"a PIN has {PIN_CHARACTERS_MIN} to {PIN_CHARACTERS_MAX} characters")
    if len(set(pin)) == 1:
        raise ValueError("a PIN is not one character over and over")
    salt = secrets.token_bytes(16)
    return HashedPin(salt.hex(), _hash(pin, salt))


class PinFile:
    """The PINs in the state directory. Read again when the file changed."""

    def __init__(self, path: Path) -> None:
        """Keep them at `path`; nothing is opened yet."""
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._pins: dict[Role, HashedPin] = {}

    def read(self) -> dict[Role, HashedPin]:
        """Return the PINs by role; a file that cannot be used has none, and so nobody may act.

        Raises:
            ConfigError: There is one, and it cannot be read.
        """
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._pins = None, {}
            return self._pins
        except OSError as error:
            raise ConfigError("console", f"{self._path}: {error.strerror}") from error
        stamp = (facts.st_mtime_ns, facts.st_ino)
        if stamp != self._stamp:
            self._pins = self._load()
            self._stamp = stamp
        return self._pins

    def _load(self) -> dict[Role, HashedPin]:
        try:
            with self._path.open("rb") as file:
                table = json.loads(file.read(FILE_BYTES_MAX))
            return {ROLES[word]: HashedPin(**kept) for word, kept in table.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                "console", f"{self._path} cannot be used; set the PINs again: {error!r}"
            ) from error

    def set(self, role: Role, pin: str | None) -> None:
        """Keep a PIN for a role, or none any more; the service notices by itself.

        Raises:
            ValueError: It is no PIN.
            ConfigError: The file cannot be written.
        """
        new = hashed(pin) if pin is not None else None
        try:
            pins = dict(self.read())
        except ConfigError:
            pins = {}  # it is of no use as it is; what is set now counts
        if new is None:
            pins.pop(role, None)
        else:
            pins[role] = new
        text = json.dumps({one.word: asdict(kept) for one, kept in sorted(pins.items())})
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            descriptor = open_file(beside, os.O_WRONLY | os.O_TRUNC)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise ConfigError("console", f"{self._path}: {error.strerror}") from error
