"""Tables of Concert E+ and Caisse-AP over IP. Pure data, each with its source.

Sources: pyTeliumManager 2.4.2 (`telium/constant.py`), pypostelium 0.0.5, akretion/caisse-ap-ip,
odoo-addon-l10n-fr-pos-caisse-ap-ip 19.0.1.0.0.3. The specification itself is for members of the
Association du Paiement only and was not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CURRENCY_NUMBERS = {
    "CHF": "756",
    "EUR": "978",
    "GBP": "826",
    "MAD": "504",
    "TND": "788",
    "USD": "840",
    "XAF": "950",
    "XOF": "952",
    "XPF": "953",
}
"""ISO 4217 letters to digits, for the countries where these terminals are sold."""

RESULT_ACCEPTED = "0"
RESULT_REFUSED = "7"
RESULT_NOT_VERIFIED = "9"

MEANS = {
    "0": "other",
    "1": "card",
    "2": "amex",
    "3": "cetelem",
    "5": "cofinoga",
    "6": "diners",
    "8": "franfinance",
    "9": "jcb",
    "A": "accord",
    "C": "cheque",
    "F": "fintrax",
    "O": "moneo",
    "U": "unionpay",
}
"""Payment means of Concert E+, position 11 of a request."""

APPLICATIONS = {
    "001": ("cb", "CB"),
    "00B": ("cb", "CB contactless"),
    "002": ("amex", "American Express"),
    "00D": ("amex", "American Express contactless"),
    "003": ("", "CB private"),
    "005": ("", "Cofinoga"),
    "006": ("diners", "Diners Club"),
    "007": ("", "Pass"),
    "008": ("", "Franfinance"),
    "009": ("jcb", "JCB"),
    "00A": ("", "Accord"),
    "00C": ("", "Cheque"),
    "00U": ("unionpay", "UnionPay"),
}
"""Tag CC of Caisse-AP: brand and label."""

ENTRY_MODES = {"1": "icc", "2": "contactless", "3": "magstripe", "4": "manual"}
"""Tag CI of Caisse-AP, as the words of `Card.entry_mode`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a reason in tag AF proves, given that AE says `01` (not done)."""

    text: str
    reason: str  # a code of the published contract
    canceled_by: Literal["cashier", "timeout", "terminal"] | None = None
    technical: bool = False


REFUSALS = {
    "02": Refusal("call the acquirer", "call_issuer"),
    "04": Refusal("refused", "declined"),
    "05": Refusal("not permitted", "declined"),
    "06": Refusal("aborted", "canceled", canceled_by="terminal"),
    "07": Refusal("not completed", "terminal_fault", technical=True),
    "08": Refusal("nobody presented a card in time", "canceled", canceled_by="timeout"),
    "09": Refusal("the terminal calls the request malformed", "terminal_fault", technical=True),
    "10": Refusal("selection error", "terminal_fault", technical=True),
    "11": Refusal("stopped at the terminal", "canceled", canceled_by="cashier"),
    "12": Refusal("action not supported", "operation_not_supported", technical=True),
    "13": Refusal("currency not supported", "operation_not_supported", technical=True),
}
"""Tag AF of Caisse-AP, where it explains why nothing was done."""

NOT_EXPLAINED = Refusal("not done, the terminal does not say why", "terminal_fault", technical=True)
"""`Not done` without a reason, or with one that no source lists."""

CONTRADICTING_REASONS = frozenset(("00", "01", "03"))
"""Unknown, authorized, forced: beside `not done` they say nothing, or its contrary."""
