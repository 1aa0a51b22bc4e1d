"""Amounts for people are written as the register's contract writes them."""

from __future__ import annotations

import pytest

from bridge.money.amounts import format_amount
from drivers.amounts import MINOR_DIGITS, amount_text, digits_of
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


def test_every_currency_is_written_with_its_digits_as_the_contract_writes_it() -> None:
    for currency in (*MINOR_DIGITS, "XXX"):
        for minor in (0, 7, 1250, 999_999_999_999):
            money = Money(minor, currency)
            whole, _, rest = format_amount(money).partition(".")
            said = amount_text(money)
            if digits_of(currency) == 3:
                assert said.split()[:2] == [whole, currency]
                assert int(said.split()[2] if int(rest) else "0") == int(rest)
            else:
                assert said == f"{format_amount(money)} {currency}"


def test_amounts_of_one_currency_are_added_and_taken_from_each_other() -> None:
    assert Money(1250, "EUR") + Money(50, "EUR") == Money(1300, "EUR")
    assert Money(1250, "EUR") - Money(1250, "EUR") == Money(0, "EUR")


def test_amounts_of_two_currencies_are_never_added_nor_is_more_taken_than_there_is() -> None:
    with pytest.raises(ValueError, match="not one currency"):
        Money(1250, "EUR") + Money(50, "USD")
    with pytest.raises(ValueError, match="not one currency"):
        Money(1250, "EUR") - Money(50, "USD")
    with pytest.raises(ValueError, match="0 or more"):
        Money(1250, "EUR") - Money(1251, "EUR")
