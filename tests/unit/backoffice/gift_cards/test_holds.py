"""A terminal's own gift card in doubt disturbs no gift card of the back office."""

from __future__ import annotations

from bridge.backoffice.gift_cards.holds import account_of
from bridge.money import payment as p
from bridge.money.payment.machine import advance, open_payment
from drivers.contract import Baseline, Money, Unclear


def test_the_baseline_of_a_terminals_gift_card_is_none_of_the_back_offices() -> None:
    request = p.PaymentRequest(
        "p-1",
        "till-1",
        "counter-1",
        p.PaymentType.SALE,
        Money(2000, "USD"),
        "hash",
        gift=True,
    )
    payment, _ = open_payment(p.Requested(request))
    for event in (p.Started(Baseline("5/ABCDEFGH12345678/20261123120000")), Unclear("link_lost")):
        payment, _ = advance(payment, event)
    assert payment.status is p.Status.IN_DOUBT
    assert payment.request.method is not p.Method.OFFICE_GIFT_CARD
    assert account_of(payment) == ""
