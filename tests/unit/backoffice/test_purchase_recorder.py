"""The queue to the books: once, in order, for ever where nothing was applied. Virtual time."""

from __future__ import annotations

import random

from bridge.backoffice.purchase_recorder import (
    BACKOFF_SECONDS_MAX,
    backoff_seconds,
    purchase_of,
)
from bridge.money import purchase as s
from drivers.contract import Money

NOW = "2026-11-23T12:00:00.000Z"


def test_the_back_off_grows_to_its_bound_and_no_further() -> None:
    rng = random.Random(1)
    waits = [backoff_seconds(n, rng) for n in range(1, 30)]
    assert 0.5 <= waits[0] <= 1.0
    assert max(waits) <= BACKOFF_SECONDS_MAX
    assert min(waits[12:]) >= BACKOFF_SECONDS_MAX / 2


def test_a_purchase_says_what_the_register_said() -> None:
    line = s.SaleLine(1, "4006381333931", "2", "each", "3.95", 790)
    sale = s.SaleDetails(Money(790, "EUR"), (line,), tax_minor=126, member_id="C1")
    content = s.PurchaseContent("S-1", "S", NOW[:19], Money(790, "EUR"), sale, 0, "VISA")
    purchase = purchase_of(content)
    assert (purchase.pay_amount, purchase.sub_total, purchase.tax_amount) == (
        "7.90",
        "7.90",
        "1.26",
    )
    (sent,) = purchase.lines
    assert (sent.quantity, sent.unit_price, sent.ext_price) == ("2", "3.95", "7.90")
    assert purchase_of(content) == purchase, "the same content is the same request"
