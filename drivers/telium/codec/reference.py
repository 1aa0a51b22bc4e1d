"""The ten characters by which an answer is known to be ours. Pure."""

from __future__ import annotations

REFERENCE_CHARACTERS = 10  # as many as the private field has
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # what every terminal can store and print
# The largest prime below 36^10: a remainder by it depends on every character of the payment's id,
# so that two of a store's payments share ten characters once in 3.6 × 10^15 pairs.
_PRIME = 3_656_158_440_062_969


def is_reference(text: str) -> bool:
    """Whether `text` may be a reference of ours; a blank or shorter one is the terminal's own."""
    return len(text) == REFERENCE_CHARACTERS and all(character in _DIGITS for character in text)


def attempt_reference(payment: str) -> str:
    """Return ten capital letters and digits for the payment's id; the same ones every time."""
    number = int.from_bytes(payment.encode(), "big") % _PRIME
    text = ""
    for _ in range(REFERENCE_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
