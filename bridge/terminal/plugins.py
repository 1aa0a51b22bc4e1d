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


def package_of(point: EntryPoint) -> str:
    """Return the package that offers a driver, as pip knows it, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"


def load_driver(name: str, key: str) -> Driver:
    """Return the driver that the setting `key` names. Only this one is loaded.

    Raises:
        ConfigError: There is none or more than one, it cannot be loaded, or it was written for
            another bridge.
    """
    drivers = tuple(entry_points(group=GROUP))  # a package that is found twice is here once
    named = [point for point in drivers if point.name == name]
    if not named:
        known = ", ".join(sorted({point.name for point in drivers}))
        known = known or "none; install paybridge as a package"
        raise ConfigError(key, f"there is no driver {name!r}; installed are {known}")
    if len(named) > 1:
        packages = " and ".join(sorted(map(package_of, named)))
        raise ConfigError(key, f"the driver {name!r} is offered by {packages}; remove one of them")
    try:
        driver = cast(Driver, named[0].load())
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
