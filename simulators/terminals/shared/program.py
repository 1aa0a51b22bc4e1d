"""What the command lines of all simulated terminals share: arguments, ports, control lines.

A module `simulators/NAME.py` (or package) becomes `python -m simulators terminal NAME` with two
functions: `add_arguments(parser)`, which begins with `add_terminal_arguments`, and
`async serve(arguments)`, which ends with `serve_terminal`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulators.terminals.shared.cable import Port
from simulators.terminals.shared.serial_port import PtyPort
from simulators.terminals.shared.shopper import (
    BUILT_IN,
    Scenario,
    Shopper,
    describe_amounts,
    load_scenario,
)
from simulators.terminals.shared.tcp_port import TcpPort

CONTROL_LINE_BYTES_MAX = 1 << 20  # a scenario is a few kB
CONTROL_HELP = """\
control lines (with --control), one JSON object a line on standard input:
  {"do": "unplug"}                               pull the cable
  {"do": "replug"}                               plug it in again; "link": PATH and
                                                 "other_number": true for another serial port
  {"do": "refuse"}, {"do": "half_close"}         with --tcp: take no new connection until "replug";
                                                 say on the open one that nothing more is sent
  {"do": "power_cut", "seconds": 5}              the terminal loses power; "forget": true also
                                                 wipes its memory
  {"do": "pay", "amount_minor": 500}             somebody pays at the terminal, without a register
  {"do": "scenario", "scenario": {...}}          change what the next shoppers do
"""
AMOUNTS_HELP = "amounts that end so mean, with --scenario amounts (anything else is approved):"


class SimulatedTerminal(Protocol):
    """What a control line can do to a terminal."""

    shopper: Shopper

    async def run(self, port: Port) -> None:
        """Serve whoever comes to `port`, until canceled."""

    def power_cut(self, seconds: float = 5.0, *, forget: bool = False) -> None:
        """Lose power for `seconds`, with `forget` the memory as well."""

    def pay_without_register(self, amount_minor: int) -> bool:
        """Take a payment that somebody typed in at the terminal; False if that is locked."""


class Control(BaseModel):
    """One control line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["unplug", "replug", "refuse", "half_close", "power_cut", "pay", "scenario"]
    amount_minor: int = Field(default=100, ge=1)
    seconds: float = Field(default=5.0, ge=0)
    forget: bool = False
    link: Path | None = None
    other_number: bool = False
    scenario: Scenario | None = None


def add_terminal_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every simulated terminal takes."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--pty",
        metavar="LINK",
        type=Path,
        help="be a serial port: create a pseudo-terminal and a symbolic link to it at LINK",
    )
    where.add_argument(
        "--tcp",
        metavar="HOST:PORT",
        help="be a network terminal that listens there; port 0 picks a free one",
    )
    parser.add_argument(
        "--scenario",
        default="approve",
        metavar="NAME|FILE",
        help="what shoppers do: a .toml or .json file, or one of: "
        + ", ".join(BUILT_IN)
        + " (default: approve)",
    )
    parser.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help="append what really happened to money, one JSON object a line",
    )
    parser.add_argument(
        "--memory",
        type=Path,
        metavar="FILE",
        help="keep the terminal's own memory here, so that it survives a restart",
    )
    parser.add_argument(
        "--speed",
        type=float,
        metavar="FACTOR",
        help="people and hosts are this much faster; 0: without any delay",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="makes approval codes and noise repeatable"
    )
    parser.add_argument(
        "--control", action="store_true", help="take control lines on standard input, see below"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{CONTROL_HELP}\n{AMOUNTS_HELP}\n{describe_amounts()}\n"


def kind_of(arguments: argparse.Namespace) -> Literal["serial", "tcp"]:
    """Return which transport the arguments choose."""
    return "serial" if arguments.pty is not None else "tcp"


def chosen_scenario(arguments: argparse.Namespace) -> Scenario:
    """Return the scenario of `--scenario`.

    Raises:
        SystemExit: It cannot be read; the message says why.
    """
    try:
        return load_scenario(arguments.scenario)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--scenario {arguments.scenario}: {error}") from error


async def serve_terminal(arguments: argparse.Namespace, terminal: SimulatedTerminal) -> None:
    """Open the port, say on one line of standard output where it is, serve until canceled."""
    port = _port(arguments)
    await port.plug()
    try:
        _say(_address(port))
        async with asyncio.TaskGroup() as group:
            group.create_task(terminal.run(port))
            if arguments.control:
                group.create_task(_obey(terminal, port))
    finally:
        port.unplug()


def _port(arguments: argparse.Namespace) -> PtyPort | TcpPort:
    if arguments.pty is not None:
        return PtyPort(arguments.pty)
    host, _, port = arguments.tcp.rpartition(":")
    if not port.isdecimal():
        raise SystemExit(f"--tcp {arguments.tcp}: expected HOST:PORT")
    return TcpPort(host or "127.0.0.1", int(port))


def _address(port: PtyPort | TcpPort) -> dict[str, object]:
    if isinstance(port, PtyPort):
        return {"pty": str(port.link), "device": port.device}
    return {"tcp": f"{port.host}:{port.port}", "host": port.host, "port": port.port}


async def _obey(terminal: SimulatedTerminal, port: PtyPort | TcpPort) -> None:
    async for line in _lines_of_standard_input():
        try:
            control = Control.model_validate_json(line)
        except ValidationError as error:
            _say({"error": error.errors(include_url=False, include_context=False)[0]["msg"]})
            continue
        match control.do:
            case "unplug":
                port.unplug()
            case "replug" if isinstance(port, PtyPort):
                await port.plug(control.link, other_number=control.other_number)
            case "replug":
                await port.plug()
            case "refuse" if isinstance(port, TcpPort):
                port.refuse()
            case "half_close" if isinstance(port, TcpPort):
                port.half_close()
            case "refuse" | "half_close":
                _say({"error": f"a serial port cannot {control.do}"})
                continue
            case "power_cut":
                terminal.power_cut(control.seconds, forget=control.forget)
            case "pay":
                terminal.pay_without_register(control.amount_minor)
            case "scenario":
                terminal.shopper.change(control.scenario or Scenario())
        _say({"did": control.do, **_address(port)})


async def _lines_of_standard_input() -> AsyncIterator[bytes]:
    """Yield lines until the end, which may be at once; never blocks the loop."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        return  # a regular file or /dev/null cannot be waited for, and nobody is behind it
    reader = asyncio.StreamReader(limit=CONTROL_LINE_BYTES_MAX)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            yield line
    finally:
        transport.close()


def _say(fact: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()
