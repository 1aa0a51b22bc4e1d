"""`paybridge drivers`: lists the installed drivers."""

from __future__ import annotations

import argparse

from bridge.cli.shell import EXIT_FAILED, Command, print_json


def main(options: argparse.Namespace) -> int:
    """Print the drivers; 1 when one of them cannot be used."""
    from bridge.cli.drivers import as_json, installed_drivers, print_drivers

    found = installed_drivers()
    if options.json:
        print_json([as_json(one) for one in found])
    else:
        print_drivers(found)
    return EXIT_FAILED if any(one.error for one in found) else 0


COMMAND = Command(
    "drivers", "list the installed drivers: settings, capabilities", main, reads_config=False
)
