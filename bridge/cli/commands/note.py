"""`paybridge note`: somebody has looked into a terminal's sum."""

from __future__ import annotations

import argparse

from bridge.cli.shell import EXIT_AWAY, EXIT_FAILED, Command, order, print_json, say_refusal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the terminal, and who looked."""
    parser.add_argument("terminal_id", help="the terminal, as health names it")
    parser.add_argument("--by", required=True, metavar="NAME", help="who has seen it")
    parser.add_argument("--text", default="", help="what was found, in a sentence")


def main(options: argparse.Namespace) -> int:
    """Tell the running service; 69 when there is none, 1 when it refuses."""
    wish: dict[str, object] = {"do": "note_gaps", "terminal_id": options.terminal_id}
    answer = order(options, wish | {"by": options.by, "text": options.text})
    if answer is None:
        return EXIT_AWAY
    if options.json:
        print_json(answer)
    elif answer.get("ok"):
        print(f"{options.terminal_id}: {answer.get('noted')} noted")
    else:
        say_refusal(answer)
    return 0 if answer.get("ok") else EXIT_FAILED


COMMAND = Command(
    "note",
    "say that a terminal's sum that was off the journal's has been looked into",
    main,
    add_arguments,
)
