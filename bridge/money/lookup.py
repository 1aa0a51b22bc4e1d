"""What registers ask of the back office without money, and what they are told. Pure values.

Both columns know these: commands ask, the back office's side answers. A member's name is personal:
it is told to the register that asked, and kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Source = Literal["copy", "office"]


@dataclass(frozen=True, slots=True)
class ItemQuestion:
    """Which item: by SKU or by barcode, the other one is "".

    Attributes:
        fresh: Ask the back office also where the copy could tell.
    """

    sku: str = ""
    barcode: str = ""
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class MemberQuestion:
    """Which member: exactly one of these; shown nowhere, for a mail address is personal.

    Attributes:
        code_type: What kind of code `card` is, as the back office calls it.
    """

    member_id: str = field(default="", repr=False)
    customer_id: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    card: str = field(default="", repr=False)
    code_type: str = "PHYSICAL"


Question = ItemQuestion | MemberQuestion


@dataclass(frozen=True, slots=True)
class Stock:
    """What one warehouse has; price and quantity are decimal text, "" for what is not known."""

    warehouse: str
    price: str
    quantity: str


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One item; "" for what the back office does not show."""

    sku: str
    label: str
    long_label: str = ""
    unit_of_measure: str = ""
    barcode: str = ""
    stock: tuple[Stock, ...] = ()

    def stock_of(self, warehouse: str) -> Stock | None:
        """Return what one warehouse has; with "" the only one there is, None for several."""
        if warehouse:
            wanted = warehouse.casefold()
            return next((s for s in self.stock if s.warehouse.casefold() == wanted), None)
        return self.stock[0] if len(self.stock) == 1 else None


@dataclass(frozen=True, slots=True)
class FoundItems:
    """The items that were asked for, and how old that is.

    Attributes:
        as_of: What the back office changed later is not in it; UTC.
    """

    items: tuple[FoundItem, ...]
    source: Source
    as_of: datetime


@dataclass(frozen=True, slots=True)
class FoundMember:
    """One member; "" for what the back office does not show."""

    member_id: str
    customer_id: str
    status: str
    full_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundMembers:
    """The members that were asked for; () when the back office has none such."""

    members: tuple[FoundMember, ...]


@dataclass(frozen=True, slots=True)
class SkuCheck:
    """What the copy of the items says of the SKUs of a sale.

    Attributes:
        unknown: Those that are not in it; () also where it cannot tell.
        refuses: The site wants no such sale to begin.
        as_of: How old the copy is; None where it cannot tell.
    """

    unknown: tuple[str, ...] = ()
    refuses: bool = False
    as_of: datetime | None = None


CANNOT_TELL_SKUS = SkuCheck()
"""There is no copy, or it is too old to say that something is not there."""
