from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bridge.systemd import Notifier, watchdog_interval


def test_without_systemd_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Notifier({}).ready("alone")
    assert caplog.records == []


def test_a_deaf_manager_is_complained_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.ready("hello")
    notifier.alive()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_per_limit(
    environment: dict[str, str], interval: float | None
) -> None:
    assert watchdog_interval(environment, process_id=7) == interval
