"""Questions to the back office: about an item, about a member. They move no money. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bridge.register.api.envelope import GiftCard, Request
from bridge.register.api.fields import Scanned, UtcTime, Wire, Word

MailText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=254)]
"""A mail address. Source of the bound: RFC 5321, section 4.5.3.1."""


class OfficeStock(Wire):
    """What one warehouse has of an item."""

    warehouse: str | None = None
    """The warehouse's code; null where it is not shown."""
    price: str | None = None
    """The price of one unit, decimal text in the back office's own currency; null where it is not
    shown."""
    quantity: str | None = None
    """How many are available, decimal text; null where it is not shown."""


class FoundOfficeItem(Wire):
    """One item of the back office."""

    sku: str
    """The SKU, as the back office writes it."""
    label: str
    """The item's name."""
    long_label: str | None = None
    """Its longer name; null where there is none."""
    unit_of_measure: str | None = None
    """The unit that it is sold in, as the back office writes it; null where it is not shown."""
    barcode: str | None = None
    """Its barcode; null where the back office shows none."""
    price: str | None = None
    """The price of one unit in this store's warehouse (or the only one), decimal text in the back
    office's own currency; null where none is shown, or several are and none is this store's."""
    quantity: str | None = None
    """How many are available there, decimal text; null as for `price`."""
    stock: tuple[OfficeStock, ...] = ()
    """What every warehouse has."""


class OfficeItemResult(Wire):
    """The items that were asked for, at least one."""

    items: tuple[FoundOfficeItem, ...]
    """One item; of a barcode sometimes several."""
    source: Literal["copy", "office"]
    """Who told: the bridge's own copy, or the back office."""
    as_of: UtcTime
    """What the back office changed later is not in it."""
    age_s: int = Field(ge=0)
    """How old that is, in seconds."""


class OfficeMember(Wire):
    """One member. Show the name to nobody who need not see it, and keep only the ids."""

    member_id: str | None = None
    """What belongs into `sale.member_id`; null for a customer who is no member."""
    customer_id: str | None = None
    """The back office's own number of the customer; null where it is not shown."""
    status: str | None = None
    """How the back office calls the member's state, e.g. `Active`; null where it is not shown."""
    full_name: str | None = Field(default=None, repr=False)
    """The name, to be sure that it is the right one; null where it is not shown."""


class OfficeCustomerResult(Wire):
    """The members that were asked for, at least one and at most five."""

    members: tuple[OfficeMember, ...]
    """One member; of a mail address sometimes several."""


class OfficeItem(Request):
    """Ask for an item's label, price and quantity, by SKU or by barcode.

    Where the back office is away the bridge answers from its copy, with its age.
    """

    operation = "office/item"
    result = OfficeItemResult
    page = "office"

    sku: Scanned | None = None
    """The SKU; either this or `barcode`."""
    barcode: Scanned | None = None
    """What the scanner read; either this or `sku`."""
    fresh: bool = False
    """`true` asks the back office also where the bridge's copy could tell: for the quantity of
    this moment."""


class OfficeCustomer(Request):
    """Find a member by number, card or mail address, so that the sale's points are not lost.

    Say one of the four. Nothing of the answer but the ids is kept by the bridge.
    """

    operation = "office/customer"
    result = OfficeCustomerResult
    page = "office"

    member_id: Word | None = None
    """The member's number, as a sale names it."""
    customer_id: Word | None = None
    """The back office's own number of the customer."""
    email: MailText | None = Field(default=None, repr=False)
    """The shopper's mail address."""
    gift_card: GiftCard | None = None
    """A gift or member card, to find whose it is; its `pin` is not needed."""
