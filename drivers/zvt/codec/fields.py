"""What messages are made of: BCD, BMP fields, TLV objects, character sets. Pure, both directions.

A card number is masked while it is decoded (`decode_pan`); what cannot be parsed is masked by
`mask_raw`, text by `mask_text`. So no whole card number leaves this module.
Source: PA00P015 rev 13.08, chapters on data fields (BMPs), TLV containers and character sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.contract import MaskedPan, ProtocolError, has_check_digit

# --- BCD


def decode_bcd(data: bytes) -> int:
    """Return the number that packed BCD digits spell, most significant first.

    Raises:
        ProtocolError: A nibble is above 9, or there is none.
    """
    digits = data.hex()
    if not digits.isdecimal():
        raise ProtocolError("not a BCD number")
    return int(digits)


def bcd_or_none(data: bytes) -> int | None:
    """Return the number that packed BCD digits spell, None if they spell none."""
    digits = data.hex()
    return int(digits) if digits.isdecimal() else None


def encode_bcd(number: int, width: int) -> bytes:
    """Return `number` as `width` bytes of packed BCD.

    Raises:
        ValueError: It is negative or does not fit.
    """
    digits = f"{number:0{2 * width}d}"
    if number < 0 or len(digits) > 2 * width:
        raise ValueError(f"{number} does not fit {width} bytes of BCD")
    return bytes.fromhex(digits)


# --- card numbers

_TRACK_1_NUMBER = re.compile(rb"[0-9*]{8,19}")
_PAN_DIGITS_MAX = 19  # ISO/IEC 7812-1
_TRACK_3_FORMAT_DIGITS = 2  # a format code stands before the number


def decode_pan(data: bytes) -> MaskedPan | None:
    """Return BMP 22 (nibble E is a masked digit, F pads) masked; None when it is empty."""
    digits = data.hex().rstrip("f")
    return MaskedPan.of(digits) if digits else None


def encode_pan(pan: MaskedPan) -> bytes:
    """Return a masked card number as BMP 22 carries it."""
    nibbles = "".join(c if c.isdigit() else "e" for c in pan.text)
    return bytes.fromhex(nibbles + "f" * (len(nibbles) % 2))


def decode_track(bmp: int, data: bytes) -> MaskedPan | None:
    """Return the masked card number of track 1 (2D), 2 (23) or 3 (24), and nothing else of it."""
    if bmp == 0x2D:
        found = _TRACK_1_NUMBER.search(data)
        return MaskedPan.of(found[0].decode("ascii")) if found else None
    digits = data.hex().partition("d")[0]
    if bmp == 0x24:
        digits = digits[_TRACK_3_FORMAT_DIGITS:]
    return MaskedPan.of(digits[:_PAN_DIGITS_MAX]) if digits else None


_CARD_DIGITS_MIN = 12
_LONG_NIBBLE_RUN = re.compile(r"[0-9]{12,}")
_NUMBER_IN_TEXT = re.compile(
    r"(?<![0-9])(?:[0-9]{12,19}"
    r"|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{1,3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{5})(?![0-9])"
)


def mask_raw(data: bytes) -> bytes:
    """Return bytes of unknown meaning with every long run of decimal nibbles masked.

    Twelve digits are the shortest card numbers in use (Maestro); of a run the last four stay.
    """
    masked = _LONG_NIBBLE_RUN.sub(lambda run: "e" * (len(run[0]) - 4) + run[0][-4:], data.hex())
    return bytes.fromhex(masked)


def mask_text(text: str) -> str:
    """Return `text` with everything that can be a whole card number masked to its last four."""
    if len(text) < _CARD_DIGITS_MIN:
        return text

    def mask(found: re.Match[str]) -> str:
        if not has_check_digit("".join(filter(str.isdigit, found[0]))):
            return found[0]
        head, last = found[0][:-4], found[0][-4:]
        return "".join("*" if c.isdigit() else c for c in head) + last

    return _NUMBER_IN_TEXT.sub(mask, text)


# --- TLV

TLV_DEPTH_MAX = 8  # real containers nest three deep; deeper stays raw
_TAG_BYTES_MAX = 4


@dataclass(frozen=True, slots=True)
class Tlv:
    """One TLV object. A constructed one holds objects; raw bytes if its inside does not parse."""

    tag: int  # as its bytes read, e.g. 0x1F07
    value: bytes | tuple[Tlv, ...] = b""


def is_constructed(tag: int) -> bool:
    """Say whether objects with this tag hold objects: bit 20 of the tag's first byte."""
    return bool(tag.to_bytes(_TAG_BYTES_MAX, "big").lstrip(b"\0")[:1][0] & 0x20) if tag else False


def decode_tlv_tag(data: bytes, position: int) -> tuple[int, int]:
    """Return the tag at `position` and the offset behind it.

    Raises:
        ProtocolError: It is cut, or longer than four bytes.
    """
    end = position + 1
    if data[position : position + 1] and data[position] & 0x1F == 0x1F:
        while end < len(data) and data[end] & 0x80:
            end += 1
        end += 1
    if end > len(data) or end - position > _TAG_BYTES_MAX:
        raise ProtocolError("a TLV tag is cut")
    return int.from_bytes(data[position:end], "big"), end


def decode_tlv_length(data: bytes, position: int) -> tuple[int, int]:
    """Return the length at `position` and the offset behind it: 00..7F, 81 LL or 82 HH LL.

    Raises:
        ProtocolError: It is cut or of another form.
    """
    first = data[position] if position < len(data) else 0xFF
    width = {0x81: 1, 0x82: 2}.get(first, 0)
    end = position + 1 + width
    if (first > 0x7F and not width) or end > len(data):
        raise ProtocolError("a TLV length is cut or invalid")
    return (int.from_bytes(data[position + 1 : end], "big") if width else first), end


def decode_tlv(data: bytes, depth: int = 0) -> tuple[Tlv, ...]:
    """Return the objects in `data`, in order, repeated ones too.

    Raises:
        ProtocolError: The outermost level does not parse; deeper ones fall back to raw bytes.
    """
    objects: list[Tlv] = []
    position = 0
    while position < len(data):
        tag, position = decode_tlv_tag(data, position)
        length, position = decode_tlv_length(data, position)
        end = position + length
        if end > len(data):
            raise ProtocolError("a TLV object runs past its container")
        value: bytes | tuple[Tlv, ...] = data[position:end]
        if is_constructed(tag) and depth < TLV_DEPTH_MAX:
            try:
                value = decode_tlv(data[position:end], depth + 1)
            except ProtocolError:
                value = data[position:end]
        objects.append(Tlv(tag, value))
        position = end
    return tuple(objects)


def tlv_or_none(data: bytes) -> tuple[Tlv, ...] | None:
    """Return the objects in `data`, None if they do not parse."""
    try:
        return decode_tlv(data)
    except ProtocolError:
        return None


def encode_tlv(objects: Iterable[Tlv]) -> bytes:
    """Return the objects as bytes, without the container's own length."""
    encoded = bytearray()
    for item in objects:
        value = item.value if isinstance(item.value, bytes) else encode_tlv(item.value)
        encoded += item.tag.to_bytes((item.tag.bit_length() + 7) // 8 or 1, "big")
        encoded += encode_tlv_length(len(value)) + value
    return bytes(encoded)


def encode_tlv_length(length: int) -> bytes:
    """Return the shortest form of a TLV length.

    Raises:
        ValueError: It is above 65535.
    """
    if length <= 0x7F:
        return bytes([length])
    if length <= 0xFF:
        return bytes([0x81, length])
    if length > 0xFFFF:
        raise ValueError(f"a TLV object holds at most 65535 bytes, not {length}")
    return b"\x82" + length.to_bytes(2, "big")


def find_tlv(objects: Iterable[Tlv] | None, tag: int) -> bytes | None:
    """Return the raw value of the first object with `tag` at any depth, None without one."""
    for item in objects or ():
        if item.tag == tag:
            return item.value if isinstance(item.value, bytes) else encode_tlv(item.value)
        if isinstance(item.value, tuple):
            found = find_tlv(item.value, tag)
            if found is not None:
                return found
    return None


# --- BMP fields

LLVAR, LLLVAR, CONTAINER = -2, -3, -1
_FIXED_LENGTHS: dict[int, str] = {
    1: "01 02 03 05 19 27 72 73 74 75 8A 8C A0 D0 D2 D3 E0 E9 EA FB F0 F9 FA FC FD",
    2: "0D 0E 17 3A 49 87",
    3: "0B 0C 37 3D 88 AA",
    4: "29 70 71",
    5: "BA",
    6: "04",
    8: "3B EB",
    15: "2A",
    LLVAR: "22 23 2D 4C 8B A7 D1 E1 E2 E3 E4 E5 E6 E7 E8 F1 F2 F3 F4 F5 F6 F7 F8",
    LLLVAR: "24 2E 3C 60 92 9A AF",
    CONTAINER: "06",
}
_LENGTHS: tuple[int, ...] = tuple(
    next((n for n, bmps in _FIXED_LENGTHS.items() if f"{bmp:02X}" in bmps.split()), 0)
    for bmp in range(256)
)


def decode_bmps(data: bytes, position: int = 0) -> tuple[dict[int, bytes], bytes]:
    """Return the fields from `position` on and the rest that cannot be parsed.

    Fields carry no length of their own, so the first unknown, cut or repeated one ends parsing;
    what was decoded before it stays valid.
    """
    fields: dict[int, bytes] = {}
    end = len(data)
    while position < end:
        bmp = data[position]
        length = _LENGTHS[bmp]
        start = position + 1
        if length <= 0:
            try:
                length, start = _variable_length(data, start, length)
            except ProtocolError:
                break
        stop = start + length
        if stop > end or bmp in fields:
            break
        fields[bmp] = data[start:stop]
        position = stop
    return fields, data[position:]


def _variable_length(data: bytes, position: int, kind: int) -> tuple[int, int]:
    if kind == CONTAINER:
        return decode_tlv_length(data, position)
    if kind == 0:
        raise ProtocolError("unknown BMP")
    return decode_var_length(data, position, -kind), position - kind


def decode_var_length(data: bytes, position: int, width: int) -> int:
    """Return the byte count of an LLVAR (`width` 2) or LLLVAR (3) field: F1 F8 is 18.

    Raises:
        ProtocolError: A byte is not F0..F9, or it is cut.
    """
    digits = data[position : position + width].hex()
    if len(digits) != 2 * width or set(digits[::2]) != {"f"} or not digits[1::2].isdecimal():
        raise ProtocolError("not an LLVAR length")
    return int(digits[1::2])


def encode_bmp(bmp: int, value: bytes) -> bytes:
    """Return one field with its number and, where it varies, its length.

    Raises:
        ValueError: The number is unknown or the value does not fit.
    """
    kind = _LENGTHS[bmp]
    if kind == CONTAINER:
        return bytes([bmp]) + encode_tlv_length(len(value)) + value
    if kind > 0:
        if len(value) != kind:
            raise ValueError(f"BMP {bmp:02X} takes {kind} bytes, not {len(value)}")
        return bytes([bmp]) + value
    if kind == 0 or len(value) >= 10**-kind:
        raise ValueError(f"BMP {bmp:02X} is unknown or its value too long")
    return bytes([bmp]) + bytes(0xF0 | int(d) for d in f"{len(value):0{-kind}d}") + value


# --- character sets

_SEVEN_BIT = {0x5B: "Ä", 0x5C: "Ö", 0x5D: "Ü", 0x7B: "ä", 0x7C: "ö", 0x7D: "ü", 0x7E: "ß"}
_SEVEN_BIT_BYTES = {letter: bytes([code]) for code, letter in _SEVEN_BIT.items()}
_CP437_SIGNS = frozenset(b"\x81\x84\x8e\x94\x99\x9a\xe1")
_LATIN_SIGNS = frozenset(b"\xc4\xd6\xdc\xe4\xf6\xfc\xdf")
_CHARSETS_BY_CODE = {
    0x00: "ascii",
    0xFE: "utf-8",
    0xFF: "cp437",
    **{n: f"iso8859-{n}" for n in range(1, 17) if n != 12},
}
CHARSETS = ("auto", "seven_bit", *_CHARSETS_BY_CODE.values())


def charset_of(code: bytes | None, otherwise: str) -> str:
    """Return the name for the value of TLV tag 14, or `otherwise` if absent or unknown."""
    return _CHARSETS_BY_CODE.get(code[0], otherwise) if code else otherwise


def decode_text(data: bytes, charset: str) -> str:
    """Return text of one of `CHARSETS`.

    "auto" is UTF-8 where the bytes are that, which no text of the other sets is by chance; else it
    tells CP437 from ISO 8859-1 by German letters.

    Never raises: what a set does not have becomes U+FFFD.
    """
    if charset == "seven_bit":
        return "".join(_SEVEN_BIT.get(byte, chr(byte)) for byte in data)
    if charset == "auto":
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            signs = frozenset(data)
        latin = signs & _LATIN_SIGNS and not signs & _CP437_SIGNS
        charset = "iso8859-1" if latin else "cp437"
    return data.decode(charset, "replace")


def encode_text(text: str, charset: str) -> bytes:
    """Return `text` in one of `CHARSETS` ("auto" is CP437); what a set does not have is "?"."""
    if charset == "seven_bit":
        return b"".join(_SEVEN_BIT_BYTES.get(c) or c.encode("ascii", "replace") for c in text)
    return text.encode("cp437" if charset == "auto" else charset, "replace")
