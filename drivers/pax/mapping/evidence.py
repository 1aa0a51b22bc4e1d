"""What the terminal's answers prove about money. Pure, and the only place that says so.

* `Approved` needs result 000000 or 000002, a host code that agrees or none, and an amount. The
  amount is reported as it is: whether it was asked for or allowed is not the driver's to say.
* `Declined`, `Canceled` and `Failed` need a result that cannot stand for money moved, and that no
  amount was approved.
* Everything else is `Unclear`, and the report by reference decides, by the same rules.
* What 100011 tells is about another transaction, unless it carries our reference.
Source: fact sheet "PAX POSLINK", sections 6 to 8, and its additions of November 2026.
"""

from __future__ import annotations

from drivers.amounts import amount_text
from drivers.contract import (
    ALREADY_REVERSED,
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

CONTRADICTION = "contradiction"  # a reason of `Unclear`
_MOMENT_DIGITS = 14
_FINGERPRINT_PARTS = 3


def verdict(answer: Result, operation: MoneyOperation, reference: str) -> FinalEvent:
    """Return what `answer` proves about `operation`, which was sent with ECR `reference`.

    A partial approval is reported as `Approved` with its amount; the caller decides what follows.
    """
    match answer.code:
        case codes.OK | codes.PARTIAL:
            if not answer.trace.reference and not _is_as_ordered(answer, operation):
                return Unclear("other_transaction", "an answer without our reference or amount")
            return _approved(answer, operation)
        case codes.DUPLICATE if answer.trace.reference == reference:
            return _approved(answer, operation)
        case codes.DUPLICATE:
            return _duplicate(answer)
        case codes.ALREADY_VOIDED | codes.NOT_FOUND:
            refusal = _about_the_original(answer, operation)
            if refusal is not None:
                return refusal
    return refusal_of(answer, _currency_of(operation))


def refusal_of(answer: Result, currency: str) -> FinalEvent:
    """Return what a result proves that approves nothing, whatever was asked for.

    Where it names an approved amount all the same, it proves nothing. `currency` is what the
    terminal is set up for (ISO 4217).
    """
    code, text, host_code = answer.code, words(answer), answer.host.code
    upper = answer.text.upper()
    if code == codes.DUPLICATE:
        return _duplicate(answer)
    if answer.amount.approved:
        return _contradiction(answer, currency)
    if code == codes.DECLINED or (code == codes.FORMAT and "HOST DENIED" in upper):
        if host_code in codes.APPROVED_HOST_CODES | {codes.PARTIAL_HOST_CODE}:
            return _contradiction(answer, currency)
        if host_code in codes.OPEN_HOST_CODES:
            return Unclear("outcome_unknown", f"{code} with host code {host_code}")
        return _declined(answer)
    if code == codes.NOT_FOUND and "ABORT" in upper:
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
    host_code = record.host.code
    voided = record.type in codes.VOID_TYPES and not isinstance(operation, Reverse)
    if voided:
        return Failed("voided", words(record) or "taken and voided", "void")
    if host_code in codes.NO_HOST_CODES and not record.amount.approved:
        return _declined(record)
    return _approved(record, operation)


def _duplicate(answer: Result) -> FinalEvent:
    """Return what 100011 proves about a command that it does not belong to.

    Its blocks are another transaction's: neither their texts nor their amounts are about ours.
    """
    if answer.trace.reference:
        text = "refused: the same as an earlier payment at this terminal"
        return Failed(answer.code, text, "payment_restriction")
    return Unclear("outcome_unknown", f"{answer.code}, and it does not say of which payment")


def _about_the_original(answer: Result, operation: MoneyOperation) -> Failed | None:
    """Return what a refusal says of the earlier transaction; None where it says nothing of it.

    100023 also stands for "user aborted", which is told elsewhere, and for "unknown", which proves
    nothing. 100021 to a capture is reported as unknown: maybe one of ours that was thought lost.
    """
    upper = answer.text.upper()
    voids = isinstance(operation, Reverse)
    if isinstance(operation, Capture) and answer.code == codes.ALREADY_VOIDED:
        return None
    if not isinstance(operation, Pay | LoadGift) and operation.original is not None:
        if answer.code == codes.ALREADY_VOIDED:
            if "VOID" in upper or (voids and "COMPLETE" not in upper):
                return Failed(answer.code, "the terminal voided it before", ALREADY_REVERSED)
            # A hold that was captured.
            return Failed(answer.code, "completed before", "void_not_possible") if voids else None
        if "ABORT" not in upper and "UNKNOWN" not in upper and not answer.amount.approved:
            text = mask_text(answer.text) or "the terminal does not find the earlier transaction"
            reason = "void_not_possible" if voids else "original_not_found"
            return Failed(answer.code, text, reason)
    return None


def _contradiction(answer: Result | Record, currency: str) -> Unclear:
    """Return that an answer says yes and no at once, with what a person needs to look it up."""
    text = f"{answer.code} with host code {answer.host.code or 'none'}"
    if answer.amount.approved:
        text += f" and {amount_text(Money(answer.amount.approved, currency))} approved"
    return Unclear(CONTRADICTION, text)


def contradicted(
    final: FinalEvent, answer: Result | Record, operation: MoneyOperation
) -> Approval | None:
    """Return what was approved by an answer that says no as well: evidence for a person.

    A command about an earlier transaction has no amount of its own to show.
    """
    approved = answer.amount.approved
    if not isinstance(final, Unclear) or final.reason != CONTRADICTION or not approved:
        return None
    if isinstance(operation, Reverse | AdjustTip):
        return None
    return approval_of(answer, Money(approved, operation.amount.currency))


def _currency_of(operation: MoneyOperation) -> str:
    match operation:
        case Reverse(original=original):
            return original.amount.currency
        case AdjustTip(tip=tip):
            return tip.currency
        case _:
            return operation.amount.currency


def _declined(answer: Result | Record) -> Declined | Failed:
    code = answer.host.code or answer.code
    reason = codes.decline_reason(answer.host.code)
    if reason in codes.TECHNICAL_REASONS:
        return Failed(code, words(answer), reason)
    return Declined(code, words(answer), reason)


def _approved(answer: Result | Record, operation: MoneyOperation) -> FinalEvent:
    approved = answer.amount.approved
    match operation:
        case Pay(amount=asked) | Authorize(amount=asked) | Capture(amount=asked):
            pass
        case Refund(amount=asked) | LoadGift(amount=asked):
            pass
        case Reverse(original=original):
            asked, approved = original.amount, original.amount.minor
        case AdjustTip(tip=asked):
            approved = asked.minor  # terminals answer with the tip or with the total
    is_part = approved is not None and approved < asked.minor
    host_code = answer.host.code
    agrees = host_code in codes.APPROVED_HOST_CODES or not host_code
    if not agrees and not (host_code == codes.PARTIAL_HOST_CODE and is_part):
        return _contradiction(answer, asked.currency)
    if not approved:
        return Unclear("unreadable", f"{answer.code} without an amount")
    return Approved(approval_of(answer, Money(approved, asked.currency)))


def _is_as_ordered(answer: Result, operation: MoneyOperation) -> bool:
    """Say whether an answer's own parts make the ordered amount of the approved one.

    An application that returns no reference has only this to show that it speaks of our order.
    """
    if isinstance(operation, Reverse | AdjustTip):
        return True  # no card is asked for: nobody else's comes between
    parts, asked_tip_minor = answer.amount, 0
    if isinstance(operation, Pay) and operation.tip is not None:
        asked_tip_minor = operation.tip.minor
    added = max((parts.tip or 0) - asked_tip_minor, 0) + (parts.fee or 0) + (parts.cashback or 0)
    approved = (parts.approved or 0) + (parts.due or 0)
    return approved in {operation.amount.minor, operation.amount.minor + added}


def whole_tip_minor(operation: AdjustTip) -> int:
    """Return the tip that the record shall hold: an adjustment replaces, the contract adds."""
    before = operation.original.tip
    return operation.tip.minor + (before.minor if before is not None else 0)


def approval_of(answer: Result | Record, amount: Money) -> Approval:
    """Return everything that may be kept of an approved transaction."""
    host, trace = answer.host, answer.trace
    tip, surcharge, cash = answer.amount.tip, answer.amount.fee, answer.amount.cashback
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
        surcharge=Money(surcharge, amount.currency) if surcharge else None,
        cash_back=Money(cash, amount.currency) if cash else None,
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
    """Return what distinguishes a transaction from others of the terminal, and finds it again."""
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
