"""Money as the register writes it: a decimal string with exactly the currency's digits. Pure."""

from __future__ import annotations

import re
from typing import Final

from bridge.errors import RequestError
from drivers.contract import Money

# ISO 4217:2015 list one, active funds codes and metals left out: nobody pays a till with them.
# Source: ISO 4217 maintenance agency (SIX), "current currency & funds" table, minor unit column.
_NO_DIGITS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DIGITS: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP "
    "GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD "
    "LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB "
    "PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC "
    "SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_THREE_DIGITS: Final = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS: Final[dict[str, int]] = {
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
"""Digits after the decimal point, per active ISO 4217 code."""

DIGITS_USUAL: Final = 2

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
    example = _format(1250 if digits != 3 else 12500, digits)
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
            "invalid_amount", f"the most is {_format(MINOR_MAX, digits)!r}", path=path
        )
    return Money(minor, currency)


def format_amount(money: Money) -> str:
    """Return `money` as the contract writes it, e.g. `12.50` EUR, `1250` JPY, `1.250` KWD.

    A currency that nobody knows can only come from a terminal, never with an amount that was
    asked for; it is written like most are, for the person who must look at it.
    """
    return _format(money.minor, digits_of(money.currency))


def format_signed(minor: int, currency: str) -> str:
    """Return a sum that may be below zero as the contract writes it, e.g. `-12.50`."""
    text = _format(abs(minor), digits_of(currency))
    return f"-{text}" if minor < 0 else text


def digits_of(currency: str) -> int:
    """Return how many digits an amount has after the point."""
    return MINOR_DIGITS.get(currency, DIGITS_USUAL)


def _format(minor: int, digits: int) -> str:
    if digits == 0:
        return str(minor)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}"
