"""What an installer may set for a ZVT terminal, and what is known of the makers. Pure facts.

Sources: PA00P015 rev 13.08 (registration); card complete "ZVT-Praezisierung" edition 22; captures
and issue reports for the other makers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from drivers.zvt.codec.codes import CURRENCY_NUMBERS
from drivers.zvt.codec.fields import CHARSETS
from drivers.zvt.codec.framing import LinkTimers

ProfileName = Literal["default", "card_complete", "feig", "global_payments", "hobex"]

AMOUNT_ENTRY_LOCKED = 0x10  # configuration bit: payments start at the register only
ADMINISTRATION_LOCKED = 0x20  # configuration bit: so do end of day, reversal and the like
RECEIPTS_TO_REGISTER = 0x82  # configuration bits: the terminal formats, the register prints
_PASSWORD_DIGITS = 6
_DIAGNOSIS_TYPES = range(1, 6)  # TLV 1B: line, extended, configuration, EMV configuration, EP2


@dataclass(frozen=True, slots=True)
class Profile:
    """How one maker's terminals differ."""

    config_byte: int = 0xBE  # everything from the register, receipts formatted by the terminal
    charset: str = "auto"
    abort_supported: bool = True  # 06 B0 during a payment
    repeat_receipt_usable: bool = True  # 06 20 tells the last transaction
    amount_always_sent: bool = True  # 04 0F of an approval carries BMP 04
    books_holds: bool = True  # 06 24; otherwise the unused rest is released with 06 23
    diagnosis_usable: bool = True  # 06 70
    initialization_usable: bool = True  # 06 93
    status_enquiry_usable: bool = True  # 05 01; otherwise nothing but silence tells of idleness
    hangs_up: bool = False  # TCP: it closes the connection behind each command's end
    registers_first: bool = False  # its registration ends with the connection (84 6B without)
    # The amount entry stays locked although a connection ends, a registration is forgotten or the
    # power fails: nobody but us ever starts a payment there.
    keypad_stays_locked: bool = False


PROFILES: dict[ProfileName, Profile] = {
    "default": Profile(),
    # Its configuration after a log-off is BE, and a registration survives a restart.
    "card_complete": Profile(
        charset="iso8859-1", initialization_usable=False, keypad_stays_locked=True
    ),
    "feig": Profile(config_byte=0xDE, charset="iso8859-1"),
    "global_payments": Profile(
        charset="iso8859-2", abort_supported=False, repeat_receipt_usable=False
    ),
    "hobex": Profile(charset="cp437", amount_always_sent=False),
}
_SET_BY_HAND = (
    *("config_byte", "charset", "abort_supported"),
    *("repeat_receipt_usable", "diagnosis_usable", "initialization_usable"),
    *("status_enquiry_usable", "hangs_up", "registers_first", "keypad_stays_locked"),
)


@dataclass(frozen=True, slots=True)
class ZvtSettings:
    """Settings of one terminal; what is None follows `profile`.

    `password` is the terminal's six-digit register password. `config_byte` (0..255) is sent at
    registration; with bit 10 payments can be started by the register only, which keeps a baseline
    valid while its line stands. `keypad_stays_locked` says that the terminal itself never takes a
    payment from its keypad, not even unregistered or after a power cut: only then is a transaction
    that its memory shows after a lost connection told as ours without a person.
    `currency` is what the terminal is set up for. `diagnosis_type` is 1 (line only),
    2 (extended), 3 (configuration), 4 (EMV configuration) or 5 (EP2); None leaves it to the
    terminal. With `sequence_ids` every conversation registers first and numbers its messages if
    the terminal agrees. With `synchronization_ids` an order tells the last transaction that we
    know, which needs a terminal that takes orders from the register only (bits 10 and 20).
    Without `status_enquiry_usable`, or where 05 01 turns out to tell nothing, a terminal counts as
    idle once it has been silent for `longest_payment_seconds`. `hangs_up` is for one that closes
    its TCP connection behind each command, `registers_first` for one that answers 84 6B to an
    order on a connection without a registration.
    """

    profile: ProfileName = "default"
    password: str = field(default="000000", repr=False)  # the usual one, in every manual
    currency: str = "EUR"
    config_byte: int | None = None
    charset: str | None = None
    abort_supported: bool | None = None
    repeat_receipt_usable: bool | None = None
    diagnosis_usable: bool | None = None
    diagnosis_type: int | None = None
    initialization_usable: bool | None = None
    status_enquiry_usable: bool | None = None
    hangs_up: bool | None = None
    registers_first: bool | None = None
    keypad_stays_locked: bool | None = None
    sends_language: bool = False  # TLV 15 with a payment that has a language
    synchronization_ids: bool = False  # TLV 1F1F
    sequence_ids: bool = False  # TLV 1F73; card complete asks native integrations for it
    byte_gap_seconds: float = 0.2  # T1
    acknowledge_seconds: float = 5.0  # T2
    reply_seconds: float = 5.0  # T3
    patience_seconds: float = 180.0  # T4: PIN entry may take minutes without a sign of life
    automatic_initialization: bool = True  # 06 93 when the terminal asks for it
    automatic_diagnosis: bool = True  # 06 70 likewise
    longest_payment_seconds: float = 300.0  # no payment there is silent for longer

    def __post_init__(self) -> None:
        if len(self.password) != _PASSWORD_DIGITS or not self.password.isdecimal():
            raise ValueError("password must be six digits")
        if self.currency not in CURRENCY_NUMBERS:
            raise ValueError(f"currency {self.currency!r} is not known to this driver")
        if self.config_byte is not None and not 0 <= self.config_byte <= 0xFF:
            raise ValueError("config_byte must be 0..255")
        if self.charset is not None and self.charset not in CHARSETS:
            raise ValueError(f"charset must be one of {', '.join(CHARSETS)}")
        if self.diagnosis_type not in (None, *_DIAGNOSIS_TYPES):
            raise ValueError("diagnosis_type must be 1..5")
        alone = AMOUNT_ENTRY_LOCKED | ADMINISTRATION_LOCKED
        if self.synchronization_ids and self.traits.config_byte & alone != alone:
            raise ValueError("synchronization_ids needs bits 10 and 20 of config_byte")
        if self.longest_payment_seconds < self.patience_seconds:
            raise ValueError("longest_payment_seconds must not be below patience_seconds")
        traits = self.traits
        if traits.hangs_up and (traits.registers_first or self.sequence_ids):
            raise ValueError("hangs_up leaves no connection for a registration before an order")
        for name in (
            *("byte_gap_seconds", "acknowledge_seconds"),
            *("reply_seconds", "patience_seconds", "longest_payment_seconds"),
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")

    @property
    def traits(self) -> Profile:
        """The profile with everything that was set by hand put over it."""
        by_hand = {name: getattr(self, name) for name in _SET_BY_HAND}
        chosen = {name: value for name, value in by_hand.items() if value is not None}
        return replace(PROFILES[self.profile], **chosen)

    @property
    def keypad_is_always_locked(self) -> bool:
        """Whether nobody but us can start a payment, whatever became of the connection."""
        traits = self.traits
        return traits.keypad_stays_locked and bool(traits.config_byte & AMOUNT_ENTRY_LOCKED)

    @property
    def link_timers(self) -> LinkTimers:
        """T1, T2 and T3 as the framing wants them."""
        return LinkTimers(self.byte_gap_seconds, self.acknowledge_seconds, self.reply_seconds)
