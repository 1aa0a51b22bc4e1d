"""The configuration says which key is wrong, and what it might have meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge import config as cfg
from bridge.errors import ConfigError

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
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert cfg.read_secret(None, "mqtt-password", environment) == "hush"
    assert cfg.read_secret(tmp_path / "mqtt-password", "x", {}) == "hush"
    assert cfg.read_secret(None, "mqtt-password", {}) == ""
    with pytest.raises(ConfigError):
        cfg.read_secret(tmp_path / "none", "x", {})
