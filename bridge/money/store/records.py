"""Payments and purchases with their place in time, folded from the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.payment.machine import advance, open_payment
from bridge.money.store.journal_entries import Entry, PaymentRow, PurchaseRow
from drivers.contract import Money

HISTORY_LINES_MAX = 64  # a document stays small; the journal keeps everything


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a payment's history, as the register's document shows it."""

    status: str
    stage: str
    at: str


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """A payment with its place in time. `rev` grows by one with every stored change."""

    payment: p.Payment
    rev: int
    seq: int  # of the last journal entry
    created_at: str
    updated_at: str
    history: tuple[HistoryLine, ...]
    live: bool = True  # its document is published
    ended_seq: int = 0  # of the entry that made its status what it is; orders, whatever clocks say

    @property
    def ended_at(self) -> str:
        """When its status became what it is, ISO 8601 UTC."""
        status = self.payment.status.value
        return next((line.at for line in self.history if line.status == status), self.updated_at)

    @property
    def doubted_at(self) -> str:
        """When its doubt began, ISO 8601 UTC; for payments in doubt."""
        doubtful = p.Status.IN_DOUBT.value
        return next((line.at for line in self.history if line.status == doubtful), self.updated_at)

    @property
    def payment_id(self) -> str:
        """The id that the register gave it."""
        return self.payment.request.payment_id


@dataclass(frozen=True, slots=True)
class PurchaseRecord:
    """A purchase with its place in time. `rev` grows by one with every stored event."""

    purchase: s.Purchase
    created_at: str
    updated_at: str
    rev: int = 1


def fold_event(
    account: PaymentRecord | None, event: p.Event, at: str, seq: int = 0
) -> tuple[PaymentRecord, tuple[p.Action, ...]]:
    """Return the account after one event, and what must now be done.

    Raises:
        IllegalEvent: The payment's state cannot have the event.
    """
    if account is None:
        assert isinstance(event, p.Requested), "a payment begins with its request"
        payment, actions = open_payment(event)
        line = HistoryLine(payment.status.value, "", at)
        return PaymentRecord(payment, 1, seq, at, at, (line,), ended_seq=seq), actions
    payment, actions = advance(account.payment, event)
    if payment == account.payment:
        return replace(account, seq=seq or account.seq), actions
    line = HistoryLine(payment.status.value, payment.stage.value if payment.stage else "", at)
    last = account.history[-1]
    history = account.history
    if (line.status, line.stage) != (last.status, last.stage):
        history = (*history[-HISTORY_LINES_MAX + 1 :], line)
    return replace(
        account,
        payment=payment,
        rev=account.rev + 1,
        seq=seq or account.seq,
        updated_at=at,
        history=history,
        live=account.live or not payment.is_settled,  # late evidence brings it back
        ended_seq=account.ended_seq if payment.status is account.payment.status else seq,
    ), actions


def stored(account: PaymentRecord, seq: int) -> PaymentRecord:
    """Return the account once its last entry has a number."""
    return replace(account, seq=seq, ended_seq=account.ended_seq or seq)


def fold_payment(entries: Sequence[Entry]) -> PaymentRecord:
    """Return the account that the journal's entries describe."""
    account: PaymentRecord | None = None
    for entry in entries:
        if isinstance(entry.event, p.Pruned):
            account = _fold_pruned(entry.event, entry.seq)
            continue
        assert isinstance(entry.event, p.Event), "a payment has payment events"
        account, _ = fold_event(account, entry.event, entry.at, entry.seq)
    assert account is not None, "a payment has at least its request"
    return account


def _fold_pruned(event: p.Pruned, seq: int) -> PaymentRecord:
    line = HistoryLine(event.payment.status.value, "", event.ended_at)
    return PaymentRecord(
        payment=event.payment,
        rev=event.rev,
        seq=seq,
        created_at=event.created_at,
        updated_at=event.ended_at,
        history=(line,),
        live=False,
        ended_seq=event.ended_seq,
    )


def fold_purchase(entries: Sequence[Entry]) -> PurchaseRecord:
    """Return the purchase that the journal's entries describe."""
    first, *rest = entries
    assert isinstance(first.event, s.PurchaseDue), "a purchase begins with being due"
    purchase = s.open_purchase(first.event)
    for entry in rest:
        assert isinstance(entry.event, s.PurchaseEvent), "a purchase has purchase events"
        purchase = s.advance_purchase(purchase, entry.event)
    return PurchaseRecord(purchase, first.at, entries[-1].at, len(entries))


def payment_row(account: PaymentRecord) -> PaymentRow:
    """Return the row that the account is found by."""
    request = account.payment.request
    return PaymentRow(
        payment_id=request.payment_id,
        register_id=request.register_id,
        terminal_id=request.terminal_id,
        sale_key=request.sale_key,
        status=account.payment.status.value,
        recording=account.payment.recording.value,
        amount_minor=request.amount.minor,
        currency=request.amount.currency,
        created_at=account.created_at,
        updated_at=account.updated_at,
        live=int(account.live),
        pruned=int(account.payment.pruned),
    )


def same_but_for_time(one: PaymentRow, other: PaymentRow) -> bool:
    """Tell whether two rows of a payment differ in nothing but when it changed last."""
    return replace(one, updated_at="") == replace(other, updated_at="")


def purchase_row(account: PurchaseRecord) -> PurchaseRow:
    """Return the row that the purchase is found by."""
    return PurchaseRow(
        transaction_id=account.purchase.content.transaction_id,
        sale_key=account.purchase.sale_key,
        state=account.purchase.state.value,
        created_at=account.created_at,
        updated_at=account.updated_at,
    )


def recording_news(before: s.Purchase, after: s.Purchase) -> p.RecordingChanged | None:
    """Return what the payments of a purchase must be told, None when nothing changed for them."""
    names = {
        s.PurchaseState.PENDING: p.Recording.PENDING,
        s.PurchaseState.SENDING: p.Recording.PENDING,
        s.PurchaseState.RECORDED: p.Recording.RECORDED,
        s.PurchaseState.UNCONFIRMED: p.Recording.UNCONFIRMED,
        s.PurchaseState.REJECTED: p.Recording.REJECTED,
    }
    if after.state is s.PurchaseState.SENDING:
        return None  # between two commits of one attempt; nobody needs to see it
    same = before.state is s.PurchaseState.SENDING and after.state is s.PurchaseState.PENDING
    if same and after.attempts > 1:
        return None  # still away; the first failure has been told
    return p.RecordingChanged(names[after.state], after.record_id, after.error)


def captured_payments(
    accounts: Iterable[PaymentRecord], captured_at: str
) -> list[s.CapturedPayment]:
    """Return what those of `accounts` that took money bring to their sale, less what went back."""
    found = []
    for account in accounts:
        approval = account.payment.approval
        left = account.payment.refundable_minor
        if approval is None or left <= 0:
            continue
        _, tip_minor, others_minor = account.payment.kept
        found.append(
            s.CapturedPayment(
                payment_id=account.payment_id,
                amount=Money(left, approval.amount.currency),
                tip_minor=tip_minor,
                surcharge_minor=others_minor,
                label=(approval.card.brand or "card").upper(),
                captured_at=captured_at,
            )
        )
    return found
