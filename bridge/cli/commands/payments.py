"""`paybridge payments`: lists payments."""

from __future__ import annotations

import argparse

from bridge.cli.shell import Command, load, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which ones."""
    parser.add_argument("--open", action="store_true", help="only those that need something")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many (20)")


def main(options: argparse.Namespace) -> int:
    """Print the payments."""
    from bridge.cli.journal import list_payments

    rows = list_payments(load(options), only_open=options.open, limit=options.limit)
    if options.json:
        print_json(rows)
        return 0
    from rich.console import Console

    from bridge.cli.journal import payments_table

    Console().print(payments_table(rows))
    return 0


COMMAND = Command("payments", "list payments, newest first", main, add_arguments)
