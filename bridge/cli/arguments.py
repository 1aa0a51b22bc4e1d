"""What the commands are called and take; nothing is done here."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Protocol

from bridge import __version__
from bridge.cli.conformance import add_arguments as add_conformance_arguments

CONFIG_DEFAULT = Path("/etc/paybridge/paybridge.toml")
ANSWERS = (
    *("approved", "not-charged", "refund-if-found"),
    *("booked", "send-again"),
    *("book", "noted"),
)


class Add(Protocol):
    """Adds a command and returns its parser."""

    def __call__(self, name: str, text: str, *, config: bool = True) -> argparse.ArgumentParser:
        """Add the command `name`; with `config` it reads the configuration."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; `command` names what was asked for."""
    whole = argparse.ArgumentParser(
        prog="paybridge",
        description="Takes card payments for cash registers: MQTT in, card terminals out, every "
        "captured payment recorded in the back office once.",
        epilog="New here? Try `paybridge demo`. In a store: `paybridge check`, then "
        "`paybridge login`, then `paybridge run`.",
    )
    whole.add_argument("--version", action="version", version=f"paybridge {__version__}")
    commands: Any = whole.add_subparsers(title="commands", metavar="COMMAND", dest="command")

    def add(name: str, text: str, *, config: bool = True) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        if config:
            sub.add_argument(
                "--config",
                type=Path,
                default=CONFIG_DEFAULT,
                metavar="FILE",
                help=f"the configuration (default: {CONFIG_DEFAULT})",
            )
        sub.add_argument(
            "--json", action="store_true", help="print JSON instead of text for people"
        )
        return sub

    _add_service(add)
    _add_payments(add)
    _add_terminals(add)
    _add_developers(add)
    add("version", "print the version", config=False)
    return whole


def _add_service(add: Add) -> None:
    add("run", "run the bridge until it is told to stop (this is what systemd starts)")
    add("check", "check the configuration, the ports, the journal and the login")
    take_over = add("take-over", "have this bridge go on where it waits for a person's word")
    take_over.add_argument("--by", required=True, metavar="NAME", help="who answers for it")
    login = add("login", "log this machine in to the back office, with a code to type")
    login.add_argument("--browser", action="store_true", help="use a browser on this machine")
    login.add_argument(
        "--accept-other", action="store_true", help="accept another user than before"
    )
    add("logout", "forget the login, here and at the provider")


def _add_payments(add: Add) -> None:
    payments = add("payments", "list payments, newest first")
    payments.add_argument("--open", action="store_true", help="only those that need something")
    payments.add_argument("--limit", type=int, default=20, metavar="N", help="how many (20)")
    show = add("show", "show one payment: what was known when")
    show.add_argument("payment_id", help="the id, or its beginning or end")
    resolve = add("resolve", "answer what only a person can know")
    resolve.add_argument("payment_id", help="the id, or its beginning or end")
    resolve.add_argument(
        "answer",
        choices=ANSWERS,
        metavar="ANSWER",
        help="in doubt: approved, not-charged or refund-if-found (see the terminal's slip); "
        "booking unconfirmed or rejected: booked (it is in the back office) or send-again; "
        "the terminal contradicts itself: book (record that money) or noted (dealt with)",
    )
    resolve.add_argument("--by", required=True, metavar="NAME", help="who answers")
    resolve.add_argument("--code", default="", help="the approval code on the slip (approved)")
    resolve.add_argument("--amount", default="", help="the amount on it, if not as asked")
    resolve.add_argument("--record-id", default="", help="its number there (booked)")


def _add_terminals(add: Add) -> None:
    add("drivers", "list the installed drivers: settings, capabilities", config=False)
    note = add("note", "say that a terminal's sum that was off the journal's has been looked into")
    note.add_argument("terminal_id", help="the terminal, as health names it")
    note.add_argument("--by", required=True, metavar="NAME", help="who has seen it")
    note.add_argument("--text", default="", help="what was found, in a sentence")
    find = add("find", "list the serial ports, and who is behind them")
    find.add_argument("--port", action="append", default=[], metavar="PATH", help="only this one")
    find.add_argument("--probe", action="store_true", help="ask who it is; moves no money")
    find.add_argument(
        "--tcp",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="ask who listens there; moves no money",
    )
    find.add_argument(
        "--anywhere", action="store_true", help="also beyond this machine and private networks"
    )


def _add_developers(add: Add) -> None:
    demo = add("demo", "play a day at a till with simulated parts", config=False)
    demo.add_argument("--stay", action="store_true", help="keep everything up afterwards")
    demo.add_argument("--fast", action="store_true", help="without the pauses for viewers")
    contract = add(
        "contract", "write the register contract as AsyncAPI, schemas, text", config=False
    )
    contract.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder")
    contract.add_argument(
        "--check", action="store_true", help="write nothing; fail when a file there is stale"
    )
    conformance = add(
        "conformance",
        "play good and bad days at a live register and say what it did right and wrong",
        config=False,
    )
    add_conformance_arguments(conformance)
