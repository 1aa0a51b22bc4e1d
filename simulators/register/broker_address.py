"""Where a simulated register finds its broker."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who the register is there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    mqtt5: bool = True

    @classmethod
    def at(
        cls,
        url: str,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        *,
        mqtt5: bool = True,
    ) -> Broker:
        """Read `mqtt://host[:port]` or `mqtts://host[:port]`.

        Raises:
            ValueError: It is another kind of address.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"write the broker like mqtt://127.0.0.1:1883, not {url!r}")
        tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "mqtts" else None
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        return cls(parts.hostname, port, username, password, tls, mqtt5)
