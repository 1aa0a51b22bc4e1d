"""Drivers are found by their entry point, and one name means one driver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli.drivers import installed_drivers
from bridge.errors import ConfigError
from bridge.terminal.plugins import load_driver

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what puts a package with one driver where Python looks for packages."""

    def put(package: str, driver: str) -> None:
        facts = tmp_path / f"{package.replace('-', '_')}-1.5.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
        (facts / "entry_points.txt").write_text(
            f"[paybridge.drivers]\n{driver} = drivers.zvt:DRIVER\n"
        )

    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return put


def test_a_driver_of_another_package_is_loaded_by_its_name(install: Install) -> None:
    install("acme-terminals", "acme")
    assert load_driver("acme", "terminals.counter-1.driver").name == "zvt"


def test_a_name_that_two_packages_offer_is_refused_and_both_are_named(install: Install) -> None:
    install("acme-terminals", "acme")
    install("acme-clone", "acme")
    # Equal entry points of two packages are two all the same.
    with pytest.raises(ConfigError) as refused:
        load_driver("acme", "terminals.counter-1.driver")
    assert refused.value.key == "terminals.counter-1.driver"
    assert "acme-clone 1.5 and acme-terminals 1.5" in str(refused.value)
    listed = [one for one in installed_drivers() if one.name == "acme"]
    assert sorted(one.package for one in listed) == ["acme-clone 1.5", "acme-terminals 1.5"]
    assert all("remove one of them" in one.error for one in listed)


def test_a_name_that_nobody_offers_is_refused_with_the_ones_that_are_there(
    install: Install,
) -> None:
    install("acme-terminals", "acme")
    with pytest.raises(ConfigError, match="no driver 'acne'; installed are acme, caisse_ap"):
        load_driver("acne", "driver")
