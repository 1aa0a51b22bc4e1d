"""Byte vectors with meaning and source, kept outside the project; read from one folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER_VARIABLE = "PAYBRIDGE_EXTRA_VECTORS"


@dataclass(frozen=True)
class Vector:
    name: str
    layer: str
    direction: str
    valid: bool
    data: bytes
    derived: dict[str, Any]
    asserted: dict[str, Any]
    apdu: bytes
    fragments: tuple[bytes, ...]


def load_vectors(file_name: str) -> tuple[Vector, ...]:
    """Return the vectors of one file; skip the calling module when no folder is named."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        pytest.skip(f"{FOLDER_VARIABLE} names no folder of byte vectors", allow_module_level=True)
    content = json.loads((Path(folder) / file_name).read_text(encoding="utf-8"))
    return tuple(
        Vector(
            name=entry["name"],
            layer=entry["layer"],
            direction=entry["direction"],
            valid=entry["valid"],
            data=bytes.fromhex(entry["hex"]),
            derived=entry.get("derived") or {},
            asserted=entry.get("asserted") or {},
            apdu=bytes.fromhex(entry.get("apdu_hex", "")),
            fragments=tuple(bytes.fromhex(part) for part in entry.get("fragments", ())),
        )
        for entry in content["vectors"]
    )
