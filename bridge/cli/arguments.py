"""The parser of the whole command line, made from the commands; nothing is done here."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.cli.commands import COMMANDS
from bridge.cli.shell import CONFIG_DEFAULT


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; `command` names what was asked for."""
    whole = argparse.ArgumentParser(
        prog="paybridge",
        description="Takes card payments for cash registers: MQTT in, card terminals out, every "
        "captured payment recorded in the back office once.",
        epilog="New here? Try `paybridge demo`. In a store: `paybridge check`, then "
        "`paybridge login`, then `paybridge run`.",
    )
    whole.add_argument("--version", action="version", version=f"paybridge {__version__}")
    subs: Any = whole.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS.values():
        text = command.text
        sub: argparse.ArgumentParser = subs.add_parser(
            command.name, help=text, description=text[0].upper() + text[1:] + "."
        )
        if command.reads_config:
            sub.add_argument(
                "--config",
                type=Path,
                default=CONFIG_DEFAULT,
                metavar="FILE",
                help=f"the configuration (default: {CONFIG_DEFAULT})",
            )
        sub.add_argument(
            "--json", action="store_true", help="print JSON instead of text for people"
        )
        command.add_arguments(sub)
    return whole
