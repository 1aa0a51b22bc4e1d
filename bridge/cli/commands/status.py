"""`paybridge status`: one screen, as the running service says it."""

from __future__ import annotations

import argparse
import asyncio
import os
from datetime import datetime
from pathlib import Path

from bridge.cli.shell import EXIT_AWAY, EXIT_FAILED, Command, load, print_json

WATCH_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Choose whether it stays."""
    parser.add_argument("--watch", action="store_true", help="go on showing it, until Ctrl-C")


def main(options: argparse.Namespace) -> int:
    """Print it; 0 payments can be taken, 1 they cannot, 69 the service is not running."""
    from bridge.cli.status_screen import look, screen

    state = load(options).site.state_directory
    if options.watch and not options.json:
        asyncio.run(_watch(state))
    status = asyncio.run(look(state))
    if options.json:
        print_json(status.as_json())
    else:
        from rich.console import Console

        Console().print(screen(status, datetime.astimezone))
    if status.running != "yes":
        return EXIT_AWAY
    return 0 if status.takes_payments else EXIT_FAILED


async def _watch(state: Path) -> None:
    from rich.console import Console, Group
    from rich.live import Live

    from bridge.adapters import utc_now
    from bridge.cli.status_screen import look, screen

    console = Console()
    with Live(console=console, screen=os.isatty(1), auto_refresh=False) as live:
        while True:
            status = await look(state)
            at = f"[dim]{utc_now().astimezone():%H:%M:%S}, every second; Ctrl-C ends it[/]"
            live.update(Group(screen(status, datetime.astimezone), "", at), refresh=True)
            await asyncio.sleep(WATCH_SECONDS)


COMMAND = Command(
    "status", "show how it is, what needs a person, and what to type", main, add_arguments
)
