"""`paybridge show`: one payment, and what was known when."""

from __future__ import annotations

import argparse
import sys

from bridge.cli.shell import EXIT_FAILED, Command, load, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the payment."""
    parser.add_argument("payment_id", help="the id, or its beginning or end")


def main(options: argparse.Namespace) -> int:
    """Print the payment; 1 when there is no such one."""
    from bridge.cli.journal import find_payment

    found = find_payment(load(options), options.payment_id)
    if found is None:
        print(f"there is no payment {options.payment_id}", file=sys.stderr)
        return EXIT_FAILED
    if options.json:
        print_json(found)
        return 0
    from bridge.cli.journal import print_history

    print_history(found)
    return 0


COMMAND = Command("show", "show one payment: what was known when", main, add_arguments)
