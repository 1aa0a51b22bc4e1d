"""`paybridge restore`: make a copy the journal again, once a person knows what that means."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from bridge.cli.shell import EXIT_FAILED, Command, load, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which copy, and that its meaning was read."""
    parser.add_argument("file", type=Path, nargs="?", help="the copy; `backup --list` shows some")
    parser.add_argument("--yes", action="store_true", help="do it; without, say what it means")
    parser.add_argument(
        "--none", action="store_true", help="no copy: set the journal aside and begin a new one"
    )


def main(options: argparse.Namespace) -> int:
    """Put a copy back; 1 when it was only explained, 74 when it cannot be done."""
    from bridge.cli import backup
    from bridge.errors import JournalError
    from bridge.money.store.journal_copy import NO_JOURNAL, facts_of

    config = load(options)
    if (options.file is None) == (not options.none):
        print("paybridge: name a copy, or say --none", file=sys.stderr)
        return EXIT_FAILED
    if not options.yes:
        try:
            journal = backup.journal_facts(config)
        except JournalError:
            journal = None
        copy = NO_JOURNAL if options.none else facts_of(options.file)
        if options.json:
            print_json({"copy": asdict(copy), "journal": asdict(journal) if journal else None})
        else:
            print("\n".join(backup.what_it_means(copy, journal)))
            print("Nothing was done. Stop the service and add --yes to put it back.")
        return EXIT_FAILED
    if options.none:
        backup.clear(config, backup.utc_now())
        print_json({"restored": None}) if options.json else print("The journal is set aside.")
        return 0
    done = backup.restore(config, options.file, backup.utc_now())
    if options.json:
        kept_in = str(done.kept_in) if done.kept_in else None
        print_json(
            {"restored": asdict(done.restored), "kept_in": kept_in}
            | {"lost_nothing": done.lost_nothing}
        )
        return 0
    print("\n".join(backup.what_it_means(done.restored, done.replaced)))
    if done.kept_in:
        print(f"The journal before is kept in {done.kept_in}.")
    return 0


COMMAND = Command("restore", "make a copy the journal again", main, add_arguments)
