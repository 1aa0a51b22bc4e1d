"""What a register asks for: the request of a payment, with its gift card and its plan. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from pydantic import JsonValue

from bridge.money.purchase import SaleDetails
from drivers.contract import Approval, Money


class PaymentType(Enum):
    """What the register asked for."""

    SALE = "sale"
    PREAUTH = "preauth"
    INCREMENT = "increment"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    TIP_ADJUST = "tip_adjust"
    LOAD = "load"  # fills a gift card, once its sale is paid
    UNLOAD = "unload"  # takes value off a gift card that nobody pays with; undoes a load


TAKES = frozenset({PaymentType.SALE, PaymentType.CAPTURE})  # brings money to a sale
GIVES = frozenset({PaymentType.REFUND, PaymentType.VOID})  # takes money back out of the books
GIFT_CARDS = "gift-cards"  # stands where the name of a terminal does; no terminal may have it
# The most that a tip may be, unless the site says otherwise: the amount itself. More is a mistyped
# tip far oftener than a kind shopper.
TIP_LIMIT_PERCENT = 100
STARTS = frozenset({PaymentType.SALE, PaymentType.PREAUTH, PaymentType.LOAD})
FOLLOW_UPS = frozenset(PaymentType) - STARTS


class Method(Enum):
    """What is paid with, and who serves it."""

    CARD = "card"  # at a terminal
    OFFICE_GIFT_CARD = "gift_card"  # the back office keeps its balance
    TERMINAL_GIFT_CARD = "terminal_gift_card"  # the terminal reads it, and its own host keeps it

    @property
    def word(self) -> Literal["card", "gift_card"]:
        """The contract's word: a register need not know who serves a gift card."""
        return "card" if self is Method.CARD else "gift_card"


@dataclass(frozen=True, slots=True)
class GiftCardCode:
    """Which gift card: its kind of code and the code, a secret of the shopper.

    The journal keeps the code, because only the card's balance can tell what became of an attempt
    whose answer was lost. A PIN is never kept.
    """

    kind: Literal["PHYSICAL", "PERSONAL", "EXTERNAL"]
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlanLeg:
    """One payment of a plan: a hold on a gift card, or what the card pays."""

    payment_id: str
    method: Literal["card", "gift_card"]
    amount: Money


def leg_id(plan_id: str, number: int) -> str:
    """Return the id of a plan's leg, counted from 1: the same however often it is made."""
    return str(uuid.uuid5(uuid.UUID(plan_id), f"leg {number}"))


@dataclass(frozen=True, slots=True)
class Plan:
    """Several payments that are one: gift cards are held, the card pays, then they are captured.

    Each of them has it in its request, so that any one names the others.
    """

    plan_id: str
    legs: tuple[PlanLeg, ...]  # in the order in which they begin; a card is the last

    @property
    def total(self) -> Money:
        """What all legs together bring."""
        first, *others = self.legs
        return sum((leg.amount for leg in others), first.amount)


# What a register says of a payment for its own use: kept as it was said, and shown again where the
# document has a field of that name. No money depends on it, and it goes when receipts go.
AS_SAID: Final = (
    *("operator_id", "shift_number", "totals_group_id", "language", "reason"),
    "sale_reference_id",
)


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a register asked for, as it was accepted. Never changes."""

    payment_id: str
    register_id: str
    terminal_id: str
    type: PaymentType
    amount: Money
    content_hash: str  # equal for two requests with the same meaning
    sale_id: str = ""
    sale_reference_id: str = ""  # what joins this sale to others, by the register's own count
    tip: Money | None = None
    tip_limit_percent: int = TIP_LIMIT_PERCENT  # of the amount without tip, for all tips together
    accept_partial: bool = False
    sale: SaleDetails | None = None
    lines_later: bool = False  # the register will state what was sold after the payment
    deadline_seconds: int = 120
    operator_id: str = ""
    shift_number: str = ""
    totals_group_id: str = ""
    language: str = ""
    possible_duplicate: bool = False
    approved_by: str = ""
    cancel_when_register_lost: bool = True  # while no card was presented
    original_payment_id: str = ""  # follow-ups only; "" for a refund without one
    original: Approval | None = None  # what the terminal must be told of it
    original_sale_key: str = ""
    is_last: bool = True  # a capture that releases the rest of the hold
    reason: str = ""
    gift_card: GiftCardCode | None = None
    activates: bool = False  # a load that may make the gift card first
    gift: bool = False  # a gift card that the terminal reads and serves, none of the back office's
    plan: Plan | None = None  # for its legs, and for what ends their holds
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def method(self) -> Method:
        """What is paid with."""
        if self.terminal_id == GIFT_CARDS:
            return Method.OFFICE_GIFT_CARD
        return Method.TERMINAL_GIFT_CARD if self.gift else Method.CARD

    @property
    def goods_minor(self) -> int:
        """What of the amount pays for goods; a tip pays the staff."""
        return self.amount.minor - (self.tip.minor if self.tip else 0)

    @property
    def rival_ids(self) -> tuple[str, ...]:
        """Payments that cannot be beside this one: they were begun under the same id.

        A register knows a plan by one id, the journal by its legs; so a plan's id may be that of
        no payment, and a payment's id that of no plan.
        """
        if self.plan is not None:
            is_first = self.payment_id == self.plan.legs[0].payment_id
            return (self.plan.plan_id,) if is_first else ()
        try:
            return (leg_id(self.payment_id, 1),)
        except ValueError:
            return ()  # no UUID, so no plan has it

    @property
    def tip_limit_minor(self) -> int:
        """The most that may be tipped, all tips together, in minor units."""
        return self.goods_minor * self.tip_limit_percent // 100

    @property
    def sale_key(self) -> str:
        """What groups the payments of one sale: register and sale, or the payment alone.

        A follow-up belongs to the sale of its original.
        """
        if self.original_sale_key:
            return self.original_sale_key
        return f"{self.register_id}/{self.sale_id}" if self.sale_id else self.payment_id
