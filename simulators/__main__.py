"""`python -m simulators`: things that pretend, so that a payment can be tried without any of them.

Each command is a module with `add_arguments(parser)` and `async serve(arguments)`; only the chosen
one is imported.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any

COMMANDS: dict[tuple[str, ...], tuple[str, str]] = {
    ("terminal", "zvt"): (
        "simulators.terminals.zvt",
        "a card terminal that speaks ZVT (Germany, Austria)",
    ),
    ("terminal", "pax"): (
        "simulators.terminals.pax.terminal",
        "a card terminal that speaks PAX POSLINK",
    ),
    ("terminal", "telium"): (
        "simulators.terminals.telium.program",
        "a card terminal that speaks Telium",
    ),
    ("backoffice",): (
        "simulators.back_office.program",
        "the GraphQL back office that records payments",
    ),
    ("oidc",): ("simulators.identity_provider.site", "the login that the back office asks for"),
    ("register",): ("simulators.register.program", "a cash register that talks MQTT"),
}


def main(words: list[str]) -> int:
    """Run one simulator until SIGTERM or SIGINT; return the exit status."""
    for length in (2, 1):
        found = COMMANDS.get(tuple(words[:length]))
        if found is not None:
            return _run(found, words[:length], words[length:])
    asked = not words or words[0] in ("-h", "--help")
    (sys.stdout if asked else sys.stderr).write(_usage())
    return 0 if asked else 2


def _usage() -> str:
    lines = ["usage: python -m simulators COMMAND [-h] ...", "", "Commands:"]
    lines += [f"  {' '.join(name):18}{about}" for name, (_, about) in COMMANDS.items()]
    lines += ["", "Each prints one JSON line with its addresses when it is ready, and runs until"]
    lines += ["SIGTERM or Ctrl-C. `python -m simulators terminal zvt -h` explains one of them.", ""]
    return "\n".join(lines)


def _run(found: tuple[str, str], name: list[str], rest: list[str]) -> int:
    try:
        module: ModuleType = importlib.import_module(found[0])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "simulators", "drivers"):
            raise
        sys.stderr.write(
            f"this simulator needs the Python package {error.name!r}, which is not installed here; "
            "in the folder of paybridge's source: pip install '.[demo]'\n"
        )
        return 1
    parser = argparse.ArgumentParser(
        prog=f"python -m simulators {' '.join(name)}", description=f"Be {found[1]}."
    )
    module.add_arguments(parser)
    arguments = parser.parse_args(rest)
    return asyncio.run(_until_told(module.serve, arguments))


async def _until_told(
    serve: Callable[[argparse.Namespace], Coroutine[Any, Any, None]],
    arguments: argparse.Namespace,
) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await serve(arguments)
    except asyncio.CancelledError:
        return 0  # a signal asked for it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
