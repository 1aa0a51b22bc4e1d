"""What the terminal's answers prove about money. Pure, and the only place that says so.

* `Approved` needs result 000000 or 000002, a host code that agrees, and an amount; 000000 with
  another amount than was asked for, tip apart, contradicts itself.
* `Declined`, `Canceled` and `Failed` need a result that cannot stand for money moved.
* Everything else is `Unclear`, and the report by reference decides.
Source: fact sheet "PAX POSLINK", sections 6 to 8.
"""

from __future__ import annotations

from drivers.contract import (
    AdjustTip,
    Approval,
    Approved,
    Authorize,
    Canceled,
    Capture,
    Card,
    Declined,
    Failed,
    FinalEvent,
    LoadGift,
    Money,
    MoneyOperation,
    Pay,
    Refund,
    Reverse,
    Unclear,
)
from drivers.pax.codec import codes
from drivers.pax.codec.fields import find, mask_text
from drivers.pax.codec.messages import AskDetail, Record, Result, Trace

_MOMENT_DIGITS = 14
_FINGERPRINT_PARTS = 3


def verdict(answer: Result, operation: MoneyOperation, reference: str) -> FinalEvent:
    """Return what `answer` proves about `operation`, which was sent with ECR `reference`.

    A partial approval is told as `Approved` with its amount; the caller decides what follows.
    """
    code, text = answer.code, words(answer)
    upper = answer.text.upper()
    match code:
        case codes.OK | codes.PARTIAL:
            return _approved(answer, operation)
        case codes.DUPLICATE if answer.trace.reference == reference:
            return _approved(answer, operation)
        case codes.DUPLICATE if answer.trace.reference:
            return Failed(code, text or "equal to an earlier payment", "payment_restriction")
        case codes.ALREADY_VOIDED if isinstance(operation, Reverse) and "VOID" in upper:
            return Approved(operation.original)
        case codes.NOT_FOUND if isinstance(operation, Reverse) and "CANNOT VOID" in upper:
            return Failed(code, text, "void_not_possible")
    return refusal_of(answer)


def refusal_of(answer: Result) -> FinalEvent:
    """Return what a result proves that approves nothing, whatever was asked for."""
    code, text = answer.code, words(answer)
    upper = answer.text.upper()
    match code:
        case codes.DECLINED if answer.host.code in codes.APPROVED_HOST_CODES:
            return Unclear("contradiction", f"{code} with host code {answer.host.code}")
        case codes.DECLINED:
            return _declined(answer)
        case codes.FORMAT if "HOST DENIED" in upper:
            return _declined(answer)
        case codes.NOT_FOUND if "ABORT" in upper:
            return Canceled("cardholder", code, text)
    refusal = codes.REFUSALS.get(code)
    if refusal is None:
        return Unclear("outcome_unknown", f"{code} {text}".strip())
    text = text or refusal.text
    match refusal.kind:
        case "canceled":
            timed_out = code == codes.TIMEOUT
            return Canceled("timeout" if timed_out else "cardholder", code, text)
        case "declined":
            return Declined(code, text, refusal.reason)
        case "failed":
            return Failed(code, text, refusal.reason)


def verdict_of_record(record: Record, operation: MoneyOperation) -> FinalEvent:
    """Return what a stored record that carries the operation's own reference proves."""
    voided = record.type in codes.VOID_TYPES and not isinstance(operation, Reverse)
    if voided:
        return Failed("voided", words(record) or "taken and voided", "void")
    if record.host.code and record.host.code not in codes.PARTIAL_HOST_CODES:
        return _declined(record)
    return _approved(record, operation)


def _declined(answer: Result | Record) -> Declined:
    host_code = answer.host.code
    return Declined(host_code or answer.code, words(answer), codes.decline_reason(host_code))


def _approved(answer: Result | Record, operation: MoneyOperation) -> FinalEvent:
    host_code, approved = answer.host.code, answer.amount.approved
    partial = answer.code == codes.PARTIAL or isinstance(answer, Record)
    agreeing = codes.PARTIAL_HOST_CODES if partial else codes.APPROVED_HOST_CODES
    if host_code and host_code not in agreeing:
        return Unclear("contradiction", f"{answer.code} with host code {host_code}")
    match operation:
        case Pay(amount=asked) | Authorize(amount=asked) | Capture(amount=asked):
            pass
        case Refund(amount=asked) | LoadGift(amount=asked):
            pass
        case Reverse(original=original):
            asked, approved = original.amount, original.amount.minor
        case AdjustTip(tip=asked):
            approved = asked.minor  # terminals answer with the tip or with the total
    if not approved:
        return Unclear("unreadable", f"{answer.code} without an amount")
    tip = answer.amount.tip or 0
    fits = asked.minor in (approved, approved - tip)
    if answer.code == codes.OK and isinstance(answer, Result) and not fits:
        return Unclear("contradiction", "approved, but with another amount")
    return Approved(approval_of(answer, Money(approved, asked.currency)))


def whole_tip_minor(operation: AdjustTip) -> int:
    """Return the tip that the record shall hold: an adjustment replaces, the contract adds."""
    before = operation.original.tip
    return operation.tip.minor + (before.minor if before is not None else 0)


def approval_of(answer: Result | Record, amount: Money) -> Approval:
    """Return everything that may be kept of an approved transaction."""
    host, trace = answer.host, answer.trace
    tip, fee = answer.amount.tip, answer.amount.fee
    facts = {
        "ecr_reference": trace.reference,
        "href": find(answer.additional, "HREF"),
        "tender": _tender(answer),
        "type": answer.type,
        "host_reference": host.reference,
    }
    if facts["tender"] == "gift" and answer.amount.balance is not None:
        facts["balance_minor"] = str(answer.amount.balance)
    return Approval(
        amount=amount,
        fingerprint=fingerprint_of(trace),
        transaction_id=trace.transaction_number,
        trace=host.trace,
        approval_code=host.auth_code,
        time_text=time_text(trace.moment),
        tip=Money(tip, amount.currency) if tip else None,
        surcharge=Money(fee, amount.currency) if fee else None,
        card=card_of(answer),
        batch=host.batch,
        text=words(answer),
        # What looks like a card number is masked by now, and names nothing any more.
        extra={key: value for key, value in facts.items() if value and "*" not in value},
    )


def card_of(answer: Result | Record) -> Card:
    """Return what may be known of the card."""
    account = answer.account
    return Card(
        brand=codes.BRANDS.get(account.card_type, ""),
        label=mask_text(find(answer.additional, "APPLAB")),
        masked_pan=account.pan,
        entry_mode=codes.ENTRY_MODES.get(account.entry_mode, ""),
        application_id=find(answer.additional, "AID"),
    )


def _tender(answer: Result | Record) -> str:
    if isinstance(answer, Result):
        return answer.tender
    position = int(answer.tender) - 1 if answer.tender.isdecimal() else -1
    return codes.TENDERS[position] if 0 <= position < len(codes.TENDERS) else ""


def time_text(moment: str) -> str:
    """Return a moment as ISO 8601, "" for what is none."""
    if len(moment) != _MOMENT_DIGITS or not moment.isdecimal():
        return ""
    return (
        f"{moment[:4]}-{moment[4:6]}-{moment[6:8]}T{moment[8:10]}:{moment[10:12]}:{moment[12:14]}"
    )


def words(answer: Result | Record) -> str:
    """Return the host's words, or else the terminal's, without anything like a card number."""
    return mask_text(answer.host.message or answer.text)


def fingerprint_of(trace: Trace) -> str:
    """Return what tells a transaction from any other of the terminal, and finds it again."""
    if not trace.transaction_number and not trace.reference:
        return ""
    return f"{trace.transaction_number}/{trace.reference}/{trace.moment}"


def question_about(fingerprint: str) -> AskDetail | None:
    """Return the report that finds the transaction with this fingerprint, None for no such."""
    parts = fingerprint.split("/")
    if len(parts) != _FINGERPRINT_PARTS:
        return None
    number, reference, _ = parts
    if reference:
        return AskDetail(reference=reference)
    return AskDetail(transaction_number=number) if number else None
