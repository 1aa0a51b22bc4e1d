"""`paybridge find`: lists the serial ports, and asks who is there."""

from __future__ import annotations

import argparse
import asyncio
import sys

from bridge.cli.shell import CONFIG_DEFAULT, EXIT_FAILED, Command, print_json
from bridge.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where to look, and whether to ask."""
    parser.add_argument("--port", action="append", default=[], metavar="PATH", help="only this one")
    parser.add_argument("--probe", action="store_true", help="ask who it is; moves no money")
    parser.add_argument(
        "--tcp",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="ask who listens there; moves no money",
    )
    parser.add_argument(
        "--anywhere", action="store_true", help="also beyond this machine and private networks"
    )


def main(options: argparse.Namespace) -> int:
    """Print what was found; 1 when nothing was."""
    from bridge.cli.find import Configured, Wish, configured, print_all_found, tcp_address

    try:
        addresses = [tcp_address(one) for one in options.tcp]
    except ValueError as error:
        raise ConfigError("--tcp", str(error)) from None
    known = Configured()
    try:
        known = configured(options.config)
    except ConfigError as error:
        if options.config != CONFIG_DEFAULT:
            raise
        print(f"paybridge: no configuration to look at yet: {error}", file=sys.stderr)
    rows: list[object] | None = [] if options.json else None
    wish = Wish(options.port, addresses, options.probe, options.anywhere)
    success = asyncio.run(print_all_found(wish, known, rows))
    if options.json:
        print_json(rows)
    elif not success:
        asked = options.probe or options.tcp
        print("no terminal answered" if asked else "no serial port is there")
    return 0 if success else EXIT_FAILED


COMMAND = Command("find", "list the serial ports, and who is behind them", main, add_arguments)
