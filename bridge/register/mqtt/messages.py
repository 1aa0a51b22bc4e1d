"""What the registers' bus carries, and what it must be told. Plain facts, no wire.

The desk reads these; `mqtt/client.py` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Protocol = Literal["5.0", "3.1.1"]

# What is kept of a message that is only to be refused: the ids stand in its first lines.
EXCESS_BYTES_MAX: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection began. Deliveries that follow in the queue belong to `epoch`."""

    epoch: str
    protocol: Protocol
    session_present: bool


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How the broker proves itself, and how we do. Files are read at each connection.

    Without `ca_file` the system's own authorities are trusted.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is and who we are there. `client_id` names the session: keep it."""

    host: str = "127.0.0.1"
    port: int = 1883
    client_id: str = "paybridge"
    username: str = ""
    password: str = field(default="", repr=False)
    tls: TlsSettings | None = None
    protocol: Literal["auto", "5.0", "3.1.1"] = "auto"

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. It is ours until `Mqtt.acknowledge`; until then the broker keeps it, too.

    `live` is False for what may have been queued while the bridge was away. `expiry_seconds` is
    what is left of the message's life. `connection` and `packet_id` are for `acknowledge`.
    """

    topic: str
    payload: bytes
    retained: bool = False
    live: bool = True
    expiry_seconds: int | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    duplicate: bool = False
    connection: int = 0
    packet_id: int = 0


@dataclass(frozen=True, slots=True)
class Excess:
    """Commands for which their register has too much waiting: to be refused, not done.

    They come in their place in the register's line. Payloads are cut off at `EXCESS_BYTES_MAX`.
    """

    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Away:
    """Why there is no connection, for the health document and the technician.

    `code` is one of `starting`, `unreachable`, `login_refused`, `untrusted`, `tls_files`,
    `wrong_protocol`, `session_taken`, `standing_by`, `flooded`, `refused`, `lost`.
    """

    code: str
    text: str
    stated: bool = False  # the broker itself gave the reason: no guess takes its place
