"""The console on a real port: silent strangers are let go, and an open stream holds up no stop."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import uvicorn

from bridge.console import server
from tests.support.console import Browser, at_the_console
from tests.support.shop import Shop


class Port:
    """A connection as the protocol sees it."""

    def __init__(self) -> None:
        self.aborted = self.closed = False

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def get_extra_info(self, _: str) -> None:
        return None


def test_who_connects_and_is_silent_is_let_go_and_too_many_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 3)

    async def test(shop: Shop, _: Browser) -> None:
        console = shop.parts.console
        assert console is not None
        config = console.server.settings_for_uvicorn()
        config.load()
        state = uvicorn.Server(config).server_state
        ports = [Port() for _ in range(5)]
        for port in ports:
            protocol = server._BoundedProtocol(config, state, {})
            with contextlib.suppress(AttributeError):  # what only a real transport can tell
                protocol.connection_made(port)
        assert [one.aborted for one in ports] == [False, False, False, True, True]
        await asyncio.sleep(server.REQUEST_SECONDS_MAX + 1.0)
        assert all(one.closed for one in ports[:3])

    at_the_console(tmp_path, test)
