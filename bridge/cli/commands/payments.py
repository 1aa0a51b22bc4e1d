"""`paybridge payments`: lists payments, and what they add up to."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.cli.shell import Command, load, print_json, say_wrong_use

if TYPE_CHECKING:
    from bridge.reports.payment_lines import Selection

LIMIT_DEFAULT = 20  # without any filter; a filter shows all that it finds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which ones."""
    parser.add_argument("--sale", default="", metavar="ID", help="of this sale of a register")
    parser.add_argument("--amount", default="", metavar="X", help="asked for or moved, e.g. 47.90")
    parser.add_argument("--last4", default="", metavar="DIGITS", help="the card's last digits")
    parser.add_argument(
        "--date", default="", metavar="DAY", help="e.g. 2026-11-30, today, yesterday"
    )
    parser.add_argument("--register", default="", metavar="NAME", help="of this register")
    parser.add_argument("--terminal", default="", metavar="NAME", help="at this terminal")
    parser.add_argument("--open", action="store_true", help="only those that need something")
    parser.add_argument(
        "--limit",
        type=int,
        default=None,
        metavar="N",
        help=f"at most so many ({LIMIT_DEFAULT}, and all with a filter)",
    )
    parser.add_argument("--csv", action="store_true", help="as a table for a spreadsheet")


def main(options: argparse.Namespace) -> int:
    """Print the payments; 64 for an amount or a day that is none."""
    from bridge.reports.payment_lines import find_lines, grand_totals, totals_by
    from bridge.reports.reader import reading
    from bridge.settings import JOURNAL_NAME

    config = load(options)
    try:
        wanted = _selection(options)
        with reading(config.site.state_directory / JOURNAL_NAME) as reader:
            lines = find_lines(reader, wanted)
            count = reader.count("1", ()) if wanted.newest else len(lines)
    except ValueError as error:
        return say_wrong_use(options, error)
    if options.json:
        print_json([line.as_json() for line in lines])
        return 0
    from datetime import datetime

    from bridge.cli.payment_table import lines_as_csv, payments_table, totals_table
    from bridge.cli.screen_text import printable

    if options.csv:
        print(lines_as_csv(lines, datetime.astimezone), end="")
        return 0
    from rich.console import Console

    console = Console()
    console.print(payments_table(lines, datetime.astimezone))
    console.print()
    console.print(totals_table(totals_by(lines, "type"), grand_totals(lines)))
    print(_told(len(lines), count, sum(bool(line.at_stake_minor) for line in lines)))
    for line in lines:
        if line.needs_person:
            need = line.needs[0]
            print(f"…{line.payment_id[-8:]}: {printable(need.text)}\n    {need.command}")
    return 0


def _selection(options: argparse.Namespace) -> Selection:
    """Return what the options mean.

    Raises:
        ValueError: The day is none.
    """
    from datetime import datetime

    from bridge.adapters import utc_now
    from bridge.reports.local_days import bounds_of, read_day
    from bridge.reports.payment_lines import Selection

    since = until = ""
    if options.date:
        day = read_day(options.date, utc_now().astimezone().date())
        since, until = bounds_of(day, datetime.astimezone)
    wanted = Selection(
        sale=options.sale,
        amount=options.amount,
        last4=options.last4,
        since=since,
        until=until,
        register_id=options.register,
        terminal_id=options.terminal,
        only_open=options.open,
    )
    is_filtered = any(asdict(wanted).values())
    limit = options.limit if options.limit is not None else 0 if is_filtered else LIMIT_DEFAULT
    from dataclasses import replace

    return replace(wanted, newest=max(limit, 0))


def _told(shown: int, count: int, in_doubt: int) -> str:
    text = f"{shown} payments" if shown == count else f"the newest {shown} of {count} payments"
    if in_doubt:
        text += f"; {in_doubt} of them in doubt and in no sum"
    return f"{text}. In brackets: asked for, and nothing moved."


COMMAND = Command(
    "payments", "list payments, newest first, and what they add up to", main, add_arguments
)
