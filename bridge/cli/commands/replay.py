"""`paybridge replay`: plays the payments of a support bundle again, and shows the conversation."""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.cli.screen_text import printable
from bridge.cli.shell import EXIT_FAILED, Command, print_json
from bridge.errors import BridgeError, ConfigError

if TYPE_CHECKING:
    from bridge.reports.replay import Conversation

BUNDLE_BYTES_MAX = 64 << 20  # unpacked; a day of a large store has some megabytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the bundle."""
    parser.add_argument("file", type=Path, metavar="FILE", help="as paybridge support wrote it")
    parser.add_argument("--payment", default="", metavar="ID", help="only this one, by its end")


def main(options: argparse.Namespace) -> int:
    """Play it; 1 where an event cannot be had today, or nothing is in it."""
    from bridge.money.payment import Requested
    from bridge.reports.replay import conversation_of, read_bundle, replay

    files = _read(options.file)
    entries, unread = read_bundle(files.get("journal.jsonl", "").splitlines())
    terminals = json.loads(files.get("config.json", "{}")).get("terminals", {})
    told: list[dict[str, Any]] = []
    good = True
    for subject, some in entries.items():
        is_payment = isinstance(some[0].event, Requested)
        if not is_payment or not subject.endswith(options.payment):
            continue
        steps = replay(some)
        good = good and not any(step.problem for step in steps)
        talk = conversation_of(some)
        said = _play(talk, terminals) if talk is not None else ["no terminal took it"]
        told.append({"payment_id": subject, "steps": steps, "conversation": said})
    if options.json:
        rows = [
            {**one, "steps": [{n: getattr(s, n) for n in s.__slots__} for s in one["steps"]]}
            for one in told
        ]
        print_json({"payments": rows, "unread": unread})
    else:
        _print(told, unread)
    return 0 if good and told else EXIT_FAILED


def _print(told: list[dict[str, Any]], unread: list[str]) -> None:
    print("The journal keeps events and no bytes: its decisions are played again as they were, and")
    print("the conversation is played anew by the driver against the simulated terminal.\n")
    for one in told:
        print(one["payment_id"])
        for step in one["steps"]:
            state = f"{step.status}, {step.funds}, {step.recording}"
            print(f"  {step.seq:>6} {step.at}  {printable(step.text)}\n         → {state}")
            if step.problem:
                print(f"         ! {step.problem}")
        print("  in the simulator:")
        for line in one["conversation"]:
            print(f"    {printable(line)}")
        print()
    for line in unread:
        print(f"not read: {line}", file=sys.stderr)
    if not told:
        print("there is no payment to play in this bundle", file=sys.stderr)


def _play(talk: Conversation, terminals: dict[str, Any]) -> list[str]:
    """Return the conversation's lines; why there is none, where it cannot be played."""
    from bridge.terminal.plugins import load_driver, read_settings

    table = terminals.get(talk.terminal_id, {})
    name = str(table.get("driver", ""))
    try:
        from simulators.demo.replay import can_play, play_again
    except ImportError as error:
        return [f"the simulated terminals are not installed: {error}"]
    if not can_play(name):
        return [f"there is no simulated terminal for the driver {name or '(not told)'}"]
    settings = {k: v for k, v in table.get("settings", {}).items() if v != "***"}
    try:
        driver = load_driver(name, "driver")
        said = play_again(
            driver,
            read_settings(driver, settings, "settings"),
            talk.amount,
            talk.shopper,  # type: ignore[arg-type]  # one of the three by construction
            talk.cut_in,
        )
    except (BridgeError, ValueError) as error:
        return [f"it cannot be played: {error}"]
    return [f"{one.at:8.2f} s  {one.who:<9} {one.text}" for one in said]


def _read(path: Path) -> dict[str, str]:
    """Return a bundle's files.

    Raises:
        ConfigError: It is none.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            size = sum(one.file_size for one in bundle.infolist())
            if size > BUNDLE_BYTES_MAX:
                raise ConfigError("FILE", f"{path} holds more than any bundle")
            return {
                name: bundle.read(name).decode(errors="replace")
                for name in ("journal.jsonl", "config.json")
                if name in bundle.namelist()
            }
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError("FILE", f"{path} is no bundle: {error}") from error


COMMAND = Command(
    "replay",
    "play a support bundle's payments again, in the simulator",
    main,
    add_arguments,
    reads_config=False,
)
