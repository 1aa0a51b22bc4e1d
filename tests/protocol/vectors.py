"""Byte vectors with meaning and source: the project's own frames, and more from one folder.

`frames/` was made for this project from the layouts that each entry names. Where
`PAYBRIDGE_EXTRA_VECTORS` names a folder, the files of the same names there are read as well: frames
that were captured from terminals and clients of others.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "PAYBRIDGE_EXTRA_VECTORS"
OWN = Path(__file__).parent / "frames"


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


def read_entries(file_name: str) -> list[dict[str, Any]]:
    """Return the entries of one file, our own first, then those of the named folder."""
    folders = [OWN]
    if more := os.environ.get(FOLDER_VARIABLE):
        folders.append(Path(more))
    entries: list[dict[str, Any]] = []
    for folder in folders:
        content = json.loads((folder / file_name).read_text(encoding="utf-8"))
        entries += content["vectors"] if isinstance(content, dict) else content
    return entries


def load_vectors(file_name: str) -> tuple[Vector, ...]:
    """Return the vectors of one file."""
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
        for entry in read_entries(file_name)
    )
