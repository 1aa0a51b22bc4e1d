"""APDUs as hex for debug logs, without card numbers, card verification codes or passwords. Pure."""

from __future__ import annotations

from drivers.contract import ProtocolError
from drivers.zvt.codec.fields import (
    Tlv,
    decode_bmps,
    decode_tlv,
    encode_bmp,
    encode_tlv,
    mask_raw,
    mask_text,
)
from drivers.zvt.codec.framing import split_apdu

_PASSWORD_FIRST = frozenset((0x0600, 0x0630, 0x0631, 0x0620, 0x0650, 0x0610, 0x0693, 0x0501))
_PASSWORD_BYTES = 3
_MASK = b"\xee"
_CARD_NUMBERS = frozenset((0x22, 0xA7))
_SECRET = frozenset((0x23, 0x24, 0x2D, 0x3A, 0x3D, 0xD1))
_TEXTS = frozenset((0x3C, 0x8B, *range(0xE1, 0xE9), *range(0xF1, 0xF9)))
_PLAIN = frozenset((0x04, 0x0B, 0x29, 0x2A, 0x3B, 0x60))
_PLAIN_BYTES_MAX = 5  # ten digits: too few for a card number
_TEXT_TAG = 0x07
_PRINT_LINE = 0x06D1


def masked_hex(apdu: bytes) -> str:
    """Return `apdu` as hex digits of the same length with everything secret masked as E."""
    try:
        control, data = split_apdu(apdu)
    except ProtocolError:
        return mask_raw(apdu).hex()
    head = apdu[: len(apdu) - len(data)]
    if control == _PRINT_LINE:
        return (head + _masked_text(data)).hex()
    secret = _PASSWORD_BYTES if control in _PASSWORD_FIRST and len(data) >= _PASSWORD_BYTES else 0
    head += _MASK * secret
    skipped = {0x0600: 3, 0x06C0: 1, 0x04FF: 2, 0x061E: 1}.get(control, 0)
    position = min(secret + skipped, len(data))
    if control == 0x061E and data[:1] == b"\x6f":
        position = min(3, len(data))
    return (head + data[secret:position] + _masked_fields(data[position:])).hex()


def _masked_fields(data: bytes) -> bytes:
    fields, rest = decode_bmps(data)
    masked = bytearray()
    for bmp, value in fields.items():
        masked += encode_bmp(bmp, _masked_value(bmp, value))
    if len(masked) + len(rest) != len(data):  # a length in another than its shortest form
        return mask_raw(data)
    return bytes(masked) + mask_raw(rest)


def _masked_value(bmp: int, value: bytes) -> bytes:
    if bmp in _SECRET:
        return _MASK * len(value)
    if bmp in _CARD_NUMBERS:
        return _MASK * (len(value) - 2) + value[-2:] if len(value) > 2 else _MASK * len(value)
    if bmp in _TEXTS:
        return _masked_text(value)
    if bmp == 0x06:
        try:
            masked = encode_tlv(_masked_objects(decode_tlv(value)))
        except ProtocolError:
            return mask_raw(value)
        return masked if len(masked) == len(value) else mask_raw(value)
    return value if bmp in _PLAIN or len(value) <= _PLAIN_BYTES_MAX else mask_raw(value)


def _masked_objects(objects: tuple[Tlv, ...]) -> tuple[Tlv, ...]:
    masked = []
    for item in objects:
        if isinstance(item.value, tuple):
            masked.append(Tlv(item.tag, _masked_objects(item.value)))
        elif item.tag == _TEXT_TAG:
            masked.append(Tlv(item.tag, _masked_text(item.value)))
        else:
            masked.append(Tlv(item.tag, mask_raw(item.value)))
    return tuple(masked)


def _masked_text(value: bytes) -> bytes:
    return mask_text(value.decode("iso8859-1")).encode("iso8859-1")
