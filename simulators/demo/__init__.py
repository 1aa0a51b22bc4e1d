"""`paybridge demo`: a day at a till before the viewer's eyes, played by real processes.

Runs the real service beside simulated terminals and offices. It ends with the books of terminal,
journal and back office beside each other.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from simulators.demo import environment, interactive, outcome, scenario, view
from simulators.demo.books import read_books
from simulators.demo.comparison import compare
from simulators.demo.day import Day
from simulators.demo.process import ProcessFailed
from simulators.demo.screen_model import PromiseBroken, ScreenModel

__all__ = ["play"]

EXIT_INTERRUPTED = 130


def play(*, stay: bool, fast: bool, as_json: bool) -> int:
    """Play the day and return the exit status: 0 if every promise was kept and all books agree.

    Args:
        stay: Keep everything up afterwards, with commands to copy, until Ctrl-C.
        fast: Without the pauses for viewers.
        as_json: Print the outcome as JSON; what is played goes to standard error.
    """
    # Libraries complain of every broken line; here lines are broken on purpose.
    logging.disable(logging.CRITICAL)
    console = Console(stderr=as_json, highlight=False)
    try:
        return asyncio.run(_play(console, stay=stay, fast=fast, as_json=as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped before its end; nothing is left running.")
        return EXIT_INTERRUPTED


async def _play(console: Console, *, stay: bool, fast: bool, as_json: bool) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None, "asyncio.run made one"
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    began_at = loop.time()
    screen_model = ScreenModel()
    good = False
    alive = console.is_terminal and not console.is_dumb_terminal and not as_json
    shown = view.live if alive else view.lines
    try:
        with tempfile.TemporaryDirectory(prefix="paybridge-demo-") as folder:
            async with environment.running(
                Path(folder), screen_model, fast=fast, console=stay
            ) as running:
                day = Day(running)
                async with shown(screen_model, console):
                    await scenario.open_the_shop(day)
                    broken = await scenario.play(day)
                comparison = compare(
                    read_books(running.terminal_ledger, running.journal, running.office_ledger)
                )
                good = comparison.equal and not broken
                if as_json:
                    seconds = loop.time() - began_at
                    found = outcome.as_document(
                        comparison, day.titles, screen_model.steps, broken, seconds
                    )
                    print(json.dumps(found), flush=True)
                else:
                    outcome.show(console, comparison, day.titles, broken)
                    if not stay:
                        outcome.show_what_next(console)
                if stay:
                    await interactive.stay(running, console)
    except* (ProcessFailed, PromiseBroken) as group:
        for error in group.exceptions:
            print(f"the demo could not be played: {error}", file=sys.stderr)
        good = False
    return 0 if good else 1
