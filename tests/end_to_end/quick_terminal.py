"""The simulated ZVT terminal with short timers, so that a test need not wait for T2 and T3.

`python -m tests.end_to_end.quick_terminal`, with the arguments of `simulators terminal zvt`.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import random
import signal
from datetime import datetime

from simulators.terminals.shared.ledger import TerminalLedger
from simulators.terminals.shared.program import chosen_scenario, kind_of, serve_terminal
from simulators.terminals.zvt import PROFILES, Flash, ZvtTerminal, add_arguments

ACKNOWLEDGE_SECONDS = 0.4  # T2, three times
REPLY_SECONDS = 0.8  # T3


async def serve(arguments: argparse.Namespace) -> None:
    """Be a terminal until SIGTERM."""
    profile = dataclasses.replace(
        PROFILES[arguments.profile],
        acknowledge_seconds=ACKNOWLEDGE_SECONDS,
        reply_seconds=REPLY_SECONDS,
    )
    terminal = ZvtTerminal(
        clock=lambda: datetime.now().astimezone(),
        rng=random.Random(arguments.seed),
        kind=kind_of(arguments),
        scenario=chosen_scenario(arguments),
        profile=profile,
        flash=Flash(arguments.memory),
        ledger=TerminalLedger(arguments.ledger),
        speed=arguments.speed,
    )
    serving = asyncio.current_task()
    assert serving is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    await serve_terminal(arguments, terminal)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    asyncio.run(serve(parser.parse_args()))
