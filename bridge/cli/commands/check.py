"""`paybridge check`: prints what was found, and says by its status whether it will do."""

from __future__ import annotations

import argparse
import asyncio
import os

from bridge.cli.shell import EXIT_FAILED, Command, load, print_json


def main(options: argparse.Namespace) -> int:
    """Look at everything that a technician set up; 1 when something is wrong."""
    from bridge.cli.check import check

    results = asyncio.run(check(load(options), os.environ))
    if options.json:
        print_json([{"what": r.what, "state": r.state, "text": r.text} for r in results])
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, show_header=False)
        table.add_column()
        table.add_column(overflow="fold")  # whole paths: somebody has to look there
        table.add_column(overflow="fold")
        marks = {"ok": "[green]ok[/]", "look": "[yellow]look[/]", "wrong": "[red]wrong[/]"}
        for result in results:
            table.add_row(marks[result.state], result.what, result.text)
        Console().print(table)
    return EXIT_FAILED if any(result.state == "wrong" for result in results) else 0


COMMAND = Command("check", "check the configuration, the ports, the journal and the login", main)
