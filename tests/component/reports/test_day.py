"""A day's report adds up, shows what is open, and ends of day as they were told."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from bridge.cli.commands import day as command
from bridge.money import payment as p
from bridge.reports.day import DayReport, day_report
from bridge.reports.office_column import OfficeColumn, OfficeSale, compare_sales
from bridge.reports.payment_lines import PaymentLine, Selection, find_lines
from bridge.reports.reader import reading
from bridge.settings import JOURNAL_NAME
from drivers.contract import Approved, Baseline, Card, Money, Unclear
from simulators.terminals.zvt import ZvtTerminal
from tests.component.reports.test_payment_lines import follow
from tests.support.shop import Shop, in_a_shop
from tests.support.till import EUR, Till, approval, goods, open_till, pay

DAY = date(2026, 11, 23)
KIND = p.PaymentType


def report_of(folder: Path, day: date = DAY) -> DayReport:
    with reading(folder / JOURNAL_NAME) as reader:
        return day_report(reader, day, lambda at: at.astimezone(UTC))


async def a_day(till: Till) -> None:
    sale = pay(1, 5000, sale_id="T1-1")
    await till.done(sale)
    await follow(till, sale, 2, KIND.TIP_ADJUST, 500)
    await follow(till, sale, 3, KIND.REFUND, 1000)
    girocard = pay(4, 2000, sale_id="T1-2", terminal_id="counter-2")
    await till.ledger.accept(girocard, p.Started(Baseline("")))
    said = replace(approval(girocard), card=Card("girocard", "girocard"))
    await till.ledger.apply(girocard.payment_id, Approved(said))
    gift = pay(5, 700, sale_id="T1-3", terminal_id=p.GIFT_CARDS)
    await till.done(gift)
    doubt = pay(6, 900, sale_id="T1-4")
    await till.ledger.accept(doubt, p.Started(Baseline("")))
    await till.ledger.apply(doubt.payment_id, Unclear("link_lost"))
    await till.ledger.apply(doubt.payment_id, p.DoubtAged())


async def test_a_day_adds_up_in_each_of_its_sections(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await a_day(till)
    report = report_of(tmp_path)
    (total,) = report.totals
    assert (total.minor, total.tip_minor, total.count) == (7200, 500, 5)
    for section in ("by_type", "by_brand", "by_terminal", "by_method", "by_recording"):
        assert sum(one.minor for one in getattr(report, section)) == 7200, section
    assert {one.name: one.minor for one in report.by_type} == {
        "sale": 7700,
        "refund": -1000,
        "tip_adjust": 500,
    }
    assert {one.name: one.minor for one in report.by_brand}["girocard"] == 2000
    assert {one.name: one.minor for one in report.by_method}["gift_card"] == 700
    assert [(one.redeemed_minor, one.loaded_minor) for one in report.gift_cards] == [(700, 0)]
    assert [line.at_stake_minor for line in report.in_doubt] == [900]
    assert {line.payment_id for line in report.in_doubt} <= {
        line.payment_id for line in report.open
    }


async def test_another_day_has_none_of_it(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await a_day(till)
    for day in (date(2026, 11, 22), date(2026, 11, 24)):
        report = report_of(tmp_path, day)
        assert (report.lines, report.totals) == ((), ())


async def alone(shop: Shop, act: Callable[[ZvtTerminal], bool]) -> None:
    """Have the terminal, which nobody controls, do something of its own, and come back."""
    shop.ports["counter-1"].unplug()
    await asyncio.sleep(5.0)
    assert act(shop.terminals["counter-1"])
    await shop.ports["counter-1"].plug()
    async with asyncio.timeout(120):
        while not shop.stations["counter-1"].state.can_take_payments:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def test_an_end_of_day_is_shown_as_it_was_told_and_who_noted_it(tmp_path: Path) -> None:
    guard = {"expires_at": "2026-11-23T12:30:00Z"}

    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "8.00", **guard)
        await shop.until("till-1", 1, status="approved")
        await alone(shop, lambda terminal: terminal.close_without_register())
        await shop.pay("till-1", 2, "3.00", **guard)
        await shop.until("till-1", 2, status="approved")
        answer = await shop.ask("till-1", "terminal/reconcile", terminal_id="counter-1")
        assert answer["status"] == "ok", answer
        await shop.desk.operations.day_ends.note("counter-1", "anna", "typed in by hand")

    in_a_shop(tmp_path, test)
    (close,) = report_of(tmp_path).closes
    assert (close.terminal_id, close.status, close.gap) == ("counter-1", "different", "-8.00")
    assert (close.terminal, close.journal, close.noted_by) == ("3.00", "11.00", "anna")
    assert close.not_explained == "-8.00"


def test_an_end_of_day_that_matches_says_so_and_nothing_of_the_books(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, "8.00", expires_at="2026-11-23T12:30:00Z")
        await shop.until("till-1", 1, status="approved")
        await shop.ask("till-1", "terminal/reconcile", terminal_id="counter-1")

    in_a_shop(tmp_path, test)
    (close,) = report_of(tmp_path).closes
    assert (close.terminal, close.journal) == ("8.00", "8.00")
    assert close.not_explained is None


# --- the office's column


def sold(number: str, total: str = "", register: str = "TILL-1") -> OfficeSale:
    return OfficeSale(f"id-{number}", register, number, total)


async def lines_of_a_day(folder: Path) -> list[PaymentLine]:
    async with open_till(folder) as till:
        await till.done(pay(1, 5000, sale_id="1"))
        await till.done(pay(2, 2000, sale_id="2", sale=goods(2000)))
    with reading(folder / JOURNAL_NAME) as reader:
        lines = find_lines(reader, Selection())
    # As the back office would have them, too: recorded, with nothing open.
    return [replace(line, needs=()) for line in lines]


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [
        ([sold("1", "50.00")], "matched"),
        ([sold("1", "50.000")], "matched"),
        ([sold("1", "49.99")], "differs"),
        ([sold("1")], "found"),
        ([sold("1", "lots")], "found"),
        ([sold("1", "50.00", "TILL-9")], "matched"),
        ([sold("1", "50.00", "TILL-8"), sold("1", "50.00", "TILL-9")], "unclear"),
        ([sold("1", "50.00", "TILL-9"), sold("1", "50.00")], "matched"),
        ([sold("7", "50.00")], "only_ours"),
        ([], "only_ours"),
    ],
)
async def test_sales_are_compared_by_reference_and_never_by_their_amount(
    tmp_path: Path, theirs: list[OfficeSale], verdict: str
) -> None:
    column = compare_sales(await lines_of_a_day(tmp_path), theirs, records=False)
    rows = {one.reference: one for one in column.rows}
    assert rows["till-1 1"].verdict == verdict
    assert rows["till-1 2"].verdict == "only_ours"
    assert column.warnings == ()


async def test_what_is_open_with_us_is_not_called_matched(tmp_path: Path) -> None:
    async with open_till(tmp_path) as till:
        await till.done(pay(1, 5000, sale_id="1"))
        doubt = pay(2, 100, sale_id="1", approved_by="anna")
        await till.ledger.accept(doubt, p.Started(Baseline("")))
        await till.ledger.apply(doubt.payment_id, Unclear("link_lost"))
    with reading(tmp_path / JOURNAL_NAME) as reader:
        lines = find_lines(reader, Selection())
    (row,) = compare_sales(lines, [sold("1", "50.00")], records=False).rows
    assert row.verdict == "found"


async def test_a_register_that_books_by_itself_is_warned_about_while_we_record(
    tmp_path: Path,
) -> None:
    lines = await lines_of_a_day(tmp_path)
    column = compare_sales(lines, [sold("1", "50.00"), sold("9", "3.00")], records=True)
    assert len(column.warnings) == 2
    assert "records must be false" in column.warnings[0]
    assert "1 of them have the number of a sale of ours" in column.warnings[1]
    assert [one.verdict for one in column.rows].count("only_theirs") == 1
    assert compare_sales(lines, [], records=True).warnings == ()


def test_what_was_not_compared_says_why() -> None:
    told = OfficeColumn(not_compared="the login may not see sales").as_json()
    assert (told["not_compared"], told["sales"]) == ("the login may not see sales", [])


# --- how it looks


async def test_screen_json_and_csv_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_till(tmp_path) as till:
        await a_day(till)
    report = report_of(tmp_path)
    column = compare_sales(report.lines, [sold("T1-2", "20.00")], records=True)
    console = Console(width=140, no_color=True)
    with console.capture() as captured:
        command._print(console, report, column)
    text = captured.get()
    assert "+72.00 EUR" in text
    assert "records must be false" in " ".join(text.split())
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    command._write_csv(report, column)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    (total,) = [row for row in rows if row["section"] == "totals"]
    assert (total["amount"], total["tip"], total["currency"]) == ("72.00", "5.00", EUR)
    said = json.loads(json.dumps(report.as_json()))
    assert said["totals"][0]["amount"] == "72.00"
    assert Money(7200, EUR).minor == report.totals[0].minor
    assert datetime.fromisoformat(said["since"]).date() == DAY
