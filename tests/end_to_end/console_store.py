"""A whole store with an operator console, real parts all of it, and a browser before it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.console.pins import PINS_NAME, PinFile, Role
from tests.end_to_end.page import Page, open_page
from tests.end_to_end.parts import Store, Tables, open_store
from tests.end_to_end.program import Json

SUPERVISOR_PIN = "2468"
AXE = Path(__file__).parent / "vendor" / "axe.min.js.gz"
# Nothing of these may be found. Source: axe-core's own impact levels.
SERIOUS = ("serious", "critical")


@dataclass(slots=True)
class ConsoleStore:
    """The store, its console and a page that looks at it."""

    store: Store
    address: str
    page: Page

    async def go(self, path: str) -> None:
        """Open a page of the console and wait until it is alive."""
        await self.page.go(self.address + path)

    async def unlock(self, name: str = "Anna", path: str = "/") -> None:
        """Unlock as a person does, with keys only."""
        await self.go(f"/unlock?next={path}")
        await self.page.type("#name", name)
        await self.page.key("Tab")
        await self.page.command("Input.insertText", text=SUPERVISOR_PIN)
        await self.page.key("Enter")
        await self.page.reads(name)

    async def accessible(self) -> list[str]:
        """Return what axe finds on the page that is serious, in words."""
        if not await self.page.value("typeof axe === 'object'"):
            source = gzip.decompress(AXE.read_bytes()).decode()
            await self.page.command("Runtime.evaluate", expression=source)
        found: list[dict[str, Any]] = await self.page.value(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map("
            "v => ({impact: v.impact, id: v.id, where: v.nodes.map(n => n.html).slice(0, 3)})))"
        )
        return [
            f"{one['id']}: {'; '.join(one['where'])}" for one in found if one["impact"] in SERIOUS
        ]


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def set_pins(state: Path) -> None:
    """Have a supervisor's PIN, as `paybridge console pin` sets it."""
    state.mkdir(mode=0o700, exist_ok=True)
    PinFile(state / PINS_NAME).set(Role.SUPERVISOR, SUPERVISOR_PIN)


@contextlib.asynccontextmanager
async def open_console(
    folder: Path, *plans: Json, changes: Tables | None = None, **more: Any
) -> AsyncIterator[ConsoleStore]:
    """Run a store with a console within the block; see `open_store`."""
    port = free_port()
    await asyncio.to_thread(set_pins, folder / "state")
    tables: Tables = {"console": {"port": port}, **(changes or {})}
    async with (
        open_store(folder, *plans, changes=tables, **more) as store,
        open_page(folder) as page,
    ):
        yield ConsoleStore(store, f"http://127.0.0.1:{port}", page)
