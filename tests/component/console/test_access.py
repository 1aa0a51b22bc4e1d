"""Who comes in, and who does not: PINs, sessions, forged forms, foreign pages."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.console import (
    SUPERVISOR_PIN,
    Browser,
    at_the_console,
    set_pins,
)
from tests.support.shop import Shop

PAGES = (
    *("/", "/attention", "/payments", "/terminals", "/registers", "/day", "/login"),
    "/health",
)


def test_every_page_is_shown_with_headers_that_bind_the_browser(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for path in PAGES:
            answer = await browser.get(path)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "style=" not in answer.text, "an inline style, which the policy forbids"
            assert "onclick" not in answer.text
            assert len(answer.content) < 100_000

    at_the_console(tmp_path, test)


def test_a_session_is_a_cookie_that_no_script_and_no_other_page_gets(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        cookie = (await browser.get("/")).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        before = browser.http.cookies["paybridge-console"]
        assert (await browser.unlock()).status_code == 303
        assert browser.http.cookies["paybridge-console"] != before, "a fixed session"
        page = await browser.page("/")
        assert "Supervisor" in page
        assert "Anna" in page
        assert browser.http.cookies["paybridge-console"] not in page

    at_the_console(tmp_path, test)


def test_wrong_pins_lock_the_role_longer_and_longer(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for _try in range(3):
            assert (await browser.unlock(pin="9999")).status_code == 403
        assert (await browser.unlock()).status_code == 429, "even the right one"
        assert "locked for" in await browser.page("/unlock")
        await asyncio.sleep(16.0)
        assert (await browser.unlock(pin="9999")).status_code == 403
        await asyncio.sleep(16.0)
        assert (await browser.unlock()).status_code == 429, "the second lock is longer"
        await asyncio.sleep(16.0)
        assert (await browser.unlock()).status_code == 303
        # The right one begins anew.
        assert (await browser.unlock(pin="9999")).status_code == 403
        assert (await browser.unlock()).status_code == 303

    at_the_console(tmp_path, test)


def test_a_lock_holds_for_every_browser_and_not_for_the_other_role(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        for _ in range(3):
            await browser.unlock(pin="9999")
        other = Browser(shop)
        assert (await other.unlock()).status_code == 429
        assert (await other.unlock("technician", "135790")).status_code == 303
        await other.http.aclose()

    at_the_console(tmp_path, test)


def test_a_hostile_pin_is_only_wrong(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for pin in ("", " ", SUPERVISOR_PIN + " ", "x" * 60_000, "\x00", "²⁴⁶⁸"):
            assert (await browser.unlock(pin=pin)).status_code in {403, 413, 429}
            await asyncio.sleep(600.0)
        assert "Unlock" in await browser.page("/")

    at_the_console(tmp_path, test)


def test_a_role_that_has_no_pin_cannot_be_had(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        assert (await browser.unlock("see", "2468")).status_code == 403
        assert (await browser.unlock("root", "2468")).status_code == 403

    at_the_console(tmp_path, test)


def test_who_does_not_say_a_name_may_not_act(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        assert (await browser.unlock(name="  \x07 ")).status_code == 422

    at_the_console(tmp_path, test)


def test_a_pin_that_is_changed_ends_the_sessions_of_its_role(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        await browser.unlock()
        assert "Supervisor" in await browser.page("/")
        set_pins(tmp_path / "state", supervisor="8642")
        assert "Unlock" in await browser.page("/")
        assert (await browser.unlock()).status_code == 403
        assert (await browser.unlock(pin="8642")).status_code == 303

    at_the_console(tmp_path, test)


def test_a_supervisor_who_goes_away_may_only_look(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        await browser.unlock()
        await asyncio.sleep(601.0)
        answer = await browser.send("/do/probe", {"terminal_id": "counter-1"})
        assert answer.status_code == 403
        assert "Unlock" in await browser.page("/")

    at_the_console(tmp_path, test)


def test_with_a_pin_for_looking_nothing_is_shown_without_it(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        set_pins(tmp_path / "state", see="7531")
        for path in (*PAGES, "/payments.csv", "/payments/018f6f0e-8a44-7c1b-9a3e-000000000001"):
            answer = await browser.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/unlock?next=")
        assert (await browser.get("/live")).status_code == 403
        assert (await browser.unlock("see", "7531", name="")).status_code == 303
        assert "Can we take a payment?" in await browser.page("/")
        answer = await browser.send("/do/probe", {"terminal_id": "counter-1"})
        assert answer.status_code == 403, "looking is not acting"

    at_the_console(tmp_path, test)


ORIGINS = ("", "null", "http://evil.example", "http://127.0.0.1:8781", "https://127.0.0.1:8780")


def test_a_form_of_somebody_elses_page_is_refused(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await browser.unlock()
        probes = shop.stations["counter-1"].state.probes
        for origin in ORIGINS:
            answer = await browser.send("/do/probe", {"terminal_id": "counter-1"}, origin=origin)
            assert answer.status_code == 403
        await asyncio.sleep(5.0)
        assert shop.stations["counter-1"].state.probes == probes

    at_the_console(tmp_path, test)


def test_a_form_without_its_token_is_refused(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        await browser.unlock()
        fields = {"terminal_id": "counter-1"}
        for token in ("", "x", "csrf-token-of-the-session", "\u00e9" * 40):
            assert (await browser.send("/do/probe", fields, token=token)).status_code == 403

    at_the_console(tmp_path, test)


def test_the_token_of_another_session_is_refused(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        other = Browser(shop)
        await other.unlock(name="Eve")
        stolen = await other.token("/")
        await browser.unlock()
        answer = await browser.send("/do/probe", {"terminal_id": "counter-1"}, token=stolen)
        assert answer.status_code == 403
        await other.http.aclose()

    at_the_console(tmp_path, test)


FOREIGN_NAMES = (
    "evil.example",
    "evil.example:8780",
    "127.0.0.1.evil.example",
    "a@127.0.0.1",
    "[",
    "[::1",
    "127.0.0.1/x",
    "",
)


def test_a_name_that_was_bent_to_this_machine_sees_nothing(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for host in FOREIGN_NAMES:
            answer = await browser.get("/", host=host)
            assert answer.status_code == 421
            assert "paybridge" not in answer.text

    at_the_console(tmp_path, test)


def test_names_of_this_machine_and_configured_ones_are_served(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for host in ("127.0.0.1:8780", "localhost:8780", "[::1]:8780", "till-pc:1"):
            assert (await browser.get("/", host=host)).status_code == 200

    at_the_console(tmp_path, test, console={"allowed_hosts": ["till-pc"]})


def test_another_page_cannot_fetch_ours(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert (await browser.get("/payments.csv", **headers)).status_code == 403
        followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (await browser.get("/", **followed)).status_code == 200, "a link is one"

    at_the_console(tmp_path, test)


NOWHERE = (
    ("/static/../pins.py", 404),
    ("/static/%2e%2e%2fpins.py", 404),
    ("/static/console.css%00", 404),
    ("/static/nothing.js", 404),
    ("/payments/..%2f..%2fetc%2fpasswd", 404),
    ("/payments/" + "x" * 3_000, 404),
    ("/payments?sale=" + "x" * 3_000, 414),
    ("/nothing", 404),
    ("/live/nothing", 404),
)


def test_paths_and_queries_that_nobody_links_lead_nowhere(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for path, status in NOWHERE:
            assert (await browser.get(path)).status_code == status

    at_the_console(tmp_path, test)


def test_nobody_is_sent_to_another_site(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        for back in ("//evil.example", "https://evil.example", "/\\evil.example", "x"):
            fields = {"role": "supervisor", "pin": SUPERVISOR_PIN, "name": "Anna", "back": back}
            answer = await browser.send("/unlock", fields)
            assert answer.headers["location"] == "/"
            done = await browser.send("/do/probe", {"terminal_id": "counter-1", "back": back})
            assert done.headers["location"] == "/"

    at_the_console(tmp_path, test)


def test_a_huge_form_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        answer = await browser.send("/unlock", {"pin": "1" * 100_000})
        assert answer.status_code == 413
        many = {f"f{number}": "" for number in range(1_000)}
        assert (await browser.send("/unlock", many)).status_code == 400

    at_the_console(tmp_path, test)


def test_a_pin_file_that_is_damaged_lets_nobody_act(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        (tmp_path / "state" / "console-pins.json").write_text('{"supervisor": {}}')
        assert (await browser.get("/")).status_code == 303, "perhaps there is a PIN for looking"
        assert "The PINs cannot be read" in await browser.page("/unlock")

    at_the_console(tmp_path, test)


def test_no_page_holds_a_secret(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        await browser.unlock("technician", "135790")
        for path in PAGES:
            page = await browser.page(path)
            assert "135790" not in page
            assert browser.http.cookies["paybridge-console"] not in page
            assert "scrypt" not in page

    at_the_console(tmp_path, test)
