"""What to say when a command needs a package that this installation was made without.

Our name is on no package index, so no sentence here tells anyone to install a name: what lies there
under `paybridge` is somebody else's, and any other name could be tomorrow.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires

DISTRIBUTION = "paybridge-terminals"
OUR_PACKAGES = frozenset({"bridge", "drivers", "simulators"})
_EXTRA = re.compile(r"""^([A-Za-z0-9._-]+).*;.*extra == ['"]([A-Za-z0-9._-]+)['"]""")
_PROVIDED_BY = {"graphql": "graphql-core"}  # where the distribution has another name


def missing_part(error: ModuleNotFoundError) -> str | None:
    """Return one line for a person; None where a module of ours or of Python is missing: a bug."""
    package = (error.name or "").partition(".")[0]
    if not package or package in OUR_PACKAGES or package in sys.stdlib_module_names:
        return None
    extra = _extra_of(package)
    folder = f"'.[{extra}]'" if extra else "."
    return (
        f"this needs the Python package {package!r}, which is not installed here; "
        f"in the folder of paybridge's source: pip install {folder}"
    )


def _extra_of(package: str) -> str:
    """Return the extra that brings an importable package, "" if none does."""
    wanted = _PROVIDED_BY.get(package, package).lower().replace("_", "-")
    try:
        needs = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return ""
    found = {
        matched[2]
        for need in needs
        if (matched := _EXTRA.match(need)) and matched[1].lower().replace("_", "-") == wanted
    }
    return min(found - {"dev"} or found, default="")
