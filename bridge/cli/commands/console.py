"""`paybridge console pin`: who may do what at the operator console."""

from __future__ import annotations

import argparse
import sys

from bridge.cli.shell import EXIT_FAILED, EXIT_USAGE, Command, load, print_json

PIN_LINE_MAX = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Name the role; its PIN is typed, or comes over standard input."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action")
    pin = actions.add_parser(
        "pin",
        help="set or take away the PIN of a role",
        description="Sets the PIN of a role. It is asked for twice, never shown, and kept as a "
        "salted hash; a running service knows it at once. Whoever used the old one is locked out.",
    )
    pin.add_argument(
        "role",
        choices=("see", "supervisor", "technician"),
        help="see: may look (without one anybody at this PC may); supervisor: may answer; "
        "technician: may also have the bridge go on",
    )
    pin.add_argument("--remove", action="store_true", help="nobody has this role any more")


def main(options: argparse.Namespace) -> int:
    """Keep the PIN; 1 when it is none, 64 without an action."""
    if options.action != "pin":
        print("usage: paybridge console pin {see,supervisor,technician}", file=sys.stderr)
        return EXIT_USAGE
    from bridge.console.pins import PINS_NAME, ROLES, PinFile
    from bridge.private_files import make_folder

    folder = load(options).site.state_directory
    role = ROLES[options.role]
    make_folder(folder)
    file = PinFile(folder / PINS_NAME)
    try:
        pin = None if options.remove else _asked()
        file.set(role, pin)
    except ValueError as error:
        print(f"paybridge: {error}", file=sys.stderr)
        return EXIT_FAILED
    if options.json:
        print_json({"role": role.word, "pin": pin is not None})
    else:
        print(f"{role.word}: {'the PIN is set' if pin is not None else 'there is no PIN any more'}")
    return 0


def _asked() -> str:
    """Return what was typed, twice the same; where nobody types, the first line that comes.

    Raises:
        ValueError: The two are not the same.
    """
    import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline(PIN_LINE_MAX).rstrip("\n")
    first = getpass.getpass("PIN: ")
    if getpass.getpass("Once more: ") != first:
        raise ValueError("these are two different PINs")
    return first


COMMAND = Command("console", "say who may do what at the operator console", main, add_arguments)
