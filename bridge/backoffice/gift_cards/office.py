"""The back office as gift cards need it, and how a new card is made there."""

from __future__ import annotations

from typing import Protocol

from bridge.backoffice.api.attempts import (
    Applied,
    Attempt,
    GiftCardBalance,
    NotApplied,
    Refused,
    Unknown,
)
from bridge.backoffice.api.documents import (
    CodeType,
    GiftCardCapture,
    GiftCardEdit,
    GiftCardTransaction,
)
from bridge.backoffice.gift_cards import evidence as e
from bridge.money import payment as p
from drivers import contract as c


class Office(Protocol):
    """The back office, as `client.py` reaches it; never raises for what the other side does."""

    @property
    def can_hold(self) -> bool:
        """False when the server is known to offer no hold."""

    async def refresh_names(self) -> None:
        """Find out what the server calls what no published example shows, if that is not known."""

    async def gift_card_add(self, code: str, pin: str) -> Attempt:
        """Make a card with nothing on it, once."""

    async def gift_card_edit(self, edit: GiftCardEdit) -> Attempt:
        """Revoke a card's code, or put another one in its place, once."""

    async def gift_card_balance(
        self, code: str, code_type: CodeType
    ) -> GiftCardBalance | NotApplied | Refused:
        """Return a card's balance."""

    async def gift_card_trans_add(self, transaction: GiftCardTransaction) -> Attempt:
        """Use or hold, once."""

    async def gift_card_trans_capture(self, capture: GiftCardCapture) -> Attempt:
        """End a hold, once."""


async def make_card(
    office: Office, card: p.GiftCardCode, pin: str, before: e.Before
) -> c.Declined | c.Failed | None:
    """Have a card with nothing on it, and return None; or return why there is none to sell.

    A card that was made and is not filled after all stays as it is: empty, and good for the next
    try. So a lost answer needs no doubt: whether there is a card now, anybody may ask.
    """
    if before.account:
        return None if before.balance == 0 else _already_active()
    attempt = await office.gift_card_add(card.code, pin)
    match attempt:
        case Applied():
            return None
        case Refused("VALIDATION"):
            return _already_active()
        case Refused():
            return e.refusal(attempt, "CreateGiftCard")
        case NotApplied(reason):
            return c.Failed("not_applied", reason, "host_unreachable")
        case Unknown(reason):
            found = await office.gift_card_balance(card.code, CodeType(card.kind))
            if isinstance(found, GiftCardBalance):
                return None
            return c.Failed("no_answer", reason, "host_timeout")


def _already_active() -> c.Declined:
    text = "this gift card is active already; use gift_card/load to put more on it"
    return c.Declined("active", text, "gift_card_already_active")
