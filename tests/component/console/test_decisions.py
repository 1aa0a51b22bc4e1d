"""A person's word at the console goes the way of the command line, with name and note."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.console.pages.others import day_name
from bridge.money.store.provenance import PersonActed, acts_on
from simulators.terminals.shared.shopper import Plan, Scenario
from tests.support.console import Browser, at_the_console
from tests.support.shop import NOON, Plans, Shop, payment_id

GUARD = {"expires_at": "2026-11-23T12:00:30Z"}
SLOW = Plans(shoppers={"counter-1": Scenario(otherwise=Plan(seconds_at_host=60.0))})
NOTE = "slip says approved, Ben saw it"


async def have_a_doubt(shop: Shop) -> None:
    """Lose the answer of payment 1 for so long that a person is asked."""
    await shop.pay("till-1", 1, sale_id="S-77", **GUARD)
    await shop.until("till-1", 1, stage="authorizing")
    shop.ports["counter-1"].unplug()
    await shop.until("till-1", 1, status="in_doubt")
    await asyncio.sleep(100.0)


async def decide(browser: Browser, answer: str, **fields: Any) -> Any:
    form = {"payment_id": payment_id(1), "answer": answer, "note": NOTE, "back": "/attention"}
    return await browser.send("/do/decide", {**form, **fields})


async def acts(shop: Shop, target: str) -> list[PersonActed]:
    entries = await shop.journal.entries_of(acts_on(target))
    return [one.event for one in entries if isinstance(one.event, PersonActed)]


def test_a_doubt_is_shown_with_its_evidence_and_answered_with_name_and_note(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await have_a_doubt(shop)
        page = await browser.page("/attention")
        assert "Was this card charged? till-1 at counter-1" in page
        assert "sale S-77" in page
        assert "It cannot say. That is not a no." in page
        assert "a supervisor must unlock" in page
        assert 'value="approved"' not in page, "answers are for a supervisor"
        assert (await decide(browser, "approved", approval_code="481516")).status_code == 403
        assert shop.document("till-1", 1)["status"] == "in_doubt"

        await browser.unlock()
        assert 'value="approved"' in await browser.page("/attention")
        answer = await decide(browser, "approved", approval_code="481516")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/attention"
        document = await shop.until("till-1", 1, status="approved")
        (told,) = document["resolution"]["answers"]
        assert told["operator_id"] == "Anna (supervisor)"
        assert told["approval_code"] == "481516"
        assert told["source"] == "console"
        assert await acts(shop, payment_id(1)) == [
            PersonActed("Anna (supervisor)", "resolve_payment approved", NOTE)
        ]
        page = await browser.page("/attention")
        assert "Nothing needs you." in page
        assert "It is in the journal with your name." in page
        story = await browser.page(f"/payments/{payment_id(1)}")
        assert "A person: it was paid" in story
        assert NOTE in story

    at_the_console(tmp_path, test, SLOW)


def test_an_answer_that_lacks_something_changes_nothing(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await have_a_doubt(shop)
        await browser.unlock()
        assert (await decide(browser, "approved", note="")).status_code == 422
        assert (await decide(browser, "approved", payment_id="")).status_code == 422
        assert (await decide(browser, "perhaps")).status_code == 400
        assert (await decide(browser, "approved", amount="many")).status_code == 422
        # What only the service knows it says itself: the code on the slip is missing.
        assert (await decide(browser, "approved")).status_code == 303
        assert "Not done" in await browser.page("/attention")
        assert (await decide(browser, "noted")).status_code == 303
        assert (await decide(browser, "send_again")).status_code == 303
        assert (await decide(browser, "not_charged", payment_id="unknown")).status_code == 303
        assert shop.document("till-1", 1)["status"] == "in_doubt"

    at_the_console(tmp_path, test, SLOW)


def test_an_answer_is_corrected_on_the_page_of_its_payment_by_the_same_rules(
    tmp_path: Path,
) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await have_a_doubt(shop)
        await browser.unlock()
        await decide(browser, "not_charged")
        await shop.until("till-1", 1, status="failed")
        await browser.unlock(name="Cleo")
        await decide(browser, "approved", approval_code="481516", amount="47,90")
        await asyncio.sleep(2.0)
        document = shop.document("till-1", 1)
        told = document["resolution"]["answers"]
        assert [one["operator_id"] for one in told] == ["Anna (supervisor)", "Cleo (supervisor)"]

    at_the_console(tmp_path, test, SLOW)


def test_a_running_payment_is_stopped_by_a_supervisor_only(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, stage="waiting_for_card")
        form = {"payment_id": payment_id(1)}
        assert (await browser.send("/do/cancel", form)).status_code == 403
        await browser.unlock()
        assert "Cancel payment" in await browser.page("/")
        assert (await browser.send("/do/cancel", form)).status_code == 303
        document = await shop.until("till-1", 1, status="canceled")
        assert document["cancel_reason"] == "operator"
        assert document["error"]["code"] == "canceled_operator"
        assert document["error"]["money_moved"] == "no"
        assert [one.did for one in await acts(shop, payment_id(1))] == ["cancel"]
        assert (await browser.send("/do/cancel", form)).status_code == 303
        assert "the payment has ended" in await browser.page("/")

    nobody = Scenario(otherwise=Plan(seconds_to_card=600.0))
    at_the_console(tmp_path, test, Plans(shoppers={"counter-1": nobody}))


def test_a_terminal_is_asked_how_it_is(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await browser.unlock()
        probes = shop.stations["counter-1"].state.probes
        await browser.send("/do/probe", {"terminal_id": "counter-1"})
        await asyncio.sleep(5.0)
        assert shop.stations["counter-1"].state.probes > probes
        await browser.send("/do/probe", {"terminal_id": "nobody"})
        assert "no such terminal" in await browser.page("/")

    at_the_console(tmp_path, test)


@pytest.mark.parametrize("close", [True, False])
def test_a_day_is_closed_once_however_often_it_is_pressed(tmp_path: Path, *, close: bool) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, status="approved")
        await browser.unlock()
        form = {
            "terminal_id": "counter-1",
            "name": day_name("counter-1", NOON),
            "what": "close" if close else "compare",
        }
        for _ in range(2):
            assert (await browser.send("/do/close-day", form)).status_code == 303
            await asyncio.sleep(20.0)
        closed = shop.ledger.batches.of("counter-1").closed
        assert len(closed) == (1 if close else 0)
        page = await browser.page("/day")
        if close:
            assert "as the journal" in page
            assert "€47.90" in page
        assert len(await acts(shop, "counter-1")) == 2

    at_the_console(tmp_path, test)


def test_a_gap_is_noted_with_what_was_found(tmp_path: Path) -> None:
    async def test(shop: Shop, browser: Browser) -> None:
        await shop.pay("till-1", 1, **GUARD)
        await shop.until("till-1", 1, status="approved")
        await asyncio.sleep(5.0)
        shop.ports["counter-1"].unplug()
        shop.terminals["counter-1"].power_cut(1.0)  # it comes back with a free keypad
        await asyncio.sleep(2.0)
        assert shop.terminals["counter-1"].void_without_register()
        await shop.ports["counter-1"].plug()
        await asyncio.sleep(10.0)
        assert (await shop.ask("till-1", "terminal/reconcile"))["result"]["status"] == "different"
        page = await browser.page("/attention")
        assert "Sums differ" in page
        assert "−€47.90" in page
        await browser.unlock()
        form = {"terminal_id": "counter-1", "note": "the cashier undid it at the terminal"}
        assert (await browser.send("/do/note-gap", {**form, "note": ""})).status_code == 422
        assert shop.ledger.batches.gaps()
        await browser.send("/do/note-gap", form)
        assert not shop.ledger.batches.gaps()
        assert "Nothing needs you." in await browser.page("/attention")

    at_the_console(tmp_path, test)


def test_only_a_technician_may_have_the_bridge_go_on(tmp_path: Path) -> None:
    async def test(_: Shop, browser: Browser) -> None:
        await browser.unlock()
        form = {"note": "I looked at the slips"}
        assert (await browser.send("/do/take-over", form)).status_code == 403
        await browser.unlock("technician", "135790")
        assert (await browser.send("/do/take-over", form)).status_code == 303
        assert "nothing is in the way" in await browser.page("/")

    at_the_console(tmp_path, test)
