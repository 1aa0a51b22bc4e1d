"""What can be configured of a terminal that the POS server drives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.amounts import MINOR_DIGITS

TERMINAL_CHARS_MAX = 100

# Which codes of the server's errors prove that no money moved. None is documented: these are plain
# words, and a site adds what its processor's are. Any other error is a doubt, and a person's.
DECLINED_CODES = (
    *("DECLINED", "CARD_DECLINED", "PAYMENT_DECLINED", "DO_NOT_HONOR", "INSUFFICIENT_FUNDS"),
    *("EXPIRED_CARD", "INVALID_CARD", "INVALID_PIN"),
)
CANCELED_CODES = (
    *("CANCELED", "CANCELLED", "USER_CANCELED", "USER_CANCELLED", "CARDHOLDER_CANCELED"),
    "CARDHOLDER_CANCELLED",
)
# Not that the terminal is offline: it may have gone after it took the card.
NOT_STARTED_CODES = ("VALIDATION", "INVALID_AMOUNT", "TERMINAL_BUSY", "TERMINAL_NOT_FOUND")

# Words for a payment's status, compared without blanks and hyphens. None is documented.
WELL = frozenset({"APPROVED", "SUCCESS", "SUCCEEDED", "SUCCESSFUL", "OK"})
TAKEN = frozenset({"CAPTURED", "COMPLETED", "COMPLETE", "SETTLED", "PAID", "SALE", "REFUNDED"})
HELD = frozenset({"AUTHORIZED", "AUTHORISED", "AUTHORIZATION", "PREAUTHORIZED"})


def word(text: str) -> str:
    """Return a code as it is compared: letters and digits in capitals."""
    return "".join(filter(str.isalnum, text)).upper()


@dataclass(frozen=True, slots=True)
class PosServerSettings:
    """`[terminals.NAME.settings]` of a terminal with `kind = "pos_server"`.

    Attributes:
        terminal: What the POS server calls the terminal.
        currency: What the server's amounts are in; it is not asked for one.
        sale: `immediate` lets the server take the money at once; `authorize_and_capture` has it
            hold the money first, so that a lost answer leaves a hold behind and no charge.
        preauthorization: Registers may hold money and capture it later. The server documents no
            way to release a hold, so one that is not captured stands until it expires.
        total_seconds: How long one payment is followed at most, whatever the server says.
        after_stop_seconds: How long after a command's deadline, or after somebody wanted it
            stopped, the answer is waited for before it is told as in doubt.
        declined_codes, canceled_codes: The server's errors that prove that no money moved.
        not_started_codes: Those that prove it of `start`, because it began nothing.
        taken_statuses, held_statuses: Further words of the server for a payment whose money was
            taken, or is held. A payment with a status that nobody knows is in doubt.
    """

    terminal: str
    currency: str
    sale: Literal["immediate", "authorize_and_capture"] = "immediate"
    refunds: bool = True
    preauthorization: bool = False
    total_seconds: float = 600.0
    after_stop_seconds: float = 60.0
    declined_codes: tuple[str, ...] = DECLINED_CODES
    canceled_codes: tuple[str, ...] = CANCELED_CODES
    not_started_codes: tuple[str, ...] = NOT_STARTED_CODES
    taken_statuses: tuple[str, ...] = ()
    held_statuses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.terminal.strip() or len(self.terminal) > TERMINAL_CHARS_MAX:
            raise ValueError("terminal must be the POS server's name of it, up to 100 characters")
        if self.currency not in MINOR_DIGITS:
            raise ValueError("currency must be three capital letters of ISO 4217, such as USD")
        no = {*self.declined_codes, *self.canceled_codes, *self.not_started_codes}
        meanings = [set(map(word, no))]
        meanings.append({*map(word, self.taken_statuses), *TAKEN, *WELL})
        meanings.append({*map(word, self.held_statuses), *HELD})
        if len(set().union(*meanings)) < sum(map(len, meanings)):
            raise ValueError("a word must be of one list only: it cannot say two things")
        if not 30 <= self.total_seconds <= 3_600:
            raise ValueError("total_seconds must be 30 to 3600")
        if not 5 <= self.after_stop_seconds <= 600:
            raise ValueError("after_stop_seconds must be 5 to 600")
