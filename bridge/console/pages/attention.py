"""Needs attention: each question with its evidence, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.console.cases import Case, CaseKind, checking_of
from bridge.console.evidence import Proof, proof_of
from bridge.console.pages.frame import Facts, frame_facts
from bridge.console.visit import Visit

CASES_SHOWN_MAX = 40  # with their evidence; a page stays readable and below 100 kB
# What may be answered for several at once: where one look answers all of them.
IN_BULK = {CaseKind.UNCONFIRMED, CaseKind.REJECTED, CaseKind.CONTRADICTION}


@dataclass(frozen=True, slots=True)
class ShownCase:
    """One question as its card shows it; texts are in the person's language."""

    case: Case
    proof: Proof
    amount: str
    since: str
    about: str  # sale and time, in a line
    payment_id: str = ""

    @property
    def in_bulk(self) -> bool:
        """True when several like it can be answered at once."""
        return self.case.kind in IN_BULK


async def attention_facts(visit: Visit) -> Facts:
    """Return what the page shows."""
    facts = frame_facts(visit, "/attention")
    cases: list[Case] = facts["cases"]
    shown = [shown_case(one, visit, facts["names"]) for one in cases[:CASES_SHOWN_MAX]]
    words = visit.words
    checking = [
        {
            "payment_id": one.payment_id,
            "amount": words.money(one.payment.request.amount),
            "who": one.payment.request.register_id,
            "where": facts["names"].get(
                one.payment.request.terminal_id, one.payment.request.terminal_id
            ),
            "since": words.since(one.doubted_at, visit.now),
            "asked": one.payment.doubt.inquiries if one.payment.doubt else 0,
        }
        for one in checking_of(visit.desk)
    ]
    kinds = {one.case.kind.value for one in shown if one.in_bulk}
    bulk = [
        kind
        for kind in (one.value for one in CaseKind)
        if kind in kinds and sum(one.case.kind.value == kind for one in shown) > 1
    ]
    return {
        **facts,
        "shown": shown,
        "more_cases": max(len(cases) - len(shown), 0),
        "checking": checking,
        "bulk": bulk,
    }


def shown_case(case: Case, visit: Visit, names: dict[str, str]) -> ShownCase:
    """Return one question's card."""
    words = visit.words
    account = case.account
    about = [words.when(case.since, visit.now)]
    if account is not None and account.payment.request.sale_id:
        about.insert(0, words.say("sale %(sale)s", sale=account.payment.request.sale_id))
    about.append(words.say("open for %(time)s", time=words.since(case.since, visit.now)))
    amount = (
        words.signed(case.amount_minor, case.currency)
        if case.kind is CaseKind.GAP
        else words.amount(case.amount_minor, case.currency)
    )
    return ShownCase(
        case=case,
        proof=proof_of(case, words, names),
        amount=amount,
        since=case.since,
        about=", ".join(about),
        payment_id=account.payment_id
        if account is not None
        else (case.purchase.purchase.payment_ids[0] if case.purchase is not None else ""),
    )
