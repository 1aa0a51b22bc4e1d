"""`paybridge take-over`: a person's word that this bridge goes on."""

from __future__ import annotations

import argparse

from bridge.cli.shell import EXIT_AWAY, EXIT_FAILED, Command, order, print_json, say_refusal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Ask who answers for it."""
    parser.add_argument("--by", required=True, metavar="NAME", help="who answers for it")


def main(options: argparse.Namespace) -> int:
    """Have the running service go on; 69 when there is none, 1 when it refuses."""
    answer = order(options, {"do": "take_over", "by": options.by})
    if answer is None:
        return EXIT_AWAY
    if options.json:
        print_json(answer)
    elif answer.get("ok"):
        for text in answer.get("confirmed", ()):
            print(f"noted: {text}")
        print("The bridge goes on. What was open is left to persons: paybridge payments --open")
    else:
        say_refusal(answer)
    return 0 if answer.get("ok") else EXIT_FAILED


COMMAND = Command(
    "take-over", "have this bridge go on where it waits for a person's word", main, add_arguments
)
