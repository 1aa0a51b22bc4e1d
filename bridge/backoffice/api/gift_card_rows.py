"""Gift cards as the query `giftcard` shows them: whose they are. Pure.

What a card holds, a payment asks for in `client.py`; here it is read for people and for the member
that a card belongs to. Source: POS_API.md, "Gift cards", [GCG].
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.backoffice.api.endpoints import Endpoint
from bridge.backoffice.api.rows import Row


@dataclass(frozen=True, slots=True)
class GiftCardRow:
    """One gift card; "" for what the back office does not show."""

    id: str
    member_id: str
    balance: str = field(repr=False)


def _read(row: Row) -> GiftCardRow:
    return GiftCardRow(row.code("id"), row.code("memberId"), row.amount("balance"))


GIFT_CARD = Endpoint(
    root="giftcard",
    what="gift cards",
    read=_read,
    documented=("id", "memberId", "balance", "codes { codeType code expiresOn isMasked }"),
    permission="FindGiftCardByCode",
    arguments={"code": "text", "codeType": "word", "id": "text", "memberId": "text"},
    pages=False,
    limits=True,
)
