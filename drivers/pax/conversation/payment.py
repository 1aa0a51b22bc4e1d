"""Scripts of the conversations that move money. Pure.

The command that moves money is sent once. On a serial line, which keeps what an earlier
conversation left, an initialisation goes first: its answer proves that the terminal listens and
that everything older has been read; when it does not come, nothing was sent that moves money.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.amounts import amount_text
from drivers.contract import (
    ALREADY_REVERSED,
    AdjustTip,
    Approval,
    Approved,
    Authorize,
    Canceled,
    Capture,
    Declined,
    Failed,
    FinalEvent,
    LoadGift,
    MoneyOperation,
    Offered,
    Pay,
    Refund,
    Reverse,
    Unclear,
)
from drivers.pax.codec import codes
from drivers.pax.codec.fields import AMOUNT_DIGITS_MAX, Pairs, ecr_reference
from drivers.pax.codec.messages import (
    AskDetail,
    AskedAmount,
    AskedTrace,
    Plain,
    Record,
    Result,
    Transact,
)
from drivers.pax.conversation.batch_record import FIRST_RECORD, Absent, ask_report
from drivers.pax.conversation.exchange import Ask, Script
from drivers.pax.mapping.evidence import (
    contradicted,
    fingerprint_of,
    question_about,
    verdict,
    whole_tip_minor,
)
from drivers.pax.settings import PaxSettings
from drivers.script import Heard, NotHeard, Stored, Tell, Wishes

INITIALIZE = Plain("A00")
NO_TIP_PROMPT: Pairs = (("TIPREQ", "0"),)


def move_money(
    operation: MoneyOperation, settings: PaxSettings, wishes: Wishes, *, greet: bool
) -> Script:
    """Hold the conversation that performs `operation`; `greet` initialises the terminal first."""
    refusal = why_not(operation, settings)
    if refusal is not None:
        return refusal
    if greet:
        greeting = yield Ask(INITIALIZE, settings.report_seconds)
        if isinstance(greeting, NotHeard):
            return Failed(greeting.reason, "the payment was not sent", "terminal_offline")
    if wishes.stop:
        return Canceled("cashier", text="before it was sent")
    reference = ecr_reference(operation.reference)
    request = request_for(operation, settings, reference)
    reaction = yield Ask(request, settings.payment_seconds, once=True, reference=reference)
    match reaction:
        case Heard(Result() as result) if _is_older(result, operation, reference):
            return Unclear("other_transaction", "the answer is that of the transaction before")
        case Heard(Result() as result):
            final = verdict(result, operation, reference)
            evidence = contradicted(final, result, operation)
            if evidence is not None:
                yield Tell(Offered(evidence))
        case NotHeard(reason):
            return Unclear(reason)
        case _:
            return Unclear("unreadable")
    if isinstance(final, Canceled) and final.by == "cardholder" and wishes.stop:
        return Canceled("cashier", final.code, final.text)
    if isinstance(final, Approved) and refuses_part(operation, final.approval):
        return (yield from _take_back(operation, final.approval, settings))
    if isinstance(operation, Reverse) and isinstance(final, Failed):
        return (yield from _why_not_voided(final, operation, settings))
    return final


def _is_older(result: Result, operation: MoneyOperation, reference: str) -> bool:
    """Whether `result` is of the transaction that the terminal did before this one.

    An application that echoes no reference may repeat an answer that was not acknowledged.
    """
    if not isinstance(operation, Pay | Authorize | Refund) or operation.last is None:
        return False
    if result.trace.reference == reference or result.code == codes.DUPLICATE:
        return False
    known = operation.last.fingerprint
    return known != "" and known == fingerprint_of(result.trace)


def refuses_part(operation: MoneyOperation, approval: Approval) -> bool:
    """Whether `approval` covers a part only, and this payment must not stay with one.

    What the terminal added to the amount pays nothing of what was asked for.
    """
    if not isinstance(operation, Pay) or operation.accept_partial:
        return False
    besides = (approval.surcharge, approval.cash_back)
    added_minor = sum(part.minor for part in besides if part is not None)
    if approval.tip is not None:
        asked_tip_minor = operation.tip.minor if operation.tip is not None else 0
        added_minor += max(approval.tip.minor - asked_tip_minor, 0)
    return approval.amount.minor - added_minor < operation.amount.minor


def _why_not_voided(refusal: Failed, operation: Reverse, settings: PaxSettings) -> Script:
    """Look what became of the transaction that could not be voided, for whoever asks next.

    One that was voided before must not be refunded as well. A refund is a way out only where a
    record of a later batch shows that its own is closed. The refusal itself is certain.
    """
    question = question_about(operation.original.fingerprint)
    if refusal.reason != "void_not_possible" or question is None:
        return refusal
    report = yield from ask_report(question, settings)
    if isinstance(report, Record):
        if report.type in codes.VOID_TYPES:
            return replace(refusal, text="it was voided before", reason=ALREADY_REVERSED)
        return refusal
    if not isinstance(report, Absent) or not operation.original.batch:
        return refusal
    report = yield from ask_report(AskDetail(record_number=FIRST_RECORD), settings)
    if isinstance(report, Record) and report.host.batch not in ("", operation.original.batch):
        return replace(refusal, batch_closed=True)
    return refusal


def _take_back(operation: MoneyOperation, approval: Approval, settings: PaxSettings) -> Script:
    """Void a partial approval that nobody wants.

    Until the void is proven the part is taken, and that is what is told; when the void's own fate
    is unknown, so is the payment's.
    """
    stored = yield Tell(Offered(approval))
    if stored != Stored(done=True):
        return Unclear("not_stored", "a part of the amount is taken")
    reference = ecr_reference(operation.reference, second=True)
    back = Reverse(operation.reference, approval)
    request = request_for(back, settings, reference)
    reaction = yield Ask(request, settings.payment_seconds, once=True, reference=reference)
    match reaction:
        case Heard(Result() as result):
            return after_taking_back(verdict(result, back, reference), approval)
        case NotHeard(reason):
            return Unclear(reason, "a part of the amount was taken, its void is open")
        case _:
            return Unclear("unreadable")


def after_taking_back(void: FinalEvent, approval: Approval) -> FinalEvent:
    """Return what became of a payment whose partial approval was to be voided."""
    match void:
        case Approved():
            text = f"only {amount_text(approval.amount)} were approved, and voided"
            return Declined(codes.PARTIAL, text, "insufficient_funds")
        case Failed(reason=reason) if reason == ALREADY_REVERSED:
            return Unclear("void_unknown", "a part of the amount was taken, and voided by somebody")
        case Declined() | Canceled() | Failed():
            return Approved(approval)
        case _:
            return Unclear("void_unknown", "a part of the amount was taken, its void is open")


def is_gift(operation: MoneyOperation) -> bool:
    """Whether `operation` is about a gift card that the terminal serves."""
    match operation:
        case Pay(gift=gift):
            return gift
        case LoadGift():
            return True
        case _:
            original = operation.original
            return original is not None and original.extra.get("tender") == "gift"


def why_not(operation: MoneyOperation, settings: PaxSettings) -> Failed | None:
    """Return why this terminal cannot perform `operation`; None when it can."""
    if is_gift(operation):
        if isinstance(operation, AdjustTip | Capture):
            return Failed("gift", "not with a gift card", "operation_not_supported")
        if not settings.gift:
            return Failed("gift", "no gift cards at this terminal", "operation_not_supported")
    match operation:
        case Reverse(amount=part) if part is not None:
            return Failed("partial_void", "only as a whole", "operation_not_supported")
        case Authorize(original=hold) if hold is not None:
            return Failed("increment", "a hold cannot be raised", "operation_not_supported")
        case Authorize() | Capture() | AdjustTip() if settings.tender != "credit":
            return Failed("tender", "credit cards only", "operation_not_supported")
        case Reverse(original=original):
            amount = original.amount
        case AdjustTip(tip=amount):
            pass
        case _:
            amount = operation.amount
    if amount.currency != settings.currency:
        return Failed("currency", f"the terminal takes {settings.currency}", "payment_restriction")
    if amount.minor >= 10**AMOUNT_DIGITS_MAX:
        return Failed("amount", "more than eight digits", "invalid_amount")
    if isinstance(operation, Pay) and operation.tip and operation.tip.minor > amount.minor:
        return Failed("tip", "the tip is part of the amount", "invalid_amount")
    return None


def type_of(operation: Pay | Authorize | Refund | LoadGift) -> str:
    """Return the transaction type that performs `operation`."""
    match operation:
        case Pay():
            return codes.SALE
        case Authorize():
            return codes.AUTH
        case Refund():
            return codes.RETURN
        case LoadGift():
            return codes.ADD_VALUE


def request_for(operation: MoneyOperation, settings: PaxSettings, reference: str) -> Transact:
    """Return the command for `operation`. The duplicate check is never skipped."""
    trace = AskedTrace(reference)
    match operation:
        case Pay(amount=amount, tip=tip):
            tip_minor = tip.minor if tip is not None else 0
            asked = AskedAmount(amount.minor - tip_minor, tip_minor or None)
            tender = "gift" if operation.gift else settings.tender
            return Transact(tender, codes.SALE, asked, trace=trace, additional=NO_TIP_PROMPT)
        case Authorize(amount=amount):
            asked = AskedAmount(amount.minor)
            return Transact(
                settings.tender, codes.AUTH, asked, trace=trace, additional=NO_TIP_PROMPT
            )
        case LoadGift(amount=amount):
            asked = AskedAmount(amount.minor)
            return Transact("gift", codes.ADD_VALUE, asked, trace=trace, additional=NO_TIP_PROMPT)
        case Refund(amount=amount, original=None):
            asked = AskedAmount(amount.minor)
            return Transact(
                settings.tender, codes.RETURN, asked, trace=trace, additional=NO_TIP_PROMPT
            )
        case Refund(amount=amount, original=original):
            assert original is not None, "the case before took the unlinked refund"
            return _about(original, codes.RETURN, amount.minor, settings, reference)
        case Capture(amount=amount, original=original):
            return _about(original, codes.POST_AUTH, amount.minor, settings, reference)
        case Reverse(original=original):
            return _about(original, codes.VOID, None, settings, reference)
        case AdjustTip(original=original):
            # Two public clients send the tip, not the new total, as the transaction amount.
            tip_minor = whole_tip_minor(operation)
            return _about(original, codes.ADJUST, tip_minor, settings, reference)


def _about(
    original: Approval, kind: str, minor: int | None, settings: PaxSettings, reference: str
) -> Transact:
    """Return a command that names its original by host reference and by transaction number."""
    href = original.extra.get("href", "")
    return Transact(
        original.extra.get("tender", settings.tender),
        kind,
        AskedAmount(minor),
        trace=AskedTrace(reference, transaction_number=original.transaction_id),
        additional=(("HREF", href),) if href else (),
    )
