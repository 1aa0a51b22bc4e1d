"""What paybridge reports to systemd: ready, alive, stopping. Not a dependency, not a decision.

Without systemd (no `NOTIFY_SOCKET`) every message goes nowhere, so callers need not ask.
Source: sd_notify(3) and sd_watchdog_enabled(3) of systemd 252.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping

_LOGGER = logging.getLogger(__name__)

FEEDS_PER_WATCHDOG = 2  # sd_watchdog_enabled(3) advises half the time, so that one may be late


class Notifier:
    """The service's voice towards its manager. No method blocks or raises."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._complained = False

    @property
    def has_manager(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Payments can be taken from now on; units that wait for paybridge may start."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def stopping(self, status: str) -> None:
        """The service drains and will end by itself."""
        self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def alive(self) -> None:
        """Feed the watchdog; due every `watchdog_interval`."""
        self._send("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Show one line in `systemctl status paybridge`."""
        self._send(f"STATUS={_one_line(status)}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        where = self._address
        if where.startswith("@"):  # a name in Linux's abstract namespace, written with NUL first
            where = "\0" + where[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as wire:
                wire.sendto(message.encode(), where)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _LOGGER.warning("systemd=unreachable socket=%s error=%s", self._address, error)


def watchdog_interval(environment: Mapping[str, str], process_id: int) -> float | None:
    """Return the seconds between two calls of `Notifier.alive`; None without a watchdog."""
    limit = environment.get("WATCHDOG_USEC", "")
    watched = environment.get("WATCHDOG_PID", "")
    if not limit.isdecimal() or int(limit) == 0:
        return None
    if watched and watched != str(process_id):  # the variables were inherited from a parent
        return None
    return int(limit) / 1_000_000 / FEEDS_PER_WATCHDOG


def _one_line(text: str) -> str:
    return " ".join(text.split())
