"""Items, what the warehouses have of them, and their serial numbers and lots. Pure.

Seen: the fields of an item and of its warehouses, and that each of the three has its own `since`.
Assumed: the fields of serial numbers and lots, and every barcode: none is documented, so one is
asked for only where the schema shows it. Source: POS_API.md, "Reading", [INV].
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row

BARCODES = ("barcode", "barCode", "upc", "ean", "gtin", "eanUpc")
"""What a server may call the barcode; the first that has a value is taken."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item; "" for what the back office does not show.

    Attributes:
        name: The label, for people.
        barcode: EAN, UPC or GTIN, as the server writes it.
    """

    sku: str
    name: str
    long_name: str
    sale_uom: str
    stock_uom: str
    barcode: str = ""


@dataclass(frozen=True, slots=True)
class ItemStock:
    """What one warehouse has of an item; price and quantity are decimal text, "" if not shown."""

    sku: str
    warehouse: str
    price: str
    quantity: str


@dataclass(frozen=True, slots=True)
class ItemLot:
    """One serial number or lot of an item; the quantity is decimal text, "" if not shown."""

    sku: str
    warehouse: str
    lot: str
    quantity: str


@dataclass(frozen=True, slots=True)
class StockedItem:
    """An item with what the warehouses have of it, as `item` shows both at once."""

    item: Item
    stock: tuple[ItemStock, ...]


def _read_item(row: Row) -> Item:
    return Item(
        sku=row.code("sku", required=True),
        name=row.text("name"),
        long_name=row.text("longName"),
        sale_uom=row.code("saleUom"),
        stock_uom=row.code("stockUom"),
        barcode=next((code for name in BARCODES if (code := row.code(name))), ""),
    )


def _read_stock(row: Row) -> ItemStock:
    return ItemStock(
        sku=row.code("sku", required=True),
        warehouse=row.code("warehouseCode"),
        price=row.amount("basePrice"),
        quantity=row.amount("quantityAvailable"),
    )


def _read_lot(row: Row) -> ItemLot:
    return ItemLot(
        sku=row.code("sku", required=True),
        warehouse=row.code("warehouseCode"),
        lot=row.code("serialLot"),
        quantity=row.amount("quantity"),
    )


def _read_stocked(row: Row) -> StockedItem:
    return StockedItem(_read_item(row), tuple(_read_stock(one) for one in row.rows("warehouses")))


_ITEM_FIELDS = ("sku", "name", "longName", "saleUom", "stockUom")

ITEM = Endpoint(
    root="item",
    what="items",
    read=_read_item,
    documented=_ITEM_FIELDS,
    also=BARCODES,
    permission="ViewInventory",
    arguments={"sku": "text", "warehouseCode": "text"},
    since=True,
)

STOCKED_ITEM = Endpoint(
    root="item",
    what="items",
    read=_read_stocked,
    documented=(*_ITEM_FIELDS, "warehouses { sku warehouseCode basePrice quantityAvailable }"),
    also=BARCODES,
    permission="ViewInventory",
    arguments={"sku": "text", "warehouseCode": "text"},
    since=True,
)
"""The same query, asked for a few items with their stock."""

ITEM_WAREHOUSE = Endpoint(
    root="itemWarehouse",
    what="stocks",
    read=_read_stock,
    documented=("sku", "warehouseCode", "basePrice", "quantityAvailable"),
    permission="ViewInventory",
    since=True,
)

ITEM_SERIAL_LOT = Endpoint(
    root="itemSerialLot",
    what="serial numbers and lots",
    read=_read_lot,
    assumed=("sku", "warehouseCode", "serialLot", "quantity"),
    permission="ViewInventory",
    since=True,
)
