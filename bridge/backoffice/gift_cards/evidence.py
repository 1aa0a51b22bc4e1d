"""What a gift card's balance and the back office's refusals prove. Pure.

A change of a balance has two steps, each with a mutation of its own:

    step      taking money (USE)            adding money (ADD)
    hold      balance falls by the amount   balance stays
    capture   balance stays                 balance rises by the amount
    release   balance rises by the amount   balance stays

So the balance read before the hold tells what became of a step whose answer was lost, unless
somebody else used the card meanwhile: then only a person can know. It never tells of the capture of
a hold that takes: the balance fell with the hold already. Nor does an unchanged balance ever mean
*no* for a card that was used at once: nothing bounds how late a server may still carry that out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bridge.backoffice.api.attempts import Refused
from bridge.money import payment as p
from bridge.money.amounts import format_amount
from drivers.amounts import MINOR_DIGITS
from drivers.contract import Approval, Card, Declined, Failed, MaskedPan, Money

AT_ONCE = " at once"  # ends a baseline that was read for a use without a hold
ACCOUNT = " account="  # in a baseline, before the server's id of the card

# Codes of the back office that say nothing of the transaction, only that we may not ask so.
NO_PERMISSION = "NOT_AUTHORIZED"
ADD_PERMISSION = "GiftCardTransAdd"
USE_PERMISSION = "GiftCardTransUse"
UNREADABLE = frozenset({"INVALID_REQUEST", "INVALID_VALUE", "NOT_SUPPORTED"})


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of a card before its money was touched, as the journal's baseline has it."""

    balance: Decimal
    at_once: bool = False  # used without a hold, because the server has none
    account: str = ""  # the server's id of the card, whatever code it was named by; "" not told

    @property
    def text(self) -> str:
        """How the journal spells it."""
        account = f"{ACCOUNT}{self.account}" if self.account else ""
        return f"{self.balance:f}{account}{AT_ONCE if self.at_once else ''}"


def read_before(text: str) -> Before:
    """Return what `Before.text` spelled."""
    balance, _, account = text.removesuffix(AT_ONCE).partition(ACCOUNT)
    return Before(Decimal(balance), text.endswith(AT_ONCE), account)


def decimal_of(money: Money) -> Decimal:
    """Return an amount as the API counts."""
    return Decimal(format_amount(money))


def adds(request: p.PaymentRequest) -> bool:
    """True for what puts value on a card."""
    return request.type in {p.PaymentType.LOAD, p.PaymentType.REFUND}


def amount_to_hold(request: p.PaymentRequest, balance: Decimal) -> Money | None:
    """Return what can be held of what was asked for; None when the card does not hold enough."""
    if adds(request) or balance >= decimal_of(request.amount):
        return request.amount
    digits = MINOR_DIGITS[request.amount.currency]
    minor = int(balance.scaleb(digits))
    if not request.accept_partial or minor <= 0:
        return None
    return Money(minor, request.amount.currency)


def judge_hold(
    request: p.PaymentRequest, before: Before, now: Decimal
) -> Literal["not_applied", "applied", "contradictory"]:
    """Say what a balance proves of a hold or an immediate use whose answer never came."""
    if adds(request) and not before.at_once:
        return "not_applied"  # only the capture of a hold fills a card, and this one has no id
    held = amount_to_hold(request, before.balance)
    assert held is not None, "nothing was sent for more than the card held"
    if now == before.balance:
        return "not_applied"
    moved = decimal_of(held) if adds(request) else -decimal_of(held)
    return "applied" if now == before.balance + moved else "contradictory"


def tells_of(payment: p.Payment, how: Literal["capture", "release"]) -> bool:
    """Say whether the balance shows that a hold was ended in this way."""
    request = payment.request
    if how == "release" or adds(request):
        return True
    is_part = request.original is not None and request.original.amount != request.amount
    return request.type is p.PaymentType.CAPTURE and is_part  # the rest goes back to the card


def balance_after(
    payment: p.Payment, before: Before, how: Literal["capture", "release"]
) -> Decimal:
    """Return the balance that a card must have once its hold was ended in this way."""
    request = payment.request
    match request.type:
        case p.PaymentType.CAPTURE:
            assert request.original is not None, "a capture knows its hold"
            return before.balance + decimal_of(request.original.amount) - decimal_of(request.amount)
        case p.PaymentType.VOID:
            return before.balance + decimal_of(request.amount)
        case p.PaymentType.LOAD | p.PaymentType.REFUND:
            added = Decimal(0) if how == "release" else decimal_of(request.amount)
            return before.balance + added
        case _:
            assert payment.offer is not None, "only a hold can be ended"
            taken = Decimal(0) if how == "release" else decimal_of(payment.offer.amount)
            return before.balance - taken


def approval_of(
    request: p.PaymentRequest,
    amount: Money,
    transaction_id: str,
    *,
    before: Decimal,
    after: Decimal | None,
    inferred: str = "",
) -> Approval:
    """Return the evidence that a gift card's money was held, taken or given back.

    `before` and `after` are the card's balances, None where the back office told none.
    """
    assert request.gift_card is not None, "a gift card payment names its card"
    digits = MINOR_DIGITS[amount.currency]
    extra = {"balance_before": f"{before:.{digits}f}"}
    if after is not None:
        extra["balance_after"] = f"{after:.{digits}f}"
    if inferred:
        extra[p.INFERRED] = inferred
    return Approval(
        amount,
        fingerprint=transaction_id,
        transaction_id=transaction_id,
        card=Card("gift_card", "Gift card", MaskedPan.of(request.gift_card.code)),
        extra=extra,
    )


def refusal(answer: Refused, permission: str) -> Declined | Failed:
    """Return what the back office's no means for the register; its own words stay here.

    They may name the card's code, and people cannot act on them. `permission` is what the account
    of the bridge needs for what was asked.
    """
    match answer.code, answer.path:
        case code, _ if code == NO_PERMISSION:
            text = f"the back office does not grant us {permission}"
            return Failed(answer.code, text, "feature_disabled")
        case "NOT_FOUND", _:
            return Declined(answer.code, "no gift card has this code", "gift_card_unknown")
        case "VALIDATION", "pin":
            return Declined("VALIDATION", "the PIN does not fit the gift card", "wrong_pin")
        case "VALIDATION", "amount" if permission != ADD_PERMISSION:
            return Declined("VALIDATION", "the card holds less", "gift_card_insufficient")
        case "VALIDATION", "codeType":
            return Declined("VALIDATION", "no such kind of gift card", "gift_card_unknown")
        case "VALIDATION", "code":
            return Declined("VALIDATION", "the gift card has expired", "gift_card_inactive")
        case "VALIDATION", "id":
            return Declined("VALIDATION", "the hold is not there any more", "authorization_expired")
        case "VALIDATION", path:
            return Declined("VALIDATION", f"the back office refused {path or 'it'}")
        case _:
            text = "the back office cannot do this with gift cards"
            return Failed(answer.code, text, "operation_not_supported")
