"""A ZVT card terminal that exists only in software: `python -m simulators terminal zvt`.

It answers as PA00P015 rev 13.08 asks, keeps its own memory, prints receipts through the register,
and misbehaves on request. Its ledger says what really happened to money.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from datetime import datetime

from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.program import (
    add_terminal_arguments,
    chosen_scenario,
    kind_of,
    serve_terminal,
)
from simulators.terminals.zvt.flash import Flash
from simulators.terminals.zvt.profile import PROFILES
from simulators.terminals.zvt.terminal import ZvtTerminal
from simulators.terminals.zvt.words import WORDS

__all__ = ["PROFILES", "Flash", "ZvtTerminal", "add_arguments", "serve"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command line of this terminal."""
    add_terminal_arguments(parser)
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        default="default",
        help="whose terminal it imitates (default: default)",
    )
    parser.add_argument(
        "--language",
        choices=sorted(WORDS),
        default="de",
        help="what it shows and prints is in this language (default: de)",
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Be a terminal until canceled."""
    terminal = ZvtTerminal(
        clock=lambda: datetime.now().astimezone(),
        rng=random.Random(arguments.seed),
        kind=kind_of(arguments),
        scenario=chosen_scenario(arguments),
        profile=replace(PROFILES[arguments.profile], language=arguments.language),
        flash=Flash(arguments.memory),
        ledger=TerminalLedger(arguments.ledger),
        speed=arguments.speed,
    )
    await serve_terminal(arguments, terminal)
