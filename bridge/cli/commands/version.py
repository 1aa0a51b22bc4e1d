"""`paybridge version`: which version this is."""

from __future__ import annotations

import argparse

from bridge import __version__
from bridge.cli.shell import Command, print_json


def main(options: argparse.Namespace) -> int:
    """Print it."""
    if options.json:
        print_json({"version": __version__})
    else:
        print(f"paybridge {__version__}")
    return 0


COMMAND = Command("version", "print the version", main, reads_config=False)
