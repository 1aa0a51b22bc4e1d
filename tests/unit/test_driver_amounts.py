"""Drivers write amounts for people as the register's contract does."""

from __future__ import annotations

import pytest

from bridge.money.amounts import MINOR_DIGITS
from bridge.money.wording import spoken
from drivers.amounts import amount_text
from drivers.contract import Money


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1250, "JPY", "1250 JPY"),
        (1250, "KWD", "1 KWD 250 fils"),
        (7, "TND", "0 TND 7 millimes"),
    ],
)
def test_an_amount_is_written_as_its_currency_is(minor: int, currency: str, text: str) -> None:
    assert amount_text(Money(minor, currency)) == text


def test_drivers_and_the_contract_agree_on_every_currency() -> None:
    for currency in (*MINOR_DIGITS, "XXX"):
        for minor in (0, 7, 1250, 999_999_999_999):
            money = Money(minor, currency)
            assert amount_text(money) == spoken(money)
