"""Payments as a list for people: one typed line each, found by what a person knows, and totals.

What a payment moved is signed: a sale is above zero, a refund or a void below. The lines of a whole
journal add up to what the journal itself counts (`net_by_payment`): a void takes back what its
original took, and every tip that was added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bridge.money import payment as p
from bridge.money.amounts import format_amount, format_signed
from bridge.money.store.journal_entries import PaymentRow
from bridge.money.store.records import PaymentRecord
from bridge.reports.attention import Need, needs_of
from bridge.reports.reader import Reader
from drivers.amounts import digits_of
from drivers.contract import Money

LAST_DIGITS_MIN, LAST_DIGITS_MAX = 2, 4  # of a card that a shopper can name
_OPEN = (
    "(status in ('queued','in_progress','canceling','in_doubt')"
    " or recording in ('pending','unconfirmed','rejected') or live=1)"
)
# An amount or a card's last digits stand in what a terminal said; this finds more than is meant.
_SAID = (
    "exists (select 1 from entry where subject=payment_id and"
    " kind in ('Approved','Offered','Resolved','Pruned','Unclear') and instr(body, ?))"
)


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """One payment. Amounts are in minor units of `currency`.

    Attributes:
        created_at: When the register asked, ISO 8601 UTC.
        type: What the register asked for, e.g. `sale`.
        method: What was paid with: `card`, `gift_card`, `terminal_gift_card`.
        moved_minor: What it moved, signed: above zero into the store. Zero while nothing is known.
        held_minor: What it still holds.
        tip_minor: What of `moved_minor` is tip.
        at_stake_minor: What may have moved, signed, while it is in doubt.
        brand: Of the card, as the terminal said; "" where it did not.
        last4: Of the card; "" where it is not known, or forgotten.
        record_id: Its number in the back office.
        needs: What is open about it.
        record: All that is known.
    """

    payment_id: str
    created_at: str
    register_id: str
    terminal_id: str
    sale_id: str
    type: str
    method: str
    status: str
    funds: str
    recording: str
    currency: str
    moved_minor: int
    held_minor: int
    tip_minor: int
    at_stake_minor: int
    brand: str
    last4: str
    approval_code: str
    record_id: str
    needs: tuple[Need, ...]
    record: PaymentRecord

    @property
    def requested(self) -> Money:
        """What the register asked for, in the currency that it named."""
        return self.record.payment.request.amount

    @property
    def needs_person(self) -> bool:
        """Whether somebody must do something about it."""
        return any(need.by_person for need in self.needs)

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types; amounts are decimal text with sign."""
        return {
            "payment_id": self.payment_id,
            "created_at": self.created_at,
            "register_id": self.register_id,
            "terminal_id": self.terminal_id,
            "sale_id": self.sale_id,
            "type": self.type,
            "method": self.method,
            "status": self.status,
            "funds": self.funds,
            "recording": self.recording,
            "currency": self.currency,
            "amount": format_amount(self.requested),
            "moved": format_signed(self.moved_minor, self.currency),
            "tip": format_signed(self.tip_minor, self.currency),
            "at_stake": format_signed(self.at_stake_minor, self.currency),
            "held": format_signed(self.held_minor, self.currency) if self.held_minor else None,
            "brand": self.brand,
            "last4": self.last4,
            "approval_code": self.approval_code,
            "record_id": self.record_id,
            "needs": [need.kind for need in self.needs],
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which payments are meant; what is empty leaves nothing out.

    Attributes:
        part: The id's beginning or end.
        sale: The sale's id, as the register has it.
        amount: What was asked for or moved, decimal text without sign.
        last4: The card's last digits, two to four.
        since: The first moment, ISO 8601 UTC; the payment's is when the register asked.
        until: The first moment that is not meant any more.
        only_open: Only what is open, for a person or by itself, and holds.
        newest: At most so many; 0: all.
    """

    part: str = ""
    sale: str = ""
    amount: str = ""
    last4: str = ""
    since: str = ""
    until: str = ""
    register_id: str = ""
    terminal_id: str = ""
    only_open: bool = False
    newest: int = 0


def find_lines(reader: Reader, wanted: Selection) -> list[PaymentLine]:
    """Return the lines that are meant, newest first.

    Raises:
        JournalError: The journal cannot be read.
        ValueError: The amount or the digits are none; the text says how to write them.
    """
    where, values = _condition(reader, wanted)
    needs_look = bool(wanted.amount or wanted.last4 or wanted.only_open)
    newest = 0 if needs_look else wanted.newest
    rows = reader.rows(where, values, newest=newest)
    rows = rows if newest else rows[::-1]
    lines = lines_of(reader, rows)
    if needs_look:
        lines = [line for line in lines if _is_meant(line, wanted)]
    return lines[: wanted.newest] if wanted.newest else lines


def lines_of(reader: Reader, rows: Sequence[PaymentRow]) -> list[PaymentLine]:
    """Return the lines of these payments, in their order.

    Raises:
        JournalError: The journal cannot be read.
    """
    records = reader.records(row.payment_id for row in rows)
    voided = [
        one.payment.request.original_payment_id
        for one in records.values()
        if one.payment.request.type is p.PaymentType.VOID
    ]
    originals = {**records, **reader.records(one for one in voided if one not in records)}
    return [
        _line(records[row.payment_id], row, originals) for row in rows if row.payment_id in records
    ]


# --- one line


def _line(
    record: PaymentRecord, row: PaymentRow, originals: Mapping[str, PaymentRecord]
) -> PaymentLine:
    payment = record.payment
    request, approval = payment.request, payment.approval
    shown = approval or payment.offer
    card = shown.card if shown is not None else None
    tip = (
        payment.tips_minor - payment.tip_minor
        if request.type is not p.PaymentType.TIP_ADJUST
        else moved_minor(payment, originals)
    )
    return PaymentLine(
        payment_id=record.payment_id,
        created_at=record.created_at,
        register_id=request.register_id,
        terminal_id=request.terminal_id,
        sale_id=request.sale_id or _sale_of(request.sale_key),
        type=request.type.value,
        method=request.method.value,
        status=payment.status.value,
        funds=payment.funds.value,
        recording=row.recording,
        currency=approval.amount.currency if approval is not None else request.amount.currency,
        moved_minor=moved_minor(payment, originals),
        held_minor=payment.held_minor,
        tip_minor=tip,
        at_stake_minor=_at_stake_minor(payment),
        brand=card.brand if card is not None else "",
        last4=card.masked_pan.last4 if card is not None and card.masked_pan is not None else "",
        approval_code=shown.approval_code if shown is not None else "",
        record_id=payment.record_id,
        needs=needs_of(record),
        record=record,
    )


def moved_minor(payment: p.Payment, originals: Mapping[str, PaymentRecord]) -> int:
    """Return what a payment moved, in minor units, signed: above zero into the store.

    `originals` has what a void was done to. What is held moved nothing yet, and what is loaded on
    a gift card was paid by another payment.
    """
    request, approval = payment.request, payment.approval
    if approval is None or payment.funds in {p.Funds.NONE, p.Funds.UNKNOWN}:
        return 0
    match request.type:
        case p.PaymentType.SALE | p.PaymentType.CAPTURE | p.PaymentType.TIP_ADJUST:
            return approval.amount.minor
        case p.PaymentType.REFUND:
            return -approval.amount.minor
        case p.PaymentType.VOID:
            original = originals.get(request.original_payment_id)
            if original is None or original.payment.funds is not p.Funds.VOIDED:
                return 0
            return -original.payment.taken_minor
        case _:
            return 0


def _at_stake_minor(payment: p.Payment) -> int:
    if payment.status is not p.Status.IN_DOUBT and not payment.may_have_moved:
        return 0
    sign = -1 if payment.request.type in p.GIVES else 1
    if payment.request.type in {p.PaymentType.PREAUTH, p.PaymentType.INCREMENT}:
        return 0
    return sign * payment.request.amount.minor


def _sale_of(sale_key: str) -> str:
    """Return the sale's id of a follow-up, which belongs to its original's sale."""
    _, mark, sale = sale_key.partition("/")
    return sale if mark else ""


# --- finding


def _condition(reader: Reader, wanted: Selection) -> tuple[str, list[object]]:
    conditions, values = ["1"], list[object]()

    def add(condition: str, *more: object) -> None:
        conditions.append(condition)
        values.extend(more)

    part = wanted.part.removeprefix("…")  # as the list shows it
    if part:
        size = len(part)
        add("(substr(payment_id,1,?)=? or substr(payment_id,?)=?)", size, part, -size, part)
    if wanted.sale:
        tail = f"/{wanted.sale}"
        add("(substr(sale_key,?)=? or sale_key=?)", -len(tail), tail, wanted.sale)
    if wanted.register_id:
        add("register_id=?", wanted.register_id)
    if wanted.terminal_id:
        add("terminal_id=?", wanted.terminal_id)
    if wanted.since:
        add("created_at>=?", wanted.since)
    if wanted.until:
        add("created_at<?", wanted.until)
    if wanted.only_open:
        add(_OPEN)
    if wanted.last4:
        add(_SAID, f'{_digits(wanted.last4)}"')
    if wanted.amount:
        amounts = _amounts(reader, wanted.amount)
        ways = ["0", *(["(currency=? and amount_minor=?)", _SAID] * len(amounts))]
        values += [
            value
            for money in amounts
            for value in (money.currency, money.minor, f'"minor":{money.minor},')
        ]
        conditions.append(f"({' or '.join(ways)})")
    return " and ".join(conditions), values


def _digits(text: str) -> str:
    if not (text.isdecimal() and LAST_DIGITS_MIN <= len(text) <= LAST_DIGITS_MAX):
        raise ValueError(f"a card's last digits are two to four digits, not {text!r}")
    return text


def _amounts(reader: Reader, text: str) -> list[Money]:
    """Return what `text` may mean in the currencies of the journal.

    Raises:
        ValueError: It is no amount.
    """
    plain = text.strip().replace(",", ".").lstrip("+-")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or not 0 <= number < Decimal(10) ** 12:
        raise ValueError(f"write the amount like 47.90, not {text!r}")
    found = []
    for (currency,) in reader.ask("select distinct currency from payment"):
        scaled = number.scaleb(digits_of(currency))
        if scaled == scaled.to_integral_value():
            found.append(Money(int(scaled), currency))
    return found


def _is_meant(line: PaymentLine, wanted: Selection) -> bool:
    if wanted.last4 and not line.last4.endswith(wanted.last4):
        return False
    if wanted.only_open and not (line.needs or not line.record.payment.is_settled):
        return False
    if wanted.amount:
        number = Decimal(wanted.amount.strip().replace(",", ".").lstrip("+-"))
        scaled = int(number.scaleb(digits_of(line.currency)))
        said = {line.requested.minor, abs(line.moved_minor), line.record.payment.taken_minor}
        if scaled not in said:
            return False
    return True


# --- adding up


@dataclass(frozen=True, slots=True)
class Total:
    """What lines of one kind add up to; `minor` is signed, in minor units of `currency`."""

    currency: str
    name: str
    count: int
    minor: int
    tip_minor: int = 0

    def as_json(self) -> dict[str, object]:
        """Return it in JSON's types."""
        return {
            "currency": self.currency,
            "name": self.name,
            "count": self.count,
            "amount": format_signed(self.minor, self.currency),
            "tip": format_signed(self.tip_minor, self.currency),
        }


def totals_by(lines: Iterable[PaymentLine], key: str) -> list[Total]:
    """Return totals of what moved, by currency and by an attribute of the lines, e.g. `type`.

    Payments that moved nothing are in no total.
    """
    found: dict[tuple[str, str], list[PaymentLine]] = {}
    for line in lines:
        if line.moved_minor:
            found.setdefault((line.currency, str(getattr(line, key))), []).append(line)
    return [
        Total(
            currency,
            name,
            len(some),
            sum(line.moved_minor for line in some),
            sum(line.tip_minor for line in some),
        )
        for (currency, name), some in sorted(found.items())
    ]


def grand_totals(lines: Iterable[PaymentLine]) -> list[Total]:
    """Return one total for each currency."""
    found: dict[str, list[Total]] = {}
    for one in totals_by(lines, "type"):
        found.setdefault(one.currency, []).append(one)
    return [
        Total(
            currency,
            "total",
            sum(one.count for one in some),
            sum(one.minor for one in some),
            sum(one.tip_minor for one in some),
        )
        for currency, some in found.items()
    ]
