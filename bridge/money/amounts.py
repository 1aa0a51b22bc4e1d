"""Money as the register writes it: a decimal string with exactly the currency's digits. Pure."""

from __future__ import annotations

import re
from typing import Final

from bridge.errors import RequestError
from drivers.amounts import MINOR_DIGITS, decimal_text, digits_of
from drivers.contract import Money

AMOUNT_CHARACTERS_MAX: Final = 16  # 12 digits is what ISO 8583 and every terminal can hold
MINOR_MAX: Final = 999_999_999_999  # the same 12 digits, in minor units
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")


def parse_amount(text: object, currency: str, *, path: str = "") -> Money:
    """Return the money that `text` spells in `currency`, for the desk and the decoder.

    Args:
        text: As it came out of the JSON; anything but a plain decimal string is refused.
        currency: ISO 4217 alphabetic code.
        path: Dotted path of the field, for the error.

    Raises:
        RequestError: `invalid_amount` for the text, `invalid_request` for the currency.
    """
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise RequestError(
            "invalid_request",
            f"{currency!r:.20} is no active ISO 4217 currency; write it like 'EUR'",
            path=path.rpartition(".")[0] + ".currency" if "." in path else "currency",
        )
    example = decimal_text(1250 if digits != 3 else 12500, digits)
    if not isinstance(text, str):
        raise RequestError(
            "invalid_amount", f"write the amount as a string, like {example!r}", path=path
        )
    match = _AMOUNT.fullmatch(text) if len(text) <= AMOUNT_CHARACTERS_MAX else None
    if match is None or len(match[2] or "") != digits:
        raise RequestError(
            "invalid_amount",
            f"write {currency} with {digits} digits after the point, no sign, no separators, "
            f"like {example!r}",
            path=path,
        )
    minor = int(match[1] + (match[2] or ""))
    if minor > MINOR_MAX:
        raise RequestError(
            "invalid_amount", f"the most is {decimal_text(MINOR_MAX, digits)!r}", path=path
        )
    return Money(minor, currency)


def format_amount(money: Money) -> str:
    """Return `money` as the contract writes it, e.g. `12.50` EUR, `1250` JPY, `1.250` KWD.

    An unknown currency can only come from a terminal, never with an amount that was asked for; it
    is written like most are, for the person who must look at it.
    """
    return decimal_text(money.minor, digits_of(money.currency))


def format_signed(minor: int, currency: str) -> str:
    """Return a sum that may be below zero as the contract writes it, e.g. `-12.50`."""
    text = decimal_text(abs(minor), digits_of(currency))
    return f"-{text}" if minor < 0 else text
