"""One payment: was it paid, is it booked, who has the receipt, and what happened when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.console.cases import cases_of
from bridge.console.pages.attention import shown_case
from bridge.console.pages.frame import Facts, frame_facts
from bridge.console.tags import OUTCOMES, RECORDINGS, TYPES
from bridge.console.timeline import moments
from bridge.console.visit import Refused, Visit
from bridge.console.words import mark
from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord, PurchaseRecord
from bridge.reports.outcome import Outcome, outcome_of
from bridge.reports.payment_excerpt import Excerpt

ID_CHARACTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class Related:
    """Another payment of the same sale."""

    payment_id: str
    text: str
    outcome: Outcome


async def payment_facts(visit: Visit) -> Facts:
    """Return what the page shows.

    Raises:
        Refused: There is no such payment.
    """
    facts = frame_facts(visit, "/payments")
    payment_id = visit.request.path_params["payment_id"]
    if len(payment_id) > ID_CHARACTERS_MAX:
        raise Refused(404, mark("There is no such payment."))
    premises, words = visit.premises, visit.words
    story: Excerpt | None = await premises.read(lambda: premises.excerpts.read(payment_id))
    if story is None:
        raise Refused(404, mark("There is no such payment."))
    account = visit.desk.payment(payment_id) or story.account
    payment, request = account.payment, account.payment.request
    purchase = visit.desk.purchase_of(payment_id) or story.purchase
    outcome = outcome_of(payment)
    where = facts["names"].get(request.terminal_id, request.terminal_id)
    cases = [one for one in cases_of(visit.desk) if _is_about(one.account, payment_id)]
    return {
        **facts,
        "account": account,
        "payment": payment,
        "request": request,
        "outcome": outcome,
        "outcome_tag": OUTCOMES[outcome],
        "recording_tag": RECORDINGS[payment.recording.value],
        "type_name": words.say(TYPES[request.type.value]),
        "where": where,
        "asked": words.money(request.amount),
        "parts": _parts(account, visit),
        "card": _card(payment),
        "moments": moments(story, words, where, account.history),
        "span": _span(account, visit, story),
        "purchase": purchase,
        "booked": _booked(purchase, visit),
        "receipts": visit.desk.receipts(account),
        "related": [
            Related(
                one.payment_id,
                f"{words.say(TYPES[one.payment.request.type.value])} "
                f"{words.money(one.payment.request.amount)}",
                outcome_of(one.payment),
            )
            for one in story.siblings
        ],
        "case_list": [shown_case(one, visit, facts["names"]) for one in cases],
        "is_running": not payment.is_final and payment.doubt is None,
    }


def _is_about(account: PaymentRecord | None, payment_id: str) -> bool:
    return account is not None and account.payment_id == payment_id


def _card(payment: p.Payment) -> str:
    approval = payment.approval or payment.offer
    if approval is None:
        return ""
    last = f"••{approval.card.masked_pan.last4}" if approval.card.masked_pan else ""
    return " ".join(filter(None, [approval.card.label or approval.card.brand.title(), last]))


def _parts(account: PaymentRecord, visit: Visit) -> list[tuple[str, str]]:
    """Return where the money went, in lines."""
    say, words, payment = visit.words.say, visit.words, account.payment
    currency = payment.request.amount.currency
    lines = [(say("Asked for"), words.money(payment.request.amount))]
    approval = payment.approval
    if approval is not None:
        lines.append((say("Approved"), words.money(approval.amount)))
        for label, part in (
            (say("Tip in it"), approval.tip),
            (say("Surcharge in it"), approval.surcharge),
            (say("Fee in it"), approval.fee),
            (say("Cash paid out"), approval.cash_back),
        ):
            if part is not None and part.minor:
                lines.append((label, words.money(part)))
    for label, minor in (
        (say("Tip added later"), payment.tip_minor),
        (say("Given back"), payment.refunded_minor),
        (say("Still held"), payment.held_minor),
    ):
        if minor:
            lines.append((label, words.amount(minor, currency)))
    return lines


def _booked(purchase: PurchaseRecord | None, visit: Visit) -> dict[str, Any]:
    if purchase is None:
        return {}
    told = purchase.purchase
    return {
        "trans": told.content.transaction_id,
        "record": told.record_id,
        "attempts": told.attempts,
        "error": told.error,
        "by": told.answered_by,
        "at": visit.words.when(purchase.updated_at, visit.now),
        "amount": visit.words.amount(
            told.content.pay_amount.minor or -told.content.sale.refund_minor,
            told.content.pay_amount.currency,
        ),
    }


def _span(account: PaymentRecord, visit: Visit, story: Excerpt) -> str:
    """Return how long it took from the order to its outcome."""
    if not account.payment.is_final or account.payment.pruned:
        return ""
    return visit.words.seconds(story.seconds_to_outcome)
