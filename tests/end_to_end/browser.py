"""A real Chromium, started by whoever opens an address, and steered like a person would.

Source: the Chrome DevTools Protocol; a browser that is told port 0 writes the port it took into
`DevToolsActivePort`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

APPEARS_SECONDS_MAX = 30.0  # a browser's first start on a busy machine
LOOK_SECONDS = 0.1
MESSAGE_BYTES_MAX = 1 << 20


def chromium_path() -> str:
    """Return where Chromium is; skip the test where it is not, fail it in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed (apt-get install chromium)")
    return path


class Chromium:
    """A browser without a window. Give `command` to a program as its BROWSER."""

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "browser"
        self._profile.mkdir()
        self._opened: asyncio.subprocess.Process | None = None
        self.command = folder / "open-browser"
        self.command.write_text(
            "#!/bin/sh\n"
            f'echo $$ >"{self._profile}/pid"\n'
            f'exec "{chromium_path()}" --headless=new --no-sandbox --disable-gpu --no-first-run '
            f'--remote-debugging-port=0 --user-data-dir="{self._profile}" "$1" '
            f'>"{self._profile}/log" 2>&1\n'
        )
        self.command.chmod(0o755)

    @property
    def pid(self) -> int | None:
        """Its process id once somebody has started it."""
        file = self._profile / "pid"
        return int(file.read_text()) if file.exists() and file.read_text().strip() else None

    async def open(self, address: str) -> None:
        """Open an address as a person elsewhere would."""
        self._opened = await asyncio.create_subprocess_exec(str(self.command), address)

    async def press(self, button: str) -> None:
        """Press the button with this text on the page that is open."""
        found = f"[...document.querySelectorAll('button')].find(b => b.textContent == '{button}')"
        await self._until(f"(b => b ? (b.click(), true) : false)({found})", f"a button {button}")

    async def read(self, words: str) -> None:
        """Wait until the page that is open says `words`."""
        await self._until(
            f"!!document.body && document.body.innerText.includes({json.dumps(words)})",
            f"a page that says {words}",
        )

    async def _until(self, question: str, wanted: str) -> None:
        try:
            async with asyncio.timeout(APPEARS_SECONDS_MAX):
                while True:
                    if await self._ask(question):
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"the browser never showed {wanted}") from None

    async def _ask(self, question: str) -> bool:
        """Evaluate a question in the open page; False while there is none to ask."""
        told = self._profile / "DevToolsActivePort"
        if not told.exists() or len(told.read_text().splitlines()) < 2:
            return False
        port = int(told.read_text().splitlines()[0])
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                tabs = (await http.get(f"http://127.0.0.1:{port}/json/list")).json()
            except httpx.HTTPError:
                return False
        page = next((tab for tab in tabs if tab["type"] == "page"), None)
        if page is None:
            return False
        async with connect(
            page["webSocketDebuggerUrl"], proxy=None, max_size=MESSAGE_BYTES_MAX
        ) as wire:
            asked = {"id": 1, "method": "Runtime.evaluate", "params": {"expression": question}}
            await wire.send(json.dumps(asked))
            while True:
                answer = json.loads(await wire.recv())
                if answer.get("id") == 1:
                    return answer.get("result", {}).get("result", {}).get("value") is True

    async def close(self) -> None:
        """End it, if it was ever started."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        if self._opened is not None:
            await self._opened.wait()
