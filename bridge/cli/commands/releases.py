"""`paybridge releases`: the versions on this PC, and which of them runs."""

from __future__ import annotations

import argparse
import os
import sys
import syslog
import time
from typing import TYPE_CHECKING

from bridge.cli.shell import EXIT_FAILED, EXIT_NOT_ALLOWED, EXIT_USAGE, Command, print_json

if TYPE_CHECKING:
    from bridge.release.machine import Systemd


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """List, change, or go on."""
    parser.add_argument(
        "wish", nargs="?", choices=("list", "use", "go-on"), default="list", help="list (default)"
    )
    parser.add_argument("version", nargs="?", default="", help="the version to run (use)")
    parser.add_argument("--by", default="", metavar="NAME", help="who decides that (go-on)")
    parser.add_argument("--package", action="store_true", help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> int:
    """Do it; 1 when the version asked for does not serve, 77 for others than root."""
    from bridge.release.machine import Systemd

    machine = Systemd(options.config, os.environ, monotonic=time.monotonic, sleep=time.sleep)
    if options.wish == "list":
        return _list(machine, as_json=options.json)
    if os.geteuid() != 0:
        print("paybridge: only root changes the version that runs", file=sys.stderr)
        return EXIT_NOT_ALLOWED
    if options.wish == "go-on":
        return _go_on(machine, options.by, as_json=options.json)
    return _use(machine, options)


def _list(machine: Systemd, *, as_json: bool) -> int:
    current, last, held = machine.current(), machine.last(), machine.held()
    if as_json:
        print_json(
            {"versions": machine.versions(), "current": current, "last": last, "held": held or None}
        )
        return 0
    for version in machine.versions():
        print(f"{version}{'  runs' if version == current else ''}")
    if not current:
        print("no version is selected: this paybridge was not installed as a package")
    if held:
        print(held)
    elif last.get("outcome") not in {None, "done"}:
        print("\n".join(last["words"]))
    return 0


def _go_on(machine: Systemd, by: str, *, as_json: bool) -> int:
    if not by:
        print("paybridge: say who decides that: --by NAME", file=sys.stderr)
        return EXIT_USAGE
    if not machine.held():
        print("paybridge: nothing is held", file=sys.stderr)
        return EXIT_FAILED
    syslog.syslog(syslog.LOG_WARNING, f"paybridge: released by={by} version={machine.current()}")
    why = machine.start()
    if as_json:
        print_json({"version": machine.current(), "ready": not why, "reason": why or None})
    else:
        print(f"{machine.current()} {f'does not become ready: {why}' if why else 'serves'}")
    return EXIT_FAILED if why else 0


def _use(machine: Systemd, options: argparse.Namespace) -> int:
    from bridge.release.switch import Outcome, switch

    if options.version not in machine.versions():
        there = ", ".join(machine.versions()) or "none"
        print(f"paybridge: there is no version {options.version!r}; {there}", file=sys.stderr)
        return EXIT_USAGE
    before = machine.was_rolled_back(options.version) if options.package else ()
    if before:
        words = (*before, f"`paybridge releases use {options.version}` tries it again")
        print("\n".join(words), file=sys.stderr)
        return EXIT_FAILED
    old = machine.current()
    result = switch(machine, old=old, new=options.version)
    if result.outcome is Outcome.DONE:
        machine.remove_others([options.version, old])
    priority = syslog.LOG_NOTICE if result.outcome is Outcome.DONE else syslog.LOG_ERR
    for line in result.words:
        syslog.syslog(priority | syslog.LOG_DAEMON, f"paybridge: {line}")
    if options.json:
        print_json({"outcome": result.outcome.value, "words": result.words})
    else:
        print("\n".join(result.words))
    # A package that is installed where nothing served is installed; a person who asked is told.
    fine = {Outcome.DONE, Outcome.AS_BEFORE} if options.package else {Outcome.DONE}
    return 0 if result.outcome in fine else EXIT_FAILED


COMMAND = Command(
    "releases", "list the versions on this PC; have another one run", main, add_arguments
)
