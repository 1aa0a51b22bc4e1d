"""Who makes the journal and the login, and under which umask, does not decide who may read them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bridge.private_files import make_folder


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_that_many_share_stays_as_it_is_and_is_complained_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o1777)
    make_folder(tmp_path)
    assert mode_of(tmp_path) == 0o1777
    assert "not ours alone" in caplog.text
