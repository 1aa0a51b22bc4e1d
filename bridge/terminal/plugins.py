"""Finds drivers by their entry point, ours and anybody's by the same door."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from bridge.config import explain
from bridge.errors import ConfigError
from drivers.contract import API_VERSION, Driver

GROUP = "paybridge.drivers"


def known_drivers() -> dict[str, EntryPoint]:
    """Return the installed drivers by name; none of them is loaded."""
    return {point.name: point for point in entry_points(group=GROUP)}


def load_driver(name: str, key: str) -> Driver:
    """Return the driver that the setting `key` names. Only this one is loaded.

    Raises:
        ConfigError: There is none, it cannot be loaded, or it was written for another bridge.
    """
    drivers = known_drivers()
    if name not in drivers:
        known = ", ".join(sorted(drivers)) or "none; install paybridge as a package"
        raise ConfigError(key, f"there is no driver {name!r}; installed are {known}")
    try:
        driver = cast(Driver, drivers[name].load())
    except Exception as error:  # somebody else's module may raise anything
        raise ConfigError(key, f"the driver {name!r} cannot be loaded: {error}") from error
    if getattr(driver, "api", None) != API_VERSION:
        spoken = getattr(driver, "api", "none")
        raise ConfigError(
            key, f"the driver {name!r} speaks API {spoken}, this bridge {API_VERSION}"
        )
    return driver


def read_settings(driver: Driver, table: Mapping[str, Any], key: str) -> Any:
    """Return the driver's settings, checked; `key` is where the table stands.

    Raises:
        ConfigError: A setting is unknown or wrong; its key is named.
    """
    strict = with_config(ConfigDict(extra="forbid"))(driver.settings)
    try:
        return TypeAdapter(strict).validate_python(dict(table))
    except ValidationError as error:
        raise next(explain(error, key, driver.settings)) from None
