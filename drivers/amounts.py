"""Currencies and how amounts in them are written, for drivers and the bridge alike. Pure."""

from __future__ import annotations

from typing import Final

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

# What the third digit counts. Source: the central banks' own names for the thousandth.
_THOUSANDTHS: Final = {
    "BHD": "fils",
    "IQD": "fils",
    "JOD": "fils",
    "KWD": "fils",
    "LYD": "dirhams",
    "OMR": "baisa",
    "TND": "millimes",
}


def amount_text(money: Money, *, comma: bool = False, symbol: str = "") -> str:
    """Return an amount for people: `12.50 EUR`, and `47,90 €` with `comma` and a `symbol`.

    With three digits after it, either mark reads as the thousands' somewhere, so an amount of such
    a currency names its parts: `1 KWD 250 fils`. Never for anything that is sent.
    """
    name = symbol or money.currency
    if money.currency in _THOUSANDTHS:
        whole, rest = divmod(money.minor, 1_000)
        return (
            f"{whole} {name} {rest} {_THOUSANDTHS[money.currency]}" if rest else f"{whole} {name}"
        )
    digits = digits_of(money.currency)
    text = decimal_text(money.minor, digits)
    if comma and digits:
        text = text.replace(".", ",")
    return f"{text} {name}"


def digits_of(currency: str) -> int:
    """Return how many digits an amount has after the point."""
    return MINOR_DIGITS.get(currency, DIGITS_USUAL)


def decimal_text(minor: int, digits: int) -> str:
    """Return an amount in minor units as a decimal number with so many digits after the point."""
    if digits == 0:
        return str(minor)
    whole, rest = divmod(minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}"
