"""What a simulated register must not forget: its own names of payments that are open."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def new_payment_id() -> str:
    """Return a UUID of version 7 in lower case: it sorts by the time it was made."""
    head = int(time.time() * 1000).to_bytes(6, "big")
    raw = bytearray(head + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Ledger:
    """What the register must not forget: one JSON object a line, on disk before it is sent."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.open: dict[str, Document] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(json.JSONDecodeError):  # a power cut ends a line early
                    self._fold(json.loads(line))

    def opened(self, payment_id: str, request: Document) -> None:
        """Remember a payment before its request is sent."""
        self._append({"opened": payment_id, "request": request})

    def closed(self, payment_id: str, document: Document) -> None:
        """Remember what became of it."""
        self._append({"closed": payment_id, "document": document})

    def _fold(self, entry: Document) -> None:
        if "opened" in entry:
            self.open[entry["opened"]] = entry["request"]
        else:
            self.open.pop(entry.get("closed", ""), None)

    def _append(self, entry: Document) -> None:
        self._fold(entry)
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
