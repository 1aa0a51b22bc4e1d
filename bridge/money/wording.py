"""How amounts and texts read for people. Pure."""

from __future__ import annotations

from typing import Final

from bridge.money.amounts import digits_of, format_amount
from drivers.contract import Money

# What the third digit counts. Source: the central banks' own names for the thousandth.
THOUSANDTHS: Final = {
    "BHD": "fils",
    "IQD": "fils",
    "JOD": "fils",
    "KWD": "fils",
    "LYD": "dirhams",
    "OMR": "baisa",
    "TND": "millimes",
}


def spoken(money: Money, *, comma: bool = False, symbol: str = "") -> str:
    """Return an amount for people: `12.50 EUR`, and `47,90 €` with `comma` and a `symbol`.

    With three digits after it, either mark reads as the thousands' somewhere, so an amount of such
    a currency names its parts: `1 KWD 250 fils`.
    """
    name = symbol or money.currency
    if money.currency in THOUSANDTHS:
        whole, rest = divmod(money.minor, 1_000)
        return f"{whole} {name} {rest} {THOUSANDTHS[money.currency]}" if rest else f"{whole} {name}"
    text = format_amount(money)
    if comma and digits_of(money.currency):
        text = text.replace(".", ",")
    return f"{text} {name}"


def fitted(text: str, characters: int) -> str:
    """Return `text` in at most so many characters: whole words, and `…` for what is left out.

    A first word that is longer stands whole: a part of a word is another word.
    """
    words = text.split()
    whole = " ".join(words)
    if len(whole) <= characters:
        return whole
    shown = words[0]
    for word in words[1:]:
        if len(shown) + len(word) + 2 > characters:  # a blank before it, and the ellipsis
            break
        shown = f"{shown} {word}"
    return f"{shown}…"
