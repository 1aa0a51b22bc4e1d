"""`paybridge broker setup`: a broker for the store."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from bridge.cli.shell import EXIT_NOT_ALLOWED, Command, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say where it listens, and what it is called."""
    parser.add_argument("wish", choices=("setup",), help="write Mosquitto's configuration")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name or address of this PC, as registers type it; the first is the one they are "
        "told (default: its host name)",
    )
    parser.add_argument("--port", type=int, default=8883, help="for registers, with TLS (8883)")
    parser.add_argument(
        "--local-port", type=int, default=1883, help="for the bridge, on this PC only (1883)"
    )
    parser.add_argument(
        "--base-topic", default="", help="as mqtt.base_topic has it (what is usual)"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)


def main(options: argparse.Namespace) -> int:
    """Write it; 77 for others than root. Mosquitto reads it when it is started again."""
    from bridge.cli.backup import utc_now
    from bridge.cli.broker import Places, set_up
    from bridge.cli.mosquitto import BRIDGE_USER, Listeners
    from bridge.register.api.topics import DEFAULT_BASE

    if os.geteuid() != 0:
        print("paybridge: only root sets up the broker", file=sys.stderr)
        return EXIT_NOT_ALLOWED
    places = Places(options.root)
    names = options.name or [socket.gethostname()]
    base = options.base_topic or DEFAULT_BASE
    listeners = Listeners(options.local_port, options.port)
    broker = set_up(places, listeners, names, utc_now(), base)
    if options.json:
        print_json(
            {
                "host": broker.host,
                "port": broker.port,
                "ca_fingerprint": broker.fingerprint,
                "configuration": str(places.configuration),
            }
        )
        return 0
    print(f"{places.configuration} is written.")
    print(f"Registers: {broker.host}, port {broker.port}, TLS.")
    print(f"The store's authority: SHA-256 {broker.fingerprint}")
    print("In paybridge.toml (the password is in /etc/credstore, the unit hands it over):")
    print(f'  [mqtt]\n  host = "127.0.0.1"\n  port = {options.local_port}')
    print(f'  username = "{BRIDGE_USER}"')
    print("Next: systemctl restart mosquitto paybridge; paybridge registers add till-1")
    return 0


COMMAND = Command(
    "broker",
    "set up Mosquitto for this store: listeners, passwords, access list, TLS",
    main,
    add_arguments,
    reads_config=False,
)
