"""What the protocol's numbers mean, in the words of the published contract. Tables only.

Source: PA00P015 rev 13.08, chapters on error codes, terminal status, intermediate status and card
types; host codes are those of ISO 8583 field 39 as German authorization hosts use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from drivers.contract import ALREADY_REVERSED, Stage

Kind = Literal["declined", "canceled", "failed"]

OK: Final = 0x00
WRONG_PIN: Final = 0x37  # 55 of the host; another try may follow
ABORTED: Final = 0x6C  # timeout or cancel key
WRONG_CURRENCY: Final = 0x6F
SYSTEM_ERROR: Final = 0xFF
BUSY: Final = 0x9C
NOT_READY: Final = 0xA0
PROTOCOL_ERROR: Final = 0x9A
HOLDS_LISTED: Final = 0xB8  # the usual end of a question for the open holds
UNKNOWN_COMMAND: Final = 0x83
NOT_REGISTERED: Final = 0x6B
NOT_STORED: Final = 0x66  # our refusal of an approval that could not be stored
UPDATE_STARTS, REBOOTS = 0xE0, 0xFC  # information at the end of day
END_OF_DAY_IMPOSSIBLE, END_OF_DAY_OPEN = 0x77, 0xF0  # nothing was closed
HOST_CODES = range(0x01, 0x64)
# What terminals that have no status to tell answer to 05 01: it says nothing of how they are.
STATUS_UNKNOWN = frozenset((UNKNOWN_COMMAND, PROTOCOL_ERROR))
# What a terminal answers to a command that it will not carry out now. After our 06 B0 it may be
# about that, and the payment goes on.
ABOUT_A_COMMAND = frozenset((UNKNOWN_COMMAND, PROTOCOL_ERROR, BUSY, NOT_READY))


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a result other than 0 is told: by whom, and with which reason of the contract."""

    kind: Kind
    reason: str
    text: str


_HOST_REASONS: dict[int, tuple[str, str]] = {
    1: ("call_issuer", "call the card issuer"),
    2: ("call_issuer", "call the card issuer"),
    4: ("capture_card", "keep the card"),
    7: ("capture_card", "keep the card"),
    14: ("card_not_supported", "card number not valid"),
    33: ("card_expired", "card expired"),
    34: ("suspected_fraud", "declined"),
    41: ("capture_card", "keep the card"),
    43: ("capture_card", "keep the card"),
    51: ("insufficient_funds", "not enough funds"),
    54: ("card_expired", "card expired"),
    55: ("wrong_pin", "wrong PIN"),
    57: ("payment_restriction", "not permitted with this card"),
    59: ("suspected_fraud", "declined"),
    61: ("insufficient_funds", "above the card's limit"),
    62: ("payment_restriction", "card restricted"),
    65: ("declined", "use chip and PIN"),
    75: ("pin_tries_exceeded", "PIN tried too often"),
    91: ("host_unreachable", "card issuer not reachable"),
    92: ("host_unreachable", "card issuer not reachable"),
}

_REFUSAL_ROWS: tuple[tuple[int, Kind, str, str], ...] = (
    (0x64, "failed", "card_read_failed", "card not readable"),
    (0x65, "failed", "card_read_failed", "no card data"),
    (0x66, "failed", "terminal_fault", "processing error"),
    (0x67, "declined", "card_not_supported", "not possible with this card"),
    (0x68, "declined", "card_not_supported", "not possible with this card"),
    (0x6A, "failed", "terminal_maintenance", "turnover store full, close the batch"),
    (0x6B, "failed", "terminal_not_logged_in", "terminal not registered"),
    (0x6C, "canceled", "canceled_by_cardholder", "stopped at the terminal"),
    (0x6E, "declined", "declined", "card on the blocked list"),
    (0x6F, "failed", "payment_restriction", "wrong currency"),
    (0x71, "declined", "insufficient_funds", "not enough credit"),
    (0x72, "failed", "card_read_failed", "chip error"),
    (0x73, "failed", "card_read_failed", "card data wrong"),
    (0x76, "declined", "card_not_supported", "card not admitted here"),
    (0x77, "failed", "terminal_fault", "end of day not possible"),
    (0x78, "declined", "card_expired", "card expired"),
    (0x79, "declined", "card_not_supported", "card not yet valid"),
    (0x7A, "declined", "card_not_supported", "card unknown"),
    (0x7B, "failed", "card_read_failed", "magnetic stripe not possible"),
    (0x7C, "failed", "card_read_failed", "magnetic stripe not possible"),
    (0x7D, "failed", "host_unreachable", "communication error"),
    (0x7E, "failed", "card_read_failed", "magnetic stripe not possible"),
    (0x83, "failed", "operation_not_supported", "function not possible"),
    (0x9B, "failed", "host_unreachable", "dial-up error"),
    (0x9C, "failed", "terminal_busy", "terminal busy"),
    (0xA0, "failed", "terminal_busy", "terminal not ready"),
    (0xA1, "failed", "host_timeout", "host does not answer"),
    (0xA3, "failed", "host_unreachable", "no connection to the host"),
    (0xB1, "failed", "terminal_maintenance", "memory full, close the batch"),
    (0xB2, "failed", "terminal_maintenance", "journal full"),
    (0xB4, "failed", ALREADY_REVERSED, "already reversed"),
    (0xB5, "failed", "void_not_possible", "reversal not possible"),
    (0xB7, "failed", "capture_exceeds_authorized", "amount above the hold"),
    (0xB8, "failed", "original_not_found", "pre-authorization not found"),
    (0xC3, "declined", "payment_restriction", "above the maximum amount"),
    (0xC5, "failed", "operation_not_supported", "payment method not supported"),
    (0xC6, "failed", "payment_restriction", "currency not possible"),
    (0xC8, "declined", "payment_restriction", "amount too small"),
    (0xCB, "failed", "payment_restriction", "only in EUR"),
    (0xCC, "failed", "printer_fault", "printer not ready"),
    (0xD2, "declined", "card_not_supported", "not possible with this card"),
    (0xEA, "declined", "payment_restriction", "card not permitted"),
    (0xF0, "failed", "terminal_maintenance", "close the batch first"),
)
_REFUSALS = {code: Refusal(kind, reason, text) for code, kind, reason, text in _REFUSAL_ROWS}


def refusal(code: int) -> Refusal:
    """Return how result `code` (not 0) is told; an unknown one is a fault of the terminal."""
    if code in HOST_CODES:
        reason, text = _HOST_REASONS.get(code, ("declined", "declined"))
        return Refusal("declined", reason, text)
    return _REFUSALS.get(code) or Refusal("failed", "terminal_fault", f"terminal error {code:02X}")


# --- terminal status (05 01): code to (code of the contract, text); the rest are ready

NOT_INITIALIZED: Final = 0x51
READY_STATUS = frozenset((0x00, 0xDC, 0xE1))
_NOT_READY: dict[int, tuple[str, str]] = {
    0x51: ("terminal_maintenance", "initialization required"),
    0x62: ("terminal_maintenance", "clock is wrong"),
    0x9C: ("terminal_busy", "busy"),
    0x9D: ("terminal_busy", "busy"),
    0xB1: ("terminal_maintenance", "memory full, close the batch"),
    0xB2: ("terminal_maintenance", "journal full"),
    0xBF: ("terminal_fault", "low voltage"),
    0xC0: ("terminal_locked", "card lock defective"),
    0xC1: ("terminal_locked", "merchant card locked"),
    0xC2: ("terminal_maintenance", "diagnosis required"),
    0xC4: ("terminal_maintenance", "card profile invalid, software update required"),
    0xCC: ("printer_fault", "printer not ready"),
    0xDF: ("terminal_fault", "out of order"),
    0xE0: ("terminal_updating", "remote maintenance"),
    0xE2: ("terminal_fault", "card reader defective"),
    0xE3: ("terminal_fault", "shutter closed"),
    0xE4: ("terminal_maintenance", "activation required"),
    0xF0: ("terminal_maintenance", "close the batch first"),
    0xF6: ("terminal_maintenance", "data missing"),
}


def not_ready(status: int) -> tuple[str, str] | None:
    """Return (code of the contract, text) for a terminal status that takes no payments."""
    if status in READY_STATUS:
        return None
    return _NOT_READY.get(status, ("terminal_fault", f"terminal status {status:02X}"))


# What repairs it, as far as a register can order it (06 50, 06 70). Source: PA00P015 rev 13.08.
_REMEDIES: dict[int, Literal["reconcile", "diagnose"]] = {
    **dict.fromkeys((0x6A, 0xB1, 0xF0), "reconcile"),
    **dict.fromkeys((0x62, 0xC1, 0xC2), "diagnose"),
}


def remedy_of(code: int) -> Literal["", "reconcile", "diagnose"]:
    """Return the operation that makes a terminal with this status or refusal ready again."""
    return _REMEDIES.get(code, "")


# --- what a completion's BMP 19 asks for

INITIALIZATION = "initialization required"
_NEEDS: dict[int, str] = {0x01: INITIALIZATION, 0x02: "diagnosis required"}


def needs_of(status_bits: int | None) -> tuple[str, ...]:
    """Return what must be done before everything works, in words."""
    return tuple(text for bit, text in _NEEDS.items() if (status_bits or 0) & bit)


# --- intermediate status (04 FF)

_STAGES: dict[Stage, str] = {
    Stage.WAITING_FOR_CARD: "0A 07 08 09 10 13 19 60",
    Stage.TRY_AGAIN: "03 0C 2A",
    Stage.CARD_PRESENTED: "01 02 68",
    Stage.SELECT_APPLICATION: "28 29 2C 69 E0 E1",
    Stage.ENTERING_PIN: "15 18 CC",
    Stage.AUTHORIZING: "00 04 0E 17 2B D2 D3 F1 F2 F3",
    Stage.REMOVE_CARD: "0B 43 44 45 46 47 48 49 4B 4C 4D 4E 50 51 52 53 54 55 56 57 58 59 5A 5B 5C"
    " 5D 66 67",
    Stage.FINISHING: "05 06 0D 0F 11 12 14 16 1A 1B 1C 1D C8 C9 CA CB",
}
_STAGE_OF: dict[int, Stage] = {
    int(code, 16): stage for stage, written in _STAGES.items() for code in written.split()
}


def stage_of(code: int) -> Stage | None:
    """Return the stage that an intermediate status stands for; None if it says nothing."""
    return _STAGE_OF.get(code)


# --- cards

BRANDS: dict[int, str] = {
    2: "girocard",
    5: "girocard",
    6: "mastercard",
    8: "amex",
    9: "direct_debit",
    10: "visa",
    11: "visa_electron",
    12: "diners",
    13: "vpay",
    14: "jcb",
    30: "geldkarte",
    46: "maestro",
    69: "postfinance",
    87: "bancontact",
    97: "alipay",
    111: "instant_payment",
    198: "unionpay",
    232: "discover",
    260: "bluecode",
}
CARD_TYPE_IN_TLV = 0xFF  # the number does not fit one byte: see TLV 41

CARDHOLDER_CHECKS: dict[int, str] = {  # TLV 1F10
    0: "none",
    1: "signature",
    2: "online_pin",
    3: "offline_pin",
    4: "offline_pin",
    5: "signature",
    6: "signature",
    7: "signature",
}
ENTRY_MODES: dict[int, str] = {0: "magstripe", 1: "icc", 2: "contactless"}  # TLV 1F12

RECEIPT_COPIES: dict[int, Literal["customer", "merchant", "administration"]] = {
    1: "merchant",
    2: "customer",
    3: "administration",
}
RECEIPT_POSITIVE, RECEIPT_SIGNATURE, RECEIPT_MUST_PRINT = 0x01, 0x02, 0x80  # bits of TLV 1F37

TOTALS_BRANDS = ("girocard", "jcb", "mastercard", "amex", "visa", "diners", "other")  # BMP 60

# --- currencies, ISO 4217: those of the markets in which terminals of this protocol are sold, and
# those that visitors are offered. An amount counts the smallest unit that ISO 4217 knows, so one of
# ISK, JPY or KRW has no decimals.

CURRENCY_LETTERS: dict[int, str] = {
    number: letters
    for letters, number in (
        *(("EUR", 978), ("CHF", 756), ("GBP", 826), ("USD", 840), ("DKK", 208), ("SEK", 752)),
        *(("NOK", 578), ("ISK", 352), ("PLN", 985), ("CZK", 203), ("HUF", 348), ("RON", 946)),
        *(("BGN", 975), ("HRK", 191), ("RSD", 941), ("BAM", 977), ("MKD", 807), ("ALL", 8)),
        *(("MDL", 498), ("UAH", 980), ("GEL", 981), ("TRY", 949), ("ILS", 376), ("AED", 784)),
        *(("AUD", 36), ("NZD", 554), ("CAD", 124), ("HKD", 344), ("SGD", 702), ("CNY", 156)),
        *(("JPY", 392), ("KRW", 410), ("THB", 764), ("ZAR", 710), ("BRL", 986), ("MXN", 484)),
    )
}
CURRENCY_NUMBERS: dict[str, int] = {letters: n for n, letters in CURRENCY_LETTERS.items()}
