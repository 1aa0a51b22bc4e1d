"""`paybridge find`: what hangs on the serial ports, and who answers at an address."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bridge import config as cfg
from bridge.cli.drivers import installed_drivers
from bridge.discovery.private_network import resolve
from bridge.discovery.serial_ports import (
    PortAnswer,
    Question,
    SerialPort,
    ask,
    best,
    configuration,
    list_serial_ports,
    name_port,
)
from bridge.errors import JournalError
from bridge.money.store.database import Ownership
from bridge.settings import JOURNAL_NAME, line_address
from bridge.terminal.plugins import load_driver, read_settings
from bridge.terminal.transport import SerialAddress, TcpAddress
from drivers.contract import Driver

HELD = "the running bridge has it; `paybridge check` says how it is"
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Found:
    """One place, and what asking came to. `not_asked` says why nobody was asked."""

    port: SerialPort | TcpAddress
    configured_as: str
    not_asked: str
    answers: tuple[PortAnswer, ...]
    toml: str

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        match self.port:
            case TcpAddress():
                place: dict[str, object] = {"tcp": str(self.port)}
            case SerialPort(kind=kind):
                place = {
                    **asdict(self.port),
                    "known_as": kind.what if kind else "",
                    "source": kind.source if kind else "",
                    "may_be_asked": self.port.may_be_asked,
                }
        return {
            **place,
            "configured_as": self.configured_as,
            "not_asked": self.not_asked,
            "answers": [asdict(answer) for answer in self.answers],
            "toml": self.toml,
        }


@dataclass(frozen=True, slots=True)
class Configured:
    """What the configuration says of places."""

    terminals: Mapping[str, cfg.Terminal] = field(default_factory=dict)
    running: bool = False  # a bridge runs and has them

    def name_of(self, place: SerialPort | TcpAddress) -> str:
        """Return the terminal that is configured at `place`, "" if none is."""
        for name, terminal in self.terminals.items():
            match place:
                case SerialPort(device=device) if terminal.port is not None:
                    same = os.path.realpath(terminal.port) == os.path.realpath(device)
                case TcpAddress() if terminal.tcp is not None:
                    same = tcp_address(terminal.tcp) == place
                case _:
                    same = False
            if same:
                return name
        return ""

    def question(self, name: str) -> Question:
        """Return how to ask a configured terminal.

        Raises:
            ConfigError: Its driver or one of its settings is wrong.
        """
        terminal, key = self.terminals[name], f"terminals.{name}"
        driver = load_driver(terminal.driver, f"{key}.driver")
        settings = read_settings(driver, terminal.settings, f"{key}.settings")
        address = line_address(terminal, driver.serial_defaults)
        serial = address.settings if isinstance(address, SerialAddress) else driver.serial_defaults
        return Question(driver, settings, serial)


def tcp_address(text: str) -> TcpAddress:
    """Return the address that `host:port` names; an IPv6 address is in brackets.

    Raises:
        ValueError: It names none.
    """
    host, _, number = text.rpartition(":")
    if not host or not number.isdecimal() or not 1 <= int(number) <= PORT_MAX:
        raise ValueError(f"write it as host:port, e.g. 192.168.1.20:10009, not {text!r}")
    return TcpAddress(host.strip("[]"), int(number))


def configured(path: Path) -> Configured:
    """Return what the configuration says of ports, and whether a bridge runs with it.

    Raises:
        ConfigError: It cannot be used.
    """
    config = cfg.load(path)
    journal = config.site.state_directory / JOURNAL_NAME
    try:
        if journal.exists():
            Ownership(journal).release()
    except JournalError:
        return Configured(config.terminals, running=True)
    return Configured(config.terminals)


async def find(
    ports: Sequence[SerialPort],
    paths: Sequence[str],
    drivers: Sequence[Driver],
    known: Configured,
    *,
    probe: bool,
) -> AsyncIterator[Found]:
    """Yield the ports at `paths`, or all; with `probe`, ask those that may be asked.

    A configured terminal is asked as it is configured first.

    Raises:
        ConfigError: A terminal that is to be asked is configured wrongly.
    """
    chosen = [name_port(path, ports) for path in paths] if paths else ports
    names = _new_names(known.terminals)
    for port in chosen:
        name = known.name_of(port)
        why_not = _why_not_asked(port, known, probe=probe, named=bool(paths))
        answers: list[PortAnswer] = []
        if not why_not:
            questions = _questions(name, drivers, known)
            answers = [one async for one in ask(SerialAddress(port.device), questions)]
        answer = best(answers)
        toml = ""
        if answer is not None:
            facts = {"port": port.stable_name}
            toml = configuration(name or next(names), facts, answer)
        yield Found(port, name, why_not, tuple(answers), toml)


async def find_tcp(
    addresses: Sequence[TcpAddress],
    drivers: Sequence[Driver],
    known: Configured,
    *,
    anywhere: bool,
) -> AsyncIterator[Found]:
    """Yield what answers at `addresses`: of this machine and its networks, or `anywhere`.

    Raises:
        ConfigError: A terminal that is to be asked is configured wrongly.
    """
    names = _new_names(known.terminals)
    for address in addresses:
        name = known.name_of(address)
        answers: list[PortAnswer] = []
        if known.running and name:
            why_not, reached = HELD, None
        else:
            why_not, reached = await resolve(address, anywhere=anywhere)
        if reached is not None:
            questions = _questions(name, drivers, known)
            answers = [one async for one in ask(reached, questions)]
        answer = best(answers)
        toml = ""
        if answer is not None:
            toml = configuration(name or next(names), {"tcp": str(address)}, answer)
        yield Found(address, name, why_not, tuple(answers), toml)


def _questions(name: str, drivers: Sequence[Driver], known: Configured) -> list[Question]:
    questions = [known.question(name)] if name else []
    asked = {question.driver.name for question in questions}
    return questions + [Question.with_defaults(one) for one in drivers if one.name not in asked]


def _why_not_asked(port: SerialPort, known: Configured, *, probe: bool, named: bool) -> str:
    if not os.path.exists(port.device):
        return "there is no such port; check the cable and the terminal's power"
    if not probe:
        return "--probe asks who is there"
    if known.running and known.name_of(port):
        return HELD
    if not named and not port.may_be_asked:
        return "may be something else; name it with --port to have it asked"
    return ""


def _new_names(taken: Container[str]) -> Iterator[str]:
    return (f"terminal-{n}" for n in range(1, 1_000) if f"terminal-{n}" not in taken)


def print_found(found: Found) -> None:
    """Print one place, and the table to paste."""
    name_of_it = found.port.device if isinstance(found.port, SerialPort) else str(found.port)
    print(name_of_it + (f"  (configured as {found.configured_as})" if found.configured_as else ""))
    facts = _facts(found.port) if isinstance(found.port, SerialPort) else {}
    for name, text in {**facts, "not asked": found.not_asked}.items():
        if text:
            print(f"  {name:<13}  {_printable(text)}")
    for answer in found.answers:
        print(f"  {answer.driver:<14} {_printable(_said(answer))}")
    if found.toml:
        print(f"\n{found.toml}\n")


def _facts(port: SerialPort) -> dict[str, str]:
    kind = port.kind
    return {
        "name": port.stable_name if port.stable_name != port.device else "",
        "device": " ".join(filter(None, (port.manufacturer, port.product))),
        "serial number": port.serial_number,
        "USB id": f"{port.vendor_id}:{port.product_id}" if port.vendor_id else "",
        "known as": f"{kind.what} [{kind.source}]" if kind else "",
    }


def _said(answer: PortAnswer) -> str:
    ready = answer.ready
    if ready is None:
        return f"{answer.state.replace('_', ' ')}: {answer.text}"
    facts = {
        "terminal id": ready.terminal_id,
        "serial number": ready.serial_number,
        "model": ready.model,
        "firmware": ready.firmware,
        "currency": ready.currency,
    }
    told = ", ".join(f"{name} {text}" for name, text in facts.items() if text)
    return f"answered: {told or 'does not say who it is'}"


def _printable(text: str) -> str:
    """Return text that a device wrote, without what would steer the person's screen."""
    return "".join(one if one.isprintable() else "?" for one in text)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator wants to have looked at, and how."""

    paths: Sequence[str] = ()  # serial ports
    addresses: Sequence[TcpAddress] = ()  # are asked, as there is nothing to list
    probe: bool = False
    anywhere: bool = False  # also beyond this machine and its networks


async def print_all_found(wish: Wish, known: Configured, rows: list[object] | None) -> bool:
    """Print each place as soon as it is known, or add it to `rows`; say if there was what we seek.

    That is a terminal that answered, or without `probe` any port at all. Serial ports are left
    alone when only addresses are named.
    """
    drivers = [one.driver for one in installed_drivers() if one.driver is not None]
    success = False
    async for found in _all_found(wish, drivers, known):
        listed = isinstance(found.port, SerialPort) and not wish.probe
        success = success or bool(found.toml) or listed
        if rows is None:
            print_found(found)
        else:
            rows.append(found.as_json())
    return success


async def _all_found(
    wish: Wish, drivers: Sequence[Driver], known: Configured
) -> AsyncIterator[Found]:
    if wish.paths or not wish.addresses:
        ports = list_serial_ports()
        async for found in find(ports, wish.paths, drivers, known, probe=wish.probe):
            yield found
    async for found in find_tcp(wish.addresses, drivers, known, anywhere=wish.anywhere):
        yield found
