"""The script that finds out what became of a payment. Moves no money; pure.

1. Ask for the record with the payment's ECR reference. If it is there, it is the answer.
2. Otherwise make the terminal stop (A14) and ask again.
3. Still no record: *not executed* is said only with a witness that the batch is still the one in
   which the record would stand: an older record that is still there or, for a command about an
   earlier transaction, that transaction in its old state. No newer record may look like ours,
   because an application might store payments without our reference.
4. On a serial line, where one frame in 256 damaged ones passes its LRC, only a plain approval is
   believed at first sight. Everything else is read twice, and both readings must agree.
Everything else stays unknown.
Source: fact sheet "PAX POSLINK", section 8.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from drivers.contract import (
    INFERRED,
    AdjustTip,
    Approval,
    Approved,
    Authorize,
    Capture,
    Declined,
    Failed,
    FinalEvent,
    Inquire,
    LoadGift,
    MoneyOperation,
    Offered,
    Pay,
    Refund,
    Reverse,
    StillRunning,
    Unclear,
)
from drivers.pax.codec import codes
from drivers.pax.codec.fields import amount_of, ecr_reference
from drivers.pax.codec.messages import AskDetail, Record
from drivers.pax.conversation.batch_record import Absent, Report, Trouble, ask_report
from drivers.pax.conversation.exchange import STOP, Ask, Reaction, Script
from drivers.pax.conversation.payment import after_taking_back, is_gift, refuses_part, type_of
from drivers.pax.mapping.evidence import (
    CONTRADICTION,
    approval_of,
    contradicted,
    fingerprint_of,
    question_about,
    verdict_of_record,
    whole_tip_minor,
)
from drivers.pax.settings import PaxSettings
from drivers.script import NotHeard, Tell

# Some terminals answer A14 with A15, some with EOT, some not at all.
STOP_SECONDS = 5.0
# How many payments somebody may have taken since; more are no longer looked through.
NEWER_RECORDS_MAX = 50


def inquire(operation: Inquire, settings: PaxSettings, *, careful: bool) -> Script:
    """Find out what became of `operation.about`; `careful` reads everything but approvals twice."""
    question = AskDetail(reference=ecr_reference(operation.about.reference))
    gift = is_gift(operation.about)
    report = yield from _look_for(question, settings, gift=gift)
    if isinstance(report, Record):
        return (yield from _judge(report, operation, settings, careful=careful))
    if settings.transport == "http":
        if isinstance(report, Absent):
            return Unclear("absence_not_proven", "over HTTP the terminal cannot be stopped")
        return _unanswered(report)
    stopped = yield Ask(STOP, STOP_SECONDS)
    if isinstance(stopped, NotHeard) and not stopped.acknowledged:
        return Unclear(stopped.reason)
    report = yield from _look_for(question, settings, gift=gift)
    if careful and isinstance(report, Absent):
        report = yield from _look_for(question, settings, gift=gift)
    match report:
        case Record():
            return (yield from _judge(report, operation, settings, careful=careful))
        case Trouble():
            return _unanswered(report)
        case Absent():
            return (yield from _prove_absence(operation, settings))


def _look_for(
    question: AskDetail, settings: PaxSettings, *, gift: bool
) -> Generator[Ask, Reaction, Report]:
    """Ask for one record, of all tenders at once.

    Whether that counts gift cards is the application's own affair, so `gift` also asks for them by
    name before their record counts as absent.
    """
    report = yield from ask_report(question, settings)
    if gift and isinstance(report, Absent):
        report = yield from ask_report(replace(question, tender=codes.GIFT_TENDER), settings)
    return report


def _unanswered(trouble: Trouble) -> FinalEvent:
    if trouble.acknowledged:
        return StillRunning(trouble.text or "the terminal is busy")
    return Unclear(trouble.reason, trouble.text)


def _judge(record: Record, operation: Inquire, settings: PaxSettings, *, careful: bool) -> Script:
    about = operation.about
    final = verdict_of_record(record, about)
    if careful and not _is_plain(final, about):
        question = AskDetail(reference=record.trace.reference)
        again = yield from _look_for(question, settings, gift=is_gift(about))
        if again != record:
            return Unclear("unreadable", "two readings of the record differ")
    if isinstance(final, Approved) and refuses_part(about, final.approval):
        return (yield from _judge_part(operation, final.approval, settings))
    if operation.offer is not None:
        # An answer approved an amount: a record that says no by its code alone is no proof.
        denied = isinstance(final, Declined) or (
            isinstance(final, Failed) and final.reason in codes.TECHNICAL_REASONS
        )
        return Unclear(CONTRADICTION, "approved once, refused by its record") if denied else final
    evidence = contradicted(final, record, about)
    if evidence is not None:
        yield Tell(Offered(evidence))
    return final


def _is_plain(final: FinalEvent, about: MoneyOperation) -> bool:
    """Whether `final` approves exactly what was asked for."""
    if not isinstance(final, Approved):
        return False
    match about:
        case Reverse() | AdjustTip():
            return True
        case _:
            return final.approval.amount == about.amount


def _judge_part(operation: Inquire, approval: Approval, settings: PaxSettings) -> Script:
    """A part of the amount was taken and was to be voided: did the void arrive?"""
    second = ecr_reference(operation.about.reference, second=True)
    question = AskDetail(reference=second)
    report = yield from _look_for(question, settings, gift=is_gift(operation.about))
    match report:
        case Record():
            back = Reverse(operation.about.reference, approval)
            return after_taking_back(verdict_of_record(report, back), approval)
        case Absent():
            return Approved(approval)
        case Trouble():
            return _unanswered(report)


def _prove_absence(operation: Inquire, settings: PaxSettings) -> Script:
    about = operation.about
    if operation.offer is not None:
        # It was there once. If our own void took it away, the void's record says so.
        final = yield from _judge_part(operation, operation.offer, settings)
        return Unclear("offer_not_found") if isinstance(final, Approved) else final
    match about:
        case Reverse() | Capture() | AdjustTip():
            return (yield from _judge_original(about, settings))
        case _:
            pass
    witnesses = [operation.baseline.fingerprint] if operation.baseline is not None else []
    if isinstance(about, Refund) and about.original is not None:
        witnesses.append(about.original.fingerprint)
    for fingerprint in witnesses:
        question = question_about(fingerprint)
        if question is None:
            continue
        report = yield from ask_report(question, settings)
        if isinstance(report, Record) and fingerprint_of(report.trace) == fingerprint:
            number = amount_of(report.record_number)
            if number is None:
                return Unclear("unreadable", "the report does not number its records")
            return (yield from _prove_unlike(about, number + 1, settings))
        if isinstance(report, Trouble):
            return _unanswered(report)
    if not settings.auto_settlement:
        return (yield from _prove_unlike(about, 0, settings))
    return Unclear("batch_unknown", "no record of it, but the batch may have been closed since")


def _prove_unlike(
    about: Pay | Authorize | Refund | LoadGift, first: int, settings: PaxSettings
) -> Script:
    """Say *not executed* if no record from number `first` on looks like `about`."""
    for number in range(first, first + NEWER_RECORDS_MAX):
        report = yield from ask_report(AskDetail(record_number=str(number)), settings)
        match report:
            case Trouble():
                return _unanswered(report)
            case Absent():
                return Failed("not_executed", "no record of it, and the batch is still the same")
            case Record() as record:
                same_type = record.type in ("", type_of(about))
                fits = not record.amount.approved or about.amount.minor in _asked_amounts(record)
                if same_type and fits:
                    return Unclear("look_alike", "a newer record has the same amount")
    return Unclear("many_records", "too many payments since to be sure")


def _asked_amounts(record: Record) -> Iterator[int]:
    """Yield what may have been asked for, where this came of it."""
    amount = record.amount
    approved = amount.approved or 0
    yield approved
    yield approved + (amount.due or 0)
    yield approved - (amount.tip or 0) - (amount.cashback or 0) - (amount.fee or 0)


def _inferred(approval: Approval, why: str) -> Approval:
    """Return an approval that a person must look at: the money is there, but no answer said so."""
    return replace(approval, extra={**approval.extra, INFERRED: why})


def _judge_original(about: Reverse | Capture | AdjustTip, settings: PaxSettings) -> Script:
    """Tell from the state of the earlier transaction whether `about` was performed on it."""
    original = about.original
    question = question_about(original.fingerprint)
    if question is None:
        return Unclear("original_unknown")
    report = yield from _look_for(question, settings, gift=is_gift(about))
    match report:
        case Trouble():
            return _unanswered(report)
        case Absent():
            return Unclear("original_not_found", "the batch may have been closed since")
        case Record() as record:
            pass
    untouched = Failed("not_executed", "the earlier transaction is as it was")
    match about:
        case Reverse() if record.type in codes.VOID_TYPES:
            return Approved(_inferred(original, "the terminal shows it voided, not by whom"))
        case Capture() if record.type == codes.POST_AUTH:
            if record.amount.approved != about.amount.minor:
                return Unclear("original_changed", "captured, but with another amount")
            captured = approval_of(record, about.amount)
            return Approved(_inferred(captured, "the terminal shows it captured, not by whom"))
        case AdjustTip(tip=tip) if record.amount.tip == whole_tip_minor(about):
            return Approved(approval_of(record, tip))
        case AdjustTip() if (record.amount.tip or 0) == (original.tip.minor if original.tip else 0):
            return untouched
        case Reverse() | Capture() if record.type == original.extra.get("type", ""):
            return untouched
    return Unclear("original_changed", f"type {record.type}")
