"""`paybridge conformance`: good and bad days for a live register."""

from __future__ import annotations

import argparse
import asyncio
import sys

from bridge.cli.conformance import add_arguments
from bridge.cli.shell import EXIT_FAILED, Command, print_json


def main(options: argparse.Namespace) -> int:
    """Play them; 1 when the register broke a rule."""
    from bridge.cli.conformance import facts, print_report, settings_from
    from simulators.conformance import conform
    from simulators.demo.process import ProcessFailed

    settings = settings_from(options)
    say = (lambda _: None) if options.json else (lambda text: print(text, flush=True))
    try:
        report = asyncio.run(conform(settings, say))
    except ProcessFailed as error:
        print(f"paybridge: {error}", file=sys.stderr)
        return EXIT_FAILED
    if options.json:
        print_json(facts(report))
    else:
        print_report(report)
    return 0 if report.is_kept else EXIT_FAILED


COMMAND = Command(
    "conformance",
    "play good and bad days at a live register and say what it did right and wrong",
    main,
    add_arguments,
    reads_config=False,
)
