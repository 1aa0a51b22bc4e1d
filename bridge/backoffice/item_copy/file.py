"""The file of the copy: its tables, one transaction for each page, questions by SKU or barcode.

It holds nothing that the back office does not have, so a damaged or foreign file is made anew. It
lies beside the journal and shares its disk: nothing is written where the disk runs full, because
without a journal there is no payment.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from bridge.backoffice.api.items import Item, ItemLot, ItemStock
from bridge.backoffice.api.products import ProductRow
from bridge.backoffice.item_copy.progress import Progress
from bridge.money.lookup import FoundItem, Stock
from bridge.private_files import close_file, open_file

COPY_NAME = "items.sqlite"
VERSION = 2
FREE_BYTES_MIN = 300_000_000
"""Left for the journal and for whoever else needs the disk; health warns from 200 MB on."""

PURGE_ROWS = 500
"""Rows taken away in one transaction: short enough that nobody waits for it."""

FOUND_MAX = 20
"""Items with one barcode that are told, and warehouses of one item; more helps no cashier."""

STOCK_MAX = 200
BUSY_SECONDS = 2.0

_SIDE_FILES = ("-wal", "-shm")
_DAMAGE = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})

_TABLES = """
    create table origin(name text not null);
    create table progress(
        endpoint text primary key, generation integer not null, mark text not null,
        walking integer not null, walk_mark text not null, as_of text not null,
        full_at text not null, purging integer not null
    ) without rowid;
    create table item(
        sku text primary key, name text not null, long_name text not null, sale_uom text not null,
        stock_uom text not null, barcode text not null, generation integer not null
    ) without rowid;
    create index item_alike on item(sku collate nocase);
    create index item_by_barcode on item(barcode) where barcode != '';
    create table stock(
        sku text not null, warehouse text not null, price text not null, quantity text not null,
        generation integer not null, primary key(sku, warehouse)
    ) without rowid;
    create table lot(
        sku text not null, warehouse text not null, lot text not null, quantity text not null,
        generation integer not null, primary key(sku, warehouse, lot)
    ) without rowid;
    create table product(
        kind text not null, id text not null, name text not null, sku text not null,
        generation integer not null, primary key(kind, id)
    ) without rowid;
"""

CopyRow = Item | ItemStock | ItemLot | ProductRow


@dataclass(frozen=True, slots=True)
class _Table:
    """The statements for the rows of one endpoint; products of all kinds share a table."""

    write: str
    count: str
    purge: str


_ITEMS = _Table(
    "insert or replace into item values(?,?,?,?,?,?,?)",
    "select count(*) from item where ?1 != ''",
    "delete from item where sku in (select sku from item where ?1 != '' and generation < ?2 "
    "limit ?3)",
)
_STOCKS = _Table(
    "insert or replace into stock values(?,?,?,?,?)",
    "select count(*) from stock where ?1 != ''",
    "delete from stock where (sku, warehouse) in (select sku, warehouse from stock "
    "where ?1 != '' and generation < ?2 limit ?3)",
)
_LOTS = _Table(
    "insert or replace into lot values(?,?,?,?,?)",
    "select count(*) from lot where ?1 != ''",
    "delete from lot where (sku, warehouse, lot) in (select sku, warehouse, lot from lot "
    "where ?1 != '' and generation < ?2 limit ?3)",
)
_PRODUCTS = _Table(
    "insert or replace into product values(?,?,?,?,?)",
    "select count(*) from product where kind = ?1",
    "delete from product where (kind, id) in (select kind, id from product "
    "where kind = ?1 and generation < ?2 limit ?3)",
)
_TABLE_OF = {"item": _ITEMS, "itemWarehouse": _STOCKS, "itemSerialLot": _LOTS}


_BY_SKU = "select sku, name, long_name, sale_uom, barcode from item where sku=? limit ?"
_BY_SKU_ALIKE = (
    "select sku, name, long_name, sale_uom, barcode from item where sku=? collate nocase limit ?"
)
_BY_BARCODE = (
    "select sku, name, long_name, sale_uom, barcode from item "
    "where barcode=? and barcode != '' limit ?"
)


class CopyFull(Exception):
    """The disk is nearly full, so nothing is copied."""


class ItemFile:
    """The copy on disk. One connection writes, another one reads; each is used by one thread."""

    def __init__(self, path: Path, free_bytes: Callable[[Path], int], origin: str) -> None:
        """Open the file at `path`, made anew where it is damaged, or of another version or origin.

        `origin` is which back office it is a copy of: its address.

        Raises:
            OSError, sqlite3.Error: It cannot be made.
        """
        self._path = path
        self._free_bytes = free_bytes
        self._origin = origin
        self._writing, self._reading = self._open()

    def close(self) -> None:
        """Close it; it is not used afterwards."""
        self._writing.close()
        self._reading.close()

    def stop_reading(self) -> None:
        """Close the reader's connection, by its own thread, before `discard`."""
        self._reading.close()

    def discard(self) -> None:
        """Make the file anew, empty.

        Raises:
            OSError, sqlite3.Error: It cannot be made.
        """
        with suppress(sqlite3.Error):
            self.close()
        self._remove()
        self._writing, self._reading = self._open()

    # --- the writer's

    def progress(self) -> dict[str, Progress]:
        """Return how far each endpoint has come.

        Raises:
            sqlite3.Error: It cannot be read.
        """
        rows = self._writing.execute("select * from progress").fetchall()
        found = [Progress(*row) for row in rows]
        return {one.endpoint: replace(one, purging=bool(one.purging)) for one in found}

    def store(self, progress: Progress, rows: Sequence[CopyRow], generation: int) -> None:
        """Store a page and where the walk stands, in one transaction.

        Raises:
            CopyFull: The disk is nearly full; nothing was written.
            sqlite3.Error: Nothing was written.
        """
        if self._free_bytes(self._path.parent) < FREE_BYTES_MIN:
            raise CopyFull
        with self._transaction():
            if rows:
                endpoint = progress.endpoint
                values = [_values(one, endpoint, generation) for one in rows]
                self._writing.executemany(_table_of(endpoint).write, values)
            self._put(progress)

    def count(self, endpoint: str) -> int:
        """Return how many rows an endpoint's copy has.

        Raises:
            sqlite3.Error: It cannot be read.
        """
        ((count,),) = self._writing.execute(_table_of(endpoint).count, (endpoint,))
        return int(count)

    def purge(self, progress: Progress) -> bool:
        """Take away some rows that the last full walk did not see; True when none is left.

        Raises:
            sqlite3.Error: Nothing was taken away.
        """
        values = (progress.endpoint, progress.generation, PURGE_ROWS)
        with self._transaction():
            gone = self._writing.execute(_table_of(progress.endpoint).purge, values).rowcount
            if gone < PURGE_ROWS:
                self._put(replace(progress, purging=False))
        return gone < PURGE_ROWS

    # --- the reader's

    def unknown(self, skus: Iterable[str]) -> tuple[str, ...]:
        """Return the SKUs that the copy does not have; one in other letters is had, too.

        Raises:
            sqlite3.Error: It cannot be read.
        """
        found = []
        for sku in dict.fromkeys(skus):
            named = sku.strip()
            exact = "select 1 from item where sku=?"
            alike = "select 1 from item where sku=? collate nocase"
            if not any(self._reading.execute(one, (named,)).fetchone() for one in (exact, alike)):
                found.append(sku)
        return tuple(found)

    def find(self, *, sku: str = "", barcode: str = "") -> tuple[FoundItem, ...]:
        """Return the item with this SKU, or those with this barcode, with their stock.

        Raises:
            sqlite3.Error: It cannot be read.
        """
        wanted = sku.strip() or barcode.strip()
        if not wanted:
            return ()
        rows: list[tuple[str, str, str, str, str]] = []
        for query in (_BY_SKU, _BY_SKU_ALIKE) if sku else (_BY_BARCODE,):
            rows = rows or self._reading.execute(query, (wanted, FOUND_MAX)).fetchall()
        return tuple(replace(FoundItem(*row), stock=self._stock(row[0])) for row in rows)

    def _stock(self, sku: str) -> tuple[Stock, ...]:
        query = "select warehouse, price, quantity from stock where sku=? limit ?"
        return tuple(Stock(*row) for row in self._reading.execute(query, (sku, STOCK_MAX)))

    # --- the file itself

    def _transaction(self) -> _Transaction:
        return _Transaction(self._writing)

    def _put(self, progress: Progress) -> None:
        self._writing.execute(
            "insert or replace into progress values(?,?,?,?,?,?,?,?)", astuple(progress)
        )

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        try:
            return self._connect()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        self._remove()
        return self._connect()

    def _connect(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        os.close(open_file(self._path, os.O_RDWR))
        for suffix in _SIDE_FILES:
            close_file(self._path.with_name(self._path.name + suffix))
        writing = self._connection()
        try:
            writing.execute("pragma journal_mode=wal")
            writing.execute("pragma synchronous=normal")  # a power cut may lose pages, whole
            writing.execute("pragma wal_autocheckpoint=250")  # 1 MB: the journal shares the disk
            (version,) = writing.execute("pragma user_version").fetchone()
            (tables,) = writing.execute("select count(*) from sqlite_schema").fetchone()
            if version != VERSION and tables:
                raise _foreign()
            if version != VERSION:
                writing.executescript(f"begin; {_TABLES} pragma user_version={VERSION}; commit;")
                writing.execute("insert into origin values(?)", (self._origin,))
            writing.execute("select count(*) from progress").fetchone()
            if writing.execute("select name from origin").fetchone() != (self._origin,):
                raise _foreign()
            reading = self._connection()
            reading.execute("pragma query_only=on")
        except sqlite3.Error:
            writing.close()
            raise
        return writing, reading

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )

    def _remove(self) -> None:
        for suffix in ("", *_SIDE_FILES):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("begin immediate")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self._connection.execute("commit")
        elif self._connection.in_transaction:
            self._connection.execute("rollback")


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether the file itself is no good, and another one would be."""
    return getattr(error, "sqlite_errorname", "") in _DAMAGE or isinstance(error, _Foreign)


class _Foreign(sqlite3.DatabaseError):
    """The file is of another version, or somebody else's."""


def _foreign() -> _Foreign:
    return _Foreign("the copy is of another version, or of another back office")


def _table_of(endpoint: str) -> _Table:
    return _TABLE_OF.get(endpoint, _PRODUCTS)


def _values(row: CopyRow, endpoint: str, generation: int) -> tuple[str | int, ...]:
    match row:
        case Item(sku, name, long_name, sale_uom, stock_uom, barcode):
            return sku, name, long_name, sale_uom, stock_uom, barcode, generation
        case ItemStock(sku, warehouse, price, quantity):
            return sku, warehouse, price, quantity, generation
        case ItemLot(sku, warehouse, lot, quantity):
            return sku, warehouse, lot, quantity, generation
        case ProductRow(id_, name, sku):
            return endpoint, id_ or name, name, sku, generation
