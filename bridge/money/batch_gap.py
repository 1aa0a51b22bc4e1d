"""What accounts for the gap between a terminal's sum of a batch and the journal's. Pure.

The rules:

* A gap is accounted for only by payments and facts that are in the journal, each with what it
  changes; together they must make the gap to the cent. Else it is not explained, and says so.
* A fact that speaks against the sums is told also where they are equal: two things that a terminal
  did on its own may cancel each other out.
* That amounts add up is no proof of what happened. A person looks, and says so (`GapNoted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from bridge.money import payment as p
from bridge.money.amounts import format_amount
from bridge.money.reconciliation import net_by_payment
from bridge.money.store.records import PaymentRecord
from bridge.money.terminal_batch import Unasked
from drivers.contract import Approval, Money

# More causes than this in one gap are no explanation: among many amounts some always add up.
CAUSES_TOGETHER_MAX = 3
CAUSES_LOOKED_AT_MAX = 20

CauseKind = Literal[
    "closed_by_terminal",
    "reversed_at_terminal",
    "done_at_terminal",
    "in_doubt",
    "answered_by_person",
    "discrepancy",
    "another_currency",
]
FACTS = frozenset({"closed_by_terminal", "reversed_at_terminal", "done_at_terminal"})


@dataclass(frozen=True, slots=True)
class Cause:
    """Something in the journal that changes the terminal's sum and not ours, or the reverse.

    `minor` is what it adds to the terminal's sum less the journal's; `text` names the evidence.
    """

    kind: CauseKind
    payment_id: str  # "" for what no payment of ours is
    minor: int
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The terminal's sum less the journal's, in minor units, and what accounts for it."""

    minor: int
    causes: tuple[Cause, ...]  # together they make the gap, to the cent; () when nothing does
    facts: tuple[Cause, ...]  # what the terminal did on its own, whether it accounts for a gap

    @property
    def is_explained(self) -> bool:
        """True where named causes make the gap, or there is none."""
        return self.minor == 0 or bool(self.causes)

    @property
    def is_open(self) -> bool:
        """True where a person should look."""
        return self.minor != 0 or bool(self.facts)


def explain(
    net_minor: int,
    batch: Sequence[PaymentRecord],
    unasked: Iterable[Unasked],
    *,
    currency: str,
    closed_batch: str = "",
) -> Gap:
    """Return the gap between the terminal's `net_minor` and the journal's sum of `batch`.

    `unasked` is what the terminal was seen to do without us since the batch began, `closed_batch`
    the number of the batch that it told of, "" where it told none.
    """
    sums = net_by_payment(batch)
    minor = net_minor - sum(sums.values())
    causes = [
        *_closed_by_terminal(batch, sums, closed_batch),
        *_done_at_terminal(unasked, batch, sums),
        *_open_questions(batch, sums, currency),
    ]
    facts = tuple(one for one in causes if one.kind in FACTS)
    return Gap(minor, _making(minor, causes), facts)


def _making(minor: int, causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return the fewest causes that make `minor` together; () when none do.

    What a close of its own took out of the terminal's batch is one cause, however many payments.
    """
    if minor == 0:
        return ()
    closed = tuple(one for one in causes if one.kind == "closed_by_terminal")
    others = [(one,) for one in causes if one.kind != "closed_by_terminal" and one.minor]
    groups = [*([closed] if closed else []), *others][:CAUSES_LOOKED_AT_MAX]
    for size in range(1, CAUSES_TOGETHER_MAX + 1):
        for some in combinations(groups, size):
            together = tuple(one for group in some for one in group)
            if sum(one.minor for one in together) == minor:
                return together
    return ()


def _closed_by_terminal(
    batch: Sequence[PaymentRecord], sums: Mapping[str, int], closed_batch: str
) -> Iterable[Cause]:
    """Yield the payments that the terminal's own numbers put into a batch that it closed before."""
    numbered = [
        (account, account.payment.approval.batch)
        for account in sorted(batch, key=lambda one: one.ended_seq)
        if account.payment.approval is not None and account.payment.approval.batch
    ]
    if not numbered:
        return
    last = numbered[-1][1]
    if closed_batch and any(number == closed_batch for _, number in numbered):
        last = closed_batch
    for account, number in numbered:
        if number != last and sums[account.payment_id]:
            text = f"taken in the terminal's batch {number}, and this one is {last}"
            yield Cause("closed_by_terminal", account.payment_id, -sums[account.payment_id], text)


def _done_at_terminal(
    unasked: Iterable[Unasked], batch: Sequence[PaymentRecord], sums: Mapping[str, int]
) -> Iterable[Cause]:
    """Yield what the terminal did on its own: its reversals of our payments, and the rest."""
    for one in unasked:
        approval = one.approval
        original = _original_of(approval, batch)
        receipt = f"receipt {approval.transaction_id or '?'}, seen {one.seen_at}"
        if original is not None:
            text = f"reversed at the terminal: {receipt}"
            minor = -sums[original.payment_id]
            yield Cause("reversed_at_terminal", original.payment_id, minor, text)
        else:
            amount = f"{format_amount(approval.amount)} {approval.amount.currency}"
            text = f"done at the terminal by hand: {amount}, {receipt}"
            yield Cause("done_at_terminal", "", approval.amount.minor, text)


def _original_of(approval: Approval, batch: Sequence[PaymentRecord]) -> PaymentRecord | None:
    """Return the payment that a transaction names as the one it is about."""
    about = approval.extra.get("original_trace", "").lstrip("0")
    for account in batch:
        mine = account.payment.approval
        if mine is None or not about or mine.amount != approval.amount:
            continue
        if mine.trace.lstrip("0") == about:
            return account
    return None


def _open_questions(
    batch: Sequence[PaymentRecord], sums: Mapping[str, int], currency: str
) -> Iterable[Cause]:
    for account in batch:
        payment, name = account.payment, account.payment_id
        counted = sums[name]
        if counted and payment.request.amount.currency != currency:
            yield Cause("another_currency", name, -counted, "the terminal's sum has another one")
        elif payment.status is p.Status.IN_DOUBT:
            known = payment.offer.amount if payment.offer is not None else payment.request.amount
            yield Cause("in_doubt", name, _signed(payment, known), "not known whether it moved")
        elif payment.discrepancies:
            for odd in payment.discrepancies:
                if odd.approval is not None:
                    told = _signed(payment, odd.approval.amount)
                    # A second transaction counts beside the first; all else is told instead of it.
                    minor = told if odd.kind == "second_approval" else told - counted
                    yield Cause("discrepancy", name, minor, f"{odd.kind}: {odd.text}")
                elif counted:
                    yield Cause("discrepancy", name, -counted, f"{odd.kind}: {odd.text}")
        elif payment.answers:
            by = payment.answers[-1].by
            text = f"{by} said {payment.answers[-1].outcome}; the terminal did not confirm it"
            if payment.answer_check is p.AnswerCheck.AGREED:
                continue
            minor = -counted or _signed(payment, payment.request.amount)
            yield Cause("answered_by_person", name, minor, text)


def _signed(payment: p.Payment, amount: Money) -> int:
    """Return what an operation over `amount` does to a batch."""
    match payment.request.type:
        case p.PaymentType.REFUND | p.PaymentType.VOID:
            return -amount.minor
        case p.PaymentType.SALE | p.PaymentType.CAPTURE | p.PaymentType.TIP_ADJUST:
            return amount.minor
        case _:
            return 0
