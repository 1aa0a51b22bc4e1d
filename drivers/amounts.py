"""Amounts in the words of drivers: for texts that people read, never for anything sent. Pure.

Source: ISO 4217 maintenance agency (SIX), "current currency & funds" table, minor unit column; the
central banks' own names for the thousandth.
"""

from __future__ import annotations

from typing import Final

from drivers.contract import Money

_WHOLE_ONLY: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THOUSANDTHS: Final = {
    "BHD": "fils",
    "IQD": "fils",
    "JOD": "fils",
    "KWD": "fils",
    "LYD": "dirhams",
    "OMR": "baisa",
    "TND": "millimes",
}


def amount_text(money: Money) -> str:
    """Return `12.50 EUR`, `1250 JPY`, or `1 KWD 250 fils`.

    With three digits behind it, a point reads as the thousands' somewhere, so there is none.
    """
    if money.currency in _THOUSANDTHS:
        whole, rest = divmod(money.minor, 1_000)
        parts = f" {rest} {_THOUSANDTHS[money.currency]}" if rest else ""
        return f"{whole} {money.currency}{parts}"
    if money.currency in _WHOLE_ONLY:
        return f"{money.minor} {money.currency}"
    return f"{money.minor // 100}.{money.minor % 100:02d} {money.currency}"
