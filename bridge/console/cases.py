"""What needs a person: which question, how much it is, how urgent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from bridge.console.sources import Desk
from bridge.console.tags import Tag
from bridge.console.words import mark
from bridge.money import payment as p
from bridge.money.holds import expires_at
from bridge.money.purchase import PurchaseState
from bridge.money.store.records import PaymentRecord, PurchaseRecord
from bridge.money.terminal_batch import GapFound
from bridge.reports.outcome import is_contradicted

HOLD_SOON = timedelta(days=1)  # as registers are reminded


class CaseKind(Enum):
    """What is asked. The order is the order of work: a waiting till, a deadline, the oldest."""

    DOUBT = "doubt"
    HOLD = "hold"
    CONTRADICTION = "contradiction"
    GAP = "gap"
    UNCONFIRMED = "unconfirmed"
    REJECTED = "rejected"


TAGS: dict[CaseKind, Tag] = {
    CaseKind.DOUBT: Tag("act", "act", mark("In doubt")),
    CaseKind.HOLD: Tag("wait", "wait", mark("Hold runs out")),
    CaseKind.CONTRADICTION: Tag("act", "act", mark("Contradiction")),
    CaseKind.GAP: Tag("act", "act", mark("Sums differ")),
    CaseKind.UNCONFIRMED: Tag("act", "act", mark("Booking unconfirmed")),
    CaseKind.REJECTED: Tag("act", "act", mark("Paid, not booked")),
}
_URGENCY = {CaseKind.DOUBT: 0, CaseKind.HOLD: 1}


@dataclass(frozen=True, slots=True)
class Case:
    """One question to a person."""

    kind: CaseKind
    key: str  # of its place in a page and in a form
    since: str  # ISO 8601 UTC
    amount_minor: int
    currency: str
    account: PaymentRecord | None = None
    purchase: PurchaseRecord | None = None
    gap: GapFound | None = None
    terminal_id: str = ""
    ends_at: datetime | None = None  # of a hold

    @property
    def tag(self) -> Tag:
        """Its mark and word."""
        return TAGS[self.kind]


def cases_of(desk: Desk) -> list[Case]:
    """Return what needs a person now, most urgent first."""
    payments = desk.open_payments()
    found = [
        *_doubts(payments),
        *_holds(payments, desk.hold_days(), desk.now()),
        *_contradictions(payments),
        *_bookings(desk),
    ]
    found += [
        Case(
            CaseKind.GAP,
            f"gap-{number}",
            one.gap.found_at,
            one.gap.minor,
            one.gap.currency,
            gap=one.gap,
            terminal_id=one.terminal_id,
        )
        for number, one in enumerate(desk.gaps())
    ]
    return sorted(found, key=lambda one: (_URGENCY.get(one.kind, 2), one.since))


def checking_of(desk: Desk) -> list[PaymentRecord]:
    """Return the payments in doubt that are still looked up by themselves, oldest first."""
    found = [
        one
        for one in desk.open_payments()
        if one.payment.doubt is not None and not one.payment.doubt.needs_operator
    ]
    return sorted(found, key=lambda one: one.doubted_at)


def sums_of(cases: Sequence[Case]) -> dict[str, int]:
    """Return what the cases are about, in minor units by currency; each payment counts once."""
    sums: dict[str, int] = {}
    seen: set[str] = set()
    for one in cases:
        name = one.account.payment_id if one.account is not None else one.key
        if name not in seen:
            seen.add(name)
            sums[one.currency] = sums.get(one.currency, 0) + abs(one.amount_minor)
    return sums


def _doubts(payments: Sequence[PaymentRecord]) -> list[Case]:
    return [
        _of_payment(CaseKind.DOUBT, one, one.doubted_at)
        for one in payments
        if one.payment.doubt is not None and one.payment.doubt.needs_operator
    ]


def _contradictions(payments: Sequence[PaymentRecord]) -> list[Case]:
    return [
        _of_payment(CaseKind.CONTRADICTION, one, one.updated_at)
        for one in payments
        if is_contradicted(one.payment) or _is_unlooked(one.payment)
    ]


def _is_unlooked(payment: p.Payment) -> bool:
    """Tell whether what was only inferred, or undone elsewhere, still waits for a person's word."""
    return payment.is_final and bool(payment.discrepancies) and not payment.decided_by


def _holds(
    payments: Sequence[PaymentRecord], hold_days: Mapping[str, int], now: datetime
) -> list[Case]:
    found = []
    for one in payments:
        until = expires_at(one, hold_days)
        if until is not None and now >= until - HOLD_SOON:
            found.append(
                Case(
                    CaseKind.HOLD,
                    f"hold-{one.payment_id}",
                    one.ended_at,
                    one.payment.held_minor,
                    one.payment.request.amount.currency,
                    account=one,
                    terminal_id=one.payment.request.terminal_id,
                    ends_at=until,
                )
            )
    return found


def _bookings(desk: Desk) -> list[Case]:
    kinds = {
        PurchaseState.UNCONFIRMED: CaseKind.UNCONFIRMED,
        PurchaseState.REJECTED: CaseKind.REJECTED,
    }
    found = []
    for one in desk.open_purchases():
        kind = kinds.get(one.purchase.state)
        account = desk.payment(one.purchase.payment_ids[0])
        if kind is None:
            continue
        paid = one.purchase.content.pay_amount
        back = one.purchase.content.sale.refund_minor
        found.append(
            Case(
                kind,
                f"{kind.value}-{one.purchase.payment_ids[0]}",
                one.updated_at,
                paid.minor or -back,
                paid.currency,
                account=account,
                purchase=one,
                terminal_id=account.payment.request.terminal_id if account else "",
            )
        )
    return found


def _of_payment(kind: CaseKind, account: PaymentRecord, since: str) -> Case:
    request = account.payment.request
    return Case(
        kind,
        f"{kind.value}-{account.payment_id}",
        since,
        request.amount.minor,
        request.amount.currency,
        account=account,
        terminal_id=request.terminal_id,
    )
