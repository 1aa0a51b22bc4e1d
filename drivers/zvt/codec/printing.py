"""Lines and blocks of receipts, 06 D1 and 06 D3, as bytes and back. Pure.

Source: PA00P015 rev 13.08, chapters on print line and print text block.
"""

from __future__ import annotations

from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import (
    Tlv,
    charset_of,
    decode_bmps,
    decode_text,
    encode_bmp,
    encode_text,
    encode_tlv,
    find_tlv,
    mask_text,
    tlv_or_none,
)
from drivers.zvt.codec.sequence import TAG as SEQUENCE

_CONTAINER = 0x06
# Receipt type and sequence id, one of them or both: the containers that stand behind a line's text.
_TAIL_BYTES = (12, 8, 6)
_TAG_TEXT, _TAG_ATTRIBUTE, _TAG_CHARSET, _TAG_PRINT_TEXTS = 0x07, 0x09, 0x14, 0x25
_TAG_RECEIPT_TYPE, _TAG_RECEIPT_INFORMATION = 0x1F07, 0x1F37
_TAGS_WITH_A_NAME = (_TAG_CHARSET, _TAG_PRINT_TEXTS, _TAG_RECEIPT_TYPE, _TAG_RECEIPT_INFORMATION)
_CLOSING_ATTRIBUTE = b"\x81"


def decode_line(data: bytes, charset: str) -> m.PrintLine:
    """Parse the data of 06 D1; behind the text may stand a container."""
    tail, objects = _tail(data)
    data = data[: len(data) - tail]
    attribute, text = (data[0], data[1:]) if data else (0, b"")
    feed_lines = 0
    if attribute == m.LINE_FEED:
        feed_lines, text = text[0] if text else 0, b""
    kind = find_tlv(objects, _TAG_RECEIPT_TYPE)
    others = tuple(item for item in objects if item.tag != _TAG_RECEIPT_TYPE)
    line = mask_text(decode_text(text, charset))
    return m.PrintLine(line, attribute, feed_lines, kind[0] if kind else None, others or None)


def _tail(data: bytes) -> tuple[int, tuple[Tlv, ...]]:
    """Return how many bytes at the end are a container, and what is in it."""
    for size in _TAIL_BYTES:
        tail = data[-size:]
        if len(tail) == size and tail[0] == _CONTAINER and tail[1] == size - 2:
            objects = tlv_or_none(tail[2:]) or ()
            if objects and all(item.tag in (_TAG_RECEIPT_TYPE, SEQUENCE) for item in objects):
                return size, objects
    return 0, ()


def encode_line(line: m.PrintLine, charset: str) -> bytes:
    """Return the data of 06 D1."""
    feed = line.attribute == m.LINE_FEED
    data = bytes([line.attribute])
    data += bytes([line.feed_lines]) if feed else encode_text(line.text, charset)
    objects: list[Tlv] = []
    if line.receipt_type is not None:
        objects.append(Tlv(_TAG_RECEIPT_TYPE, bytes([line.receipt_type])))
    objects += line.tlv or ()
    return data + encode_bmp(_CONTAINER, encode_tlv(objects)) if objects else data


def decode_block(data: bytes, charset: str) -> m.PrintBlock:
    """Parse 06 D3; a container that does not parse is a block without lines, still answered."""
    fields, _ = decode_bmps(data)
    objects = tlv_or_none(fields.get(_CONTAINER, b"")) or ()
    code = find_tlv(objects, _TAG_CHARSET)
    charset = charset_of(code, charset)
    lines: list[tuple[int, str]] = []
    attribute, closes = 0, False
    for texts in (o.value for o in objects if o.tag == _TAG_PRINT_TEXTS):
        for item in texts if isinstance(texts, tuple) else ():
            if not isinstance(item.value, bytes):
                continue
            if item.tag == _TAG_TEXT:
                lines.append((attribute, mask_text(decode_text(item.value, charset))))
            elif item.tag == _TAG_ATTRIBUTE and item.value:
                attribute = item.value[0]
                closes |= bool(attribute & m.LAST_LINE) and attribute != m.LINE_FEED
    kind = find_tlv(objects, _TAG_RECEIPT_TYPE)
    information = find_tlv(objects, _TAG_RECEIPT_INFORMATION)
    others = tuple(item for item in objects if item.tag not in _TAGS_WITH_A_NAME)
    return m.PrintBlock(
        tuple(lines),
        kind[0] if kind else None,
        information[0] if information else None,
        code[0] if code else None,
        closes,
        others or None,
    )


def encode_block(block: m.PrintBlock, charset: str) -> bytes:
    """Return the data of 06 D3; its own character set wins over `charset`."""
    code = None if block.charset_code is None else bytes([block.charset_code])
    charset = charset_of(code, charset)
    objects: list[Tlv] = []
    if block.receipt_type is not None:
        objects.append(Tlv(_TAG_RECEIPT_TYPE, bytes([block.receipt_type])))
    if block.information is not None:
        objects.append(Tlv(_TAG_RECEIPT_INFORMATION, bytes([block.information])))
    if code is not None:
        objects.append(Tlv(_TAG_CHARSET, code))
    texts: list[Tlv] = []
    attribute = 0
    for wanted, text in block.lines:
        if wanted != attribute:
            attribute = wanted
            texts.append(Tlv(_TAG_ATTRIBUTE, bytes([attribute])))
        texts.append(Tlv(_TAG_TEXT, encode_text(text, charset)))
    if block.closes:
        texts.append(Tlv(_TAG_ATTRIBUTE, _CLOSING_ATTRIBUTE))
    objects += (Tlv(_TAG_PRINT_TEXTS, tuple(texts)), *(block.tlv or ()))
    return encode_bmp(_CONTAINER, encode_tlv(objects))
