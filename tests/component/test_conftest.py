from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPPED_TEST = (
    "import pytest\ndef test_one() -> None: pass\ndef test_two() -> None: pytest.skip()\n"
)
SKIPPED_MODULE = "import pytest\npytest.importorskip('there_is_no_such_module')\n"
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_one() -> None: raise ValueError\n"
PASSING = "def test_one() -> None: pass\n"


@pytest.mark.parametrize(
    ("test", "no_skips", "status"),
    [
        (SKIPPED_TEST, "1", 1),
        (SKIPPED_TEST, "", 0),
        (SKIPPED_MODULE + PASSING, "1", 1),
        (EXPECTED_FAILURE, "1", 0),
        (PASSING, "1", 0),
    ],
)
def test_a_skip_fails_the_run_only_where_none_is_allowed(
    tmp_path: Path, test: str, no_skips: str, status: int
) -> None:
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(test)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path],
        cwd=tmp_path,
        env={
            **os.environ,
            "PAYBRIDGE_NO_SKIPS": no_skips,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout
