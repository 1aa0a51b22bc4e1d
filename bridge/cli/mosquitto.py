"""What Mosquitto reads: its configuration for a store, the access list, passwords. Pure.

The one source of what the documents show and the tests run. Sources: mosquitto.conf(5) of 2.0 for
the settings and the access list; the password file's `$7$` lines are PBKDF2 with SHA-512, as
mosquitto_passwd 2.0 writes them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BRIDGE_USER = "bridge"
ITERATIONS = 101  # mosquitto_passwd's own; our passwords are random and long
SALT_BYTES = 12
# A power cut takes at most so much of what is retained, and of what registers have not fetched.
AUTOSAVE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the broker listens: on this machine in the clear, for the store with TLS."""

    local_port: int
    store_port: int


def configuration(listeners: Listeners, folder: Path) -> str:
    """Return the file for `conf.d`; passwords, access list and certificates lie in `folder`."""
    return f"""\
# Written by `paybridge broker setup`, which writes it again: your own
# settings belong into another file.
# Small messages at once: without this each may wait 40 ms for the one before it.
set_tcp_nodelay true
persistence true
autosave_interval {AUTOSAVE_SECONDS}

allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl

# The bridge, on this machine.
listener {listeners.local_port} 127.0.0.1

# Registers, with TLS: nothing of a payment crosses the store's network in the clear.
listener {listeners.store_port}
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.2
"""


def access_list(base_topic: str) -> str:
    """Return who may do what: a register's user name is its id, and one pattern serves them all.

    A register writes its requests and its own state, nothing else: nobody but the bridge can say
    what became of a payment.
    """
    return f"""\
user {BRIDGE_USER}
topic readwrite {base_topic}/#

pattern write {base_topic}/registers/%u/request/#
pattern write {base_topic}/registers/%u/state
pattern read {base_topic}/registers/%u/#
pattern read {base_topic}/bridge/#
pattern read {base_topic}/terminals/#
"""


def password_line(name: str, password: str, salt: bytes) -> str:
    """Return a user's line of the password file, without its end."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{name}:$7${ITERATIONS}${_text(salt)}${_text(digest)}"


def users(text: str) -> dict[str, str]:
    """Return the lines of a password file by their user; lines that name none are left out."""
    found = {}
    for line in text.splitlines():
        name, colon, _ = line.partition(":")
        if colon and name:
            found[name] = line
    return found


def password_file(lines: Mapping[str, str]) -> str:
    """Return a password file of these lines, in the order of their users."""
    return "".join(f"{lines[name]}\n" for name in sorted(lines))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
