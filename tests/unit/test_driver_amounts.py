"""Drivers write amounts for people as the register's contract does."""

from __future__ import annotations

import pytest

from bridge.money.amounts import MINOR_DIGITS, format_amount
from drivers.amounts import amount_text
from drivers.contract import Money


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1250, "JPY", "1250 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (7, "TND", "0.007 TND"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert amount_text(Money(minor, currency)) == text


def test_drivers_and_the_contract_agree_on_every_currency() -> None:
    for currency in (*MINOR_DIGITS, "XXX"):
        for minor in (0, 7, 1250, 999_999_999_999):
            money = Money(minor, currency)
            assert amount_text(money) == f"{format_amount(money)} {currency}"
