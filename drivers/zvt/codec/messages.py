"""What register and terminal say to each other, as frozen dataclasses. Pure facts, no decisions.

`codec.decode` and `codec.encode` turn them into APDUs and back.
Source: PA00P015 rev 13.08, chapters 2 (commands of the register) and 3 (commands of the terminal).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drivers.contract import MaskedPan
from drivers.zvt.codec.fields import Tlv

LAST_LINE = 0x80  # bit of a print attribute: the receipt ends here
LINE_FEED = 0xFF  # print attribute: feed paper, no text


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What a message carries beside its named fields, masked.

    `others` are known BMP fields without a name here, `rest` is what could not be parsed.
    """

    others: tuple[tuple[int, bytes], ...] = ()
    rest: bytes = b""


# --- replies, both directions


@dataclass(frozen=True, slots=True)
class Reply(Remainder):
    """80 00 (`code` None) or 84 xx (`code` xx, a result code), rarely with an amount or TLV."""

    code: int | None = None
    amount: int | None = None
    tlv: tuple[Tlv, ...] | None = None

    @property
    def positive(self) -> bool:
        """Whether it says yes: 80 00 and 84 00 do."""
        return not self.code


POSITIVE = Reply()

# --- commands of the register


@dataclass(frozen=True, slots=True)
class Command(Remainder):
    """A command of the register made of an optional password and BMP fields.

    `password` is six digits, `amount` counts minor units, `currency` is the ISO 4217 number,
    `receipt` four digits ("ffff" asks for none), `trace` six; "" and None leave a field out.
    """

    CONTROL: ClassVar[int]

    password: str = ""
    service: int | None = None
    amount: int | None = None
    currency: int | None = None
    payment_type: int | None = None
    receipt: str = ""
    trace: str = ""
    approval_code: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class Authorization(Command):
    """06 01: take `amount`."""

    CONTROL: ClassVar[int] = 0x0601


@dataclass(frozen=True, slots=True)
class PreAuthorization(Command):
    """06 22: hold `amount`."""

    CONTROL: ClassVar[int] = 0x0622


@dataclass(frozen=True, slots=True)
class PartialReversal(Command):
    """06 23: release `amount`, which is what was NOT used, of the hold `receipt`."""

    CONTROL: ClassVar[int] = 0x0623


@dataclass(frozen=True, slots=True)
class BookTotal(Command):
    """06 24: take `amount`, which is what WAS used, of the hold `receipt`."""

    CONTROL: ClassVar[int] = 0x0624


@dataclass(frozen=True, slots=True)
class CancelPreAuthorization(Command):
    """06 25: release the whole hold `receipt`."""

    CONTROL: ClassVar[int] = 0x0625


@dataclass(frozen=True, slots=True)
class ExternalReversal(Command):
    """06 26: release a hold that this terminal has no receipt number of."""

    CONTROL: ClassVar[int] = 0x0626


@dataclass(frozen=True, slots=True)
class Tip(Command):
    """06 0C: add the tip `amount` to the payment `receipt`."""

    CONTROL: ClassVar[int] = 0x060C


@dataclass(frozen=True, slots=True)
class Reversal(Command):
    """06 30: void the payment `receipt` before the end of day."""

    CONTROL: ClassVar[int] = 0x0630


@dataclass(frozen=True, slots=True)
class Refund(Command):
    """06 31: give `amount` back to a card."""

    CONTROL: ClassVar[int] = 0x0631


@dataclass(frozen=True, slots=True)
class RepeatReceipt(Command):
    """06 20: tell the last transaction again; service bit 1 sends it, bit 2 does not print."""

    CONTROL: ClassVar[int] = 0x0620


@dataclass(frozen=True, slots=True)
class EndOfDay(Command):
    """06 50: close the batch."""

    CONTROL: ClassVar[int] = 0x0650


@dataclass(frozen=True, slots=True)
class Totals(Command):
    """06 10: the totals of the open batch."""

    CONTROL: ClassVar[int] = 0x0610


@dataclass(frozen=True, slots=True)
class Initialization(Command):
    """06 93: network start."""

    CONTROL: ClassVar[int] = 0x0693


@dataclass(frozen=True, slots=True)
class StatusEnquiry(Command):
    """05 01: how are you; service bit 02 leaves the version out, 04 asks for details."""

    CONTROL: ClassVar[int] = 0x0501


@dataclass(frozen=True, slots=True)
class Diagnosis(Command):
    """06 70: call the host; TLV 1B says which kind."""

    CONTROL: ClassVar[int] = 0x0670


@dataclass(frozen=True, slots=True)
class SelfTest(Command):
    """06 79: examine yourself."""

    CONTROL: ClassVar[int] = 0x0679


@dataclass(frozen=True, slots=True)
class LogOff(Command):
    """06 02: back to the terminal's own configuration."""

    CONTROL: ClassVar[int] = 0x0602


@dataclass(frozen=True, slots=True)
class AbortRequest(Command):
    """06 B0: stop what runs."""

    CONTROL: ClassVar[int] = 0x06B0


@dataclass(frozen=True, slots=True)
class Registration(Remainder):
    """06 00: password, configuration byte, and what the register can do."""

    CONTROL: ClassVar[int] = 0x0600

    password: str
    config: int
    currency: int | None = None
    service: int | None = None
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReadCard(Remainder):
    """06 C0: read a card within `timeout_seconds` (0..255)."""

    CONTROL: ClassVar[int] = 0x06C0

    timeout_seconds: int
    card_type: int | None = None
    dialog: int | None = None
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class DisplayText(Remainder):
    """06 E0: up to eight lines for `seconds` (0..255, None leaves it to the terminal)."""

    CONTROL: ClassVar[int] = 0x06E0

    lines: tuple[str, ...]
    seconds: int | None = None
    beeps: int | None = None
    tlv: tuple[Tlv, ...] | None = None


# --- messages of the terminal


@dataclass(frozen=True, slots=True)
class StatusInformation(Remainder):
    """04 0F: the result of a transaction. Approved only if `result` is there and 0.

    Digits are texts as sent: `time` HHMMSS, `date` MMDD, `full_date` YYMMDD, `expiry` YYMM.
    """

    CONTROL: ClassVar[int] = 0x040F

    result: int | None = None
    amount: int | None = None
    trace: str = ""
    time: str = ""
    date: str = ""
    expiry: str = ""
    sequence_number: str = ""
    payment_type: int | None = None
    pan: MaskedPan | None = None
    terminal_id: str = ""
    merchant_id: str = ""
    original_trace: str = ""
    approval_code: str = ""
    text: str = ""
    currency: int | None = None
    totals: bytes = b""
    receipt: str = ""
    turnover: str = ""
    card_type: int | None = None
    card_name: str = ""
    operator_card_type: int | None = None
    host_code: int | None = None
    full_date: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class Completion(Remainder):
    """06 0F: finished; what became of it said the last 04 0F.

    `amount` and `totals` (BMP 60) are there where an end of day has no 04 0F.
    """

    CONTROL: ClassVar[int] = 0x060F

    result: int | None = None
    time: str = ""
    status: int | None = None
    terminal_id: str = ""
    currency: int | None = None
    full_date: str = ""
    tlv: tuple[Tlv, ...] | None = None
    amount: int | None = None
    totals: bytes = b""


@dataclass(frozen=True, slots=True)
class StatusReport(Remainder):
    """06 0F after 05 01, with a layout of its own; `status` None if the terminal left it out."""

    CONTROL: ClassVar[int] = 0x060F

    status: int | None
    version: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class Abort(Remainder):
    """06 1E: it ended without success; `code` None if the terminal gave no reason."""

    CONTROL: ClassVar[int] = 0x061E

    code: int | None = None
    currency: int | None = None
    receipt: str = ""
    text: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class IntermediateStatus(Remainder):
    """04 FF: what the terminal is at; `timeout_minutes` replaces T4 when given."""

    CONTROL: ClassVar[int] = 0x04FF

    code: int
    timeout_minutes: int | None = None
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class SetClock(Remainder):
    """04 01: the terminal tells the time (YYMMDD, HHMMSS)."""

    CONTROL: ClassVar[int] = 0x0401

    full_date: str = ""
    time: str = ""
    tlv: tuple[Tlv, ...] | None = None


@dataclass(frozen=True, slots=True)
class PrintLine:
    """06 D1: one line of a receipt; `feed_lines` counts only with attribute FF."""

    CONTROL: ClassVar[int] = 0x06D1

    text: str = ""
    attribute: int = 0
    feed_lines: int = 0
    receipt_type: int | None = None  # card complete appends it
    tlv: tuple[Tlv, ...] | None = None  # what else is appended

    @property
    def closes(self) -> bool:
        """Whether the receipt ends with this line."""
        return bool(self.attribute & LAST_LINE) and self.attribute not in (LAST_LINE, LINE_FEED)


@dataclass(frozen=True, slots=True)
class PrintBlock:
    """06 D3: lines of a receipt as (attribute, text); `closes` if the receipt ends with it.

    `receipt_type` is 1 merchant, 2 customer, 3 administration; `information` holds the bits of
    TLV 1F37; `charset_code` is the value of TLV 14.
    """

    CONTROL: ClassVar[int] = 0x06D3

    lines: tuple[tuple[int, str], ...]
    receipt_type: int | None = None
    information: int | None = None
    charset_code: int | None = None
    closes: bool = True
    tlv: tuple[Tlv, ...] | None = None  # what else stands beside the lines


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message this driver does not know; only its size is kept of its data."""

    control: int
    data_bytes: int


BmpCommand = (
    Authorization
    | PreAuthorization
    | PartialReversal
    | BookTotal
    | CancelPreAuthorization
    | ExternalReversal
    | Tip
    | Reversal
    | Refund
    | RepeatReceipt
    | EndOfDay
    | Totals
    | Initialization
    | StatusEnquiry
    | Diagnosis
    | SelfTest
    | LogOff
    | AbortRequest
)
TerminalMessage = (
    StatusInformation
    | Completion
    | StatusReport
    | Abort
    | IntermediateStatus
    | SetClock
    | PrintLine
    | PrintBlock
)
Message = Reply | BmpCommand | Registration | ReadCard | DisplayText | TerminalMessage
