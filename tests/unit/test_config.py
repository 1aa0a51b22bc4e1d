"""The configuration says which key is wrong, and what it might have meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge import config as cfg
from bridge.errors import ConfigError
from bridge.settings import (
    login_settings,
    mqtt_settings,
    not_booked_by_us,
    token_store,
    unbooked_terminals,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "paybridge.toml"


def table(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "site": {"store_code": "S012"},
        "terminals": {"counter-1": {"driver": "zvt", "port": "/dev/ttyACM0"}},
    }
    return {**plain, **changes}


def test_the_example_is_a_configuration() -> None:
    config = cfg.load(EXAMPLE)
    assert config.terminals["counter-1"].driver == "zvt"
    assert config.back_office is not None


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"site": {"store_cod": "S"}}, "site.store_cod", "did you mean store_code"),
        (
            {"site": {"store_code": "S", "state_directory": "/var/lib/" + "long/" * 20}},
            "site.state_directory",
            "choose a shorter path",
        ),
        ({"mqttt": {}}, "mqttt", "did you mean mqtt"),
        ({"site": {}}, "site.store_code", "missing"),
        ({"mqtt": {"port": 99999}}, "mqtt.port", "65535"),
        ({"mqtt": {"port": "many"}}, "mqtt.port", "integer"),
        ({"terminals": {}}, "terminals", "at least 1"),
        ({"terminals": {"Counter 1": {"driver": "zvt", "port": "x"}}}, "terminals", "pattern"),
        ({"terminals": {"c": {"driver": "zvt"}}}, "terminals.c", "either port"),
        ({"terminals": {"c": {"driver": "zvt", "port": "x", "tcp": "h:1"}}}, "terminals.c", "eith"),
        ({"terminals": {"c": {"driver": "zvt", "tcp": "nowhere"}}}, "terminals.c", "host:port"),
        (
            {"terminals": {"c": {"driver": "zvt", "port": "x", "baudrate": 9600}}},
            "terminals.c.baudrate",
            "did you mean baud_rate",
        ),
        ({"registers": {"till-1": {"terminal": "x"}}}, "", "registers.till-1.terminal"),
    ],
)
def test_a_fault_names_its_key(changes: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cfg.parse(table(**changes))
    assert caught.value.key.startswith(key)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_or_not_toml_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        cfg.load(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[site\n")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        cfg.load(broken)


def test_a_secret_comes_from_its_file_or_from_systemd(tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").write_text("hush\n")
    (tmp_path / "mqtt-password").chmod(0o640)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    file = "mqtt.password_file"
    assert cfg.read_secret(file, None, "mqtt-password", environment) == "hush"
    assert cfg.read_secret(file, tmp_path / "mqtt-password", "x", {}) == "hush"
    assert cfg.read_secret(file, None, "mqtt-password", {}) == ""
    assert cfg.read_secret(file, None, "client-secret", environment) == ""
    with pytest.raises(ConfigError) as caught:
        cfg.read_secret(file, tmp_path / "none", "x", {})
    assert caught.value.key == file


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "UTF-8"),
        (lambda path: path.write_bytes(b"x" * 4_097), "longer than 4096"),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_by_name(
    tmp_path: Path, spoil: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "mqtt-password"
    spoil(path)
    if path.is_file():
        path.chmod(0o600)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with pytest.raises(ConfigError, match=words) as caught:
        cfg.read_secret("mqtt.password_file", None, "mqtt-password", environment)
    assert caught.value.key == "credential mqtt-password"
    with pytest.raises(ConfigError, match=words) as caught:
        cfg.read_secret("mqtt.password_file", tmp_path / "mqtt-password", "x", {})
    assert caught.value.key == "mqtt.password_file"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o777])
def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "mqtt-password"
    path.write_text("hush")
    path.chmod(mode)
    with pytest.raises(ConfigError, match="everybody can read it") as caught:
        cfg.read_secret("mqtt.password_file", path, "x", {})
    assert caught.value.key == "mqtt.password_file"
    assert "hush" not in str(caught.value)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert cfg.read_secret("mqtt.password_file", None, "mqtt-password", environment) == "hush"


@pytest.mark.parametrize("files", [(), ("login-key", "mqtt-password", "client-secret")])
@pytest.mark.parametrize("flow", ["auto", "device", "browser", "client_credentials"])
def test_every_login_flow_takes_what_systemd_hands_over(
    tmp_path: Path, files: tuple[str, ...], flow: str
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"k" * 32)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    office = cfg.BackOffice.model_validate(
        {
            "endpoint": "https://shop.example/graphql",
            "login": {"issuer": "https://shop.example/", "client_id": "paybridge", "flow": flow},
        }
    )
    token_store(tmp_path, environment)
    mqtt_settings(cfg.Mqtt(), environment)
    if flow == "client_credentials" and not files:
        with pytest.raises(ConfigError, match="client_secret"):
            login_settings(office, environment)
    else:
        found = login_settings(office, environment)
        assert bool(found.client_secret) == (flow == "client_credentials")


def test_a_login_key_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "login-key").mkdir()
    with pytest.raises(ConfigError, match="login-key"):
        token_store(tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


OFFICE = {
    "endpoint": "https://office.test/api",
    "login": {"issuer": "https://office.test/", "client_id": "paybridge"},
}
SERVED = {"kind": "pos_server", "settings": {"terminal": "Lane 1", "currency": "USD"}}


@pytest.mark.parametrize("booked", [None, "by_us", "by_server"])
def test_a_terminal_of_the_pos_server_has_no_line(booked: str | None) -> None:
    office = {**OFFICE, "pos_server_payments_booked": booked}
    config = cfg.parse(table(terminals={"lane-1": SERVED}, back_office=office))
    assert config.pos_server_terminals == ("lane-1",)
    assert not_booked_by_us(config) == (set() if booked == "by_us" else {"lane-1"})
    said = unbooked_terminals(config)
    assert ("lane-1" in said[0]) if booked is None else said == []


@pytest.mark.parametrize(
    ("terminal", "more", "words"),
    [
        (SERVED, {}, "needs [back_office]"),
        ({**SERVED, "port": "/dev/ttyACM0"}, {"back_office": OFFICE}, "has no driver, port or tcp"),
        ({**SERVED, "driver": "zvt"}, {"back_office": OFFICE}, "has no driver, port or tcp"),
        ({"port": "/dev/ttyACM0"}, {}, "driver"),
        ({**SERVED, "kind": "other"}, {"back_office": OFFICE}, "pos_server"),
    ],
)
def test_a_terminal_says_who_drives_it(
    terminal: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        cfg.parse(table(terminals={"lane-1": terminal}, **more))
