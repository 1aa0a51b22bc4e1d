"""`paybridge drivers` and `paybridge find`: what is installed, and what hangs on the ports."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bridge import config as cfg
from bridge.errors import ConfigError, JournalError
from bridge.money.journal_file import Ownership
from bridge.service import JOURNAL_NAME, line_address
from bridge.terminal.finder import (
    Answer,
    Question,
    SerialPort,
    ask,
    best,
    configuration,
    list_serial_ports,
    name_port,
)
from bridge.terminal.lines import SerialAddress
from bridge.terminal.plugins import GROUP, load_driver, package_of, read_settings
from drivers.contract import Capabilities, Driver, SerialDefaults

_QUERY_WORDS = {
    "by_reference": "is asked for by reference",
    "last_transaction": "is asked for as the last transaction",
    "none": "cannot be asked for, a person decides",
}

# --- paybridge drivers


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a driver; `default` is None, too, when it must be given (`required`)."""

    name: str
    type: str
    default: object
    required: bool


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed driver. With an `error` only its name and package are known."""

    name: str
    package: str  # as pip knows it, with its version
    error: str = ""
    version: str = ""
    api: int = 0
    serial_defaults: SerialDefaults | None = None
    settings: tuple[Setting, ...] = ()
    capabilities: Capabilities | None = None  # with default settings; None if some are required
    driver: Driver | None = None


def installed_drivers() -> list[Installed]:
    """Return every installed driver by name, also those that do not work, with the reason."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [_inspect(point) for point in points]


def _inspect(point: EntryPoint) -> Installed:
    package = package_of(point)
    try:
        driver = load_driver(point.name, "driver")
        settings = tuple(_settings(driver.settings))
        capabilities = None
        if not any(setting.required for setting in settings):
            capabilities = driver.capabilities(driver.settings())
            assert isinstance(capabilities, Capabilities), "capabilities() returns Capabilities"
        return Installed(
            point.name,
            package,
            version=str(driver.version),
            api=driver.api,
            serial_defaults=driver.serial_defaults,
            settings=settings,
            capabilities=capabilities,
            driver=driver,
        )
    except ConfigError as error:
        return Installed(point.name, package, str(error).removeprefix("driver: "))
    except (Exception, SystemExit) as error:
        # Somebody else's code ran for the first time; whatever it raises is what is to be told.
        return Installed(point.name, package, f"{type(error).__name__}: {error}")


def _settings(kind: type) -> list[Setting]:
    hints = get_type_hints(kind)
    found = []
    for one in fields(kind):
        default: object = one.default
        if one.default_factory is not MISSING:
            default = one.default_factory()
        required = default is MISSING
        type_text = _type_text(hints[one.name])
        found.append(Setting(one.name, type_text, None if required else default, required))
    return found


def _type_text(hint: Any) -> str:
    """Return a type as an installer reads it: "text", "number", or the words to choose from."""
    if get_origin(hint) is Literal:
        return " | ".join(str(value) for value in get_args(hint))
    if get_args(hint):
        return " | ".join(_type_text(one) for one in get_args(hint))
    words = {str: "text", int: "whole number", float: "number", bool: "true | false"}
    return "not set" if hint is type(None) else words.get(hint, getattr(hint, "__name__", "?"))


def as_json(installed: Installed) -> dict[str, object]:
    """Return what is known of a driver, in JSON's types."""
    found = installed.capabilities
    facts = {
        "name": installed.name,
        "package": installed.package,
        "error": installed.error,
        "version": installed.version,
        "api": installed.api,
        "serial_defaults": asdict(installed.serial_defaults) if installed.serial_defaults else None,
        "settings": [asdict(setting) for setting in installed.settings],
        "capabilities": {**asdict(found), "operations": sorted(found.operations)}
        if found
        else None,
    }
    # A default may be of any type that its driver likes.
    plain: dict[str, object] = json.loads(json.dumps(facts, default=str))
    return plain


def print_drivers(drivers: Sequence[Installed]) -> None:
    """Print what an installer wants to know of each driver."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for one in drivers:
        console.print(f"[bold]{escape(one.name)}[/] {one.version}   {escape(one.package)}")
        if one.error:
            console.print(f"  [red]cannot be used[/]: {escape(one.error)}")
            continue
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        for name, text in _facts(one):
            table.add_row(name, escape(text))
        for setting in one.settings:
            default = "must be given" if setting.required else f"= {setting.default!r}"
            table.add_row("setting", escape(f"{setting.name}: {setting.type} {default}"))
        console.print(table)
    if not drivers:
        console.print("no driver is installed; install paybridge as a package")


def _facts(one: Installed) -> list[tuple[str, str]]:
    facts = []
    if one.serial_defaults is not None:
        line = one.serial_defaults
        text = f"{line.baud_rate} baud, {line.data_bits} data bits, parity {line.parity}, "
        facts.append(("serial", f"{text}{line.stop_bits} stop bits"))
    if one.capabilities is not None:
        can = one.capabilities
        facts += [
            ("can", ", ".join(sorted(can.operations))),
            ("lost answer", _QUERY_WORDS.get(can.status_query, can.status_query)),
            ("cancel", can.cancel),
            ("tip", ", ".join(can.tip)),
            ("receipts", ", ".join(can.receipts) or "none"),
            ("currencies", ", ".join(can.currencies) or "as the terminal is set up"),
        ]
    return facts


# --- paybridge find


@dataclass(frozen=True, slots=True)
class Found:
    """One port, and what asking came to. `not_asked` says why nobody was asked."""

    port: SerialPort
    configured_as: str
    not_asked: str
    answers: tuple[Answer, ...]
    toml: str

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        kind = self.port.kind
        return {
            **asdict(self.port),
            "known_as": kind.what if kind else "",
            "source": kind.source if kind else "",
            "may_be_asked": self.port.may_be_asked,
            "configured_as": self.configured_as,
            "not_asked": self.not_asked,
            "answers": [asdict(answer) for answer in self.answers],
            "toml": self.toml,
        }


@dataclass(frozen=True, slots=True)
class Configured:
    """What the configuration says of ports."""

    terminals: Mapping[str, cfg.Terminal] = field(default_factory=dict)
    running: bool = False  # a bridge runs and has them

    def name_of(self, port: SerialPort) -> str:
        """Return the terminal that is configured at `port`, "" if none is."""
        target = os.path.realpath(port.device)
        for name, terminal in self.terminals.items():
            if terminal.port is not None and os.path.realpath(terminal.port) == target:
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
        assert isinstance(address, SerialAddress), "only serial ports are found"
        return Question(driver, settings, address.settings)


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
        answers: list[Answer] = []
        if not why_not:
            questions = [known.question(name)] if name else []
            asked = {question.driver.name for question in questions}
            questions += [Question.with_defaults(one) for one in drivers if one.name not in asked]
            answers = [one async for one in ask(port.device, questions)]
        answer = best(answers)
        toml = ""
        if answer is not None:
            toml = configuration(name or next(names), port.stable_name, answer)
        yield Found(port, name, why_not, tuple(answers), toml)


def _why_not_asked(port: SerialPort, known: Configured, *, probe: bool, named: bool) -> str:
    if not os.path.exists(port.device):
        return "there is no such port; check the cable and the terminal's power"
    if not probe:
        return "--probe asks who is there"
    if known.running and known.name_of(port):
        return "the running bridge has it; `paybridge check` says how it is"
    if not named and not port.may_be_asked:
        return "may be something else; name it with --port to have it asked"
    return ""


def _new_names(taken: Container[str]) -> Iterator[str]:
    return (f"terminal-{n}" for n in range(1, 1_000) if f"terminal-{n}" not in taken)


def print_found(found: Found) -> None:
    """Print one port, and the table to paste."""
    port = found.port
    print(port.device + (f"  (configured as {found.configured_as})" if found.configured_as else ""))
    kind = port.kind
    facts = {
        "name": port.stable_name if port.stable_name != port.device else "",
        "device": " ".join(filter(None, (port.manufacturer, port.product))),
        "serial number": port.serial_number,
        "USB id": f"{port.vendor_id}:{port.product_id}" if port.vendor_id else "",
        "known as": f"{kind.what} [{kind.source}]" if kind else "",
        "not asked": found.not_asked,
    }
    for name, text in facts.items():
        if text:
            print(f"  {name:<13}  {_printable(text)}")
    for answer in found.answers:
        print(f"  {answer.driver:<14} {_printable(_said(answer))}")
    if found.toml:
        print(f"\n{found.toml}\n")


def _said(answer: Answer) -> str:
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


async def print_all_found(
    paths: Sequence[str], known: Configured, *, probe: bool, rows: list[object] | None
) -> bool:
    """Print each port as soon as it is known, or add it to `rows`; say if there was what we seek.

    That is a terminal that answered, or without `probe` any port at all.
    """
    drivers = [one.driver for one in installed_drivers() if one.driver is not None]
    success = False
    async for found in find(list_serial_ports(), paths, drivers, known, probe=probe):
        success = success or bool(found.toml or not probe)
        if rows is None:
            print_found(found)
        else:
            rows.append(found.as_json())
    return success
