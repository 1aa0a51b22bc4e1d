"""`paybridge drivers`: which drivers are installed, their settings and capabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bridge.errors import ConfigError
from bridge.terminal.plugins import GROUP, load_driver, package_of
from drivers.contract import Capabilities, Driver, SerialDefaults

_QUERY_WORDS = {
    "by_reference": "is asked for by reference",
    "last_transaction": "is asked for as the last transaction",
    "none": "cannot be asked for, a person decides",
}


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
