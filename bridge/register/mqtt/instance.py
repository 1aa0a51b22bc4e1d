"""Which bridge this is: an id made once, in the state directory; and whom it stands behind.

A copied configuration or client id makes no second one; only a copied state directory does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge.errors import JournalError
from bridge.private_files import open_file
from bridge.register.mqtt.authority import Other, decode_record

INSTANCE_NAME: Final = "instance.json"


class Instance:
    """The file. Each change replaces it in one step and is synced before it counts."""

    def __init__(self, path: Path, new_id: Callable[[], str]) -> None:
        """Read the file, made if need be; `new_id` names a new bridge.

        Raises:
            JournalError: It cannot be read or written.
        """
        self._path = path
        self.instance_id = ""
        self.behind: Other | None = None
        try:
            self._read()
            if not self.instance_id:
                self.instance_id = new_id()
                self._write()
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from error

    def remember(self, behind: Other | None) -> None:
        """Keep over restarts whose base topic it is; None: ours.

        Raises:
            JournalError: It cannot be written.
        """
        self.behind = behind
        try:
            self._write()
        except OSError as error:
            raise JournalError(f"{self._path}: {error.strerror}") from error

    def _read(self) -> None:
        try:
            data = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return
        except ValueError:
            return  # a power cut before it was ever whole: nothing was served under that id
        if isinstance(data, dict) and isinstance(data.get("instance_id"), str):
            self.instance_id = data["instance_id"]
            if data.get("behind") is not None:
                self.behind = decode_record(json.dumps(data["behind"]).encode())

    def _write(self) -> None:
        behind = self.behind
        text = json.dumps(
            {
                "instance_id": self.instance_id,
                "behind": behind
                and {"instance_id": behind.instance_id, "bridge_id": behind.bridge_id},
            }
        )
        fresh = self._path.with_suffix(".new")
        descriptor = open_file(fresh, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
