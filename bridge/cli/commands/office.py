"""`paybridge office`: any documented query of the back office, as a table, CSV or JSON."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys

from bridge.cli.shell import EXIT_AWAY, EXIT_FAILED, Command, load, say_wrong_use

LIMIT_DEFAULT = 100
ENDPOINTS = (
    *("environment", "location", "item", "itemWarehouse", "itemSerialLot", "product"),
    *("productBanner", "productGroup", "productNotice", "productSection", "productSortOption"),
    *("customer", "sale", "giftcard"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what is asked."""
    parser.add_argument(
        "endpoint", choices=ENDPOINTS, metavar="ENDPOINT", help=", ".join(ENDPOINTS)
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="narrow the rows down by an argument of the query, e.g. sku=4711; may be repeated",
    )
    parser.add_argument(
        "--since",
        metavar="MARK",
        help='only what is newer than a mark that was printed before; "" begins',
    )
    parser.add_argument(
        "--limit", type=int, default=LIMIT_DEFAULT, metavar="N", help=f"rows ({LIMIT_DEFAULT})"
    )
    parser.add_argument("--csv", action="store_true", help="print CSV instead of a table")


def main(options: argparse.Namespace) -> int:
    """Print the rows; 1 when not all of them can be told, 69 when the back office is away."""
    from bridge.cli.office import (
        LIMIT_MAX,
        UsageError,
        as_csv,
        as_json,
        as_table,
        ask_office,
        conditions,
    )

    try:
        where = conditions(options.where)
        if not 1 <= options.limit <= LIMIT_MAX:
            raise UsageError(f"--limit: from 1 to {LIMIT_MAX}")
        if options.csv and options.json:
            raise UsageError("say either --csv or --json")
    except UsageError as error:
        return say_wrong_use(options, error)
    shown = asyncio.run(
        ask_office(
            load(options),
            os.environ,
            options.endpoint,
            where,
            since=options.since,
            limit=options.limit,
        )
    )
    if options.json:
        print(as_json(shown), flush=True)
    elif options.csv:
        print(as_csv(shown), end="", flush=True)
    elif shown.rows:
        from rich.console import Console

        Console().print(as_table(shown))
    _say_what_is_missing(options, shown)
    if shown.problem is None:
        return 0
    return EXIT_FAILED if shown.problem.code or shown.rows else EXIT_AWAY


def _say_what_is_missing(options: argparse.Namespace, shown: object) -> None:
    """Tell a person what the rows do not show; on the standard error, away from the rows."""
    from bridge.cli.office import Shown

    assert isinstance(shown, Shown)
    if options.json:
        return
    if shown.problem is not None:
        print(f"not everything could be read: {shown.problem.reason}", file=sys.stderr)
    elif not shown.rows:
        print("the back office shows none", file=sys.stderr)
    elif shown.more:
        print(f"there are more than {len(shown.rows)}: raise --limit", file=sys.stderr)
    if shown.until and options.since is not None:
        if shown.until.isprintable():
            print(f"next time: --since {shlex.quote(shown.until)}", file=sys.stderr)
        else:
            print("the next mark cannot be typed: take it from --json", file=sys.stderr)


COMMAND = Command(
    "office", "ask the back office: items, stock, customers, sales, …", main, add_arguments
)
