"""A disk in memory that forgets at a power cut what was not synced, under the real SQLite.

`Disk` holds files; `DiskDoor` is one process's way to it (an apsw VFS) and can be shut, as a
process dies; `open_journal` gives the journal a connection that looks like `sqlite3`'s.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import apsw

SECTOR_BYTES = 512  # what a drive writes whole or not at all
KEPT_CHANCE = 0.4  # of an unsynced write at a power cut; else it is torn or gone
TORN_CHANCE = 0.25

Trouble = Callable[[], None]


@dataclass(slots=True)
class File:
    """What a reader sees, what is safe, and what lies between."""

    seen: bytearray = field(default_factory=bytearray)
    safe: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: truncated there
    exists: bool = False  # its name is safe


class Disk:
    """Files that survive processes, and partly survive power cuts."""

    def __init__(self, rng: random.Random) -> None:
        self.files: dict[str, File] = {}
        self._rng = rng

    def cut_power(self) -> None:
        """Keep, tear or drop each write that was not synced."""
        for name, file in list(self.files.items()):
            for at, data in file.unsynced:
                draw = self._rng.random()
                if data is None:
                    if draw < KEPT_CHANCE:
                        resize(file.safe, at)
                elif draw < KEPT_CHANCE:
                    overwrite(file.safe, at, data)
                elif draw < KEPT_CHANCE + TORN_CHANCE:
                    for offset in range(0, len(data), SECTOR_BYTES):
                        if self._rng.random() < 0.5:
                            overwrite(file.safe, at + offset, data[offset : offset + SECTOR_BYTES])
            file.unsynced.clear()
            file.seen = bytearray(file.safe)
            if not file.exists and self._rng.random() < 0.5:
                del self.files[name]

    def copy(self) -> Disk:
        """Return what a process would find now, to look at without leaving a trace."""
        other = Disk(random.Random(0))
        for name, file in self.files.items():
            other.files[name] = File(bytearray(file.seen), bytearray(file.safe), [], file.exists)
        return other

    def contents(self) -> Iterator[bytes]:
        """Return the bytes of every file, for who looks for what must not be there."""
        return (bytes(file.seen) for file in self.files.values())


def overwrite(target: bytearray, at: int, data: bytes) -> None:
    """Put `data` at `at`, with zeros where nothing was."""
    if len(target) < at:
        target.extend(bytes(at - len(target)))
    target[at : at + len(data)] = data


def resize(target: bytearray, size: int) -> None:
    """Make `target` `size` bytes long."""
    if len(target) > size:
        del target[size:]
    else:
        target.extend(bytes(size - len(target)))


class DiskDoor(apsw.VFS):
    """One process's way to the disk. Once `shut`, nothing that comes through changes anything."""

    def __init__(self, name: str, disk: Disk, rng: random.Random) -> None:
        self.name = name
        self.disk = disk
        self.shut = False
        self.trouble: Trouble | None = None  # called before each write and sync; may raise
        self._rng = rng
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: Any) -> Any:
        path = name.filename() if hasattr(name, "filename") else name
        file = self.disk.files.get(path)
        if file is None:
            file = self.disk.files[path] = File()
        return OpenFile(file, self)

    def xDelete(self, name: str, sync: bool) -> None:
        if not self.shut:
            self.disk.files.pop(name, None)

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self.disk.files

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, count: int) -> bytes:
        return self._rng.randbytes(count)


class OpenFile:
    """One open file, as SQLite wants it."""

    def __init__(self, file: File, door: DiskDoor) -> None:
        self._file = file
        self._door = door

    def xRead(self, count: int, offset: int) -> bytes:
        return bytes(self._file.seen[offset : offset + count])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._stumble()
        if not self._door.shut:
            kept = bytes(data)
            overwrite(self._file.seen, offset, kept)
            self._file.unsynced.append((offset, kept))

    def xTruncate(self, size: int) -> None:
        if not self._door.shut:
            resize(self._file.seen, size)
            self._file.unsynced.append((size, None))

    def xSync(self, flags: int) -> None:
        self._stumble()
        if self._door.shut:
            return
        file = self._file
        file.exists = True
        for at, data in file.unsynced:
            if data is None:
                resize(file.safe, at)
            else:
                overwrite(file.safe, at, data)
        file.unsynced.clear()

    def xFileSize(self) -> int:
        return len(self._file.seen)

    def xLock(self, level: int) -> None:
        """Do nothing: one process has the disk."""

    def xUnlock(self, level: int) -> None:
        """Do nothing: one process has the disk."""

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, operation: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xClose(self) -> None:
        """Do nothing: closing syncs nothing."""

    def _stumble(self) -> None:
        if self._door.trouble is not None:
            self._door.trouble()


class Rows:
    """What a statement gave, as `sqlite3.Cursor` shows it."""

    def __init__(self, cursor: Any, connection: Any) -> None:
        self._cursor = cursor
        self._connection = connection

    @property
    def lastrowid(self) -> int:
        return int(self._connection.last_insert_rowid())

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return list(self._cursor.fetchall())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


@dataclass(frozen=True, slots=True)
class Written:
    """One journal entry of a commit."""

    subject: str
    kind: str


class Witness:
    """Who is told what a connection commits; what a world overrides. Does nothing by itself."""

    def committing(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """The commit is about to be made; may kill the process."""

    def committed(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """The commit is on disk; may kill the process before anybody hears of it."""


class Connection:
    """An apsw connection that looks like `sqlite3.Connection`, and tells of every commit."""

    def __init__(self, door: DiskDoor, path: str, witness: Witness) -> None:
        self._real = apsw.Connection(path, vfs=door.name)
        self._door = door
        self._witness = witness
        self._statements: list[tuple[str, Sequence[Any]]] = []

    @property
    def in_transaction(self) -> bool:
        return bool(self._real.in_transaction)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        try:
            if statement == "commit":
                return self._commit()
            if statement == "rollback":
                self._statements = []
            elif statement.lstrip().startswith("insert"):
                self._statements.append((statement, values))
            return Rows(self._real.execute(statement, tuple(values)), self._real)
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error

    def executescript(self, script: str) -> None:
        try:
            self._real.execute(script)
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error

    def close(self) -> None:
        self._real.close(True)

    def _commit(self) -> Rows:
        statements, self._statements = self._statements, []
        self._witness.committing(statements)
        rows = Rows(self._real.execute("commit"), self._real)
        if self._door.shut:
            raise sqlite3.OperationalError("the process died while it wrote")
        self._witness.committed(statements)
        return rows


def open_journal(door: DiskDoor, witness: Witness, path: str = "/journal") -> sqlite3.Connection:
    """Return a connection for `Journal`, not prepared yet.

    WAL without shared memory needs exclusive locking, which one process has anyway.
    """
    try:
        connection = Connection(door, path, witness)
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error
    connection.execute("pragma locking_mode=exclusive")
    return cast(sqlite3.Connection, connection)
