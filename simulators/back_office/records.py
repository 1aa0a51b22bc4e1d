"""What the simulated back office keeps: purchases, gift cards, their transactions, its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A business error as the back office reports it, always without an effect of its own.

    Attributes:
        code: What `extensions.code` says; the only part that is a promise.
        data: What `extensions.data` says, e.g. `Property` and `ValidationType`.
    """

    def __init__(self, code: str, message: str, data: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = dict(data or {})


def validation(property_name: str, validation_type: str, message: str) -> ApiError:
    """Return the VALIDATION error that names one property of the input."""
    return ApiError(
        "VALIDATION", message, {"Property": property_name, "ValidationType": validation_type}
    )


class CodeType(Enum):
    """Kinds of gift card code; a code is unique within its kind only."""

    PHYSICAL = "PHYSICAL"
    PERSONAL = "PERSONAL"
    EXTERNAL = "EXTERNAL"


class TransType(Enum):
    """What a gift card transaction is for; the permission it needs hangs on this."""

    ADD = "ADD"
    ADJUST = "ADJUST"
    EXTERNAL = "EXTERNAL"
    IMPORT = "IMPORT"
    USE = "USE"


class TransStatus(Enum):
    """Where a gift card transaction stands; COMPLETED and CANCELLED are final."""

    AUTHORIZED = "AUTHORIZED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One accepted purchaseAdd; `request` is the whole input with the schema's field names."""

    id: str
    transaction_id: str
    store_code: str
    pay_amount: Decimal
    request: Json


@dataclass(frozen=True, slots=True)
class GiftCardCode:
    """One code of a gift card. `expires_on` is UTC; None never expires."""

    id: str
    code_type: CodeType
    code: str = field(repr=False)
    pin: str | None = field(default=None, repr=False)
    expires_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class GiftCard:
    """A gift card; `balance` is what a shopper could still spend now, holds already taken off."""

    id: str
    balance: Decimal
    codes: tuple[GiftCardCode, ...]
    member_id: str | None = None


@dataclass(frozen=True, slots=True)
class GiftCardTrans:
    """One gift card transaction; `amount` is signed as it was sent."""

    id: str
    gift_card_id: str
    trans_type: TransType
    amount: Decimal
    status: TransStatus
    source_id: str
    ref_no: str
