"""What a driver and the bridge agree on. Pure: no I/O, no clock, no logging.

A *driver* knows one protocol. For each conversation the bridge asks it for a *dialogue*, a state
machine that turns inputs (bytes, silence, a lost line) into a `Step`: bytes to send, events to
journal, and the moment to be woken at the latest. The rules, which `drivers.conformance` checks:

1. `begin` is called once; every path ends with `wake_at is None`; silence always ends.
2. A conversation about money yields exactly one final event (`FinalEvent`), and nothing after it.
3. After a step with events the bridge stores them and then calls `committed`, or `not_committed`
   when it could not. What makes a payment final at the terminal is sent by `committed` only.
4. A command that moves money is sent at most once. Repeats on the link level (a lost ACK) are the
   framing's business and must be harmless by the protocol's own rules.
5. Bytes never raise. What cannot be understood is `Unclear`, never `Declined`, never `Approved`.
6. `Declined`, `Canceled` and `Failed` are said only with the terminal's own proof, or before the
   first byte of a command that moves money was handed out.
7. A dialogue that needs a new line says so in a step without events, and takes *no* for an answer.
8. No event shows a whole card number, whatever field the terminal wrote it in (`mask_cards`).
9. What the terminal says of another transaction is never this one's, be it the rest of an earlier
   conversation on the line or a stranger's of the same amount.
10. Who says yes and no to one payment proves neither: that is `Unclear`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, Protocol

API_VERSION = 1
CURRENCY_LETTERS = 3
ALREADY_REVERSED = "already_reversed"  # a reason of `Failed`
INFERRED = "inferred"  # in `Approval.extra`: why it is believed, where no answer said so
MASKED_DIGITS_MAX = 10  # PCI DSS 3.4.1: at most the first six and the last four may be shown


class ProtocolError(Exception):
    """Bytes that are not what the protocol allows. Raised and caught inside drivers only."""


# --- values


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the currency's smallest unit (cents), never a float.

    `minor` is 0 or more; a direction (refund, reversal) is said by the operation, not by a sign.
    `currency` is the ISO 4217 alphabetic code.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int or self.minor < 0:
            raise ValueError(f"minor must be a whole number of 0 or more, not {self.minor!r}")
        if len(self.currency) != CURRENCY_LETTERS or not self.currency.isupper():
            raise ValueError(f"currency must be three capital letters, not {self.currency!r}")

    def __add__(self, other: Money) -> Money:
        """Return the sum; ValueError where the currencies differ."""
        return Money(self.minor + other._minor_in(self.currency), self.currency)

    def __sub__(self, other: Money) -> Money:
        """Return what is left; ValueError where the currencies differ, or less than 0 would be."""
        return Money(self.minor - other._minor_in(self.currency), self.currency)

    def _minor_in(self, currency: str) -> int:
        if self.currency != currency:
            raise ValueError(f"{self.currency} and {currency} are not one currency")
        return self.minor


@dataclass(frozen=True, slots=True)
class MaskedPan:
    """A card number that cannot be whole: at most the first six and last four digits are kept.

    Build it with `MaskedPan.of`, which masks whatever it is given; the constructor refuses
    anything that shows more than ten digits, so no journal, log or message can hold a PAN.
    """

    text: str

    def __post_init__(self) -> None:
        if sum(map(str.isdigit, self.text)) > MASKED_DIGITS_MAX:
            raise ValueError("a masked PAN shows too many digits")

    @classmethod
    def of(cls, digits: str) -> MaskedPan:
        """Mask `digits` (digits, `*`, and anything else read as `*`); only the last 4 stay."""
        shown = "".join([c if c.isdigit() else "*" for c in digits[-4:]])
        return cls("*" * (len(digits) - len(shown)) + shown)

    @property
    def last4(self) -> str:
        """The last four characters, some of which may be `*`."""
        return self.text[-4:]


_DIGIT_RUN = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,}")
_MOMENT = re.compile(
    r"20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9]{3}"
)
CARD_DIGITS_MIN, CARD_DIGITS_MAX = 13, 19  # ISO/IEC 7812; shorter numbers are in no use


def mask_cards(text: str) -> str:
    """Return `text` with everything that can be a whole card number masked, its length kept.

    That is 13 to 19 digits, zeros in front and single blanks or hyphens between not counted, with
    a right check digit, and any longer row of digits. A moment (YYYYMMDDhhmmss) is none. For all
    that a terminal says besides the card number itself, which is always masked (`MaskedPan.of`).
    """
    return _DIGIT_RUN.sub(_masked_run, text)


def _masked_run(found: re.Match[str]) -> str:
    run = found.group()
    digits = run.replace(" ", "").replace("-", "").lstrip("0")
    may_be_card = CARD_DIGITS_MIN <= len(digits) <= CARD_DIGITS_MAX and has_check_digit(digits)
    if not may_be_card and len(digits) <= CARD_DIGITS_MAX:
        return run
    return run if _MOMENT.fullmatch(run) else MaskedPan.of(run).text


def has_check_digit(digits: str) -> bool:
    """Tell whether the last digit is right. Source: ISO/IEC 7812-1, annex B (Luhn)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@dataclass(frozen=True, slots=True)
class Card:
    """What may be known of a card. Empty strings mean the terminal did not say."""

    brand: str = ""  # lower case, e.g. "visa", "girocard"
    label: str = ""  # as the receipt names it, e.g. "Debit Mastercard"
    masked_pan: MaskedPan | None = None
    entry_mode: str = ""  # "contactless" | "icc" | "magstripe" | "manual"
    verification: str = ""  # "none" | "signature" | "online_pin" | "offline_pin" | "on_device"
    application_id: str = ""  # EMV AID, hex


@dataclass(frozen=True, slots=True)
class Approval:
    """One transaction as the terminal's memory describes it: money moved, or is about to.

    `fingerprint` distinguishes this transaction from any other of the same terminal; two readings
    of one transaction have equal fingerprints. It is the driver's own text, opaque to the bridge.
    """

    amount: Money  # what was taken, with all of the parts below; may differ from what was asked
    fingerprint: str
    terminal_id: str = ""  # the acquirer's name for the terminal (nexo POIID, ZVT 29)
    transaction_id: str = ""  # the terminal's number for it (receipt number)
    trace: str = ""  # STAN / trace number
    approval_code: str = ""
    merchant_id: str = ""
    time_text: str = ""  # the terminal's local time, ISO 8601 without offset, "" if unknown
    # Parts of `amount` that the terminal itself named, never computed. They explain an amount
    # above what was asked in the conversation that took the money, and nowhere else.
    tip: Money | None = None
    surcharge: Money | None = None  # the merchant's, for this card (nexo SurchargeAmount)
    fee: Money | None = None  # the host's or terminal owner's, e.g. for currency conversion
    cash_back: Money | None = None  # paid out in cash
    card: Card = field(default_factory=Card)
    batch: str = ""  # what `EndOfDay` closes; a void is possible only in the same batch
    text: str = ""  # the terminal's own words, for the cashier
    extra: Mapping[str, str] = field(default_factory=dict)  # protocol facts worth keeping; no PAN

    @property
    def extras(self) -> tuple[Money, ...]:
        """The parts of the amount that pay neither goods nor staff, as far as they were named."""
        parts = (self.surcharge, self.fee, self.cash_back)
        return tuple(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The terminal's last transaction, read before a payment; `fingerprint` "" means none."""

    fingerprint: str


# --- what the bridge asks of a terminal; `reference` is the payment's id (a UUID as text)


@dataclass(frozen=True, slots=True)
class Pay:
    """Take `amount` from a card. Moves money."""

    reference: str
    amount: Money
    tip: Money | None = None  # contained in amount
    accept_partial: bool = False
    language: str = ""  # BCP 47
    gift: bool = False  # from a gift card that the terminal itself can charge
    last: Baseline | None = None  # what the terminal did last, as it stands on disk


@dataclass(frozen=True, slots=True)
class Authorize:
    """Hold `amount` on a card (pre-authorization); with `original`, raise that hold."""

    reference: str
    amount: Money
    original: Approval | None = None
    last: Baseline | None = None  # as in `Pay`


@dataclass(frozen=True, slots=True)
class Capture:
    """Take `amount` of a hold. Moves money; no card needed.

    What becomes of the rest `Capabilities.partial_capture` says.
    """

    reference: str
    amount: Money
    original: Approval


@dataclass(frozen=True, slots=True)
class Refund:
    """Give `amount` back to a card. Moves money."""

    reference: str
    amount: Money
    original: Approval | None = None
    last: Baseline | None = None  # as in `Pay`


@dataclass(frozen=True, slots=True)
class Reverse:
    """Void `original` in the open batch, as if it had not been (also: release a hold)."""

    reference: str
    original: Approval
    amount: Money | None = None  # None: the whole of it


@dataclass(frozen=True, slots=True)
class AdjustTip:
    """Add `tip` to the captured `original`. Moves money; no card needed."""

    reference: str
    tip: Money
    original: Approval


@dataclass(frozen=True, slots=True)
class LoadGift:
    """Put `amount` on a gift card that is presented at the terminal. Moves money's worth."""

    reference: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Inquire:
    """Find out what became of `about`. Moves no money.

    The dialogue first makes the terminal stop whatever is left of the old conversation (abort),
    then asks. It answers `Approved`, `Declined`/`Canceled`/`Failed` with proof, `StillRunning`
    or `Unclear`. What the terminal says now may be about the question itself: only what it cannot
    say of anything else is proof.
    """

    about: MoneyOperation
    baseline: Baseline | None  # None: it could not be read before `about` was sent
    offer: Approval | None = None  # what the terminal had offered before contact was lost
    # True: the terminal told that it took the command (`Taken`). False: it answered that it did
    # not, and said nothing else (`Unclear.not_taken`). None: neither is known.
    taken: bool | None = None
    # An earlier conversation may have asked for the last transaction and not heard the answer: what
    # the terminal says now without being asked may be that one, and is no evidence of its own.
    memory_asked: bool = False
    handle: str = ""  # the last that `Taken` brought, "" for none


@dataclass(frozen=True, slots=True)
class Probe:
    """Log on and ask how the terminal is. Moves no money, shows nothing to a shopper.

    Yields `TerminalReady`, with the baseline where the protocol can read it, or
    `TerminalNotReady`.
    """


@dataclass(frozen=True, slots=True)
class EndOfDay:
    """Close the batch; with `close=False` only read the totals. Yields `BatchTotals`."""

    close: bool = True


@dataclass(frozen=True, slots=True)
class ReadCard:
    """Read a card without money. Yields `CardRead`."""

    timeout_seconds: int = 60


@dataclass(frozen=True, slots=True)
class ShowText:
    """Show `lines` on the terminal's display for `seconds`. Yields `Done`."""

    lines: tuple[str, ...]
    seconds: int = 10


@dataclass(frozen=True, slots=True)
class ReadBalance:
    """Read what is left on a gift card presented at the terminal. Yields `CardBalance`."""

    timeout_seconds: int = 60


@dataclass(frozen=True, slots=True)
class ReadLast:
    """Read the last transaction in the terminal's memory. Yields `LastTransaction`."""


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Have the terminal test its connection to its host. Moves no money. Yields `Diagnosis`."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Have the terminal examine itself. Moves no money. Yields `Diagnosis`."""


MoneyOperation = Pay | Authorize | Capture | Refund | Reverse | AdjustTip | LoadGift
TerminalOperation = EndOfDay | ReadCard | ShowText | ReadBalance | ReadLast | Diagnose | SelfTest
Operation = MoneyOperation | Inquire | Probe | TerminalOperation


# --- what a terminal reports to the bridge


class Stage(Enum):
    """Where a conversation is, for the cashier. Not evidence of anything."""

    STARTING = "starting"
    WAITING_FOR_CARD = "waiting_for_card"
    CARD_PRESENTED = "card_presented"
    CARD_REMOVED_TOO_EARLY = "card_removed_too_early"
    TRY_AGAIN = "try_again"
    SELECT_APPLICATION = "select_application"
    ENTERING_TIP = "entering_tip"
    ENTERING_PIN = "entering_pin"
    AUTHORIZING = "authorizing"
    WAITING_FOR_SIGNATURE = "waiting_for_signature"
    REMOVE_CARD = "remove_card"
    PRINTING = "printing"
    FINISHING = "finishing"


@dataclass(frozen=True, slots=True)
class Progress:
    """A stage was reached. Published, not journaled."""

    stage: Stage
    text: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that the terminal wrote; lines as they print, never with a whole PAN."""

    copy: Literal["customer", "merchant", "administration"]
    lines: tuple[str, ...]
    requires_signature: bool = False
    must_print: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The terminal took the command; from here on it may move money. Journaled, not final.

    Told where the protocol has such an answer, before anything that depends on it. With `handle`,
    by which the conversation can be taken up again after a crash, it is on disk before `committed`.
    The handle is the driver's own text; a later one replaces it.
    """

    handle: str = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """The terminal has an approval and waits for our acknowledgement to make it final.

    Stored before `committed` acknowledges; evidence for a later `Inquire`. Not final.
    """

    approval: Approval


@dataclass(frozen=True, slots=True)
class Approved:
    """Evidence that money moved (or, for `Authorize`, is held). Final."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Declined:
    """Evidence that the card, issuer or acquirer said no and no money moved. Final."""

    code: str  # the protocol's own code, e.g. "05"
    text: str = ""
    reason: str = "declined"  # a code of the published contract, e.g. "wrong_pin"


@dataclass(frozen=True, slots=True)
class Canceled:
    """Evidence that it was stopped before money moved. Final."""

    by: Literal["cashier", "cardholder", "timeout", "terminal"]
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Evidence of a technical failure without money moved. Final.

    Of a command about an earlier transaction, `ALREADY_REVERSED` says that somebody took that one
    back before; then it is never suggested to give it back once more.
    """

    code: str
    text: str = ""
    reason: str = "terminal_fault"  # a code of the published contract
    batch_closed: bool = False  # the terminal shows that the earlier transaction's batch is closed


@dataclass(frozen=True, slots=True)
class Unclear:
    """The conversation ended without evidence either way. Final for the dialogue only."""

    reason: str  # "link_lost" | "no_answer" | "unreadable" | "other_transaction" | ...
    text: str = ""
    not_taken: bool = False  # the terminal answered that it did not take the command; no more came
    seen: Approval | None = None  # a transaction that may be this one and may be somebody else's
    only_a_person: bool = False  # nothing can be asked, now or later


@dataclass(frozen=True, slots=True)
class StillRunning:
    """Answer to `Inquire`: the terminal is still at it (or too busy to say). Ask again later."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class TerminalReady:
    """Answer to `Probe`: it answers and is logged on."""

    terminal_id: str = ""
    serial_number: str = ""
    model: str = ""
    firmware: str = ""
    currency: str = ""  # ISO 4217 alphabetic, "" if not said
    baseline: Baseline | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TerminalNotReady:
    """Answer to `Probe`: it answers, but takes no payments until somebody acts.

    `wants` names the operation that would make it ready again, if the terminal told which; the
    bridge offers that one, and no other, to the registers while the terminal is in this state.
    """

    code: str  # a code of the published contract, e.g. "terminal_maintenance"
    text: str = ""
    wants: Literal["", "reconcile", "diagnose"] = ""


@dataclass(frozen=True, slots=True)
class TotalsLine:
    """One row of a terminal's totals."""

    brand: str
    count: int
    amount: Money


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """Answer to `EndOfDay`. Final."""

    closed: bool
    total: Money
    lines: tuple[TotalsLine, ...] = ()
    batch: str = ""  # the terminal's or its host's number of it
    time_text: str = ""  # when, by the terminal: local, ISO 8601 without offset, "" if unknown
    gave_more: bool = False  # more was given back than taken: `total` is what went out on balance
    counted: bool = True  # False: closed, and no totals were told; `total` and `lines` mean nothing

    @property
    def net_minor(self) -> int:
        """What the batch brought, in minor units; below zero where more was given back."""
        return -self.total.minor if self.gave_more else self.total.minor


@dataclass(frozen=True, slots=True)
class CardRead:
    """Answer to `ReadCard`. Final."""

    card: Card


@dataclass(frozen=True, slots=True)
class CardBalance:
    """Answer to `ReadBalance`. Final."""

    amount: Money
    card: Card = field(default_factory=Card)


@dataclass(frozen=True, slots=True)
class LastTransaction:
    """Answer to `ReadLast`; None when the terminal's memory is empty. Final."""

    approval: Approval | None
    text: str = ""  # of a last transaction that was not an approval, in the terminal's words


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Answer to `Diagnose` (it reached its host) and `SelfTest`, or why not. Final."""

    passed: bool
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)  # what it says of itself; no PAN


@dataclass(frozen=True, slots=True)
class Done:
    """An operation without a result is done. Final."""


MoneyEvidence = Approved | Declined | Canceled | Failed
FinalEvent = (
    MoneyEvidence
    | Unclear
    | StillRunning
    | TerminalReady
    | TerminalNotReady
    | BatchTotals
    | CardRead
    | CardBalance
    | LastTransaction
    | Diagnosis
    | Done
)
TerminalEvent = Progress | Receipt | Taken | Offered | FinalEvent


# --- the conversation


@dataclass(frozen=True, slots=True)
class Step:
    """What a dialogue wants done after one input: write, then store, then wait.

    `wake_at` is in seconds of the caller's monotonic clock; None means the dialogue is over
    (once the events of this step, if any, have been answered by `committed`). `new_line` asks for
    another line to the same terminal, to which `send` goes, where a line serves one exchange only;
    never together with events. If there is none, `line_lost` follows and nothing was sent.
    """

    send: bytes = b""
    events: tuple[TerminalEvent, ...] = ()
    wake_at: float | None = None
    new_line: bool = False


class Dialogue(Protocol):
    """One conversation, without I/O. `now` is in seconds of the caller's monotonic clock."""

    def begin(self, operation: Operation, now: float) -> Step:
        """Open the conversation."""

    def receive(self, data: bytes, now: float) -> Step:
        """Bytes came; any split, any garbage. Never raises."""

    def timeout(self, now: float) -> Step:
        """`wake_at` was reached and nothing came."""

    def line_lost(self, now: float) -> Step:
        """The line broke."""

    def committed(self, now: float) -> Step:
        """The events of the last step are on disk."""

    def not_committed(self, now: float) -> Step:
        """The events of the last step could not be stored: refuse what can be refused."""

    def cancel(self, now: float) -> Step:
        """Ask the terminal to stop. Not an outcome; an approval may still cross it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a terminal can do; anything not named here is refused before a card is asked for."""

    operations: frozenset[str]  # names as in the register's contract: "sale", "refund", "void", …
    status_query: Literal["by_reference", "last_transaction", "none"]
    cancel: Literal["any_time", "until_card", "until_authorizing", "at_terminal_only"]
    partial_approval: bool = False
    tip: tuple[Literal["none", "fixed", "ask", "adjust"], ...] = ("none",)
    unlinked_refund: bool = False
    receipts: tuple[Literal["customer", "merchant"], ...] = ()
    prompts: tuple[str, ...] = ()
    # Nobody but us can start a transaction while the line of a `Probe` stands: its baseline stays
    # good until then, and no longer.
    exclusive: bool = False
    one_talk_per_line: bool = False  # a line that held a conversation serves no other one, ever
    currencies: tuple[str, ...] = ()  # empty: whatever the terminal is set up for
    # What a `Capture` of a part of a hold does to the rest of it. Where the rest is "released" a
    # hold is captured once; only where it stays "held" another part can follow.
    partial_capture: Literal["releases_rest", "keeps_rest"] = "releases_rest"


@dataclass(frozen=True, slots=True)
class SerialDefaults:
    """How this protocol's serial ports are set when the configuration does not say."""

    baud_rate: int = 9600
    data_bits: int = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: int = 1


class Driver(Protocol):
    """The door through which every protocol comes: an entry point in `paybridge.drivers`."""

    @property
    def api(self) -> int:
        """`API_VERSION` the driver was written for."""

    @property
    def name(self) -> str:
        """The word used in the configuration."""

    @property
    def version(self) -> str:
        """The driver's own version."""

    @property
    def settings(self) -> type:
        """A frozen dataclass with defaults; the bridge validates the configuration with it."""

    @property
    def serial_defaults(self) -> SerialDefaults:
        """Port settings of this protocol."""

    def capabilities(self, settings: Any) -> Capabilities:
        """What a terminal with these settings can do."""

    def dialogue(self, settings: Any, transport: Literal["serial", "tcp"]) -> Dialogue:
        """A new conversation. `transport` chooses the framing."""
