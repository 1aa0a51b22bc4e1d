"""Commands of a register that no payment of the bridge needs: for whoever looks after a terminal.

They are read and written like all others, so that a debug log names them and a tool can send them.
What the specification describes without a layout (files, vendor configuration, OPT) is not here.
Source: PA00P015 rev 13.08, chapter 2; the layouts of 06 09, 06 12, 06 91, 06 95, 08 30 and 08 40
are positional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict, get_args

from drivers.zvt.codec.fields import Tlv, decode_bmps, encode_bmp, encode_tlv, mask_raw, tlv_or_none
from drivers.zvt.codec.messages import Command, Remainder

PASSWORD_BYTES = 3
_TLV, _TERMINAL_ID, _DATE, _TIME = 0x06, 0x29, 0xAA, 0x0C


class _Tail(TypedDict):
    tlv: tuple[Tlv, ...] | None
    others: tuple[tuple[int, bytes], ...]
    rest: bytes


@dataclass(frozen=True, slots=True)
class AccountBalance(Command):
    """06 03: tell what is on the card's account."""

    CONTROL: ClassVar[int] = 0x0603


@dataclass(frozen=True, slots=True)
class ActivateCard(Command):
    """06 04: make a prepaid card usable."""

    CONTROL: ClassVar[int] = 0x0604


@dataclass(frozen=True, slots=True)
class Procurement(Command):
    """06 05: get something that the terminal's host sells."""

    CONTROL: ClassVar[int] = 0x0605


@dataclass(frozen=True, slots=True)
class TaxFree(Command):
    """06 0A: a refund of taxes."""

    CONTROL: ClassVar[int] = 0x060A


@dataclass(frozen=True, slots=True)
class TelephonicAuthorization(Command):
    """06 21: book `amount` with the `approval_code` that was told by telephone."""

    CONTROL: ClassVar[int] = 0x0621


@dataclass(frozen=True, slots=True)
class Reset(Command):
    """06 18: start again."""

    CONTROL: ClassVar[int] = 0x0618


@dataclass(frozen=True, slots=True)
class PrintConfiguration(Command):
    """06 1A: print how it is set up."""

    CONTROL: ClassVar[int] = 0x061A


@dataclass(frozen=True, slots=True)
class UploadOffline(Command):
    """06 51: hand in what was taken offline."""

    CONTROL: ClassVar[int] = 0x0651


@dataclass(frozen=True, slots=True)
class SelfTest(Command):
    """06 79: examine itself."""

    CONTROL: ClassVar[int] = 0x0679


@dataclass(frozen=True, slots=True)
class ServiceMode(Command):
    """08 01: open the service menu."""

    CONTROL: ClassVar[int] = 0x0801


@dataclass(frozen=True, slots=True)
class SwitchProtocol(Command):
    """08 02: speak another protocol; ends with the reply."""

    CONTROL: ClassVar[int] = 0x0802


@dataclass(frozen=True, slots=True)
class SoftwareUpdate(Command):
    """08 10: fetch new software."""

    CONTROL: ClassVar[int] = 0x0810


@dataclass(frozen=True, slots=True)
class TopUp(Remainder):
    """06 09: fill a prepaid card; `card_id` has four digits, `mode` is 1, 2 or 3.

    A completion may follow although it failed: the second 04 0F tells.
    """

    CONTROL: ClassVar[int] = 0x0609

    card_id: str
    mode: int
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReprintRange(Remainder):
    """06 12: print the receipts from number `first` to `last` (four digits; "": one only)."""

    CONTROL: ClassVar[int] = 0x0612

    password: str
    first: str
    last: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class SetTerminalId(Remainder):
    """06 1B: the eight digits of its name; nothing may be left to hand in."""

    CONTROL: ClassVar[int] = 0x061B

    password: str
    terminal_id: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class SetTerminalClock(Remainder):
    """06 91: YYMMDD and HHMMSS."""

    CONTROL: ClassVar[int] = 0x0691

    password: str
    full_date: str
    time: str
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChangePassword(Remainder):
    """06 95: six digits each."""

    CONTROL: ClassVar[int] = 0x0695

    password: str
    new_password: str
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class SetLanguage(Remainder):
    """08 30: 0 German, 1 English, 2 French, 3 Italian, and so on."""

    CONTROL: ClassVar[int] = 0x0830

    language: int
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class SwitchBaud(Remainder):
    """08 40: 0 is 9600 baud, 1 19200, 6 57600, 7 115200; ends with the reply, at the old rate.

    The terminal takes the new rate two seconds later, and forgets it when it starts again.
    """

    CONTROL: ClassVar[int] = 0x0840

    rate: int
    tlv: tuple[Tlv, ...] | None = None


Plain = (
    AccountBalance
    | ActivateCard
    | Procurement
    | TaxFree
    | TelephonicAuthorization
    | Reset
    | PrintConfiguration
    | UploadOffline
    | SelfTest
    | ServiceMode
    | SwitchProtocol
    | SoftwareUpdate
)
Positional = (
    TopUp
    | ReprintRange
    | SetTerminalId
    | SetTerminalClock
    | ChangePassword
    | SetLanguage
    | SwitchBaud
)
Upkeep = Plain | Positional
PLAIN: tuple[type[Plain], ...] = get_args(Plain)
WITH_PASSWORD = frozenset({TelephonicAuthorization.CONTROL, UploadOffline.CONTROL})


def write(message: Positional) -> bytes:
    """Return the data of a positional command, without its header.

    Raises:
        ValueError: A value does not fit its field.
    """
    match message:
        case TopUp(card_id=card_id, mode=mode):
            data = bytes.fromhex(card_id) + bytes([mode])
        case ReprintRange(password=password, first=first, last=last):
            data = bytes.fromhex(password + first + last)
        case SetTerminalId(password=password, terminal_id=name):
            data = bytes.fromhex(password)
            data += encode_bmp(_TERMINAL_ID, bytes.fromhex(name)) if name else b""
        case SetTerminalClock(password=password, full_date=date, time=time):
            data = bytes.fromhex(password) + encode_bmp(_DATE, bytes.fromhex(date))
            data += encode_bmp(_TIME, bytes.fromhex(time))
        case ChangePassword(password=password, new_password=new):
            data = bytes.fromhex(password + new)
        case SetLanguage(language=number) | SwitchBaud(rate=number):
            data = bytes([number])
    if message.tlv is not None:
        data += encode_bmp(_TLV, encode_tlv(message.tlv))
    return data + b"".join(encode_bmp(bmp, raw) for bmp, raw in message.others) + message.rest


def read(control: int, data: bytes) -> Positional | None:
    """Return a positional command; None when this is none, or what it must have is missing."""
    password = data[:PASSWORD_BYTES].hex()
    match control:
        case TopUp.CONTROL if len(data) >= 3:
            return TopUp(data[:2].hex(), data[2], **_tail(data[3:]))
        case ReprintRange.CONTROL if len(data) >= 5:
            more = len(data) >= 7 and not _is_container(data[5:])
            last, end = (data[5:7].hex(), 7) if more else ("", 5)
            return ReprintRange(password, data[3:5].hex(), last, **_tail(data[end:]))
        case SetTerminalId.CONTROL if len(data) >= PASSWORD_BYTES:
            tail, found = _named(data[PASSWORD_BYTES:], _TERMINAL_ID)
            return SetTerminalId(password, found.get(_TERMINAL_ID, ""), **tail)
        case SetTerminalClock.CONTROL if len(data) >= PASSWORD_BYTES:
            tail, found = _named(data[PASSWORD_BYTES:], _DATE, _TIME)
            if len(found) < 2:
                return None
            return SetTerminalClock(password, found[_DATE], found[_TIME], **tail)
        case ChangePassword.CONTROL if len(data) >= 2 * PASSWORD_BYTES:
            new, end = data[PASSWORD_BYTES : 2 * PASSWORD_BYTES].hex(), 2 * PASSWORD_BYTES
            return ChangePassword(password, new, **_tail(data[end:]))
        case SetLanguage.CONTROL if data:
            return SetLanguage(data[0], **_tail(data[1:]))
        case SwitchBaud.CONTROL if data:
            return SwitchBaud(data[0], **_tail(data[1:]))
    return None


def _is_container(data: bytes) -> bool:
    """Tell a container from a second number, which may begin with the same byte."""
    fields, rest = decode_bmps(data)
    return not rest and set(fields) == {_TLV} and tlv_or_none(fields[_TLV]) is not None


def _tail(data: bytes) -> _Tail:
    """Return what follows the positional fields."""
    return _named(data)[0]


def _named(data: bytes, *wanted: int) -> tuple[_Tail, dict[int, str]]:
    """Return what follows the positional fields, and of it the digits of the wanted ones."""
    fields, rest = decode_bmps(data)
    found = {bmp: fields.pop(bmp).hex() for bmp in wanted if bmp in fields}
    tlv = tlv_or_none(fields[_TLV]) if _TLV in fields else None
    if tlv is not None:
        del fields[_TLV]
    others = tuple((bmp, mask_raw(raw)) for bmp, raw in fields.items())
    return {"tlv": tlv, "others": others, "rest": mask_raw(rest)}, found
