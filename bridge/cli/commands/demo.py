"""`paybridge demo`: a day at a till, with simulated parts."""

from __future__ import annotations

import argparse

from bridge.cli.shell import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Choose how long it lasts."""
    parser.add_argument("--stay", action="store_true", help="keep everything up afterwards")
    parser.add_argument("--fast", action="store_true", help="without the pauses for viewers")


def main(options: argparse.Namespace) -> int:
    """Play the day."""
    from simulators.demo import play

    return play(stay=options.stay, fast=options.fast, as_json=options.json)


COMMAND = Command(
    "demo", "play a day at a till with simulated parts", main, add_arguments, reads_config=False
)
