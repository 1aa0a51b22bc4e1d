"""What commands share: the envelope, amounts, a gift card, what was sold. Pure.

One deviation from CONTRACT section 2 ("unknown fields are ignored"): in commands that decide
about money (`payment/start`, `payment/resolve`) an unknown field is refused with
`invalid_request`, its path and the name it probably meant. A mistyped `tip_amuont` that is
ignored is lost money; a refused one is seen on the first day of the integration. `metadata` takes
anything, fields named `x_…` are skipped everywhere, the goods of a sale and all other commands
ignore what they do not know, so a register may still be ahead of the bridge.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from bridge.errors import RequestError
from bridge.money.amounts import parse_amount
from bridge.register.api.fields import (
    AmountText,
    Currency,
    Language,
    QuantityText,
    Scanned,
    StrictWire,
    Text,
    UtcTime,
    Wire,
    Word,
)
from drivers.contract import Money

TENDERS_MAX: Final = 20  # nobody pays one sale with more vouchers
LINES_MAX: Final = 500  # a full trolley has 120; 64 KiB hold about 300 complete lines
METADATA_MAX: Final = 50  # entries; metadata is for references, not for documents
DEADLINE_SECONDS_MIN: Final = 10  # a shopper must at least be able to find the card
DEADLINE_SECONDS_MAX: Final = 600  # no terminal waits longer for a card
DEADLINE_SECONDS_DEFAULT: Final = 120


class Request(Wire):
    """What every command carries. `request_id` comes back in the response."""

    operation: ClassVar[str] = ""
    """The command's name: the end of its topic."""
    result: ClassVar[type[Wire] | None] = None
    """The model of its response's `result`; None: the response is the whole answer."""
    page: ClassVar[str] = ""
    """The page of the guide that has its recipe."""

    request_id: Word
    """The register's own name of this message, at most 64 characters; it comes back in the
    response."""
    sent_at: UtcTime | None = None
    """The register's clock when it sent; tells the bridge how far that clock is off."""
    expires_at: UtcTime | None = None
    """The command must not start after this moment; at most a day ahead."""
    bridge_epoch: Word | None = None
    """The `epoch` that the register read in bridge/state; with another one the command is refused
    as `stale_command`."""
    operator_id: Word | None = None
    """Who is at the register; null where it was not told. Kept with the payment."""
    shift_number: Word | None = None
    """The register's shift; null where it was not told. Kept with the payment."""
    totals_group_id: Word | None = None
    """The register's group of totals; kept with the payment."""
    language: Language | None = None
    """What the cashier and the receipt read, e.g. `de-DE` (BCP 47)."""

    def check_amounts(self) -> None:
        """Refuse amounts that are not written as their currency wants.

        Raises:
            RequestError: `invalid_amount`, with the field's path.
        """


class Tip(StrictWire):
    """How a tip is decided. `tip_amount` belongs to mode `fixed`, `percentages` to `ask`."""

    mode: Literal["none", "fixed", "ask"]
    """`none`; `fixed`: the register knows it; `ask`: the terminal asks the shopper."""
    tip_amount: AmountText | None = None
    """The tip, contained in `requested_amount`; for the mode `fixed` only."""
    percentages: tuple[Annotated[int, Field(ge=0, le=100)], ...] | None = Field(
        default=None, max_length=6, strict=False
    )
    """What the terminal offers, in percent of the amount, at most 6; for the mode `ask` only."""


class Amounts(StrictWire):
    """What to take. `requested_amount` contains a fixed tip and cash-back (nexo's rule)."""

    currency: Currency
    """The currency of every amount beside it, ISO 4217, e.g. `EUR`."""
    requested_amount: AmountText
    """What to take in all, a fixed tip and cash-back included; more than zero."""
    tip: Tip | None = None
    """How a tip is decided; absent: there is none."""
    cash_back_amount: AmountText | None = None
    """Cash for the shopper, contained in `requested_amount`."""

    @property
    def requested(self) -> Money:
        """`requested_amount` as money."""
        return parse_amount(self.requested_amount, self.currency, path="amounts.requested_amount")

    @property
    def fixed_tip(self) -> Money | None:
        """The tip contained in `requested`, None unless its mode is `fixed`."""
        if self.tip is None or self.tip.mode != "fixed":
            return None
        return parse_amount(self.tip.tip_amount, self.currency, path="amounts.tip.tip_amount")

    @property
    def cash_back(self) -> Money | None:
        """The cash contained in `requested`."""
        if self.cash_back_amount is None:
            return None
        return parse_amount(self.cash_back_amount, self.currency, path="amounts.cash_back_amount")

    def check(self) -> None:
        """Refuse amounts that are not written as `currency` wants, or that contradict each other.

        Raises:
            RequestError: `invalid_amount` or `invalid_request`, with the field's path.
        """
        if self.requested.minor == 0:
            raise RequestError(
                "invalid_amount",
                "an amount of zero moves no money; nothing was started",
                path="amounts.requested_amount",
            )
        if self.tip is not None and self.tip.mode != "fixed" and self.tip.tip_amount is not None:
            raise RequestError(
                "invalid_request",
                f"a tip_amount needs mode 'fixed', not {self.tip.mode!r}",
                path="amounts.tip.mode",
            )
        if self.tip is not None and self.tip.mode == "fixed" and self.tip.tip_amount is None:
            raise RequestError(
                "invalid_request", "mode 'fixed' needs a tip_amount", path="amounts.tip.tip_amount"
            )
        contained = sum(part.minor for part in (self.fixed_tip, self.cash_back) if part is not None)
        if contained > self.requested.minor:
            raise RequestError(
                "invalid_amount",
                "requested_amount contains tip and cash-back, so it cannot be less than them",
                path="amounts.requested_amount",
            )


class SaleLine(Wire):
    """One line of goods, as the purchase record needs it."""

    item_id: int = Field(ge=0)
    """The line's number, once in a sale."""
    product_code: Word | None = None
    """The SKU in the back office; without it `ean_upc` is taken."""
    ean_upc: Word | None = None
    """The number of the bar code."""
    product_label: Text | None = None
    """As the receipt calls it."""
    quantity: QuantityText
    """How many units, up to six digits after the point."""
    unit_of_measure: Word = "each"
    """The unit, e.g. `each`, `kg`."""
    unit_price: QuantityText
    """The price of one unit, up to six digits after the point."""
    item_amount: AmountText
    """What the line costs, its own discount taken off; without sign."""
    item_discount_amount: AmountText | None = None
    """The line's own discount, contained in `item_amount`."""
    sale_discount_amount: AmountText | None = None
    """The line's share of the discount on the whole sale."""
    is_refund: bool = False
    """The line goes back: its amount counts against the sale."""
    tax_code: Word | None = None
    """The register's code of the tax; accepted and not used yet."""


class OtherTender(StrictWire):
    """What paid a part of the sale without the bridge."""

    kind: Literal["cash", "voucher", "other"]
    """What it was paid with."""
    amount: AmountText
    """What it paid, in the sale's currency."""


class CashRounding(StrictWire):
    """What rounding to the smallest coin added to the total, or took off."""

    direction: Literal["up", "down"]
    """`up`: added to the total; `down`: taken off."""
    amount: AmountText
    """By how much, in the sale's currency."""


class Sale(Wire):
    """What was sold. Amounts are without sign; a line that goes back says `is_refund`."""

    total_amount: AmountText
    """What the whole sale costs, paid with whatever."""
    tax_amount: AmountText | None = None
    """The sale's tax; on top of the lines where they are without it."""
    item_discount_amount: AmountText | None = None
    """The sum of discounts on lines; the lines contain them already."""
    sale_discount_amount: AmountText | None = None
    """A discount on the whole sale, taken off the sum of the lines."""
    refund_amount: AmountText | None = None
    """What goes back in this sale."""
    member_id: Word | None = None
    """The shopper's number in the back office."""
    lines: tuple[SaleLine, ...] = Field(default=(), max_length=LINES_MAX, strict=False)
    """The goods, at most 500 lines; with discount and tax they must make `total_amount`."""
    other_tenders: tuple[OtherTender, ...] | None = Field(
        default=None, max_length=TENDERS_MAX, strict=False
    )
    """What paid a part of the sale without the bridge, all of it; a later statement replaces an
    earlier one. Null: nothing is stated."""
    cash_rounding: CashRounding | None = None
    """What rounding to the smallest coin did to the total."""

    def check(self, currency: str) -> None:
        """Refuse amounts that are not written as `currency` wants.

        Raises:
            RequestError: `invalid_amount`, with the field's path.
        """
        _check_fields(self, currency, "sale")
        for index, line in enumerate(self.lines):
            _check_fields(line, currency, f"sale.lines.{index}")
        for index, tender in enumerate(self.other_tenders or ()):
            parse_amount(tender.amount, currency, path=f"sale.other_tenders.{index}.amount")
        if self.cash_rounding is not None:
            parse_amount(self.cash_rounding.amount, currency, path="sale.cash_rounding.amount")


class GiftCard(StrictWire):
    """Which gift card pays. `pin` is used once and kept nowhere; a repeated command may lack it."""

    identification_type: Literal["bar_code", "account_number", "manual", "isotrack2"] = "bar_code"
    """How the code was read; for the books, it changes nothing."""
    stored_value_id: Scanned = Field(repr=False)
    """The gift card's code, whole; blanks and line ends around it are cut off; no document shows
    it."""
    code_type: Literal["physical", "personal", "external"] = "physical"
    """Which kind of code it is: of the plastic, of a member, or of another system. One code may
    exist in more than one kind."""
    pin: Scanned | None = Field(default=None, repr=False)
    """The gift card's PIN, where it has one; used once and kept nowhere."""


def _check_fields(model: Sale | SaleLine, currency: str, path: str) -> None:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name.endswith("_amount") and value is not None:
            parse_amount(value, currency, path=f"{path}.{name}")
