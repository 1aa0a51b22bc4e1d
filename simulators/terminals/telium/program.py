"""A French card terminal that exists only in software: `python -m simulators terminal telium`.

On a pseudo-terminal it speaks Concert E+, on TCP Caisse-AP, as the terminals do. Its ledger says
what really happened to money; its memory keeps the tickets that a person would read.
"""

from __future__ import annotations

import argparse
import random
from datetime import datetime

from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.program import (
    add_terminal_arguments,
    chosen_scenario,
    kind_of,
    serve_terminal,
)
from simulators.terminals.telium.caisse_ap import CaisseApTerminal
from simulators.terminals.telium.concert import TeliumTerminal
from simulators.terminals.telium.device import PROFILES, Memory, Profile, Ticket

__all__ = [
    "PROFILES",
    "CaisseApTerminal",
    "Memory",
    "Profile",
    "TeliumTerminal",
    "Ticket",
    "add_arguments",
    "serve",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command line of this terminal."""
    add_terminal_arguments(parser)
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        default="default",
        help="whose habits it has (default: default)",
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Be a terminal until canceled."""
    terminal = (TeliumTerminal if kind_of(arguments) == "serial" else CaisseApTerminal)(
        clock=lambda: datetime.now().astimezone(),
        rng=random.Random(arguments.seed),
        scenario=chosen_scenario(arguments),
        profile=PROFILES[arguments.profile],
        memory=Memory(arguments.memory),
        ledger=TerminalLedger(arguments.ledger),
        speed=arguments.speed,
    )
    await serve_terminal(arguments, terminal)
