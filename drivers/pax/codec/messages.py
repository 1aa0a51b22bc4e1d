"""Messages of both sides as frozen dataclasses. No bytes here; see `codec`.

Amounts are minor units, None when the field is empty. Every answer carries `code` and `text`; the
rest may be missing, because an answer to an error may stop after the text.
Source: fact sheet "PAX POSLINK", sections 5 and 6; totals: public client of 2015 (one source).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.contract import MaskedPan
from drivers.pax.codec.codes import ALL_TENDERS
from drivers.pax.codec.fields import Pairs

# --- groups


@dataclass(frozen=True, slots=True)
class AskedAmount:
    """What the register asks for. The transaction amount does not contain the tip."""

    transaction: int | None = None
    tip: int | None = None
    cashback: int | None = None
    fee: int | None = None
    tax: int | None = None
    fuel: int | None = None


@dataclass(frozen=True, slots=True)
class AskedAccount:
    """A card that the register names itself: gift cards only. Never shown by `repr`."""

    number: str = field(default="", repr=False)
    expiry: str = field(default="", repr=False)
    verification: str = field(default="", repr=False)
    ebt_type: str = ""
    voucher: str = ""
    duplicate_override: str = ""  # "1" skips the duplicate check; this driver never sends it


@dataclass(frozen=True, slots=True)
class AskedTrace:
    """How the register names a transaction; positions beyond these five are disputed."""

    reference: str = ""
    invoice: str = ""
    auth_code: str = ""
    transaction_number: str = ""
    moment: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """What the processor answered."""

    code: str = ""
    message: str = ""
    auth_code: str = ""
    reference: str = ""
    trace: str = ""
    batch: str = ""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What was approved, tip included, what is still due, and what is left on a gift card."""

    approved: int | None = None
    due: int | None = None
    tip: int | None = None
    cashback: int | None = None
    fee: int | None = None
    tax: int | None = None
    balance: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The card, as far as it may be kept. Expiry and holder are not read."""

    pan: MaskedPan | None = None
    entry_mode: str = ""
    card_type: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """How the terminal names a transaction; `moment` is YYYYMMDDhhmmss in its local time."""

    transaction_number: str = ""
    reference: str = ""  # the ECR reference, echoed
    moment: str = ""


# --- requests


@dataclass(frozen=True, slots=True)
class Plain:
    """A command without fields: A00 initialise, A14 cancel, A16 reset, A26 reboot, A12 clear."""

    command: str


@dataclass(frozen=True, slots=True)
class Transact:
    """T00 to T08: moves money, or asks a gift card's balance."""

    tender: str
    type: str
    amount: AskedAmount = AskedAmount()
    account: AskedAccount = AskedAccount()
    trace: AskedTrace = AskedTrace()
    cashier: str = ""
    additional: Pairs = ()
    avs: str = ""  # this and the next two: credit only
    commercial: str = ""
    moto: str = ""


@dataclass(frozen=True, slots=True)
class CloseBatch:
    """B00. Terminals take any `moment`, also none."""

    moment: str = ""


@dataclass(frozen=True, slots=True)
class AskTotals:
    """R00: the totals of the open batch."""

    tender: str = ALL_TENDERS
    card_type: str = ""


@dataclass(frozen=True, slots=True)
class AskDetail:
    """R02: one record of the open batch, by its number (from 0), reference or transaction."""

    tender: str = ALL_TENDERS
    type: str = ""
    card_type: str = ""
    record_number: str = ""
    transaction_number: str = ""
    auth_code: str = ""
    reference: str = ""
    additional: Pairs = ()


# --- answers


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer without fields of its own, or one that this driver does not read further."""

    command: str
    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """A01: who the terminal is."""

    code: str
    text: str = ""
    serial_number: str = ""
    model: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """T01 to T09: what became of a transaction."""

    tender: str
    code: str
    text: str = ""
    host: Host = Host()
    type: str = ""
    amount: Amounts = Amounts()
    account: Account = Account()
    trace: Trace = Trace()
    additional: Pairs = ()


@dataclass(frozen=True, slots=True)
class Record:
    """R03: one stored transaction. After a void, `type` is the void, `original_type` the sale."""

    code: str
    text: str = ""
    total: int | None = None
    record_number: str = ""
    host: Host = Host()
    tender: str = ""
    type: str = ""
    original_type: str = ""
    amount: Amounts = Amounts()
    account: Account = Account()
    trace: Trace = Trace()
    additional: Pairs = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """R01: per tender, in the order of `codes.TENDERS`, counts and amounts by turns.

    Credit: sale, forced, return, authorization, capture; debit: sale, return.
    """

    code: str
    text: str = ""
    tender: str = ""
    rows: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class BatchClosed:
    """B01: what was closed, per tender in the order of `codes.TENDERS`."""

    code: str
    text: str = ""
    host: Host = Host()
    counts: tuple[int, ...] = ()
    amounts: tuple[int, ...] = ()
    moment: str = ""
    terminal_id: str = ""
    merchant_id: str = ""


Request = Plain | Transact | CloseBatch | AskTotals | AskDetail
Answer = Outcome | Identity | Result | Record | Totals | BatchClosed
