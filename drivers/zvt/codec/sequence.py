"""Message sequence ids: six digits in TLV 1F73 of every APDU, once both sides agreed. Pure codec.

The register offers 000000 at registration. If the terminal echoes the tag in the completion, the
first command carries 000001; a command takes the next number, its reply the same, a repeat keeps
its own, and 999999 is followed by 000001.
Source: PA00P015 rev 13.08, TLV 1F73.
"""

from __future__ import annotations

from typing import Final

from drivers.zvt.codec.fields import Tlv, bcd_or_none, encode_bcd

TAG: Final = 0x1F73
OFFER: Final = 0
LAST: Final = 999_999
_BYTES = 3
_MARK = TAG.to_bytes(2, "big") + bytes([_BYTES])


def sequence_tlv(number: int) -> Tlv:
    """Return the object that carries `number` (0..999999)."""
    return Tlv(TAG, encode_bcd(number, _BYTES))


def sequence_of(apdu: bytes) -> int | None:
    """Return the number that a whole APDU carries, None without one.

    Its bytes are looked for instead of parsed: a field that we do not know, or a print line's
    text, may stand before the container and hide it from a parser.
    """
    position = apdu.rfind(_MARK)
    if position < 0:
        return None
    digits = apdu[position + len(_MARK) : position + len(_MARK) + _BYTES]
    return bcd_or_none(digits) if len(digits) == _BYTES else None


def following(number: int) -> int:
    """Return the number that comes after `number`."""
    return number % LAST + 1


def is_newer(number: int, than: int) -> bool:
    """Say whether `number` comes after `than`, the shorter way round."""
    return number != OFFER and 0 < (number - than) % LAST <= LAST // 2
