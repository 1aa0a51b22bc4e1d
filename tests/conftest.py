"""What holds for every test: where nothing may be skipped, a skipped test fails the run."""

from __future__ import annotations

import os

import pytest

NO_SKIPS = "PAYBRIDGE_NO_SKIPS"  # set by .ci/run, where everything that a test needs is there


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter is not None else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get(NO_SKIPS) and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if os.environ.get(NO_SKIPS) and _skipped(config):
        terminalreporter.write_line(
            f"{_skipped(config)} skipped, and {NO_SKIPS} is set: this run failed", red=True
        )
