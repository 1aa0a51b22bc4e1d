"""`paybridge day`: the report of a day, and what the back office has beside it."""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.cli.screen_text import shown
from bridge.cli.shell import Command, load, print_json, say_wrong_use

if TYPE_CHECKING:
    from rich.console import Console

    from bridge.reports.day import DayReport
    from bridge.reports.office_column import OfficeColumn

SECTIONS = {
    "by_type": "By what was asked",
    "by_brand": "By card",
    "by_terminal": "By terminal",
    "by_method": "By what was paid with",
    "by_recording": "In the books",
}
CSV_COLUMNS = ("section", "name", "currency", "count", "amount", "tip", "text")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which day."""
    parser.add_argument(
        "day",
        nargs="?",
        default="today",
        metavar="DATE",
        help="e.g. 2026-11-30, yesterday (today); by the store's clock",
    )
    parser.add_argument("--no-office", action="store_true", help="do not ask the back office")
    parser.add_argument("--csv", action="store_true", help="as a table for a spreadsheet")


def main(options: argparse.Namespace) -> int:
    """Print the report; 64 for a day that is none."""
    from bridge.adapters import utc_now
    from bridge.cli.office_sales import office_column
    from bridge.reports.day import day_report
    from bridge.reports.local_days import read_day
    from bridge.reports.office_column import OfficeColumn
    from bridge.reports.reader import reading
    from bridge.settings import JOURNAL_NAME

    config = load(options)
    try:
        day = read_day(options.day, utc_now().astimezone().date())
    except ValueError as error:
        return say_wrong_use(options, error)
    with reading(config.site.state_directory / JOURNAL_NAME) as reader:
        report = day_report(reader, day, datetime.astimezone)
    column = OfficeColumn(not_compared="not asked for")
    if not options.no_office:
        column = asyncio.run(office_column(config, os.environ, day, report.lines))
    if options.json:
        print_json(report.as_json() | {"office": column.as_json()})
    elif options.csv:
        _write_csv(report, column)
    else:
        from rich.console import Console

        _print(Console(), report, column)
    return 0


def _print(console: Console, report: DayReport, column: OfficeColumn) -> None:
    from bridge.cli.payment_table import payments_table, totals_table

    console.print(f"[bold]{report.day:%A, %Y-%m-%d}[/]: {len(report.lines)} payments\n")
    for name, title in SECTIONS.items():
        found = getattr(report, name)
        if found:
            console.print(f"[bold]{title}[/]")
            console.print(totals_table(found, report.totals))
            console.print()
    if not report.totals:
        console.print("No money moved.\n")
    _print_gift_cards(console, report)
    if report.open:
        console.print("[bold]Open[/] (what is in doubt is in no sum)")
        console.print(payments_table(report.open, datetime.astimezone))
        for line in report.open:
            if line.needs_person:
                print(f"…{line.payment_id[-8:]}: {line.needs[0].command}")
        console.print()
    _print_closes(console, report)
    _print_office(console, column)


def _print_gift_cards(console: Console, report: DayReport) -> None:
    from bridge.cli.payment_table import signed_text

    for cards in report.gift_cards:
        parts = {
            "paid with": cards.redeemed_minor,
            "loaded": cards.loaded_minor,
            "taken off": -cards.unloaded_minor,
            "refunded onto": cards.refunded_minor,
        }
        told = ", ".join(
            f"{name} {signed_text(minor, cards.currency)}" for name, minor in parts.items() if minor
        )
        console.print(f"[bold]Gift cards[/]: {told}\n")


def _print_closes(console: Console, report: DayReport) -> None:
    from rich.table import Table

    from bridge.reports.local_days import local_text

    if not report.closes:
        console.print("No terminal closed its day on this day.\n")
        return
    table = Table(
        *("terminal", "closed", "it says", "journal", "in the books", "", ""),
        box=None,
        pad_edge=False,
    )
    colors = {"matched": "green", "different": "red", "unknown": "yellow"}
    for one in report.closes:
        words = [one.not_explained and f"not explained: {one.not_explained}", *one.causes]
        words += one.differences
        words += [f"noted by {one.noted_by}"] if one.noted_by else []
        table.add_row(
            shown(one.terminal_id),
            local_text(one.closed_at, datetime.astimezone, "%H:%M"),
            f"{one.terminal or '?'} {one.currency}",
            one.journal or "?",
            one.recorded or "not compared",
            f"[{colors[one.status]}]{one.status}[/]",
            shown("; ".join(word for word in words if word)),
        )
    console.print("[bold]Ends of day[/] (a terminal's own day, from close to close)")
    console.print(table)
    console.print()


def _print_office(console: Console, column: OfficeColumn) -> None:
    from rich.table import Table

    console.print("[bold]The back office's own sales[/]")
    if column.not_compared:
        console.print(f"not compared: {shown(column.not_compared)}")
        return
    for text in column.warnings:
        console.print(f"[bold red]{shown(text)}[/]")
    table = Table("reference", "ours", "theirs", "", "", box=None, pad_edge=False)
    colors = {"matched": "green", "differs": "red"}
    for one in column.rows:
        verdict = one.verdict.replace("_", " ")
        color = colors.get(one.verdict)
        colored = f"[{color}]{verdict}[/]" if color else verdict
        table.add_row(shown(one.reference), one.ours, shown(one.theirs), colored, shown(one.text))
    console.print(table if column.rows else "it shows none, and we have none with a sale's number")


def _write_csv(report: DayReport, column: OfficeColumn) -> None:
    from bridge.cli.payment_table import cell

    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS)
    writer.writeheader()

    def write(section: str, name: str, text: str = "", **more: object) -> None:
        row = {"section": section, "name": name, "text": text, **more}
        amounts = {"amount", "tip"}
        writer.writerow(
            {key: str(value) if key in amounts else cell(key, value) for key, value in row.items()}
        )

    for section in ("totals", *SECTIONS):
        for one in getattr(report, section):
            told = one.as_json()
            write(section, str(told.pop("name")), **told)
    for line in report.open:
        told = line.as_json()
        needs = " ".join(need.kind for need in line.needs)
        write("open", line.payment_id, needs, currency=line.currency, amount=told["at_stake"])
    for close in report.closes:
        text = "; ".join((close.status, *close.causes, *close.differences))
        write("end_of_day", close.terminal_id, text, currency=close.currency, amount=close.journal)
    if column.not_compared:
        write("office", "not compared", column.not_compared)
    for row in column.rows:
        write("office", row.reference, f"{row.verdict} {row.text}".strip(), amount=row.theirs)
    for text in column.warnings:
        write("office", "warning", text)


COMMAND = Command(
    "day", "report a day: what moved, what is open, ends of day, the books", main, add_arguments
)
