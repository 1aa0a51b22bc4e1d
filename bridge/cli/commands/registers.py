"""`paybridge registers`: who may log in to the broker."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.shell import EXIT_NOT_ALLOWED, EXIT_USAGE, Command, print_json

if TYPE_CHECKING:
    from bridge.cli.broker import Broker, Places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add, list, revoke."""
    parser.add_argument("wish", nargs="?", choices=("list", "add", "revoke"), default="list")
    parser.add_argument("register", nargs="?", default="", help="its id, e.g. till-3")
    parser.add_argument("--again", action="store_true", help="a new password for a known register")
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> int:
    """Do it; 77 for others than root, 64 for an id that cannot be one."""
    from bridge.cli import broker
    from bridge.register.api.topics import ID_PATTERN, is_id

    if os.geteuid() != 0:
        print("paybridge: only root sees and changes who may log in", file=sys.stderr)
        return EXIT_NOT_ALLOWED
    places = broker.Places(options.root)
    if options.wish == "list":
        found = broker.registers(places)
        print_json(found) if options.json else print("\n".join(found) or "no register yet")
        return 0
    if not is_id(options.register):
        print(f"paybridge: {options.register!r} is no id ({ID_PATTERN})", file=sys.stderr)
        return EXIT_USAGE
    if options.wish == "revoke":
        broker.revoke_register(places, options.register)
        _say_loaded(places, options)
        return 0
    known = broker.known_broker(places)
    password = broker.add_register(places, options.register, again=options.again)
    if options.json:
        print_json(
            {
                "broker": f"{known.host}:{known.port}",
                "register_id": options.register,
                "password": password,
                "base_topic": known.base_topic,
                "ca_fingerprint": known.fingerprint,
                "uri": credential_uri(known, options.register, password),
            }
        )
    else:
        _show(known, options.register, password)
    _say_loaded(places, options)
    return 0


def credential_uri(known: Broker, register: str, password: str) -> str:
    """Return all that a register needs in one line, for its camera."""
    host = f"[{known.host}]" if ":" in known.host else known.host
    return (
        f"mqtts://{register}:{password}@{host}:{known.port}/{known.base_topic}"
        f"?ca_sha256={known.fingerprint}"
    )


def _show(known: Broker, register: str, password: str) -> None:
    import segno

    print(f"broker       {known.host}, port {known.port}, TLS")
    print(f"user name    {register}")
    print(f"topics       {known.base_topic}/registers/{register}/")
    print(f"password     {password}")
    print(f"CA SHA-256   {known.fingerprint}")
    print("             (the authority's certificate: /etc/mosquitto/paybridge/ca.crt)")
    segno.make(credential_uri(known, register, password), error="m").terminal(compact=True)
    print("The password is shown this once, and kept nowhere.")


def _say_loaded(places: Places, options: argparse.Namespace) -> None:
    from bridge.cli.broker import reload_broker

    if not reload_broker(places) and not options.json:
        print("Mosquitto has not taken it over yet: systemctl reload mosquitto")


COMMAND = Command(
    "registers",
    "let cash registers log in to the broker, or no longer",
    main,
    add_arguments,
    reads_config=False,
)
