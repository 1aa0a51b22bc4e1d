"""`paybridge conformance`: arguments in, a certificate out."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.conformance import ConformanceSettings, Finding
    from bridge.conformance.ear import BrokerAddress

PORTS = {"mqtt": 1883, "mqtts": 8883}
MARKS = {"right": "[green]right[/]", "wrong": "[red]wrong[/]", "not shown": "[dim]not shown[/]"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--register", required=True, metavar="ID", help="the register's id")
    parser.add_argument(
        "--broker",
        metavar="URL",
        help="mqtt://HOST[:PORT] or mqtts://…, without a bridge; default: one of our own, which "
        "speaks MQTT 3.1.1 only",
    )
    parser.add_argument(
        "--port", type=int, default=1883, help="where our own broker listens on 127.0.0.1 (1883)"
    )
    parser.add_argument("--user", help="the bridge's user name at the broker")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its password")
    parser.add_argument("--ca-file", metavar="FILE", help="authority of the broker's certificate")
    parser.add_argument("--mqtt311", action="store_true", help="the broker knows no MQTT 5")
    parser.add_argument(
        "--command",
        dest="pay",
        default="",
        metavar="SHELL",
        help="starts a payment at the register; {amount} and {sale} are filled in. Without it a "
        "person is told what to do",
    )
    parser.add_argument(
        "--cancel",
        default="",
        metavar="SHELL",
        help="cancels it; {payment_id} is filled in",
    )
    parser.add_argument(
        "--recover",
        default="",
        metavar="SHELL",
        help="starts the register after its power cut, which kills the command; {payment_id} and "
        "{sale} are filled in",
    )
    parser.add_argument(
        "--lesson", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )


def settings_from(options: argparse.Namespace) -> ConformanceSettings:
    """Return what the arguments ask for.

    Raises:
        ConfigError: One of them cannot be used.
    """
    from bridge.conformance import ConformanceSettings
    from bridge.conformance.clerk import Commands
    from bridge.conformance.lessons import LESSONS
    from bridge.register.contract import is_id

    if not is_id(options.register):
        raise ConfigError("--register", f"{options.register!r} is no register id, like till-1")
    for name in options.lesson:
        if name not in LESSONS:
            raise ConfigError("--lesson", f"there are: {', '.join(LESSONS)}")
    if (options.cancel or options.recover) and not options.pay:
        raise ConfigError("--command", "--cancel and --recover belong to a --command")
    commands = Commands(options.pay, options.cancel, options.recover) if options.pay else None
    return ConformanceSettings(
        register_id=options.register,
        broker=_broker(options) if options.broker else None,
        port=options.port,
        commands=commands,
        lessons=tuple(options.lesson) or tuple(LESSONS),
    )


def facts(findings: list[Finding]) -> list[dict[str, Any]]:
    """Return the findings in JSON types."""
    return [asdict(finding) | {"verdict": finding.verdict.value} for finding in findings]


def print_findings(register_id: str, findings: list[Finding]) -> None:
    """Print the certificate for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for finding in findings:
        table.add_row(MARKS[finding.verdict.value], finding.lesson, finding.text)
    console = Console()
    console.print(table)
    counted = {mark: sum(f.verdict.value == mark for f in findings) for mark in MARKS}
    words = ", ".join(f"{number} {mark}" for mark, number in counted.items())
    verdict = "does not keep" if counted["wrong"] else "keeps"
    console.print(f"\n{register_id} {verdict} the contract: {words}.")


def is_kept(findings: list[Finding]) -> bool:
    """Tell whether nothing was wrong, and something was seen at all."""
    verdicts = [finding.verdict.value for finding in findings]
    return "wrong" not in verdicts and "right" in verdicts


def _broker(options: argparse.Namespace) -> BrokerAddress:
    from bridge.conformance.ear import BrokerAddress

    parts = urlsplit(options.broker)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigError("--broker", "write it like mqtt://127.0.0.1:1883")
    if parts.scheme == "mqtts" and not options.ca_file:
        raise ConfigError("--ca-file", "mqtts:// needs the authority of the broker's certificate")
    try:
        password = options.password_file.read_text().strip() if options.password_file else None
    except OSError as error:
        raise ConfigError("--password-file", str(error)) from error
    return BrokerAddress(
        parts.hostname,
        parts.port or PORTS[parts.scheme],
        options.user,
        password,
        options.ca_file,
        mqtt5=not options.mqtt311,
    )
