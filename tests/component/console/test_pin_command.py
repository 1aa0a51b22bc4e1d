"""`paybridge console pin`: a PIN is kept as a hash that only the service's user can read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bridge.cli import main
from bridge.console.pins import PINS_NAME, PinFile, Role


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, *words: str) -> int:
    config = tmp_path / "paybridge.toml"
    config.write_text(
        f'[site]\nstore_code = "S"\nstate_directory = "{tmp_path}/state"\n'
        '[terminals.one]\ndriver = "zvt"\nport = "/dev/none"\n'
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(SystemExit) as ended:
        main(["console", "--config", str(config), *words])
    return int(ended.value.code or 0)


def test_a_pin_is_kept_as_a_hash_and_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch, "246813\n", "pin", "supervisor") == 0
    said = capsys.readouterr()
    path = tmp_path / "state" / PINS_NAME
    assert "246813" not in said.out + said.err + path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    kept = PinFile(path).read()[Role.SUPERVISOR]
    assert kept.fits("246813")
    assert not kept.fits("246814")
    assert run(tmp_path, monkeypatch, "246813\n", "pin", "technician") == 0
    pins = PinFile(path).read()
    assert pins[Role.TECHNICIAN].hash != pins[Role.SUPERVISOR].hash, "each has its own salt"
    assert run(tmp_path, monkeypatch, "", "pin", "supervisor", "--remove") == 0
    assert set(PinFile(path).read()) == {Role.TECHNICIAN}
    assert json.loads(path.read_text()).keys() == {"technician"}


def test_what_is_no_pin_is_refused_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed in ("", "\n", "123\n", "0000\n", "1" * 70 + "2\n"):
        assert run(tmp_path, monkeypatch, typed, "pin", "supervisor") == 1
        assert "PIN" in capsys.readouterr().err
    assert run(tmp_path, monkeypatch, "", "pin", "owner") == 2
    assert run(tmp_path, monkeypatch, "") == 64
    assert not (tmp_path / "state" / PINS_NAME).exists()


def test_a_link_that_somebody_laid_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").mkdir()
    theirs = tmp_path / "theirs"
    theirs.write_text("untouched")
    (tmp_path / "state" / f"{PINS_NAME}.new").symlink_to(theirs)
    assert run(tmp_path, monkeypatch, "246813\n", "pin", "supervisor") != 0
    assert theirs.read_text() == "untouched"
