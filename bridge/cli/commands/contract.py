"""`paybridge contract`: writes the register contract."""

from __future__ import annotations

import argparse
from pathlib import Path

from bridge.cli.shell import EXIT_FAILED, Command, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where to."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a file there is stale"
    )


def main(options: argparse.Namespace) -> int:
    """Write the files, or with `--check` say which are stale; 1 when one is."""
    from bridge.cli.contract import stale_files, write_files

    changed = stale_files(options.out) if options.check else write_files(options.out)
    if options.json:
        print_json({"stale" if options.check else "written": changed})
    else:
        for name in changed:
            print(f"{'stale' if options.check else 'written'}: {options.out / name}")
    return EXIT_FAILED if options.check and changed else 0


COMMAND = Command(
    "contract",
    "write the register contract as AsyncAPI, schemas, text",
    main,
    add_arguments,
    reads_config=False,
)
