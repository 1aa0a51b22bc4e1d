"""The sales that the back office's own Register made; they are not purchases. Pure.

Sources: POS_API.md, "Reading" (sale) and "Added in November 2026": Register sales become purchases
by themselves. `fromDate` is inclusive, `toDate` exclusive; a sale has a date only, told as UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row


@dataclass(frozen=True, slots=True)
class RegisterSale:
    """One sale of a Register; "" for what the server does not show.

    Attributes:
        sale_date: As the server writes it, ISO 8601.
        total: Decimal text; assumed, so most servers may not show it.
    """

    id: str
    register_code: str
    transaction_number: str
    customer_id: str
    sale_date: str
    total: str


def _read(row: Row) -> RegisterSale:
    return RegisterSale(
        id=row.code("id"),
        register_code=row.code("registerCode"),
        transaction_number=row.code("tranNo"),
        customer_id=row.code("customerId"),
        sale_date=row.code("saleDate"),
        total=row.amount("total"),
    )


SALE = Endpoint(
    root="sale",
    what="the Register's sales",
    read=_read,
    documented=("id", "registerCode", "tranNo", "customerId", "saleDate"),
    assumed=("total",),
    permission="ViewSales",
    arguments={"id": "text", "customerId": "text", "fromDate": "text", "toDate": "text"},
    since=True,
)


def on_day(day: date) -> Mapping[str, str]:
    """Return the arguments that ask for the sales of one day."""
    return {"fromDate": day.isoformat(), "toDate": (day + timedelta(days=1)).isoformat()}
