"""`paybridge login`: logs this machine in to the back office."""

from __future__ import annotations

import argparse
import asyncio
import os

from bridge.cli.shell import PRIVATE_UMASK, Command, load, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Choose the way to log in."""
    parser.add_argument("--browser", action="store_true", help="use a browser on this machine")
    parser.add_argument(
        "--accept-other", action="store_true", help="accept another user than before"
    )


def main(options: argparse.Namespace) -> int:
    """Let a person log this machine in."""
    from bridge.cli.login import log_in

    os.umask(PRIVATE_UMASK)
    identity = asyncio.run(
        log_in(
            load(options),
            os.environ,
            browser=options.browser,
            accept_other=options.accept_other,
            as_json=options.json,
        )
    )
    if options.json:
        print_json({"logged_in": True, "as": identity})
    return 0


COMMAND = Command(
    "login", "log this machine in to the back office, with a code to type", main, add_arguments
)
