"""`paybridge check`: prints what was found; its status says whether payments can be taken."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import TYPE_CHECKING

from bridge.cli.screen_text import shown
from bridge.cli.shell import Command, load, print_json

if TYPE_CHECKING:
    from bridge.cli.checks.findings import Finding

MARKS = {"ok": "[green]ok[/]", "look": "[yellow]look[/]", "wrong": "[red]wrong[/]"}
VERDICTS = {
    0: "Payments can be taken.",
    1: "No payment can be taken.",
    3: "Payments can be taken, but not all is well.",
}


def main(options: argparse.Namespace) -> int:
    """Try everything; 0 all is well, 1 no payment can be taken, 3 some can, 78 no configuration."""
    from bridge.cli.check import check
    from bridge.cli.checks.findings import exit_status

    config = load(options)
    findings = asyncio.run(check(config, os.environ, configuration=options.config))
    status = exit_status(findings, config.terminals)
    if options.json:
        print_json([one.as_json() for one in findings])
    else:
        _print(findings)
        print(VERDICTS[status])
    return status


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # whole paths: somebody has to look there
    table.add_column(overflow="fold")
    for one in findings:
        lines = [shown(one.text)]
        if one.level != "ok":
            lines += [f"[dim]where:[/] {shown(one.where)}"] if one.where else []
            lines += [f"[bold]do:[/] {shown(one.remedy)}"] if one.remedy else []
            lines.append(f"[dim]{one.code}[/]")
        table.add_row(MARKS[one.level], shown(one.what), "\n".join(lines))
    Console().print(table)


COMMAND = Command(
    "check", "try broker, terminals, login, back office and disk, and say what to do", main
)
