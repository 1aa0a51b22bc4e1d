"""What all commands share: exit statuses, the configuration, JSON, and orders to the service."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.errors import (
    BackOfficeUnavailable,
    BridgeError,
    ConfigError,
    JournalError,
    LoginRequired,
)

if TYPE_CHECKING:
    from bridge.config import Config

# Source: sysexits.h of 4.3BSD for the numbers.
EXIT_FAILED = 1
EXIT_USAGE = 64
EXIT_AWAY = 69
EXIT_BUG = 70
EXIT_JOURNAL = 74
EXIT_NOT_ALLOWED = 77
EXIT_CONFIG = 78

PRIVATE_UMASK = 0o077  # as the unit's UMask=
CONFIG_DEFAULT = Path("/etc/paybridge/paybridge.toml")


def takes_nothing(_parser: argparse.ArgumentParser) -> None:
    """Add no arguments of a command's own."""


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its name, a sentence, what it takes, and what it does.

    `main` returns the exit status. Modules of commands import what they need inside of it, so that
    the service starts fast and imports nothing that it does not use.
    """

    name: str
    text: str
    main: Callable[[argparse.Namespace], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] = takes_nothing
    reads_config: bool = True


def load(options: argparse.Namespace) -> Config:
    """Return the configuration that `--config` names.

    Raises:
        ConfigError: It cannot be read or used.
    """
    from bridge import config

    return config.load(options.config)


def print_json(value: object) -> None:
    """Print a value for programs, in one line."""
    print(json.dumps(value), flush=True)


def order(
    options: argparse.Namespace, wish: dict[str, object], *, is_long: bool = False
) -> dict[str, Any] | None:
    """Send an order to the running service; None, and a word to the person, if there is none.

    One that `is_long` may take minutes.

    Raises:
        ConfigError: The configuration cannot be read or used.
    """
    from bridge.config import CONTROL_NAME
    from bridge.control import ANSWER_SECONDS_MAX, LONG_ANSWER_SECONDS_MAX, ask

    seconds = LONG_ANSWER_SECONDS_MAX + ANSWER_SECONDS_MAX if is_long else ANSWER_SECONDS_MAX
    path = load(options).site.state_directory / CONTROL_NAME
    try:
        return asyncio.run(ask(path, wish, seconds=seconds))
    except (OSError, ValueError, TimeoutError) as error:
        print(f"the bridge is not running, or not ours ({path}: {error})", file=sys.stderr)
        return None


def say_refusal(answer: dict[str, Any]) -> None:
    """Print why the service did not do it."""
    print(f"refused: {answer.get('message')} ({answer.get('code')})", file=sys.stderr)


def say_wrong_use(options: argparse.Namespace, error: Exception) -> int:
    """Say that the words of a command do not fit together; return the exit status."""
    if options.json:
        print_json(as_json(error))
    print(f"paybridge {options.command}: {error}", file=sys.stderr)
    return EXIT_USAGE


def as_json(error: Exception) -> dict[str, str]:
    """Return an error for programs."""
    key = error.key if isinstance(error, ConfigError) else ""
    return {"error": type(error).__name__, "key": key, "message": str(error)}


def status_of(error: Exception) -> int:
    """Return the exit status that stands for an error."""
    match error:
        case ConfigError():
            return EXIT_CONFIG
        case JournalError():
            return EXIT_JOURNAL
        case LoginRequired():
            return EXIT_NOT_ALLOWED
        case BackOfficeUnavailable():
            return EXIT_AWAY
        case BridgeError():
            return EXIT_FAILED
        case _:
            return EXIT_BUG
