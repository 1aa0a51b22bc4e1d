"""`paybridge demo`: a day at a till, with simulated parts."""

from __future__ import annotations

import argparse
import sys

from bridge.cli.shell import EXIT_FAILED, Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Choose how long it lasts."""
    parser.add_argument("--stay", action="store_true", help="keep everything up afterwards")
    parser.add_argument("--fast", action="store_true", help="without the pauses for viewers")


def main(options: argparse.Namespace) -> int:
    """Play the day; 1 when its parts are not installed."""
    try:
        from simulators.demo import play
    except ImportError as error:
        print(
            f"the demo needs its extras: pip install 'paybridge[demo]' ({error})", file=sys.stderr
        )
        return EXIT_FAILED
    return play(stay=options.stay, fast=options.fast, as_json=options.json)


COMMAND = Command(
    "demo", "play a day at a till with simulated parts", main, add_arguments, reads_config=False
)
