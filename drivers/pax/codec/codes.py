"""What the protocol's numbers mean, in the words of the published contract. Tables only.

Source: fact sheet "PAX POSLINK", sections 5 to 7; host codes are ISO 8583 field 39.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

# --- result codes (field 4 of every answer)

OK: Final = "000000"
PARTIAL: Final = "000002"
DECLINED: Final = "000100"
TIMEOUT: Final = "100001"
ABORTED: Final = "100002"
FORMAT: Final = "100003"
DUPLICATE: Final = "100011"
ALREADY_VOIDED: Final = "100021"
NOT_FOUND: Final = "100023"

# 08 is "honor with identification", 11 "approved (VIP)", 85 "no reason to decline".
# Source: ISO 8583:1987, field 39; fact sheet "PAX POSLINK", additions of November 2026.
APPROVED_HOST_CODES: Final = frozenset(("0", "00", "000", "08", "11", "85"))
PARTIAL_HOST_CODE: Final = "10"  # approves a part, and nothing else
# "Request in progress", "response received too late", "duplicate transmission": what became of the
# money they do not say.
OPEN_HOST_CODES: Final = frozenset(("09", "68", "94"))
_NO: Final = (
    "01 02 03 04 05 06 07 12 13 14 15 19 25 30 31 33 34 35 36 37 38 39 40 41 42 43 51 52 53 54 55 "
    "56 57 58 59 61 62 63 65 75 76 77 78 79 80 81 82 83 86 88 89 90 91 92 93 96"
)
NO_HOST_CODES: Final = frozenset(_NO.split())
"""Codes that are a *no* by themselves, where no amount was approved. Others say nothing alone."""

Kind = Literal["declined", "canceled", "failed"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a result that proves that no money moved is told."""

    kind: Kind
    reason: str
    text: str


_ROWS: tuple[tuple[str, Kind, str, str], ...] = (
    ("100001", "canceled", "no_card_presented", "no card within the time"),
    ("100002", "canceled", "canceled_by_cardholder", "stopped at the terminal"),
    ("100003", "failed", "terminal_protocol_error", "the terminal does not accept a field"),
    ("100004", "failed", "operation_not_supported", "the terminal cannot do this"),
    ("100005", "failed", "operation_not_supported", "the terminal does not take this tender"),
    ("100007", "failed", "host_unreachable", "the terminal cannot reach the host"),
    ("100014", "failed", "terminal_protocol_error", "invalid entry"),
    ("100017", "failed", "payment_restriction", "above the limit of the terminal"),
    ("100018", "failed", "card_read_failed", "swipe the card"),
    ("100019", "failed", "card_read_failed", "card not readable"),
    ("100020", "failed", "operation_not_supported", "cannot be adjusted"),
    ("100024", "failed", "terminal_maintenance", "no payment application"),
    ("100025", "failed", "terminal_maintenance", "memory full, close the batch"),
    ("100027", "failed", "operation_not_supported", "the terminal cannot do this"),
    ("100028", "failed", "invalid_amount", "tax above the amount"),
)
REFUSALS: Final = {code: Refusal(kind, reason, text) for code, kind, reason, text in _ROWS}
"""Results that prove that no money moved.

Every other one is reported as unknown, and the report by reference decides: 100008 to 100010 arise
between terminal and host, 103000 is the host's own word for a request that it has seen before.
"""

_HOST_REASONS: Final = {
    "01": "call_issuer",
    "02": "call_issuer",
    "04": "capture_card",
    "07": "capture_card",
    "14": "card_not_supported",
    "33": "card_expired",
    "34": "suspected_fraud",
    "41": "capture_card",
    "43": "capture_card",
    "51": "insufficient_funds",
    "54": "card_expired",
    "55": "wrong_pin",
    "57": "payment_restriction",
    "59": "suspected_fraud",
    "61": "insufficient_funds",
    "62": "payment_restriction",
    "75": "pin_tries_exceeded",
    "91": "host_unreachable",
    "92": "host_unreachable",
    "96": "host_unreachable",
}


TECHNICAL_REASONS: Final = frozenset(("host_unreachable",))
"""Reasons that say nothing about the card: another one would fare no better."""


def decline_reason(host_code: str) -> str:
    """Return the contract's reason for a host code; `declined` for one that is not known."""
    return _HOST_REASONS.get(host_code, "declined")


# --- transaction types and tenders

SALE, RETURN, AUTH, POST_AUTH, ADJUST = "01", "02", "03", "04", "06"
ADD_VALUE, VOID, BALANCE = "10", "16", "23"
VOID_TYPES: Final = frozenset(("16", "17", "18", "19", "20", "21", "22"))

ALL_TENDERS, GIFT_TENDER = "00", "04"
TENDERS: Final = ("credit", "debit", "ebt", "gift", "loyalty", "cash", "check")  # "01" to "07"
TENDER_COMMANDS: Final = {
    "credit": "T00",
    "debit": "T02",
    "ebt": "T04",
    "gift": "T06",
    "loyalty": "T08",
}
TENDER_OF_COMMAND: Final = {command: tender for tender, command in TENDER_COMMANDS.items()}

# --- cards

BRANDS: Final = {
    "01": "visa",
    "02": "mastercard",
    "03": "amex",
    "04": "discover",
    "05": "diners",
    "07": "jcb",
}
ENTRY_MODES: Final = {
    "0": "manual",
    "1": "magstripe",
    "2": "contactless",
    "4": "icc",
    "5": "magstripe",
}
