"""What pages say: hostile texts stay texts, searches find, open pages are kept true."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import JournalError
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.console import Browser, at_the_console, set_pins
from tests.support.shop import Plans, Shop, payment_id

GUARD = {"expires_at": "2026-11-23T12:00:30Z"}
HOSTILE = "<script>alert(1)</script>"


async def paid(shop: Shop, number: int, amount: str, till: str = "till-1", **more: Any) -> None:
    now = shop.now().strftime("%Y-%m-%dT%H:%M")
    await shop.pay(till, number, amount, expires_at=f"{now}:59Z", **more)
    async with asyncio.timeout(120):
        while not shop.ledger.payments[payment_id(number)].payment.is_final:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.5)
    await asyncio.sleep(3.0)


def test_the_light_tells_where_cards_can_be_taken(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        page = await browser.page("/")
        assert "Yes." in page
        assert "2 of 2 can take a card" in page
        shop.ports["counter-2"].unplug()
        await asyncio.sleep(5.0)
        page = await browser.page("/")
        assert "Partly." in page
        assert "Not at counter-2. Send shoppers to counter-1." in page
        assert "Its port is not there" in page
        shop.ports["counter-1"].unplug()
        await asyncio.sleep(5.0)
        page = await browser.page("/")
        assert "No." in page
        assert "Take cash." in page

    at_the_console(tmp_path, test, Plans(terminals=("counter-1", "counter-2")))


def test_what_was_typed_at_a_till_or_on_a_terminal_is_text_everywhere(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await paid(shop, 1, "47.90", sale_id=HOSTILE)
        for path in ("/", "/payments", f"/payments/{payment_id(1)}", "/registers"):
            page = await browser.page(path)
            assert "<script>alert" not in page, path
        assert "&lt;script&gt;alert" in await browser.page("/payments")
        table = (await browser.get("/payments.csv")).text
        assert HOSTILE in table
        await paid(shop, 2, "1.00", sale_id="=cmd|' /C calc'!A0")
        rows = list(csv.reader(io.StringIO((await browser.get("/payments.csv")).text)))
        assert rows[1][4] == "'=cmd|' /C calc'!A0", "no formula in anybody's spreadsheet"

    at_the_console(tmp_path, test)


def test_a_payment_is_found_by_what_people_remember(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await paid(shop, 1, "47.90", sale_id="A-1")
        await paid(shop, 2, "12.40", till="till-2", sale_id="A-2")
        await paid(shop, 3, "10.05", sale_id="B-1")
        approval = shop.ledger.payments[payment_id(1)].payment.approval
        assert approval is not None
        assert approval.card.masked_pan is not None
        last4 = approval.card.masked_pan.last4

        async def found(query: str) -> set[int]:
            page = await browser.page(f"/payments?{query}")
            return {number for number in (1, 2, 3) if f"/payments/{payment_id(number)}" in page}

        everything = await found("")
        assert everything == {1, 2, 3}
        assert await found("amount=47.90") == {1}
        assert await found("amount=%E2%82%AC47,90") == {1}
        assert await found("sale=A") == {1, 2}
        assert await found("register=till-2") == {2}
        assert await found(f"last4={last4}") == {1, 2}
        assert await found("outcome=not_charged") == {3}
        assert await found("outcome=not_booked&amount=12.40") == {2}
        assert await found("day=2026-11-23") == {1, 2, 3}
        assert await found("day=2026-11-22") == set()
        assert await found("day=2026-11-23&since=12:00&until=13:00") == {1, 2, 3}
        assert await found("amount=99") == set()
        page = await browser.page("/payments")
        assert "+€60.30" in page, "what came in adds up"
        for wrong in (
            "amount=x",
            "day=2026-13-45",
            "day=9999-12-31",
            "last4=12",
            "day=1&since=zz",
        ):
            assert "Not understood" in await browser.page(f"/payments?{wrong}")
        assert await found("day=0001-01-01") == set()
        injected = await browser.page("/payments?sale=%27%20or%201%3D1--&register=%22%3B--")
        assert "No payment is like this." in injected

    refused = {"counter-1": Scenario(payments=(Plan(), Plan(), Plan(outcome="decline")))}
    at_the_console(tmp_path, test, Plans(shoppers=refused))


def test_a_search_that_cannot_be_done_says_so_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        console = shop.parts.console
        assert console is not None

        def full(*_: Any) -> Any:
            raise JournalError("database or disk is full")

        monkeypatch.setattr(console.server._premises.index, "search", full)
        assert (await browser.get("/payments")).status_code == 503
        assert "Call the technician" in (await browser.get("/payments")).text
        assert (await browser.get("/attention")).status_code == 200
        assert "Can we take a payment?" in await browser.page("/"), "the light stays"
        assert "Yes." in await browser.page("/")
        assert "Can take cards" in await browser.page("/health")

    at_the_console(tmp_path, test)


def test_an_index_of_another_journal_or_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await paid(shop, 1, "47.90")
        assert "1 payment<" in await browser.page("/payments")
        console = shop.parts.console
        assert console is not None
        index = console.server._premises.index
        index.close()
        path = tmp_path / "state" / "payment-index.sqlite"
        assert path.stat().st_mode & 0o077 == 0
        path.write_bytes(b"no database at all" * 100)
        assert "1 payment<" in await browser.page("/payments")
        index.close()
        path.unlink()
        assert "1 payment<" in await browser.page("/payments")

    at_the_console(tmp_path, test)


@asynccontextmanager
async def stream(browser: Browser, path: str) -> AsyncIterator[asyncio.Queue[str]]:
    """Listen to a page's stream: whole events, as text."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    over = asyncio.Event()
    cookies = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8780"), (b"cookie", cookies.encode())],
        "server": ("127.0.0.1", 8780),
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            heard.put_nowait(str(message["status"]))
        elif message.get("body"):
            heard.put_nowait(message["body"].decode())

    async def serve() -> None:
        await browser.app(scope, receive, send)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve())
        yield heard
        over.set()
        task.cancel()


async def next_of(heard: asyncio.Queue[str], name: str) -> str:
    async with asyncio.timeout(30.0):
        while True:
            event = await heard.get()
            if event.startswith(f"event: {name}\n"):
                return event


def test_an_open_page_is_told_what_changed_and_beats_meanwhile(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        console = shop.parts.console
        assert console is not None
        telling = asyncio.create_task(console.server.broadcast.run())
        async with stream(browser, "/live") as heard:
            assert await heard.get() == "200"
            assert "Free" in await next_of(heard, "main")
            await next_of(heard, "beat")
            await next_of(heard, "beat")
            await shop.pay("till-1", 1, **GUARD)
            await shop.until("till-1", 1, stage="waiting_for_card")
            while "€47.90" not in await next_of(heard, "main"):
                pass
        telling.cancel()

    at_the_console(tmp_path, test)


def test_a_stream_ends_when_its_role_does(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        await browser.unlock()
        async with stream(browser, "/live/attention") as heard:
            await next_of(heard, "main")
            set_pins(tmp_path / "state", supervisor="8642")
            assert await next_of(heard, "reload")

    at_the_console(tmp_path, test)


def test_streams_of_other_sessions_have_their_own_tokens(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await browser.unlock()
        other = Browser(shop)
        await other.unlock()
        tokens = {await browser.token("/"), await other.token("/")}
        for one in (browser, other):
            mine = await one.token("/")
            async with stream(one, "/live") as heard:
                told = await next_of(heard, "main")
                assert mine in told
                assert not any(token in told for token in tokens - {mine})
        await other.http.aclose()

    at_the_console(tmp_path, test)
