"""What can be configured of a terminal that speaks Concert E+ or Caisse-AP. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.telium.codec.caisse_ap import PROTOCOL_ID, PROTOCOL_ID_CHARACTERS
from drivers.telium.codec.codes import CURRENCY_NUMBERS

TILL_DIGITS = 2
VERSION_DIGITS = 4
# The OCA's client waits 180 s for a shopper who looks for a card and mistypes a PIN.
RESULT_SECONDS = 180.0
# The specification lets either side take 3 s for a step (quoted by pypostelium).
STEP_SECONDS = 3.0
# Long enough to hear a terminal that repeats its answer, short enough to be asked again.
LISTEN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class TeliumSettings:
    """A terminal with Concert E+ on USB (8N1) or RS232 (7E1).

    `private_field`: an answer is ours when it brings back our reference in its private field.
    Terminals that put something else there need `"free"`; then till, amount and currency must do,
    and an answer that comes after the conversation is only told to people.
    `refunds`: action 1 of the request is documented by name only, so it must be switched on.
    """

    till: str = "01"
    currency: str = "EUR"
    answer: Literal["short", "long"] = "short"  # a long one holds the card number, often in clear
    private_field: Literal["echoed", "free"] = "echoed"
    refunds: bool = False
    force_online: bool = False
    result_seconds: float = RESULT_SECONDS
    step_seconds: float = STEP_SECONDS
    listen_seconds: float = LISTEN_SECONDS

    def __post_init__(self) -> None:
        _check(self.till, self.currency)
        _check_positive(self.result_seconds, self.step_seconds, self.listen_seconds)


@dataclass(frozen=True, slots=True)
class CaisseApSettings:
    """A terminal with Caisse-AP over IP (Concert 3.x); it listens on port 8888.

    `protocol_id` (CJ) is the number that the protocol's association gave to the register's maker.
    `identification` asks a terminal who it is (CD=I) where it would else only be connected to.
    """

    till: str = "01"
    currency: str = "EUR"
    version: str = "0300"  # 0301 and 0320 are seen as well
    protocol_id: str = PROTOCOL_ID
    identification: bool = True
    result_seconds: float = RESULT_SECONDS

    def __post_init__(self) -> None:
        _check(self.till, self.currency)
        if len(self.version) != VERSION_DIGITS or not _are_digits(self.version):
            raise ValueError("version must be four digits, as 0300")
        if len(self.protocol_id) != PROTOCOL_ID_CHARACTERS or not _are_digits(self.protocol_id):
            raise ValueError(f"protocol_id must be {PROTOCOL_ID_CHARACTERS} digits")
        _check_positive(self.result_seconds)


def _check(till: str, currency: str) -> None:
    if len(till) != TILL_DIGITS or not _are_digits(till) or till == "00":
        raise ValueError("till must be two digits from 01 to 99")
    if currency not in CURRENCY_NUMBERS:
        raise ValueError(f"currency must be one of {', '.join(CURRENCY_NUMBERS)}")


def _check_positive(*seconds: float) -> None:
    if min(seconds) <= 0:
        raise ValueError("a time must be more than 0 seconds")


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
