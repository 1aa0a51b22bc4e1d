"""Fields, groups and their contents. Pure.

Fields are separated by FS (1C), the parts of a group by US (1F); trailing US of a group are left
out, and both sides must live with either. Texts are read as Latin-1, so that every byte is one.
Source: fact sheet "PAX POSLINK", sections 3 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from drivers.contract import MaskedPan, mask_cards

FS, US = "\x1c", "\x1f"
ENCODING = "latin-1"
AMOUNT_DIGITS_MAX = 8
NUMBER_DIGITS_MAX = 12  # of a total; more digits are no number
REFERENCE_LETTERS_MAX = 16

_DIGITS36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REFERENCES = 36**REFERENCE_LETTERS_MAX
_UUID_DIGITS = 32
_SEPARATORS = re.compile(r"[\x00-\x1f\x7f]")
_STRAY = bytes(set(range(0x20)) - set(map(ord, FS + US))) + b"\x7f"
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){11,}")
_TIMESTAMP = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[0-2]\d[0-5]\d[0-5]\d")

Pairs = tuple[tuple[str, str], ...]


def join(fields: Iterable[str]) -> bytes:
    """Return fields as a payload."""
    return FS.join(fields).encode(ENCODING, "replace")


def split(payload: bytes, *, masked: bool = False) -> list[str]:
    """Return the fields of a payload, at least one, without stray control characters.

    `masked`: a card number in any field is masked before anything else reads it.
    """
    text = payload.translate(None, _STRAY).decode(ENCODING)
    return (mask_cards(text) if masked else text).split(FS)


def group(parts: Iterable[str]) -> str:
    """Return a group without its trailing separators.

    Raises:
        ValueError: A part holds a control character, which would shift every later field.
    """
    parts = list(parts)
    if any(_SEPARATORS.search(part) for part in parts):
        raise ValueError("a field may not hold control characters")
    return US.join(parts).rstrip(US)


def ungroup(field: str, count: int) -> list[str]:
    """Return exactly `count` parts of a group; missing ones are empty, further ones dropped."""
    parts = field.split(US)[:count]
    return parts + [""] * (count - len(parts))


def single(field: str) -> str:
    """Return a field that is no group: what looks like a separator in it means nothing."""
    return field.replace(US, "")


def encode_pairs(pairs: Pairs) -> str:
    """Return `KEY=value` parts."""
    return group(f"{key}={value}" for key, value in pairs)


def decode_pairs(field: str) -> Pairs:
    """Return keys (in capitals) and values; empty parts are skipped, values may hold `=`."""
    pairs = []
    for part in field.split(US):
        key, equals, value = part.partition("=")
        if equals and key:
            pairs.append((key.upper(), value))
    return tuple(pairs)


def find(pairs: Pairs, key: str) -> str:
    """Return the value of `key`, "" when it is not there."""
    return next((value for name, value in pairs if name == key), "")


def amount_text(minor: int | None) -> str:
    """Return an amount as it is sent: minor units, no leading zeros; None is empty.

    Raises:
        ValueError: It has more than eight digits.
    """
    if minor is None:
        return ""
    if not 0 <= minor < 10**AMOUNT_DIGITS_MAX:
        raise ValueError(f"an amount has at most {AMOUNT_DIGITS_MAX} digits")
    return str(minor)


def amount_of(text: str) -> int | None:
    """Return the amount that `text` spells; None when it is empty or no number."""
    fits = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    return int(text) if fits else None


def sum_of(text: str) -> int | None:
    """Return the sum that `text` spells, below zero with a hyphen ahead; None when it is none."""
    number = amount_of(text.removeprefix("-"))
    return -number if number is not None and text.startswith("-") else number


def ecr_reference(reference: str, *, second: bool = False) -> str:
    """Return the ECR reference of a payment: 16 digits and capitals, the same for ever.

    It is the payment's UUID modulo 36**16 (82.7 bits). Two random UUIDs share one with a chance of
    1 to 8 x 10**24; among a million payments of version 7 (74 random bits) any two do with a chance
    below 10**-10, and a terminal remembers one batch only. `second` gives the reference of the
    command that takes the payment back, at the greatest distance from the first.
    Source: trace group, ECR reference ans..16, mandatory; fact sheet, section 5.
    """
    digits = reference.replace("-", "").lower()
    if len(digits) == _UUID_DIGITS and not set(digits) - set("0123456789abcdef"):
        number = int(digits, 16)
    else:
        number = int.from_bytes(reference.encode(), "big")
    number = (number + (_REFERENCES // 2 if second else 0)) % _REFERENCES
    letters = []
    for _ in range(REFERENCE_LETTERS_MAX):
        number, digit = divmod(number, 36)
        letters.append(_DIGITS36[digit])
    return "".join(reversed(letters))


def masked_pan(text: str) -> MaskedPan | None:
    """Return what may be kept of an account number, be it whole or its last four digits."""
    return MaskedPan.of(text) if text else None


def mask_text(text: str) -> str:
    """Return `text` with every number that is long enough for a card masked.

    Twelve digits and more, also with blanks or hyphens between, but for moments of this century.
    """
    return _LONG_NUMBER.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    number = found.group()
    if _TIMESTAMP.fullmatch(number):
        return number
    return MaskedPan.of(number).text
