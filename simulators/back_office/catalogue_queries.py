"""The queries that only read: items, stock, customers, the Register's sales, products."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from simulators.back_office.catalogue import Catalogue, Table, answer
from simulators.back_office.records import Json

PRODUCT_QUERIES = (
    *("product", "productBanner", "productGroup"),
    *("productNotice", "productSection", "productSortOption"),
)


def catalogue_queries(
    catalogue: Catalogue, require: Callable[[str], None]
) -> dict[str, Callable[..., object]]:
    """Return the resolvers; `require` raises where the caller has not the permission."""
    queries = _Queries(catalogue, require)
    return {
        "environment": queries.environment,
        "item": queries.item,
        "itemWarehouse": queries.stock,
        "itemSerialLot": queries.serial_lots,
        "customer": queries.customer,
        "sale": queries.sale,
        **{name: queries.product(name) for name in PRODUCT_QUERIES},
    }


class _Queries:
    def __init__(self, catalogue: Catalogue, require: Callable[[str], None]) -> None:
        self._catalogue = catalogue
        self._require = require

    def environment(self, _info: object) -> Json:
        return dict(self._catalogue.environment)

    def item(
        self,
        _info: object,
        *,
        sku: str | None = None,
        upc: str | None = None,
        warehouseCode: str | None = None,
        first: int | None = None,
        skip: int = 0,
        since: str | None = None,
    ) -> Json:
        self._require("ViewInventory")
        catalogue = self._catalogue
        if sku is None and upc is None:
            found = catalogue.page(catalogue.items, first=first, skip=skip, since=since)
        else:
            rows = catalogue.items_called(sku=sku, upc=upc)
            found = answer(rows[skip:])
        results = [self._with_stock(row, warehouseCode) for row in found["results"]]
        return {**found, "results": results}

    def _with_stock(self, row: Json, warehouse: str | None) -> Json:
        def warehouses(_info: object) -> list[Json]:
            stock = self._catalogue.stock_of(row["sku"])
            return [one for one in stock if warehouse in (None, one["warehouseCode"])]

        return {**row, "warehouses": warehouses, "serialLots": []}

    def stock(
        self, _info: object, *, first: int | None = None, skip: int = 0, since: str | None = None
    ) -> Json:
        self._require("ViewInventory")
        table = self._catalogue.stock
        return self._catalogue.page(table, first=first, skip=skip, since=since)

    def serial_lots(
        self, _info: object, *, first: int | None = None, skip: int = 0, since: str | None = None
    ) -> Json:
        self._require("ViewInventory")
        table = self._catalogue.serial_lots
        return self._catalogue.page(table, first=first, skip=skip, since=since)

    def customer(
        self,
        _info: object,
        *,
        id: str | None = None,
        memberId: str | None = None,
        email: str | None = None,
        first: int | None = None,
        skip: int = 0,
        since: str | None = None,
    ) -> Json:
        self._require("ViewCustomers")
        return self._catalogue.page(
            self._catalogue.customers,
            first=first,
            skip=skip,
            since=since,
            keep=lambda row: (
                id in (None, row["id"])
                and memberId in (None, row["memberId"])
                and email in (None, row["email"])
            ),
        )

    def sale(
        self,
        _info: object,
        *,
        id: str | None = None,
        customerId: str | None = None,
        fromDate: date | None = None,
        toDate: date | None = None,
        first: int | None = None,
        skip: int = 0,
        since: str | None = None,
    ) -> Json:
        self._require("ViewSales")

        def keep(row: Json) -> bool:
            sold: datetime = row["saleDate"]
            return (
                id in (None, row["id"])
                and customerId in (None, row["customerId"])
                and (fromDate is None or sold.date() >= fromDate)
                and (toDate is None or sold.date() < toDate)
            )

        catalogue = self._catalogue
        return catalogue.page(catalogue.sales, first=first, skip=skip, since=since, keep=keep)

    def product(self, name: str) -> Callable[..., object]:
        def resolve(_info: object, *, first: int | None = None, skip: int = 0) -> Json:
            table = self._catalogue.products.get(name) or Table(lambda _number: {})
            return self._catalogue.page(table, first=first, skip=skip, since=None)

        return resolve
