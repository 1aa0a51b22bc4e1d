"""Whether money moved after all, though a card's balance had said that it did not. Pure.

An unchanged balance ends a doubt after a quiet time, because a shopper waits. A server that carries
a request out later still takes the money then, so the card is looked at once more, much later: the
balance that it should have by now is the one that was read before, and what our own payments moved
on it since.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from bridge.backoffice.gift_cards import evidence as e
from bridge.backoffice.gift_cards import holds as h
from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord

Found = Literal["as_before", "taken", "moved"]


def others_on_card(ours: PaymentRecord, accounts: Iterable[PaymentRecord]) -> list[PaymentRecord]:
    """Return the other payments of the card, by its code or the server's id of it."""
    card, account = ours.payment.request.gift_card, h.account_of(ours.payment)
    return [
        one
        for one in accounts
        if one.payment_id != ours.payment_id
        and one.payment.request.method is p.Method.OFFICE_GIFT_CARD
        and (
            one.payment.request.gift_card == card
            or (account != "" and account == h.account_of(one.payment))
        )
    ]


def moved_since(ours: PaymentRecord, others: Iterable[PaymentRecord]) -> Decimal:
    """Return what other payments of ours moved on the card after ours had ended."""
    later = (one.payment for one in others if one.ended_seq > ours.ended_seq)
    return sum((_effect(one) for one in later), Decimal(0))


def judge(payment: p.Payment, moved: Decimal, now: Decimal) -> Found:
    """Say what the balance `now` tells, once our own payments have `moved` so much since."""
    before = h.before_of(payment)
    held = e.amount_to_hold(payment.request, before.balance)
    assert held is not None, "nothing was sent for more than the card held"
    expected = before.balance + moved
    if now == expected:
        return "as_before"
    amount = e.decimal_of(held)
    return "taken" if now == expected - amount else "moved"


def _effect(payment: p.Payment) -> Decimal:
    """Return how an ended payment changed the balance of its card."""
    request, approval = payment.request, payment.approval
    if approval is None:
        return Decimal(0)
    amount = e.decimal_of(approval.amount)
    match request.type:
        case p.PaymentType.LOAD | p.PaymentType.REFUND | p.PaymentType.VOID:
            return amount
        case p.PaymentType.CAPTURE:
            held = request.original.amount if request.original is not None else approval.amount
            return e.decimal_of(held) - amount
        case _:
            return -amount
