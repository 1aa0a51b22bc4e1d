"""What the simulated back office sells, to whom, and what its own Register sold.

Rows are made from their number when somebody asks, so that an office of 200 000 items costs nothing
until then. What was changed since is kept, in the order in which it happened: `since` shows it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import TypeVar

from simulators.back_office.records import Json, validation

Each = TypeVar("Each")

WAREHOUSES = ("S1", "S2")
_KINDS = (
    "Marker",
    "Notebook",
    "Lamp",
    "Mug",
    "Candle",
    "Frame",
    "Basket",
    "Towel",
    "Vase",
    "Clock",
)
_COLORS = ("red", "blue", "green", "black", "white", "yellow", "grey", "brown")
_FIRST_NAMES = ("Anna", "Ben", "Clara", "David", "Eva", "Felix", "Greta", "Hugo")
_LAST_NAMES = ("Moser", "Huber", "Weber", "Keller", "Lang", "Fuchs", "Roth", "Vogel")
ITEMS_MAX = 5_000_000
_MARK = "v1"
_FIRST_SKU = 100_000


def item(number: int) -> Json:
    """Return the item of that number, as it was made."""
    kind = _KINDS[number % len(_KINDS)]
    color = _COLORS[number // len(_KINDS) % len(_COLORS)]
    name = f"{kind} {color} {number // 80 + 1}"
    return {
        "sku": f"{_FIRST_SKU + number}",
        "name": name,
        "longName": f"{name}, from the catalogue of 2026",
        "saleUom": "EA",
        "stockUom": "EA",
        "upc": ean13(number),
    }


def ean13(number: int) -> str:
    """Return a barcode for use within a store, with its check digit (GS1, prefix 20)."""
    digits = f"20{number:010d}"
    total = sum(int(one) * (3 if place % 2 else 1) for place, one in enumerate(digits))
    return f"{digits}{-total % 10}"


def stock(number: int) -> Json:
    """Return what a warehouse has of an item; every item lies in each of `WAREHOUSES`."""
    which, place = divmod(number, len(WAREHOUSES))
    return {
        "warehouseCode": WAREHOUSES[place],
        "sku": item(which)["sku"],
        "basePrice": Decimal(199 + which % 5_000) / 100,
        "quantityAvailable": Decimal((which * 7 + place * 3) % 50),
    }


def customer(number: int) -> Json:
    """Return the customer of that number."""
    first = _FIRST_NAMES[number % len(_FIRST_NAMES)]
    last = _LAST_NAMES[number // len(_FIRST_NAMES) % len(_LAST_NAMES)]
    return {
        "id": f"{5_000 + number}",
        "memberId": f"C{number:09d}",
        "status": "Active",
        "fullName": f"{first} {last}",
        "email": f"{first}.{last}.{number}@example.com".lower(),
        "phone": f"+43 1 555 {number:04d}",
    }


def serial_lot(number: int) -> Json:
    """Return one lot of an item."""
    return {
        "sku": item(number)["sku"],
        "warehouseCode": WAREHOUSES[number % len(WAREHOUSES)],
        "serialLot": f"L{number:06d}",
        "quantity": Decimal(number % 9 + 1),
    }


@dataclass
class Table:
    """Rows that are made when asked for, and what was changed, added and removed since.

    Attributes:
        make: A row by its number.
        count: How many there were at the beginning; row `n` has the version `n + 1`.
        changed: The newest of each row that was changed, by its number, oldest change first.
        removed: Numbers of rows that are gone; no answer says so.
    """

    make: Callable[[int], Json]
    count: int = 0
    changed: dict[int, tuple[int, Json]] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    _last_version: int = -1

    def change(self, number: int, row: Mapping[str, object]) -> None:
        """Change parts of a row, or add one with a number that nobody has."""
        self._last_version = max(self._last_version, self.count) + 1
        known = self.row(number) if self.has(number) else {}
        self.changed.pop(number, None)
        self.changed[number] = (self._last_version, {**known, **row})
        self.removed.discard(number)

    def remove(self, number: int) -> None:
        """Take a row away."""
        self.removed.add(number)

    def has(self, number: int) -> bool:
        """Tell whether there is such a row."""
        known = 0 <= number < self.count or number in self.changed
        return known and number not in self.removed

    def row(self, number: int) -> Json:
        """Return a row as it is now."""
        return self.changed[number][1] if number in self.changed else self.make(number)

    def rows(self) -> Iterator[Json]:
        """Return every row, by number."""
        numbers = chain(range(self.count), [n for n in self.changed if n >= self.count])
        return (self.row(number) for number in numbers if number not in self.removed)

    def likely(self, numbers: Iterable[int]) -> Iterator[Json]:
        """Return these rows as far as they are there, and every one that was changed."""
        found = dict.fromkeys([*numbers, *self.changed])
        return (self.row(number) for number in found if self.has(number))

    def size(self) -> int:
        """Return how many rows there are."""
        return self.count + sum(n >= self.count for n in self.changed) - len(self.removed)

    def since(self, version: int) -> Iterator[tuple[int, Json]]:
        """Return the rows that are newer, each with its version, oldest first."""
        for number in range(min(version, self.count), self.count):
            if number not in self.changed and number not in self.removed:
                yield number + 1, self.make(number)
        for number, (changed_at, row) in self.changed.items():
            if changed_at > version and number not in self.removed:
                yield changed_at, row


@dataclass
class Catalogue:
    """The tables, and how they are shown page by page.

    Attributes:
        page_rows_max: Rows of one answer, whatever is asked for.
        epoch: Part of every mark; a new one makes the server forget the marks it gave.
    """

    items: Table = field(default_factory=lambda: Table(item, 12))
    stock: Table = field(default_factory=lambda: Table(stock, 12 * len(WAREHOUSES)))
    serial_lots: Table = field(default_factory=lambda: Table(serial_lot, 4))
    customers: Table = field(default_factory=lambda: Table(customer, 20))
    sales: Table = field(default_factory=lambda: Table(lambda _number: {}))
    products: dict[str, Table] = field(default_factory=dict)
    page_rows_max: int = 100
    epoch: int = 1
    environment: Json = field(
        default_factory=lambda: {"name": "simulated", "version": "9.3.1", "edition": "Cloud"}
    )

    def resize(self, items: int) -> None:
        """Begin anew with so many items."""
        self.items = Table(item, items)
        self.stock = Table(stock, items * len(WAREHOUSES))

    def items_called(self, *, sku: str | None, upc: str | None) -> list[Json]:
        """Return the items with this SKU and this barcode, without looking at every other one."""
        number = _digits(sku) - _FIRST_SKU if sku is not None else _digits((upc or "")[2:12])
        return [
            row
            for row in self.items.likely([number])
            if sku in (None, row["sku"]) and upc in (None, row.get("upc"))
        ]

    def stock_of(self, sku: str) -> list[Json]:
        """Return what the warehouses have of an item."""
        first = (_digits(sku) - _FIRST_SKU) * len(WAREHOUSES)
        numbers = range(first, first + len(WAREHOUSES))
        return [row for row in self.stock.likely(numbers) if row["sku"] == sku]

    def sell(self, **sale: object) -> Json:
        """Note a sale of the Register."""
        number = self.sales.size()
        row: Json = {
            "id": f"{number + 1}",
            "registerCode": "R1",
            "tranNo": f"R1-{number + 1:06d}",
            "customerId": None,
            "payments": [],
            "lines": [],
            **sale,
        }
        self.sales.change(number, row)
        return row

    def page(
        self,
        table: Table,
        *,
        first: int | None,
        skip: int,
        since: str | None,
        keep: Callable[[Json], bool] = lambda _row: True,
        limited: bool = False,
    ) -> Json:
        """Return one page of the rows that `keep` says.

        Raises:
            ApiError: VALIDATION for a mark that this server did not give, or has forgotten.
        """
        most = self.page_rows_max if first is None else max(min(first, self.page_rows_max), 0)
        if since is None:
            found, more = _cut((row for row in table.rows() if keep(row)), skip, most)
            return answer(found, more, "", limited=limited)
        version = self._version(since)
        newer = ((at, row) for at, row in table.since(version) if keep(row))
        told, more = _cut(newer, skip, most)
        last = told[-1][0] if told else version
        return answer([row for _, row in told], more, self._mark(last), limited=limited)

    def _mark(self, version: int) -> str:
        text = f"{_MARK}:{self.epoch}:{version}"
        return base64.urlsafe_b64encode(text.encode()).decode()

    def _version(self, mark: str) -> int:
        if mark == "":
            return 0
        try:
            kind, epoch, version = base64.urlsafe_b64decode(mark).decode().split(":")
            if (kind, int(epoch)) == (_MARK, self.epoch):
                return int(version)
        except (binascii.Error, UnicodeError, ValueError):
            pass
        raise validation("since", "Invalid", "since is not a value that until returned")


def change_catalogue(
    catalogue: Catalogue,
    *,
    items: int | None = None,
    page_rows: int | None = None,
    edition: str | None = None,
    forget_marks: bool = False,
) -> None:
    """Do what a control command says.

    Raises:
        ValueError: A number is out of its range.
    """
    if items is not None and not 0 <= items <= ITEMS_MAX:
        raise ValueError(f"items must be from 0 to {ITEMS_MAX}")
    if page_rows is not None and page_rows < 1:
        raise ValueError("page_rows must be at least 1")
    if items is not None:
        catalogue.resize(items)
    catalogue.page_rows_max = page_rows or catalogue.page_rows_max
    catalogue.epoch += forget_marks
    if edition is not None:
        catalogue.environment["edition"] = edition


def change_item(catalogue: Catalogue, *, number: int, **row: object) -> None:
    """Change an item and, with `basePrice`, its price everywhere; or add one."""
    price = row.pop("basePrice", None)
    made = {} if catalogue.items.has(number) else item(number)
    catalogue.items.change(number, {**made, **row})
    sku = catalogue.items.row(number)["sku"]
    for place in range(len(WAREHOUSES) if price is not None else 0):
        where = number * len(WAREHOUSES) + place
        changed = {**stock(where), "sku": sku, "basePrice": Decimal(str(price))}
        catalogue.stock.change(where, changed)


def _cut(rows: Iterator[Each], skip: int, most: int) -> tuple[list[Each], bool]:
    """Return the page, and whether there is more behind it."""
    found: list[Each] = []
    for number, row in enumerate(rows):
        if number < skip:
            continue
        if len(found) == most:
            return found, True
        found.append(row)
    return found, False


def _digits(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


def answer(rows: list[Json], more: bool = False, until: str = "", *, limited: bool = False) -> Json:
    """Return one page as the API answers it."""
    return {
        "hasMoreResults": more,
        "limitedByPermission": limited,
        "results": rows,
        "until": until,
    }
