"""The two messages of Concert E+: what a frame's body says, both ways. Pure.

    request  till(2) amount(8) answer(1) means(1) action(1) currency(3) private(10) delay(4) auth(4)
    answer   till(2) result(1) amount(8) means(1) [report(55)] currency(3) private(10)

Source: pyTeliumManager 2.4.2 (`telium/payment.py`) and pypostelium 0.0.5 have the same layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.contract import MaskedPan, ProtocolError

REPORT_AT, REPORT_CHARACTERS = 12, 55
AMOUNT_MINOR_MAX = 99_999_999
PRIVATE_CHARACTERS = 10
CARD_NUMBER_DIGITS = range(8, 20)  # ISO/IEC 7812: up to 19; fewer than 8 is some other number

DEBIT = "0"
CREDIT = "1"
CARD = "1"

_REQUEST = re.compile(
    r"(?P<till>[0-9]{2})(?P<amount>[0-9]{8})(?P<size>[01])(?P<means>[0-9A-Z])(?P<action>[0-9A-Z])"
    r"(?P<currency>[0-9]{3})(?P<private>[ -~]{10})A01(?P<delay>[01])B01(?P<online>[01])"
)
_ANSWER = re.compile(
    r"(?P<till>[0-9]{2})(?P<result>[0-9A-Z])(?P<amount>[0-9]{8})(?P<means>[0-9A-Z])"
    r"(?P<report>[ -~]{55})?(?P<currency>[0-9]{3})(?P<private>[ -~]{10})"
)
_CARD_NUMBER = re.compile(r"[0-9*#xX.]+(?: [0-9*#xX.]+)*")


@dataclass(frozen=True, slots=True)
class Request:
    """What the till asks for. `private` has ten characters and comes back in the answer."""

    till: str  # two digits
    amount_minor: int  # 0 to 99 999 999
    currency: str  # ISO 4217, three digits
    private: str = " " * PRIVATE_CHARACTERS
    action: str = DEBIT
    means: str = CARD
    long_answer: bool = False
    answer_at_once: bool = False  # then the answer only says that the amount is on the display
    force_online: bool = False


@dataclass(frozen=True, slots=True)
class ConcertAnswer:
    """What the terminal says became of a request."""

    till: str
    result: str
    amount_minor: int
    means: str
    currency: str
    private: str
    is_long: bool = False
    card: MaskedPan | None = None  # from the report of a long answer, masked before it gets here


Message = Request | ConcertAnswer


def encode(message: Message, report: str = "") -> bytes:
    """Return the body of a frame.

    `report` replaces what a long answer says about the card: only a simulated terminal has one.

    Raises:
        ValueError: A field does not fit.
    """
    match message:
        case Request():
            text = (
                f"{message.till}{message.amount_minor:08d}{message.long_answer:d}{message.means}"
                f"{message.action}{message.currency}{message.private}"
                f"A01{message.answer_at_once:d}B01{message.force_online:d}"
            )
            fits = _REQUEST.fullmatch(text)
        case ConcertAnswer():
            if message.is_long:
                shown = report or (message.card.text if message.card else "")
                report = f"{shown:<{REPORT_CHARACTERS}}"
            text = (
                f"{message.till}{message.result}{message.amount_minor:08d}{message.means}"
                f"{report}{message.currency}{message.private}"
            )
            fits = _ANSWER.fullmatch(text)
    if fits is None:
        raise ValueError("a field does not fit into its place")
    return text.encode("ascii")


def decode_answer(body: bytes) -> ConcertAnswer:
    """Return the answer in a frame's body.

    Raises:
        ProtocolError: It is no answer.
    """
    found = _ANSWER.fullmatch(body.decode("latin-1"))
    if found is None:
        raise ProtocolError(f"a body of {len(body)} characters is no answer")
    report = found["report"]
    return ConcertAnswer(
        till=found["till"],
        result=found["result"],
        amount_minor=int(found["amount"]),
        means=found["means"],
        currency=found["currency"],
        private=found["private"],
        is_long=report is not None,
        card=_card(report) if report else None,
    )


def decode_request(body: bytes) -> Request:
    """Return the request in a frame's body, for the terminal's side.

    Raises:
        ProtocolError: It is no request.
    """
    found = _REQUEST.fullmatch(body.decode("latin-1"))
    if found is None:
        raise ProtocolError(f"a body of {len(body)} characters is no request")
    return Request(
        till=found["till"],
        amount_minor=int(found["amount"]),
        currency=found["currency"],
        private=found["private"],
        action=found["action"],
        means=found["means"],
        long_answer=found["size"] == "1",
        answer_at_once=found["delay"] == "1",
        force_online=found["online"] == "1",
    )


def _card(report: str) -> MaskedPan | None:
    """Return the card number that a report begins with, masked; in groups or in one piece."""
    found = _CARD_NUMBER.match(report)
    if found is None:
        return None
    first, grouped = found[0].split(" ")[0], found[0].replace(" ", "")
    for number in (first, grouped):
        if len(number) in CARD_NUMBER_DIGITS:
            return MaskedPan.of(number)
    return None
