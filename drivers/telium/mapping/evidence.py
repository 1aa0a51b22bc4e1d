"""What an answer of a terminal proves about the payment that was asked for. Pure.

Rules: an answer counts only when it is ours; an approval counts only for the currency and amount
that were asked for, or in Caisse-AP for a part of it; a refusal counts only when it says so without
contradiction. Everything else is `Unclear`, with words that help the person who has to read the
terminal's ticket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers import contract
from drivers.amounts import amount_text
from drivers.contract import Approval, Approved, Canceled, Card, Declined, Failed, Money, Unclear
from drivers.telium.codec import caisse_ap, codes, messages
from drivers.telium.codec.reference import attempt_reference

Verdict = Approved | Declined | Canceled | Failed | Unclear


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    amount: Money
    till: str
    currency: str  # ISO 4217, three digits
    reference: str  # ten characters
    action: Literal["0", "1"]  # debit, credit
    last: str = ""  # fingerprint of what the terminal did before, "" if not known


def want(operation: contract.Pay | contract.Refund, *, till: str, currency: str) -> Wanted:
    """Return what `operation` asks for; both protocols know a credit by the same digit."""
    return Wanted(
        amount=operation.amount,
        till=till,
        currency=codes.CURRENCY_NUMBERS[currency],
        reference=attempt_reference(operation.reference),
        action="1" if isinstance(operation, contract.Refund) else "0",
        last=operation.last.fingerprint if operation.last is not None else "",
    )


def judge(answer: messages.ConcertAnswer, wanted: Wanted, *, echoes: bool) -> Verdict:
    """Return what an answer of Concert E+ proves; `echoes`: it must bring our reference back."""
    amount = f"{answer.amount_minor} in minor units of currency {answer.currency}"
    if answer.currency == wanted.currency:
        amount = amount_text(Money(answer.amount_minor, wanted.amount.currency))
    said = f"till {answer.till}, amount {amount}, result {answer.result}"
    if answer.till != wanted.till or (echoes and answer.private != wanted.reference):
        return Unclear("other_transaction", f"the answer does not carry our reference: {said}")
    if (answer.amount_minor, answer.currency) != (wanted.amount.minor, wanted.currency):
        return Unclear("other_amount", f"the answer is about another amount: {said}")
    private = answer.private.strip()
    if not echoes and private and wanted.last.endswith(f"/{private}"):
        return Unclear("other_transaction", f"the answer is that of the payment before: {said}")
    match answer.result:
        case codes.RESULT_ACCEPTED:
            own = "" if echoes else f"/{private}"  # the terminal's number, where it has no other
            return Approved(
                Approval(
                    amount=wanted.amount,
                    fingerprint=f"{_fingerprint('telium', wanted)}{own}",
                    transaction_id=wanted.reference if echoes else private,
                    card=Card(
                        brand=_brand(answer.means),
                        label=codes.MEANS.get(answer.means, ""),
                        masked_pan=answer.card,
                    ),
                    extra={"means": answer.means},
                )
            )
        case codes.RESULT_REFUSED:
            return Declined(answer.result, "refused or stopped at the terminal")
        case codes.RESULT_NOT_VERIFIED:
            return Unclear("not_verified", "the terminal could not verify the payment (result 9)")
        case _:
            return Unclear("unknown_result", f"the terminal's result is unknown: {said}")


def judge_ip(answer: caisse_ap.CaisseApAnswer, wanted: Wanted) -> Verdict:
    """Return what an answer of Caisse-AP proves."""
    said = f"status {answer.status}, reason {answer.reason or 'none'}{_taken(answer, wanted)}"
    if answer.status == caisse_ap.DONE:
        asked = (wanted.till, wanted.currency, wanted.action)
        if asked != (answer.till, answer.currency, answer.action):
            return Unclear("other_transaction", f"the answer is about something else: {said}")
        if answer.reason in codes.REFUSALS:
            return Unclear("contradiction", f"the answer says yes and no: {said}")
        if answer.amount_minor is None or not 0 < answer.amount_minor <= wanted.amount.minor:
            return Unclear("other_amount", f"the answer is about another amount: {said}")
        return Approved(_approval_ip(answer, wanted, answer.amount_minor))
    # A terminal leaves the amount out, or says 0, when nobody got as far as paying.
    if answer.till not in ("", wanted.till) or answer.amount_minor not in (
        None,
        0,
        wanted.amount.minor,
    ):
        return Unclear("other_transaction", f"the answer is about something else: {said}")
    authorized = answer.approval_code.strip(" 0") or answer.reason in codes.CONTRADICTING_REASONS
    if answer.status != caisse_ap.NOT_DONE or authorized:
        return Unclear("unknown_result", f"the answer says neither yes nor no: {said}")
    refusal = codes.REFUSALS.get(answer.reason, codes.NOT_EXPLAINED)
    code, text = answer.reason or answer.status, answer.text or refusal.text
    if refusal.canceled_by is not None:
        return Canceled(refusal.canceled_by, code, text)
    if refusal.technical:
        return Failed(code, text, refusal.reason)
    return Declined(code, text, refusal.reason)


def refuse(
    operation: contract.Operation, *, amount_max: int, currency: str, refunds: bool
) -> Failed | None:
    """Return why the protocol cannot do `operation`, before anything is sent; None: it can."""
    match operation:
        case contract.Pay(gift=True):
            return _unsupported("gift card")
        case contract.Pay() | contract.Refund():
            amount = operation.amount
        case _:
            return _unsupported(type(operation).__name__)
    if isinstance(operation, contract.Refund) and not refunds:
        return _unsupported("Refund")
    if amount.currency != currency:
        return Failed(
            "currency", f"the terminal is set up for {currency}", "operation_not_supported"
        )
    if not 0 < amount.minor <= amount_max:
        return Failed(
            "amount",
            f"the amount must be at most {amount_text(Money(amount_max, currency))}",
            "invalid_amount",
        )
    return None


def _unsupported(what: str) -> Failed:
    return Failed("not_supported", f"this terminal cannot: {what}", "operation_not_supported")


def _taken(answer: caisse_ap.CaisseApAnswer, wanted: Wanted) -> str:
    if answer.amount_minor is None:
        return ", no amount"
    if answer.currency != wanted.currency:
        return f", {answer.amount_minor} in minor units of currency {answer.currency or 'unknown'}"
    return f", amount {amount_text(Money(answer.amount_minor, wanted.amount.currency))}"


def _approval_ip(answer: caisse_ap.CaisseApAnswer, wanted: Wanted, amount_minor: int) -> Approval:
    brand, label = codes.APPLICATIONS.get(answer.application, ("", ""))
    return Approval(
        amount=Money(amount_minor, wanted.amount.currency),
        fingerprint=_fingerprint("caisse_ap", wanted),
        approval_code=answer.approval_code,
        merchant_id=answer.contract,
        card=Card(
            brand=brand,
            label=label,
            masked_pan=answer.card,
            entry_mode=codes.ENTRY_MODES.get(answer.entry, ""),
            application_id=answer.application_id,
        ),
        extra={"application": answer.application} if answer.application else {},
    )


def _fingerprint(protocol: str, wanted: Wanted) -> str:
    return f"{protocol}/{wanted.till}/{wanted.reference}"


def _brand(means: str) -> str:
    brand = codes.MEANS.get(means, "")
    return brand if brand in ("amex", "diners", "jcb", "unionpay") else ""
