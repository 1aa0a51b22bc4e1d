"""Scripts that look up a gift card's balance or the newest record. No money moves; pure."""

from __future__ import annotations

from drivers.contract import (
    CardBalance,
    Failed,
    LastTransaction,
    Money,
    ReadBalance,
    Unclear,
)
from drivers.pax.codec import codes
from drivers.pax.codec.messages import AskDetail, AskedTrace, Record, Result, Transact
from drivers.pax.conversation.batch_record import FIRST_RECORD, Absent, Trouble, ask_report
from drivers.pax.conversation.exchange import Ask, Script
from drivers.pax.conversation.payment import NO_TIP_PROMPT
from drivers.pax.mapping.evidence import approval_of, card_of, refusal_of, words
from drivers.pax.settings import PaxSettings
from drivers.script import Heard, NotHeard

# The reference is mandatory and has no meaning here. No payment has it: those are longer.
BALANCE_REFERENCE = "BALANCE"


def read_balance(operation: ReadBalance, settings: PaxSettings) -> Script:
    """Ask for a gift card and return what is left on it."""
    if not settings.gift:
        return Failed("gift", "no gift cards at this terminal", "operation_not_supported")
    request = Transact(
        "gift",
        codes.BALANCE,
        trace=AskedTrace(BALANCE_REFERENCE),
        additional=NO_TIP_PROMPT,
    )
    seconds = operation.timeout_seconds + settings.report_seconds  # for the card, then the host
    reaction = yield Ask(request, seconds, once=True, reference=BALANCE_REFERENCE)
    match reaction:
        case Heard(Result(code=codes.OK) as result):
            left = result.amount.balance
            if result.host.code not in ("", *codes.APPROVED_HOST_CODES):
                return Unclear("contradiction", f"{result.code} with host code {result.host.code}")
            if left is None:
                return Unclear("unreadable", "the answer holds no balance")
            return CardBalance(Money(left, settings.currency), card_of(result))
        case Heard(Result() as result):
            return refusal_of(result, settings.currency)
        case NotHeard(reason):
            return Unclear(reason)
        case _:
            return Unclear("unreadable")


def read_last(settings: PaxSettings) -> Script:
    """Tell the newest record of the open batch.

    Records are asked for by number, and the first one says how many there are. Whether they count
    up or down is not written anywhere, so the later of both ends is the newest.
    """
    first = yield from ask_report(AskDetail(record_number=FIRST_RECORD), settings)
    match first:
        case Absent():
            return LastTransaction(None)
        case Trouble(reason, text=text):
            return Unclear(reason, text)
        case Record(total=1):
            return _told(first, settings)
        case Record(total=total):
            pass
    if not total:
        return Unclear("unreadable", "the report does not say how many records there are")
    last = yield from ask_report(AskDetail(record_number=str(total - 1)), settings)
    match last:
        case Record():
            pass
        case Absent():
            return Unclear("unreadable", "the newest record is not there")
        case Trouble(reason, text=text):
            return Unclear(reason, text)
    newer = first if first.trace.moment > last.trace.moment else last
    return _told(newer, settings)


def _told(record: Record, settings: PaxSettings) -> LastTransaction:
    """Return what a record tells: an approval where an amount was approved and not voided.

    A host code that does not approve stands beside it: a person decides what that means.
    """
    text = words(record)
    host_code = record.host.code
    if record.type in codes.VOID_TYPES:
        return LastTransaction(None, f"voided: {text}".strip(": "))
    if host_code and host_code not in codes.APPROVED_HOST_CODES | {codes.PARTIAL_HOST_CODE}:
        text = f"{host_code} {text}".strip()
    if not record.amount.approved:
        return LastTransaction(None, text)
    amount = Money(record.amount.approved, settings.currency)
    return LastTransaction(approval_of(record, amount), text)
