"""`paybridge show`: one payment, told: what happened, who says what, what to do next."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.cli.screen_text import printable, shown
from bridge.cli.shell import EXIT_FAILED, Command, load, print_json, say_wrong_use

if TYPE_CHECKING:
    from bridge.reports.payment_story import PaymentStory

CHOICES_MAX = 20  # of payments that may be meant; a day narrows more of them down


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the payment."""
    parser.add_argument(
        "payment_id",
        metavar="PAYMENT",
        help="the id, its beginning or end, the sale, the card's last four digits, or an amount "
        "(with --date)",
    )
    parser.add_argument(
        "--date", default="", metavar="DAY", help="only that day, e.g. 2026-11-30 or yesterday"
    )


def main(options: argparse.Namespace) -> int:
    """Print the payment; 1 when there is no such one, or several are."""
    from bridge.adapters import utc_now
    from bridge.reports.local_days import bounds_of, read_day
    from bridge.reports.payment_story import find_candidates, tell
    from bridge.reports.reader import reading
    from bridge.settings import JOURNAL_NAME

    config = load(options)
    since = until = ""
    try:
        if options.date:
            day = read_day(options.date, utc_now().astimezone().date())
            since, until = bounds_of(day, datetime.astimezone)
    except ValueError as error:
        return say_wrong_use(options, error)
    with reading(config.site.state_directory / JOURNAL_NAME) as reader:
        found = find_candidates(reader, options.payment_id, since=since, until=until)
        story = tell(reader, found[0].payment_id) if len(found) == 1 else None
    if story is None:
        if options.json:
            print_json({"found": [line.as_json() for line in found[:CHOICES_MAX]]})
        if not found:
            print(f"there is no payment {options.payment_id}", file=sys.stderr)
        elif not options.json:
            from rich.console import Console

            from bridge.cli.payment_table import payments_table

            Console().print(payments_table(found[:CHOICES_MAX], datetime.astimezone))
            print(f"{len(found)} payments may be meant: say the id's end, or --date")
        return EXIT_FAILED
    if options.json:
        from bridge.cli.journal import find_payment

        print_json((find_payment(config, story.line.payment_id) or {}) | story.as_json())
        return 0
    _print(story)
    return 0


def _print(story: PaymentStory) -> None:
    from rich.console import Console
    from rich.table import Table

    from bridge.cli.payment_table import card_of, money_of, payments_table
    from bridge.cli.purchase_versions import in_words, versions
    from bridge.reports.local_days import local_text
    from bridge.reports.payment_story import headline

    console, line = Console(), story.line
    console.print(f"[bold]{shown(headline(line))}[/]\n")
    facts = {
        "payment": line.payment_id,
        "when": local_text(line.created_at, datetime.astimezone),
        "register, terminal": f"{line.register_id}, {line.terminal_id}",
        "sale": line.sale_id,
        "money": money_of(line),
        "card": card_of(line),
        "in the books": " ".join((line.recording.replace("_", " "), line.record_id)),
    }
    head = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        if value.strip():
            head.add_row(f"[dim]{name}[/]", shown(value))
    for booked in story.booked:
        for mend in versions(booked):
            head.add_row("[dim]corrected[/]", shown(in_words(mend)))
    console.print(head)
    sides = Table("who", "amount", "card", "code", "says", box=None, pad_edge=False)
    for one in story.evidence:
        cells = (one.source, one.amount, one.card, one.code, one.said)
        sides.add_row(*(shown(cell) for cell in cells))
    console.print("\n[bold]Who says what[/]")
    console.print(sides)
    told = Table(box=None, show_header=False, pad_edge=False)
    for step in story.told:
        often = ""
        if step.times > 1:
            last = local_text(step.until, datetime.astimezone, "%H:%M:%S")
            often = f" [dim](× {step.times}, last at {last})[/]"
        at = local_text(step.at, datetime.astimezone, "%H:%M:%S")
        told.add_row(at, f"[dim]{step.source}[/]", shown(step.text) + often)
    console.print("\n[bold]What happened[/]")
    console.print(told)
    if story.siblings:
        console.print("\n[bold]The other payments of its sale[/]")
        console.print(payments_table(story.siblings, datetime.astimezone))
    console.print("\n[bold]What to do[/]")
    for need in story.needs:
        print(printable(need.text))
        if need.command:
            print(f"    {printable(need.command)}")
    if not story.needs:
        print("nothing")


COMMAND = Command(
    "show", "show one payment: what happened, who says what, what to do", main, add_arguments
)
