from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.systemd import Notifier


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.settimeout(10)
        yield wire


def test_each_message_reaches_the_manager(manager: socket.socket, tmp_path: Path) -> None:
    manager.bind(str(tmp_path / "notify"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.ready("2 terminals")
    assert manager.recv(1000) == b"READY=1\nSTATUS=2 terminals"
    notifier.alive()
    assert manager.recv(1000) == b"WATCHDOG=1"
    notifier.status("counter-1 is away")
    assert manager.recv(1000) == b"STATUS=counter-1 is away"
    notifier.stopping("1 payment is finishing")
    assert manager.recv(1000) == b"STOPPING=1\nSTATUS=1 payment is finishing"


def test_an_abstract_socket_is_reached(manager: socket.socket) -> None:
    name = f"paybridge-test-{os.getpid()}"
    manager.bind(f"\0{name}")
    Notifier({"NOTIFY_SOCKET": f"@{name}"}).alive()
    assert manager.recv(1000) == b"WATCHDOG=1"


def test_a_status_cannot_smuggle_in_another_message(manager: socket.socket, tmp_path: Path) -> None:
    manager.bind(str(tmp_path / "notify"))
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).status("terminal says\nSTOPPING=1")
    assert manager.recv(1000) == b"STATUS=terminal says STOPPING=1"


def test_a_full_manager_does_not_block(manager: socket.socket, tmp_path: Path) -> None:
    manager.bind(str(tmp_path / "notify"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(5000):
        notifier.alive()
    assert manager.recv(1000) == b"WATCHDOG=1"
