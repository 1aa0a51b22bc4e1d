"""What a Caisse-AP terminal said, as text without card numbers. Pure.

What is a whole message is shown but for its card number; of anything else only the control
characters, letters and the number of digits can be seen, however the bytes were cut.
"""

from __future__ import annotations

from drivers.contract import ProtocolError
from drivers.telium.codec.caisse_ap import decode_tags
from drivers.telium.codec.framing import ETX, STX, Signal

_NAMES = {STX: "<STX>", ETX: "<ETX>", **{s.value[0]: f"<{s.name}>" for s in Signal}}
_PLAIN_TAGS = frozenset(
    ("AC", "AE", "AF", "AI", "CA", "CB", "CC", "CD", "CE", "CG", "CI", "CJ", "CZ")
)
_PLAIN_TAGS_LIMIT = 12  # characters; a tag with more may hold what a terminal should not put there
_MASK = "*"


def masked_text(data: bytes) -> str:
    """Return Caisse-AP bytes for a log, card numbers masked."""
    try:
        tags, rest = decode_tags(data)
    except ProtocolError:
        return _masked_noise(data)
    shown = "".join(
        f"{tag}{len(value):03d}{_masked_value(tag, value)}" for tag, value in tags.items()
    )
    return shown + _masked_noise(rest)


def _masked_value(tag: str, value: str) -> str:
    if tag not in _PLAIN_TAGS or len(value) > _PLAIN_TAGS_LIMIT:
        value = _without_digits(value)
    return "".join(_shown_as_is(character) for character in value)


def _masked_noise(data: bytes) -> str:
    return "".join(_shown(byte) for byte in data)


def _shown(byte: int) -> str:
    if byte in _NAMES:
        return _NAMES[byte]
    if not 0x20 <= byte < 0x7F:
        return f"<{byte:02X}>"
    return _MASK if chr(byte).isdigit() else chr(byte)


def _shown_as_is(character: str) -> str:
    return character if " " <= character <= "~" else f"<{ord(character):02X}>"


def _without_digits(text: str) -> str:
    return "".join(_MASK if character.isdigit() else character for character in text)
