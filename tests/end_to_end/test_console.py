"""A person at the console, in a real browser: keys only, both themes, three languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.console_store import ConsoleStore, open_console
from tests.end_to_end.parts import QUICK_TERMINAL, plan

pytestmark = [pytest.mark.slow, pytest.mark.chromium, pytest.mark.mosquitto]

PAGES = ("/", "/attention", "/payments", "/terminals", "/registers", "/day", "/login", "/health")
GONE = plan(mischief=[{"kind": "unplug", "at": "prints", "seconds": 3600}])
LIGHTS = {
    "en": "Can we take a payment?",
    "de": "Können wir kassieren?",
    "fr": "Pouvons-nous encaisser",
}


async def in_doubt_for_a_person(place: ConsoleStore, amount: str) -> str:
    """Lose an answer; its terminal leaves the configuration, so that a person is asked."""
    store = place.store
    payment_id = await store.till.start(amount, sale_id="T1-77")
    await store.till.status(payment_id, "in_doubt")
    await store.bridge.kill()
    text = store.config.read_text().replace("[terminals.counter-1]", "[terminals.counter-2]")
    store.config.write_text(text)
    await store.bridge.start()
    return payment_id


async def test_a_doubt_is_resolved_with_keys_only(tmp_path: Path) -> None:
    async with open_console(tmp_path, GONE, terminal_module=QUICK_TERMINAL) as place:
        page = place.page
        payment_id = await in_doubt_for_a_person(place, "62.50")
        await place.unlock("Anna", "/attention")
        await page.reads("Was this card charged?")
        assert await place.accessible() == []
        await page.value("document.querySelector('.answer-form textarea').focus()")
        await page.command("Input.insertText", text="Ben has the slip")
        await page.key("Tab")
        assert await page.value("document.activeElement.name") == "approval_code"
        await page.command("Input.insertText", text="481516")
        await page.key("Tab", 2)
        assert await page.value("document.activeElement.value") == "approved"
        await page.key("Enter")
        await page.reads("It is in the journal with your name.")
        document = await place.store.till.recorded(payment_id)
        assert document["status"] == "approved"
        (answer,) = document["resolution"]["answers"]
        assert answer["operator_id"] == "Anna (supervisor)"
        assert len(await place.store.office.purchases(payment_id)) == 1
        assert page.errors == []


async def test_every_page_in_both_themes_and_three_languages_has_no_barrier(
    tmp_path: Path,
) -> None:
    async with open_console(tmp_path, terminal_module=QUICK_TERMINAL) as place:
        page, till = place.page, place.store.till
        paid = await till.start("47.90", sale_id="T1-1")
        await till.recorded(paid)
        await till.recorded(await till.start("12.40", sale_id="T1-2"))
        await place.unlock()
        for number, path in enumerate((*PAGES, f"/payments/{paid}")):
            await page.look(dark=number % 2 == 0)
            await place.go(path)
            assert await place.accessible() == [], path
            await page.look(dark=number % 2 == 1)
            assert await place.accessible() == [], path
        for language, words in LIGHTS.items():
            await place.go(f"/?lang={language}")
            await page.reads(words)
            assert await page.value("document.documentElement.lang") == language
        await page.look(width=390, height=844)
        await place.go("/")
        assert await page.value("document.documentElement.scrollWidth") <= 390
        assert await place.accessible() == []
        await page.look()
        await place.go("/?lang=en")
        before = await page.value("getComputedStyle(document.body).backgroundColor")
        await page.click("[data-theme-toggle]")
        after = await page.value("getComputedStyle(document.body).backgroundColor")
        assert before != after
        # A search without a reload: what is typed is looked for.
        await place.go("/payments")
        await page.type("#a", "47,90")
        await page.until("document.querySelectorAll('#found tbody tr').length === 1")
        assert "T1-1" in await page.value("document.querySelector('#found').innerText")
        assert page.errors == []
        weight = await page.value(
            "performance.getEntriesByType('resource').concat("
            "performance.getEntriesByType('navigation'))"
            ".reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
        )
        assert weight < 200_000, "the page with all its files, unpacked"


async def test_a_login_by_code_is_seen_on_the_page(tmp_path: Path) -> None:
    async with open_console(tmp_path, person=True, terminal_module=QUICK_TERMINAL) as place:
        page = place.page
        await place.unlock("Anna", "/login")
        await page.click("main form button.strong")
        await page.reads("Your code")
        assert await page.value("!!document.querySelector('svg.qr path')")
        assert await place.accessible() == []
        code = await page.value("document.querySelector('.code').textContent")
        issuer = place.store.office.program.ready["issuer"].rstrip("/")
        await page.go(f"{issuer}/device?user_code={code}")
        await page.until(
            "[...document.querySelectorAll('button')].some(b => b.textContent == 'Allow')"
        )
        await page.value(
            "[...document.querySelectorAll('button')].find(b => b.textContent == 'Allow').click()"
        )
        await page.reads("The device is connected.")
        await place.go("/login")
        await page.reads("Logged in.")
        await place.store.till.recorded(await place.store.till.start("5.00"))


async def test_a_page_whose_service_is_gone_shows_nothing_that_could_be_old(
    tmp_path: Path,
) -> None:
    async with open_console(tmp_path, terminal_module=QUICK_TERMINAL) as place:
        page, store = place.page, place.store
        paid = await store.till.start("47.90", sale_id="T1-1")
        await store.till.recorded(paid)
        await place.go("/")
        await page.reads("47.90")
        # Alive without a reload: the next payment appears by itself.
        await page.value("window.stays = true")
        await store.till.ready()
        await store.till.recorded(await store.till.start("31.20", sale_id="T1-2"))
        await page.reads("31.20")
        assert await page.value("window.stays === true")
        await store.bridge.kill()
        await page.reads("No light.")
        shown = await page.value("document.body.innerText")
        assert "47.90" not in shown
        assert "Can take cards" not in shown
        assert await place.accessible() == []
        await store.bridge.start()
        await page.reads("47.90")
