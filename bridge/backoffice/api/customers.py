"""Customers and members. Pure. What it reads is personal: beyond the ids it is never kept.

Seen: the arguments `id` and `memberId` and the first four fields. Assumed: that `email` narrows the
rows down. Source: POS_API.md, "Reading", [CUS].
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer; "" for what the back office does not show. The name is never shown in logs."""

    id: str
    member_id: str
    status: str
    full_name: str = field(repr=False)
    email: str = field(default="", repr=False)


def _read(row: Row) -> Customer:
    return Customer(
        id=row.code("id"),
        member_id=row.code("memberId"),
        status=row.text("status"),
        full_name=row.text("fullName"),
        email=row.text("email"),
    )


CUSTOMER = Endpoint(
    root="customer",
    what="customers",
    read=_read,
    documented=("id", "memberId", "status", "fullName"),
    also=("email",),
    permission="ViewCustomers",
    arguments={"id": "text", "memberId": "text", "email": "text"},
    limits=True,
)
