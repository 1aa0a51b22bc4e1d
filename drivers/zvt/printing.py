"""Lines and blocks of receipts, 06 D1 and 06 D3, as bytes and back. Pure.

Source: PA00P015 rev 13.08, chapters on print line and print text block.
"""

from __future__ import annotations

from drivers.contract import ProtocolError
from drivers.zvt import messages as m
from drivers.zvt.fields import (
    Tlv,
    charset_of,
    decode_bmps,
    decode_text,
    decode_tlv,
    encode_bmp,
    encode_text,
    encode_tlv,
    find_tlv,
    mask_text,
)

_TAIL_WITH_RECEIPT_TYPE = b"\x06\x04\x1f\x07\x01"
_TAG_TEXT, _TAG_ATTRIBUTE, _TAG_CHARSET, _TAG_PRINT_TEXTS = 0x07, 0x09, 0x14, 0x25
_TAG_RECEIPT_TYPE, _TAG_RECEIPT_INFORMATION = 0x1F07, 0x1F37
_CLOSING_ATTRIBUTE = b"\x81"


def decode_line(data: bytes, charset: str) -> m.PrintLine:
    """Parse the data of 06 D1; card complete appends a container with the receipt type."""
    attribute, text = (data[0], data[1:]) if data else (0, b"")
    if attribute == m.LINE_FEED:
        return m.PrintLine("", attribute, text[0] if text else 0)
    receipt_type = None
    if text[-6:-1] == _TAIL_WITH_RECEIPT_TYPE:
        text, receipt_type = text[:-6], text[-1]
    return m.PrintLine(mask_text(decode_text(text, charset)), attribute, 0, receipt_type)


def encode_line(line: m.PrintLine, charset: str) -> bytes:
    """Return the data of 06 D1."""
    if line.attribute == m.LINE_FEED:
        return bytes([line.attribute, line.feed_lines])
    data = bytes([line.attribute]) + encode_text(line.text, charset)
    if line.receipt_type is not None:
        data += _TAIL_WITH_RECEIPT_TYPE + bytes([line.receipt_type])
    return data


def decode_block(data: bytes, charset: str) -> m.PrintBlock:
    """Parse 06 D3; a container that does not parse is a block without lines, still answered."""
    fields, _ = decode_bmps(data)
    try:
        objects = decode_tlv(fields.get(0x06, b""))
    except ProtocolError:
        objects = ()
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
    return m.PrintBlock(
        tuple(lines),
        kind[0] if kind else None,
        information[0] if information else None,
        code[0] if code else None,
        closes,
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
    objects.append(Tlv(_TAG_PRINT_TEXTS, tuple(texts)))
    return encode_bmp(0x06, encode_tlv(objects))
