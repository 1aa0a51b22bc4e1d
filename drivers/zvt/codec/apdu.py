"""APDUs to messages and back. Pure.

`decode` never drops a message because of one unknown field: what cannot be parsed is kept in
`rest`, masked. Texts need a character set, one of `fields.CHARSETS`.
Source: PA00P015 rev 13.08, chapters 2 (commands of the register) and 3 (commands of the terminal).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from drivers.contract import ProtocolError
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.fields import (
    bcd_or_none,
    decode_bcd,
    decode_bmps,
    decode_pan,
    decode_text,
    decode_tlv,
    decode_track,
    decode_var_length,
    encode_bcd,
    encode_bmp,
    encode_pan,
    encode_text,
    encode_tlv,
    mask_raw,
    mask_text,
    tlv_or_none,
)
from drivers.zvt.codec.framing import encode_apdu, split_apdu
from drivers.zvt.codec.printing import decode_block, decode_line, encode_block, encode_line
from drivers.zvt.codec.sequence import sequence_tlv

_PASSWORD_BYTES = 3
_WRONG_CURRENCY = 0x6F  # a result code after which two bytes name the currency
_TRACKS = frozenset((0x23, 0x24, 0x2D))
_NEVER_KEPT = frozenset((0x3A, 0xD1))  # CVC and PIN data: not even masked
_LINES = range(0xF1, 0xF9)

_COMMANDS: dict[int, type[m.BmpCommand]] = {kind.CONTROL: kind for kind in get_args(m.BmpCommand)}
_WITH_PASSWORD = frozenset((0x0630, 0x0631, 0x0620, 0x0650, 0x0610, 0x0693))

_Decoder = Callable[[bytes], object]
_Encoder = Callable[[Any], bytes]


def _unpad(data: bytes) -> str:
    return data.decode("iso8859-1").rstrip(" \0")


def _byte(data: bytes) -> int:
    return data[0]


_DIGITS: tuple[_Decoder, _Encoder] = (bytes.hex, bytes.fromhex)
_BYTE: tuple[_Decoder, _Encoder] = (_byte, lambda n: bytes([n]))
_TEXT = (None, None)  # by the character set of the call

_FIELDS: dict[str, tuple[int, _Decoder | None, _Encoder | None]] = {
    "result": (0x27, *_BYTE),
    "service": (0x03, *_BYTE),
    "receipt": (0x87, *_DIGITS),
    "amount": (0x04, decode_bcd, lambda n: encode_bcd(n, 6)),
    "trace": (0x0B, *_DIGITS),
    "time": (0x0C, *_DIGITS),
    "date": (0x0D, *_DIGITS),
    "expiry": (0x0E, *_DIGITS),
    "sequence_number": (0x17, *_DIGITS),
    "payment_type": (0x19, *_BYTE),
    "status": (0x19, *_BYTE),
    "pan": (0x22, decode_pan, encode_pan),
    "terminal_id": (0x29, *_DIGITS),
    "merchant_id": (0x2A, _unpad, lambda s: s.encode("iso8859-1").ljust(15)),
    "original_trace": (0x37, *_DIGITS),
    "approval_code": (0x3B, _unpad, lambda s: s.encode("iso8859-1").ljust(8, b"\0")),
    "text": (0x3C, *_TEXT),
    "currency": (0x49, decode_bcd, lambda n: encode_bcd(n, 2)),
    "totals": (0x60, bytes, bytes),
    "turnover": (0x88, *_DIGITS),
    "card_type": (0x8A, *_BYTE),
    "card_name": (0x8B, *_TEXT),
    "operator_card_type": (0x8C, *_BYTE),
    "host_code": (0xA0, *_BYTE),
    "full_date": (0xAA, *_DIGITS),
    "tlv": (0x06, decode_tlv, encode_tlv),
}


class _Layout:
    """The BMP fields of one kind of message, by attribute name, in the order they are written."""

    def __init__(self, *names: str) -> None:
        self.written = tuple((name, _FIELDS[name][0], _FIELDS[name][2]) for name in names)
        self.read = {_FIELDS[name][0]: (name, _FIELDS[name][1]) for name in names}


_COMMAND = _Layout(
    *("service", "receipt", "amount", "currency", "payment_type", "trace", "approval_code", "tlv")
)
_STATUS_INFORMATION = _Layout(
    *("result", "amount", "trace", "time", "date", "expiry", "sequence_number", "payment_type"),
    *("pan", "terminal_id", "merchant_id", "original_trace", "approval_code", "text", "totals"),
    *("currency", "receipt", "turnover", "card_type", "card_name", "operator_card_type"),
    *("host_code", "full_date", "tlv"),
)
_COMPLETION = _Layout(
    *("result", "amount", "time", "full_date", "status", "terminal_id", "totals"),
    *("currency", "tlv"),
)
_REPLY = _Layout("amount", "tlv")
_ABORT = _Layout("receipt", "text", "tlv")
_CLOCK = _Layout("full_date", "time", "tlv")
_REGISTRATION = _Layout("service", "tlv")
_CONTAINER_ONLY = _Layout("tlv")


def decode(apdu: bytes, charset: str = "auto", answer_to: int = 0) -> m.Message | m.Unknown:
    """Return what one whole APDU says; `answer_to` is the command it ends, for 06 0F.

    Raises:
        ProtocolError: The header is cut or its length is not that of the data.
    """
    control, data = split_apdu(apdu)
    if control == m.StatusInformation.CONTROL:
        return m.StatusInformation(**_read(data, 0, _STATUS_INFORMATION, charset))
    if control == 0x8000:
        return m.Reply(None, **_read(data, 0, _REPLY, charset))
    if control >> 8 == 0x84:
        return m.Reply(control & 0xFF, **_read(data, 0, _REPLY, charset))
    if control == m.Completion.CONTROL:
        if answer_to == m.StatusEnquiry.CONTROL:
            return _decode_report(data)
        return m.Completion(**_read(data, 0, _COMPLETION, charset))
    message = _decode_of_terminal(control, data, charset) or _decode_command(control, data, charset)
    return message or m.Unknown(control, len(data))


def encode(message: m.Message, charset: str = "cp437", sequence: int | None = None) -> bytes:
    """Return `message` as one APDU, with a message sequence id if it is to carry one.

    Raises:
        ValueError: A value does not fit its field.
    """
    if sequence is not None:
        message = replace(message, tlv=(*(message.tlv or ()), sequence_tlv(sequence)))
    match message:
        case m.Reply(code=code):
            control = 0x8000 if code is None else 0x8400 | code
            return encode_apdu(control, _written(message, _REPLY, charset))
        case m.StatusInformation():
            data = _written(message, _STATUS_INFORMATION, charset)
        case m.Completion():
            data = _written(message, _COMPLETION, charset)
        case m.StatusReport(status=status, version=version):
            data = encode_bmp(0x3C, version.encode("iso8859-1"))[1:] if version else b""
            data += b"" if status is None else bytes([status])
            data += _written(message, _CONTAINER_ONLY, charset)
        case m.Abort(code=code, currency=currency):
            data = b"" if code is None else bytes([code])
            data += b"" if currency is None else encode_bcd(currency, 2)
            data += _written(message, _ABORT, charset)
        case m.IntermediateStatus(code=code, timeout_minutes=minutes):
            data = bytes([code]) + (b"" if minutes is None else encode_bcd(minutes, 1))
            data += _written(message, _CONTAINER_ONLY, charset)
        case m.SetClock():
            data = _written(message, _CLOCK, charset)
        case m.PrintLine():
            data = encode_line(message, charset)
        case m.PrintBlock():
            data = encode_block(message, charset)
        case m.Registration(config=config, currency=currency):
            data = bytes.fromhex(message.password) + bytes([config])
            data += b"" if currency is None else encode_bcd(currency, 2)
            data += _written(message, _REGISTRATION, charset)
        case m.ReadCard(timeout_seconds=seconds):
            data = bytes([seconds]) + _optional(0x19, message.card_type)
            data += _optional(0xFC, message.dialog) + _written(message, _CONTAINER_ONLY, charset)
        case m.DisplayText(lines=lines):
            data = _optional(0xF0, message.seconds)
            for bmp, line in zip(_LINES, lines, strict=False):
                data += encode_bmp(bmp, encode_text(line, charset))
            data += _optional(0xF9, message.beeps) + _written(message, _CONTAINER_ONLY, charset)
        case _:
            data = bytes.fromhex(message.password) + _written(message, _COMMAND, charset)
    return encode_apdu(message.CONTROL, data)


def _read(data: bytes, position: int, layout: _Layout, charset: str) -> dict[str, Any]:
    """Return constructor arguments; fields without a name or a meaning go to `others`."""
    fields, rest = decode_bmps(data, position)
    values: dict[str, Any] = {}
    others: list[tuple[int, bytes]] = []
    known = layout.read
    for bmp, raw in fields.items():
        entry = known.get(bmp)
        if entry is None:
            _keep_other(bmp, raw, others, values if 0x22 in known else None)
        elif entry[1] is None:
            values[entry[0]] = mask_text(decode_text(raw, charset)).rstrip("\0")
        else:
            try:
                values[entry[0]] = entry[1](raw)
            except ProtocolError:
                others.append((bmp, mask_raw(raw)))
    if others:
        values["others"] = tuple(others)
    if rest:
        values["rest"] = mask_raw(rest)
    return values


def _keep_other(
    bmp: int, raw: bytes, others: list[tuple[int, bytes]], card: dict[str, Any] | None
) -> None:
    if bmp in _TRACKS:
        if card is not None and card.get("pan") is None:
            card["pan"] = decode_track(bmp, raw)
    elif bmp not in _NEVER_KEPT:
        others.append((bmp, mask_raw(raw)))


def _written(message: m.Message, layout: _Layout, charset: str) -> bytes:
    parts: list[bytes] = []
    for name, bmp, encoder in layout.written:
        value = getattr(message, name)
        if value is not None and value not in ("", b""):
            raw = encoder(value) if encoder else encode_text(value, charset)
            parts.append(encode_bmp(bmp, raw + b"\0" if name == "card_name" else raw))
    assert isinstance(message, m.Remainder)
    return b"".join(parts) + _remainder(message)


def _remainder(message: m.Remainder) -> bytes:
    return b"".join(encode_bmp(bmp, raw) for bmp, raw in message.others) + message.rest


def _optional(bmp: int, value: int | None) -> bytes:
    return b"" if value is None else encode_bmp(bmp, bytes([value]))


# --- commands of the register


def _decode_command(control: int, data: bytes, charset: str) -> m.Message | None:
    if control == m.Registration.CONTROL:
        return _decode_registration(data, charset)
    if control == m.ReadCard.CONTROL:
        return _decode_read_card(data, charset)
    if control == m.DisplayText.CONTROL:
        return _decode_display(data, charset)
    kind = _COMMANDS.get(control)
    if kind is None:
        return None
    optional = control == m.StatusEnquiry.CONTROL and len(data) >= _PASSWORD_BYTES
    position = _PASSWORD_BYTES if optional or control in _WITH_PASSWORD else 0
    if len(data) < position:
        return None
    values = _read(data, position, _COMMAND, charset)
    return kind(data[:position].hex(), **values)


def _decode_registration(data: bytes, charset: str) -> m.Registration | None:
    if len(data) <= _PASSWORD_BYTES:
        return None
    password, config, position = data[:3].hex(), data[3], 4
    currency = None
    if len(data) >= 6:
        currency, position = bcd_or_none(data[4:6]), 6
    values = _read(data, position, _REGISTRATION, charset)
    return m.Registration(password, config, currency, **values)


def _decode_read_card(data: bytes, charset: str) -> m.ReadCard | None:
    if not data:
        return None
    values = _read(data, 1, _CONTAINER_ONLY, charset)
    numbers = {bmp: raw[0] for bmp, raw in values.get("others", ()) if bmp in (0x19, 0xFC)}
    values["others"] = tuple(o for o in values.get("others", ()) if o[0] not in numbers)
    return m.ReadCard(data[0], numbers.get(0x19), numbers.get(0xFC), **values)


def _decode_display(data: bytes, charset: str) -> m.DisplayText:
    fields, rest = decode_bmps(data)
    lines = tuple(decode_text(raw, charset) for bmp, raw in fields.items() if bmp in _LINES)
    numbers = {bmp: fields.pop(bmp)[0] for bmp in (0xF0, 0xF9) if bmp in fields}
    tlv = tlv_or_none(fields[0x06]) if 0x06 in fields else None
    known = (*_LINES, 0x06) if tlv is not None else _LINES
    others = tuple((bmp, mask_raw(raw)) for bmp, raw in fields.items() if bmp not in known)
    return m.DisplayText(
        lines, numbers.get(0xF0), numbers.get(0xF9), tlv, others=others, rest=mask_raw(rest)
    )


# --- messages of the terminal


def _decode_of_terminal(control: int, data: bytes, charset: str) -> m.Message | None:
    match control:
        case m.IntermediateStatus.CONTROL:
            return _decode_intermediate(data, charset) if data else None
        case m.PrintLine.CONTROL:
            return decode_line(data, charset)
        case m.PrintBlock.CONTROL:
            return decode_block(data, charset)
        case m.SetClock.CONTROL:
            return m.SetClock(**_read(data, 0, _CLOCK, charset))
        case m.Abort.CONTROL:
            return _decode_abort(data, charset)
    return None


def _decode_report(data: bytes) -> m.StatusReport:
    """Parse 06 0F after 05 01: [version LLLVAR] [status] [06 container].

    Status codes F0 to F9 look like the start of a version, which has three such bytes.
    """
    version, position = "", 0
    try:
        length = decode_var_length(data, 0, 3)
    except ProtocolError:
        pass  # no version, the status comes first
    else:
        if 3 + length <= len(data):
            version, position = data[3 : 3 + length].decode("iso8859-1"), 3 + length
    status = data[position] if position < len(data) else None
    return m.StatusReport(status, version, **_read(data, position + 1, _CONTAINER_ONLY, "cp437"))


def _decode_abort(data: bytes, charset: str) -> m.Abort:
    code = data[0] if data else None
    values = _read(data, 1, _ABORT, charset)
    currency = bcd_or_none(data[1:3])
    if code == _WRONG_CURRENCY and "rest" in values and currency is not None:
        return m.Abort(code, currency, **_read(data, 3, _ABORT, charset))
    return m.Abort(code, **values)


def _decode_intermediate(data: bytes, charset: str) -> m.IntermediateStatus:
    """Parse 04 FF; the container may follow the code at once although the text forbids it."""
    if data[1:2] == b"\x06":
        values = _read(data, 1, _CONTAINER_ONLY, charset)
        if "rest" not in values and "others" not in values:
            return m.IntermediateStatus(data[0], None, **values)
    minutes = bcd_or_none(data[1:2])
    return m.IntermediateStatus(data[0], minutes, **_read(data, 2, _CONTAINER_ONLY, charset))
