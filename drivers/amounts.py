"""Amounts in the words of drivers: for texts that people read, never for anything sent. Pure.

Source: ISO 4217 maintenance agency (SIX), "current currency & funds" table, minor unit column.
"""

from __future__ import annotations

from typing import Final

from drivers.contract import Money

_DIGITS_USUAL: Final = 2
_NO_DIGITS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS: Final = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS: Final[dict[str, int]] = {
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
"""Digits after the decimal point where they are not two."""


def amount_text(money: Money) -> str:
    """Return `12.50 EUR`, `1250 JPY` or `1.250 KWD`: a point only before the currency's digits."""
    digits = _DIGITS.get(money.currency, _DIGITS_USUAL)
    if digits == 0:
        return f"{money.minor} {money.currency}"
    whole, rest = divmod(money.minor, 10**digits)
    return f"{whole}.{rest:0{digits}d} {money.currency}"
