"""A person at the operator console of a virtual shop: a browser without a screen."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx

from bridge.console.pins import PINS_NAME, HashedPin, PinFile, hashed
from tests.support.shop import Plans, Shop, in_a_shop

ADDRESS = "http://127.0.0.1:8780"
SUPERVISOR_PIN, TECHNICIAN_PIN = "2468", "135790"

Test = Callable[[Shop, "Browser"], Awaitable[None]]
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


class Browser:
    """Loads pages and sends forms, as a page of the console makes a browser do."""

    def __init__(self, shop: Shop, language: str = "en") -> None:
        console = shop.parts.console
        assert console is not None, "the shop has one"
        self.app = console.server.asgi()
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url=ADDRESS,
            headers={"accept-language": language},
        )

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers, follow_redirects=False)

    async def page(self, path: str) -> str:
        """Return a page, which must be there."""
        answer = await self.get(path)
        assert answer.status_code == 200, (answer.status_code, answer.text[:500])
        return answer.text

    async def token(self, path: str = "/unlock") -> str:
        """Return the token of a form on a page."""
        found = _TOKEN.search((await self.get(path)).text)
        assert found is not None, "a page with a form"
        return found[1]

    async def send(
        self, path: str, fields: dict[str, Any], *, origin: str = ADDRESS, token: str | None = None
    ) -> httpx.Response:
        """Send a form."""
        csrf = await self.token() if token is None else token
        return await self.http.post(
            path, data={"csrf": csrf, **fields}, headers={"origin": origin}, follow_redirects=False
        )

    async def unlock(
        self, role: str = "supervisor", pin: str = SUPERVISOR_PIN, name: str = "Anna"
    ) -> httpx.Response:
        """Type a PIN."""
        return await self.send("/unlock", {"role": role, "pin": pin, "name": name, "back": "/"})


_HASHED: dict[str, HashedPin] = {}  # hashing is slow on purpose


def set_pins(folder: Path, **pins: str) -> None:
    """Have these PINs, and keep the others."""
    path = folder / PINS_NAME
    kept = {role.word: asdict(pin) for role, pin in PinFile(path).read().items()}
    for word, pin in pins.items():
        if pin not in _HASHED:
            _HASHED[pin] = hashed(pin)
        kept[word] = asdict(_HASHED[pin])
    path.write_text(json.dumps(kept))


def at_the_console(
    folder: Path,
    test: Test,
    plans: Plans | None = None,
    *,
    language: str = "en",
    console: dict[str, Any] | None = None,
) -> None:
    """Run `test` in virtual time in a shop with a console, and a browser before it."""
    given = plans or Plans()
    sections = {**given.sections, "console": console or {}}
    state = folder / "state"
    state.mkdir(mode=0o700)
    set_pins(state, supervisor=SUPERVISOR_PIN, technician=TECHNICIAN_PIN)

    async def visit(shop: Shop) -> None:
        async with AsyncExitStack() as opened:
            browser = Browser(shop, language)
            opened.push_async_callback(browser.http.aclose)
            await test(shop, browser)

    in_a_shop(state, visit, replace(given, sections=sections))
