"""How a bug is planted: an attribute of the bridge is replaced for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Plant:
    """One attribute, and what to make of it."""

    owner: Any
    name: str
    make: Callable[[Any], Any]  # from the original
