"""`paybridge backup`: copies of the journal."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from bridge.cli.shell import EXIT_FAILED, Command, load, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where it goes, or ask for what is there."""
    parser.add_argument(
        "file", nargs="?", type=Path, help="where it goes (backups/ in the state directory)"
    )
    parser.add_argument("--list", action="store_true", help="list the copies that are there")
    parser.add_argument("--facts", action="store_true", help="tell of the journal; copy nothing")
    parser.add_argument(
        "--before", default="", metavar="VERSION", help="made for an upgrade to that version"
    )


def main(options: argparse.Namespace) -> int:
    """Copy the journal while it is used or not; 1 when there is none yet."""
    from bridge.cli import backup

    config = load(options)
    if options.list:
        return _list(options)
    if options.facts:
        facts = backup.journal_facts(config)
        print_json(asdict(facts)) if options.json else print(backup.in_words(facts))
        return 0
    made = backup.back_up(config, options.file, options.before, backup.utc_now())
    if options.json:
        print_json(made.as_json() if made else {"path": None})
    elif made is None:
        print("There is no journal yet.")
    else:
        print(f"{made.path}: {backup.in_words(made.facts)}")
    return 0 if made else EXIT_FAILED


def _list(options: argparse.Namespace) -> int:
    from bridge.cli import backup

    found = backup.list_copies(load(options))
    if options.json:
        print_json([{"error": one} if isinstance(one, str) else one.as_json() for one in found])
        return 0
    for one in found:
        print(one if isinstance(one, str) else f"{one.path}: {backup.in_words(one.facts)}")
    return 0


COMMAND = Command(
    "backup", "copy the journal, also while it is used; list the copies", main, add_arguments
)
