"""What a status information proves: approvals, fingerprints, and whether it is about our order.

A fingerprint is `terminal:receipt:trace:date:time:amount`, digits as the terminal sent them, with
`#id` behind it if a synchronization id was told, which is not compared. Two readings are one
transaction when no part contradicts and receipt or trace agree; they are two when receipt or trace
differ. Everything else cannot be told.
Source: PA00P015 rev 13.08, status information; card complete on receipt numbers cut to 4 digits.
"""

from __future__ import annotations

from typing import Literal

from drivers import contract as c
from drivers.zvt.codec import messages as m
from drivers.zvt.codec.codes import (
    BRANDS,
    CARD_TYPE_IN_TLV,
    CARDHOLDER_CHECKS,
    CURRENCY_LETTERS,
    ENTRY_MODES,
)
from drivers.zvt.codec.fields import bcd_or_none, decode_text, find_tlv, mask_text
from drivers.zvt.mapping.synchronization import with_id, without_id

HOLD = "hold"
KIND = "kind"  # key of Approval.extra: HOLD for a pre-authorization
_TIP, _CASHBACK, _LONG_TRACE = 0x1F36, 0x1F25, 0x1F2B
_AID, _LABEL, _PREFERRED_NAME, _PRODUCT_NAME = 0x43, 0x44, 0x42, 0x4A
_CARD_TYPE, _CHECK, _TECHNOLOGY, _FULL_DATE = 0x41, 0x1F10, 0x1F12, 0x1F0E
_EMV_CUSTOMER, _EMV_MERCHANT = 0x46, 0x47
_OPEN_HOLDS, _RECEIPT = 0x23, 0x08
_PARTS, _DATE, _TIME = 6, 3, 4  # of a fingerprint
_NO_TRACE = "000000"  # the long form in TLV 1F2B counts

Verdict = Literal["ours", "other", "unreadable"]


def fingerprint(status: m.StatusInformation) -> str:
    """Return what distinguishes this transaction from any other of the terminal."""
    amount = "" if status.amount is None else str(status.amount)
    parts = (status.terminal_id, status.receipt, trace_of(status), status.date, status.time, amount)
    return with_id(":".join(parts), status)


def same_transaction(one: str, other: str) -> bool | None:
    """Compare two fingerprints; None when it cannot be told."""
    pairs = list(zip(without_id(one).split(":"), without_id(other).split(":"), strict=False))
    if len(pairs) != _PARTS:
        return None
    agreed = [a == b if a and b else None for a, b in pairs]
    numbers = agreed[1:3]
    if False in numbers:
        return False
    if False in agreed:
        return None  # equal numbers at another time: counters were reset, or a clock is odd
    return True if True in numbers else None


def trace_of(status: m.StatusInformation) -> str:
    """Return the trace number, from the long form if the short one is empty; "" without any."""
    if status.trace and status.trace != _NO_TRACE:
        return status.trace
    long_form = find_tlv(status.tlv, _LONG_TRACE)
    return long_form.hex() if long_form else ""


def tip_of(status: m.StatusInformation) -> int | None:
    """Return the tip in minor units that is contained in the amount, None without one."""
    return bcd_or_none(find_tlv(status.tlv, _TIP) or b"")


def _cash_back_of(status: m.StatusInformation) -> int | None:
    """Return the cash-back in minor units that is contained in the amount, None without one."""
    return bcd_or_none(find_tlv(status.tlv, _CASHBACK) or b"")


def identifies(status: m.StatusInformation) -> bool:
    """Say whether a status information names a transaction at all, by a number or an amount."""
    return bool(status.receipt or trace_of(status) or status.amount is not None)


def echoes(status: m.StatusInformation, order: c.MoneyOperation) -> bool:
    """Say whether a transaction names the one that `order` ends: a reference of ours.

    Whoever made it, it has done to the original what was ordered.
    """
    if not isinstance(order, (c.Capture, c.Reverse, c.AdjustTip)):
        return False
    named, known = status.original_trace, order.original.trace
    return bool(named.strip("0") and known.strip("0")) and _same_number(named, known)


def is_older(one: str, other: str) -> bool:
    """Say whether a fingerprint is of an earlier moment than the other, by the terminal's clock.

    It tells no year: from December to January is onwards.
    """
    first, second = (_moment_of(each) for each in (one, other))
    if not first or not second or (first[:2], second[:2]) == ("01", "12"):
        return False
    return first < second


def _moment_of(mark: str) -> str:
    """Return MMDDhhmmss of a fingerprint, "" if it has none."""
    parts = without_id(mark).split(":")
    if len(parts) != _PARTS or not parts[_DATE] or not parts[_TIME]:
        return ""
    return parts[_DATE] + parts[_TIME]


def judge_memory(
    status: m.StatusInformation, order: c.MoneyOperation, currency: str, *, amount_always_sent: bool
) -> Verdict:
    """Say whether a transaction that the terminal remembers can be `order`.

    Parts that it names explain nothing here: it may be somebody else's, with a tip of theirs. It
    must have exactly the amount that was ordered, or one that the order allows.
    """
    verdict = judge(status, order, currency, amount_always_sent=amount_always_sent)
    if verdict == "ours" and status.amount is None:
        return "unreadable"
    if verdict != "ours" or status.amount is None or not isinstance(order, c.Pay):
        return verdict
    return "ours" if status.amount <= order.amount.minor else "other"


def judge(
    status: m.StatusInformation, order: c.MoneyOperation, currency: str, *, amount_always_sent: bool
) -> Verdict:
    """Say whether an approval is about `order`. `currency` is the terminal's own."""
    if status.currency is None:
        if order_amount(order).currency != currency:
            return "other"
    elif CURRENCY_LETTERS.get(status.currency) != order_amount(order).currency:
        return "other"
    if isinstance(order, (c.Pay, c.Authorize)) and status.original_trace.strip("0"):
        return "other"  # the shape of a reversal
    if status.amount is None:
        return "unreadable" if amount_always_sent else "ours"
    wanted = order_amount(order).minor
    match order:
        case c.Pay(accept_partial=accept_partial):
            ordered = order.tip.minor if order.tip is not None else 0
            extra = max((tip_of(status) or 0) - ordered, 0) + (_cash_back_of(status) or 0)
            less = 0 < status.amount < wanted and accept_partial
            more = status.amount > wanted and status.amount - wanted <= extra
            return "ours" if status.amount == wanted or less or more else "other"
        case c.Authorize(original=c.Approval() as held):
            return "ours" if status.amount in (wanted, held.amount.minor + wanted) else "other"
        case c.Capture() | c.AdjustTip() if _names_another(status, order):
            return "other"
        case c.Capture(original=original):
            unused = original.amount.minor - wanted
            return "ours" if status.amount in (wanted, unused) else "other"
        case c.AdjustTip(original=original):
            total = original.amount.minor + wanted
            return "ours" if status.amount in (wanted, total) else "other"
        case c.Reverse():
            if _names_another(status, order):
                return "other"  # some terminals reverse the last transaction whatever they are told
            return "ours" if status.amount == wanted else "other"
        case _:
            return "ours" if status.amount == wanted else "other"


def _names_another(status: m.StatusInformation, order: c.Capture | c.Reverse | c.AdjustTip) -> bool:
    """Say whether a transaction ends another one than `order` does."""
    named, known = status.original_trace, order.original.trace
    return bool(named and known) and not _same_number(named, known)


def open_holds_of(answer: m.Abort) -> frozenset[str]:
    """Return the receipt numbers that the answer to 06 23 with FFFF lists: one of them, or all."""
    listed = {answer.receipt}
    for item in answer.tlv or ():
        if item.tag == _OPEN_HOLDS and isinstance(item.value, tuple):
            receipts = (one.value for one in item.value if one.tag == _RECEIPT)
            listed |= {value.hex() for value in receipts if isinstance(value, bytes)}
    return frozenset(number for number in listed if number.isdecimal())


def order_amount(order: c.MoneyOperation) -> c.Money:
    """Return what the order moves."""
    match order:
        case c.AdjustTip(tip=tip):
            return tip
        case c.Reverse(amount=amount, original=original):
            return amount or original.amount
        case _:
            return order.amount


def approval_of(
    status: m.StatusInformation, order: c.MoneyOperation, charset: str = "auto"
) -> c.Approval:
    """Return the terminal's approval of `order`; call it only after `judge` said "ours"."""
    money = order_amount(order)
    raises = isinstance(order, c.Authorize) and order.original is not None
    if status.amount is not None and not raises and not isinstance(order, (c.Capture, c.AdjustTip)):
        money = c.Money(status.amount, money.currency)
    # else the terminal may name nothing, the released rest, or the new total
    return _approval(status, money, HOLD if isinstance(order, c.Authorize) else "", charset)


def approval_told(
    status: m.StatusInformation, currency: str, charset: str = "auto"
) -> c.Approval | None:
    """Return an approval that answers no order of ours; None if its amount was not told.

    `currency` is the terminal's own, for a status information that names none.
    """
    letters = currency if status.currency is None else CURRENCY_LETTERS.get(status.currency)
    if status.amount is None or letters is None:
        return None
    return _approval(status, c.Money(status.amount, letters), "", charset)


def _approval(status: m.StatusInformation, amount: c.Money, kind: str, charset: str) -> c.Approval:
    tip, cash_back = tip_of(status), _cash_back_of(status)
    extra = {
        "turnover": status.turnover,
        "original_trace": status.original_trace,
        "date": status.date,
        "time": status.time,
        "currency_said": "" if status.currency is None else f"{status.currency:04d}",
        "emv_customer": _text(status, _EMV_CUSTOMER, charset),
        "emv_merchant": _text(status, _EMV_MERCHANT, charset),
        KIND: kind,
    }
    return c.Approval(
        amount=amount,
        fingerprint=fingerprint(status),
        terminal_id=status.terminal_id,
        transaction_id=status.receipt,
        trace=trace_of(status),
        approval_code=status.approval_code,
        merchant_id=status.merchant_id,
        time_text=_time_text(status),
        tip=c.Money(tip, amount.currency) if tip else None,
        cash_back=c.Money(cash_back, amount.currency) if cash_back else None,
        card=card_of(status, charset),
        text=status.text,
        extra={key: value for key, value in extra.items() if value},
    )


def card_of(status: m.StatusInformation, charset: str = "auto") -> c.Card:
    """Return what the terminal says of the card."""
    number = status.card_type
    if number in (None, CARD_TYPE_IN_TLV):
        wide = find_tlv(status.tlv, _CARD_TYPE)
        number = int.from_bytes(wide, "big") if wide else None
    check = find_tlv(status.tlv, _CHECK)
    technology = find_tlv(status.tlv, _TECHNOLOGY)
    aid = find_tlv(status.tlv, _AID)
    label = (
        _text(status, _PREFERRED_NAME, charset)
        or _text(status, _LABEL, charset)
        or _text(status, _PRODUCT_NAME, charset)
    )
    return c.Card(
        brand=BRANDS.get(number, "") if number is not None else "",
        label=label or status.card_name,
        masked_pan=status.pan,
        entry_mode=ENTRY_MODES.get(technology[0], "") if technology else "",
        verification=CARDHOLDER_CHECKS.get(check[0], "") if check else "",
        application_id=aid.hex().upper() if aid else "",
    )


def _text(status: m.StatusInformation, tag: int, charset: str) -> str:
    value = find_tlv(status.tlv, tag)
    return mask_text(decode_text(value, charset)).strip(" \0") if value else ""


def _time_text(status: m.StatusInformation) -> str:
    """Return ISO 8601 local time; "" when the terminal did not say the year."""
    long_date = find_tlv(status.tlv, _FULL_DATE)
    date = long_date.hex() if long_date else f"20{status.full_date}" if status.full_date else ""
    time = status.time
    if len(date) != 8 or len(time) != 6 or not (date + time).isdecimal():
        return ""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}"


def _same_number(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    return one[-shorter:] == other[-shorter:]
