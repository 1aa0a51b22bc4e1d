"""`paybridge conformance`: arguments in, a certificate out."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bridge.errors import ConfigError

if TYPE_CHECKING:
    from simulators.conformance import ConformanceSettings, Report
    from simulators.conformance.message_recorder import BrokerAddress

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
        "--scenario", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    parser.add_argument(  # as it was called first; scripts go on
        "--lesson", dest="scenario", action="append", default=[], help=argparse.SUPPRESS
    )


def settings_from(options: argparse.Namespace) -> ConformanceSettings:
    """Return what the arguments ask for.

    Raises:
        ConfigError: One of them cannot be used.
    """
    from bridge.register.api import is_id
    from simulators.conformance import ConformanceSettings
    from simulators.conformance.register_operator import Commands
    from simulators.conformance.scenarios import SCENARIOS

    if not is_id(options.register):
        raise ConfigError("--register", f"{options.register!r} is no register id, like till-1")
    for name in options.scenario:
        if name not in SCENARIOS:
            raise ConfigError("--scenario", f"there are: {', '.join(SCENARIOS)}")
    if (options.cancel or options.recover) and not options.pay:
        raise ConfigError("--command", "--cancel and --recover belong to a --command")
    commands = Commands(options.pay, options.cancel, options.recover) if options.pay else None
    return ConformanceSettings(
        register_id=options.register,
        broker=_broker(options) if options.broker else None,
        port=options.port,
        commands=commands,
        scenarios=tuple(options.scenario) or tuple(SCENARIOS),
    )


def facts(report: Report) -> dict[str, Any]:
    """Return the report in JSON types."""
    return {
        "kept": report.is_kept,
        "register_id": report.register_id,
        "software": report.software,
        "played_at": f"{report.played_at:%Y-%m-%dT%H:%M:%SZ}",
        "scenarios": list(report.scenarios),
        "lessons": list(report.scenarios),  # as they were called first; scripts go on
        "findings": [
            asdict(finding) | {"lesson": finding.scenario, "verdict": finding.verdict.value}
            for finding in report.findings
        ],
    }


def print_report(report: Report) -> None:
    """Print what was found, and the certificate."""
    from rich.console import Console
    from rich.table import Table

    from simulators.conformance import certificate

    table = Table(box=None, show_header=False)
    for finding in report.findings:
        table.add_row(MARKS[finding.verdict.value], finding.scenario, finding.text)
    console = Console()
    console.print(table)
    console.rule(style="dim")
    console.print(certificate(report), markup=False, highlight=False, soft_wrap=True)


def _broker(options: argparse.Namespace) -> BrokerAddress:
    from simulators.conformance.message_recorder import BrokerAddress

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
