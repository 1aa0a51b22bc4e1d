"""`paybridge run`: the service itself."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys

from bridge import log
from bridge.cli.shell import (
    EXIT_FAILED,
    PRIVATE_UMASK,
    Command,
    as_json,
    load,
    print_json,
    status_of,
)
from bridge.errors import BridgeError

_LOGGER = logging.getLogger(__name__)


def main(options: argparse.Namespace) -> int:
    """Run the bridge until it is told to stop."""
    # Before anything can fail: journald takes the priority of the last word from its line.
    log.configure(logging.INFO, sys.stderr, os.environ)
    os.umask(PRIVATE_UMASK)
    announce = (lambda: print_json({"ready": True})) if options.json else (lambda: None)
    try:
        from bridge import service

        config = load(options)
        level = logging.getLevelNamesMapping()[config.service.log_level.upper()]
        logging.getLogger().setLevel(level)
        asyncio.run(service.run(config, os.environ, ready=announce))
    except BridgeError as error:
        if options.json:
            print_json(as_json(error))
        return _explain_end(BaseExceptionGroup("it did not start", [error]))
    except BaseExceptionGroup as group:
        return _explain_end(group)
    except Exception as error:
        return _explain_end(BaseExceptionGroup("before the tasks", [error]))
    return 0


def _explain_end(group: BaseExceptionGroup[BaseException]) -> int:
    """Log why the service ended and return the exit status; a bug says so with its traceback."""
    errors = _leaves(group)
    for error in errors:
        if isinstance(error, BridgeError):
            _LOGGER.error("stopped reason=%s", error)
        else:
            _LOGGER.critical("bug: the journal makes a restart safe", exc_info=error)
    return status_of(errors[0]) if errors else EXIT_FAILED


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _leaves(error)
        elif isinstance(error, Exception):
            found.append(error)
    return found


COMMAND = Command(
    "run", "run the bridge until it is told to stop (this is what systemd starts)", main
)
