"""One page of a real Chromium, steered over the DevTools protocol like a person would.

Source: the Chrome DevTools Protocol, domains Page, Runtime, Input and Emulation.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.end_to_end.browser import chromium_path

APPEARS_SECONDS_MAX = 20.0
LOOK_SECONDS = 0.05
MESSAGE_BYTES_MAX = 1 << 24


class Page:
    """A page that is open. Every wait has an end."""

    def __init__(self, wire: ClientConnection) -> None:
        self._wire = wire
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []  # what scripts threw, and what the browser refused to load

    async def listen(self) -> None:
        """Take in what the browser says, until it closes."""
        async for text in self._wire:
            said = json.loads(text)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Runtime.exceptionThrown":
                self.errors.append(str(said["params"]["exceptionDetails"].get("exception")))
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"]["text"])

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._number += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = future
        sent = {"id": self._number, "method": method, "params": params}
        await self._wire.send(json.dumps(sent))
        async with asyncio.timeout(APPEARS_SECONDS_MAX):
            answer = await future
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    async def value(self, expression: str) -> Any:
        """Return what an expression is on the page."""
        result = await self.command(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, question: str, wanted: str = "") -> None:
        """Wait until a question is answered with true."""
        try:
            async with asyncio.timeout(APPEARS_SECONDS_MAX):
                while True:
                    with contextlib.suppress(AssertionError):  # between two pages
                        if await self.value(question):
                            return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            shown = await self.value("document.body.innerText")
            raise AssertionError(f"never: {wanted or question}\n{shown}") from None

    async def go(self, address: str) -> None:
        """Open an address and wait until the page is whole."""
        await self.command("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")

    async def reads(self, words: str) -> None:
        """Wait until the page says `words`."""
        question = f"document.body.innerText.includes({json.dumps(words)})"
        await self.until(question, f"a page that says {words}")

    async def click(self, selector: str) -> None:
        """Press what a selector finds first."""
        await self.until(f"!!document.querySelector({json.dumps(selector)})", selector)
        await self.value(f"document.querySelector({json.dumps(selector)}).click()")

    async def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        await self.until(f"!!document.querySelector({json.dumps(selector)})", selector)
        await self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.command("Input.insertText", text=text)

    async def key(self, name: str, times: int = 1) -> None:
        """Press a key: Tab, Enter, Space, Escape."""
        codes = {"Tab": 9, "Enter": 13, "Space": 32, "Escape": 27, "ArrowDown": 40}
        more = {"Enter": {"text": "\r"}, "Space": {"text": " "}}.get(name, {})
        key = " " if name == "Space" else name
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                await self.command(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=name,
                    windowsVirtualKeyCode=codes[name],
                    **(more if kind == "keyDown" else {}),
                )

    async def look(self, *, width: int = 1280, height: int = 860, dark: bool = False) -> None:
        """Have a screen of this size, and a system in this theme."""
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme, still])

    async def picture(self, path: Path, *, whole: bool = False, kind: str = "png") -> None:
        """Keep a picture of what is seen, or of the whole page."""
        more = {"quality": 82} if kind == "webp" else {}
        told = await self.command(
            "Page.captureScreenshot", format=kind, captureBeyondViewport=whole, **more
        )
        await asyncio.to_thread(path.write_bytes, base64.b64decode(told["data"]))


def _lines(told: Path) -> list[str]:
    return told.read_text().splitlines() if told.exists() else []


async def _port(told: Path) -> str:
    """Wait for the port that the browser took."""
    while True:
        lines = _lines(told)
        if len(lines) > 1:
            return lines[0]
        await asyncio.sleep(LOOK_SECONDS)


@contextlib.asynccontextmanager
async def open_page(folder: Path) -> AsyncIterator[Page]:
    """Start a browser of its own, and end it afterwards."""
    profile = folder / "chromium"
    profile.mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *(chromium_path(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={profile}", "--hide-scrollbars"),
        *("--lang=en-GB", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        told = profile / "DevToolsActivePort"
        async with asyncio.timeout(APPEARS_SECONDS_MAX):
            port = await _port(told)
        async with httpx.AsyncClient(trust_env=False) as http:
            tabs = (await http.get(f"http://127.0.0.1:{port}/json/list")).json()
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        async with connect(address, proxy=None, max_size=MESSAGE_BYTES_MAX) as wire:
            page = Page(wire)
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log"):
                await page.command(f"{domain}.enable")
            await page.look()
            yield page
            listening.cancel()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
