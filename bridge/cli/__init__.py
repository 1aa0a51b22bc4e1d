"""The command line: `paybridge run|check|login|payments|show|resolve|drivers|find|…`.

Exit statuses: 0 done, 1 it did not work out, 64 wrong use, 69 the other side is away,
70 a bug, 74 the journal, 77 not allowed or login refused, 78 the configuration. Each command is a
module in `commands/`: what it takes, and what it prints. What it finds out lies beside that folder.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from bridge.cli.arguments import parser
from bridge.cli.commands import COMMANDS
from bridge.cli.extras import missing_part
from bridge.cli.shell import EXIT_FAILED, EXIT_USAGE, as_json, print_json, status_of
from bridge.errors import BridgeError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help()
        sys.exit(EXIT_USAGE)
    # What a module logs is for a running service; a person here gets answers and errors.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        sys.exit(COMMANDS[options.command].main(options))
    except BridgeError as error:
        _say_error(options, error)
        sys.exit(status_of(error))
    except ModuleNotFoundError as error:
        text = missing_part(error)
        if text is None:
            raise
        print(f"paybridge: {text}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)


def _say_error(options: argparse.Namespace, error: BridgeError) -> None:
    if getattr(options, "json", False):
        print_json(as_json(error))
    print(f"paybridge: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
