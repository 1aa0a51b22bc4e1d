"""A payment as the register's document: what the journal knows, in the contract's words. Pure.

Nothing is decided here; what a field means is defined by the contract, its value comes from the
ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord, PurchaseRecord
from bridge.register import api as k
from bridge.register.publishing.clerk_display import ANYTHING, Means, display_of
from bridge.register.publishing.holds import Notice
from bridge.register.receipts.receipt_text import (
    PLAIN,
    ReceiptStyle,
    masked,
    outlines_of,
    width_of,
)
from drivers.contract import Approval, Money

SHOWN_AS_SAID = tuple(name for name in p.AS_SAID if name in k.PaymentDocument.model_fields)

_EVIDENCE = {  # what a discrepancy's evidence says of the payment
    "approved_without_start": p.Status.APPROVED,
    "approved_after_declined": p.Status.APPROVED,
    "approved_after_canceled": p.Status.APPROVED,
    "approved_after_failed": p.Status.APPROVED,
    "second_approval": p.Status.APPROVED,
    "more_than_asked": p.Status.APPROVED,
    "less_than_asked": p.Status.APPROVED,
    "inferred": p.Status.APPROVED,
    "denied_after_approved": p.Status.FAILED,
    "another_amount": p.Status.APPROVED,
    "another_currency": p.Status.APPROVED,
    "hold_not_released": p.Status.IN_DOUBT,
    "taken_after_all": p.Status.APPROVED,
    "balance_moved": p.Status.IN_DOUBT,
}


_CATEGORIES = {"gift_card": "gift_card"}  # other brands are card schemes


def payment_document(
    account: PaymentRecord,
    *,
    remaining: Money | None,
    purchase: PurchaseRecord | None,
    terminal_name: str,
    topics: k.Topics,
    position: int = 0,
    style: ReceiptStyle = PLAIN,
    countdown_seconds: int | None = None,
    next_check_at: datetime | None = None,
    means: Means = ANYTHING,
    hold_expires_at: datetime | None = None,
    hold_notice: Notice = "",
) -> k.PaymentDocument:
    """Return the whole retained document of a payment.

    `position` is its place in a line, `countdown_seconds` how long what the display shows will
    last, `next_check_at` when the terminal is asked about a doubt again, `means` what it can still
    be asked for, `hold_expires_at` when a hold may end and `hold_notice` how near that is.
    """
    payment, request = account.payment, account.payment.request
    error = _error(payment)
    return k.PaymentDocument.model_validate(
        {
            "rev": account.rev,
            "payment_id": request.payment_id,
            "register_id": request.register_id,
            "terminal_id": request.terminal_id,
            "type": request.type.value,
            "method": request.method.word,
            "sale_id": request.sale_id or None,
            "original_payment_id": request.original_payment_id or None,
            "plan_id": request.plan.plan_id if request.plan else None,
            "status": payment.status,
            "stage": payment.stage.value if payment.stage else None,
            "queue_position": position or None,
            "result": _result(payment),
            "funds": payment.funds,
            "hold_expires_at": hold_expires_at,
            "final": payment.is_final,
            "amounts": _amounts(payment, remaining),
            "card": _card(payment.approval),
            "gift_card": _gift_card(payment),
            "acquirer": _acquirer(payment),
            "poi_transaction_id": _poi_transaction(payment.approval),
            "recording": _recording(payment, purchase),
            "display": display_of(
                payment,
                remaining=remaining,
                terminal_name=terminal_name,
                position=position,
                means=means,
                hold_notice=hold_notice,
            ).model_copy(update={"countdown_s": countdown_seconds}),
            "receipts": tuple(_receipts(account, topics, style)),
            "in_doubt": _in_doubt(account, next_check_at),
            "cancel_reason": payment.denial.cancel_reason or None if payment.denial else None,
            "resolution": _resolution(payment),
            "error": error,
            "discrepancy": _discrepancy(account),
            "possible_duplicate": request.possible_duplicate,
            "created_at": k.read_time(account.created_at),
            "updated_at": k.read_time(account.updated_at),
            "history": tuple(_history(account)),
            "metadata": dict(request.metadata) or None,
            **{name: getattr(request, name) or None for name in SHOWN_AS_SAID},
        }
    )


def _history(account: PaymentRecord) -> Iterator[k.HistoryEntry]:
    for line in account.history:
        at, stage = k.read_time(line.at), line.stage or None
        yield k.HistoryEntry(status=p.Status(line.status), stage=stage, at=at)


def _result(payment: p.Payment) -> str | None:
    if payment.status is not p.Status.APPROVED:
        return "failure" if payment.is_final else None
    approved = payment.approval.amount.minor if payment.approval else 0
    return "partial" if approved < payment.request.amount.minor else "success"


def _amounts(payment: p.Payment, remaining: Money | None) -> k.PaymentAmounts:
    currency = payment.request.amount.currency
    nothing = Money(0, currency)
    approval = payment.approval
    fixed = payment.request.tip or nothing
    known = approval if payment.status is p.Status.APPROVED else None
    tip = Money((known.tip or fixed).minor + payment.tip_minor, currency) if known else None
    surcharge = (known.surcharge or nothing) if known else None
    fee = (known.fee or nothing) if known else None
    cash_back = (known.cash_back or nothing) if known else None
    taken = None
    if known is not None and known.amount.currency == currency:
        taken = _text(known.amount.minor + payment.added_minor + payment.tip_minor, currency)
    return k.PaymentAmounts(
        currency=currency,
        requested_amount=k.format_amount(payment.request.amount),
        authorized_amount=taken,
        captured_amount=_money(payment.captured_so_far),
        tip_amount=k.format_amount(tip) if tip else None,
        surcharge_amount=k.format_amount(surcharge) if surcharge else None,
        cash_back_amount=k.format_amount(cash_back) if cash_back else None,
        total_fees_amount=k.format_amount(fee) if fee else None,
        refunded_amount=_text(payment.refunded_minor, currency) if known else None,
        remaining_amount=k.format_amount(remaining) if remaining and payment.is_final else None,
    )


def _money(money: Money | None) -> str | None:
    return None if money is None else k.format_amount(money)


def _text(minor: int, currency: str) -> str:
    return k.format_amount(Money(minor, currency))


def _card(approval: Approval | None) -> k.CardFacts | None:
    if approval is None:
        return None
    card = approval.card
    return k.CardFacts(
        payment_brand=card.brand or None,
        payment_brand_label=card.label or None,
        brand_category=_CATEGORIES.get(card.brand, "schemes") if card.brand else None,
        masked_pan=masked(card.masked_pan),
        entry_mode=card.entry_mode or None,
        cardholder_verification=card.verification or None,
        aid=card.application_id or None,
    )


def _gift_card(payment: p.Payment) -> k.GiftCardFacts | None:
    evidence = payment.approval or payment.offer
    if evidence is None:
        return None
    if payment.request.method is p.Method.TERMINAL_GIFT_CARD:
        # The terminal's own words, in minor units.
        left = evidence.extra.get("balance_minor", "")
        money = Money(int(left), evidence.amount.currency) if left.isdecimal() else None
        return k.GiftCardFacts(
            transaction_id=evidence.transaction_id or None,
            balance_after=k.format_amount(money) if money is not None else None,
        )
    if payment.request.method is not p.Method.OFFICE_GIFT_CARD:
        return None
    return k.GiftCardFacts(
        transaction_id=evidence.transaction_id or None,
        balance_before=evidence.extra.get("balance_before"),
        balance_after=evidence.extra.get("balance_after"),
    )


def _acquirer(payment: p.Payment) -> k.AcquirerFacts | None:
    approval, denial = payment.approval, payment.denial
    if approval is not None:
        return k.AcquirerFacts(
            merchant_id=approval.merchant_id or None,
            acquirer_poi_id=approval.terminal_id or None,
            approval_code=approval.approval_code or None,
            response_code="00",
            stan=approval.trace or None,
            host_reconciliation_id=approval.batch or None,
        )
    if denial is not None and denial.terminal_code:
        return k.AcquirerFacts(response_code=denial.terminal_code)
    return None


def _poi_transaction(approval: Approval | None) -> k.PoiTransaction | None:
    if approval is None or not approval.transaction_id:
        return None
    return k.PoiTransaction(
        poi_id=approval.terminal_id,
        transaction_id=approval.transaction_id,
        time_stamp=approval.time_text or None,
    )


def _recording(payment: p.Payment, purchase: PurchaseRecord | None) -> k.Recording:
    recorded = payment.recording is p.Recording.RECORDED and purchase is not None
    error = None
    if payment.recording_error:
        rejected = payment.recording is p.Recording.REJECTED
        code = "recording_rejected" if rejected else "recording_unreachable"
        error = _body(code, payment.recording_error)
    return k.Recording.model_validate(
        {
            "status": payment.recording,
            "record_id": payment.record_id or None,
            "attempts": purchase.purchase.attempts if purchase else 0,
            "recorded_at": k.read_time(purchase.updated_at) if recorded and purchase else None,
            "error": error,
        }
    )


def _receipts(
    account: PaymentRecord, topics: k.Topics, style: ReceiptStyle
) -> list[k.ReceiptReference]:
    request = account.payment.request
    found: dict[str, k.ReceiptReference] = {}
    for receipt in outlines_of(account, style):
        copy = "signature" if receipt.requires_signature else receipt.copy
        found[copy] = k.ReceiptReference.model_validate(
            {
                "copy": copy,
                "columns": width_of(receipt),
                "requires_signature": receipt.requires_signature,
                "must_print_now": receipt.must_print,
                "topic": topics.receipt(request.register_id, request.payment_id, copy),
            }
        )
    return list(found.values())


def _in_doubt(account: PaymentRecord, next_check_at: datetime | None) -> k.InDoubt | None:
    doubt = account.payment.doubt
    if doubt is None:
        return None
    return k.InDoubt(
        since=k.read_time(account.doubted_at),
        cause=doubt.cause,
        next_check_at=next_check_at,
        attempts=doubt.inquiries,
        needs_operator=doubt.needs_operator,
        seen=_seen(doubt.seen),
    )


def _seen(transaction: Approval | None) -> k.SeenTransaction | None:
    if transaction is None:
        return None
    return k.SeenTransaction(
        amount=k.format_amount(transaction.amount),
        currency=transaction.amount.currency,
        transaction_id=transaction.transaction_id or None,
        trace=transaction.trace or None,
        approval_code=transaction.approval_code or None,
        time_stamp=transaction.time_text or None,
        payment_brand_label=transaction.card.label or None,
        masked_pan=masked(transaction.card.masked_pan),
    )


def _resolution(payment: p.Payment) -> k.Resolution | None:
    if not payment.is_final:
        return None
    by, checked = payment.resolved_by or "bridge", payment.answer_check
    if by == "terminal" and payment.request.method is p.Method.OFFICE_GIFT_CARD:
        by = "host"
    answers = [
        {
            "outcome": one.outcome,
            "operator_id": one.by,
            "approval_code": one.approval_code or None,
            "amount": k.format_amount(one.amount) if one.amount is not None else None,
            "source": one.source or None,
        }
        for one in payment.answers
    ]
    return k.Resolution.model_validate(
        {
            "by": by,
            "operator_id": payment.approved_by or None,
            "checked": checked if checked is not p.AnswerCheck.NONE else None,
            "answers": tuple(answers),
        }
    )


def _error(payment: p.Payment) -> k.ErrorBody | None:
    if payment.status is p.Status.IN_DOUBT:
        text = "It is not known whether the card was charged. Do not charge again."
        return _body("outcome_unknown", text)
    if payment.denial is None:
        return None
    body = _body(payment.denial.code, payment.denial.text or payment.denial.code)
    if payment.denial.code == "gift_card_insufficient" and payment.baseline is not None:
        balance = payment.baseline.fingerprint.partition(" ")[0]
        body = body.model_copy(update={"detail": {"balance": balance}})
    if payment.denial.batch_closed:
        body = body.model_copy(update={"detail": {"suggest": "refund"}})
    if payment.funds is not p.Funds.NONE:  # a person found that it was charged after all
        return body.model_copy(update={"money_moved": "yes", "retry": "no"})
    if payment.may_have_moved:
        return body.model_copy(update={"money_moved": "unknown", "retry": "after_check"})
    # Final without money is proven, whatever the code means elsewhere: a new attempt is safe.
    retry = "new_id" if body.retry in {"after_check", "same_id"} else body.retry
    return body.model_copy(update={"money_moved": "no", "retry": retry})


def _body(code: str, message: str) -> k.ErrorBody:
    facts = k.error_facts(code)
    return k.ErrorBody(
        code=code,
        error_condition=facts.condition or None,
        message=message,
        money_moved=facts.money_moved,
        retry=facts.retry,
    )


def _discrepancy(account: PaymentRecord) -> k.Discrepancy | None:
    if not account.payment.discrepancies:
        return None
    odd = account.payment.discrepancies[-1]
    said = account.payment.status
    evidence = _EVIDENCE.get(
        odd.kind, p.Status.FAILED if said is p.Status.APPROVED else p.Status.APPROVED
    )
    return k.Discrepancy.model_validate(
        {
            "since": k.read_time(account.updated_at),
            "said": said,
            "evidence": evidence,
            "text": f"{odd.kind}: {odd.text}",
        }
    )
