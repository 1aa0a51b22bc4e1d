"""What a terminal's batch should hold, compared with what the terminal says. Pure, to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.money import payment as p
from bridge.money.accounts import Account


@dataclass(frozen=True, slots=True)
class Difference:
    """One payment that explains, or may explain, why sums differ."""

    payment_id: str
    kind: Literal["in_doubt", "discrepancy", "not_booked", "booking_unconfirmed"]
    minor: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Three sums of one batch, in minor units, signed: money given back counts against."""

    terminal_minor: int
    journal_minor: int
    back_office_minor: int | None  # None: the books are somebody else's
    differences: tuple[Difference, ...]

    @property
    def status(self) -> Literal["matched", "different"]:
        """Whether the three agree and nothing is open."""
        books = self.back_office_minor
        equal = self.terminal_minor == self.journal_minor and books in {None, self.journal_minor}
        return "matched" if equal and not self.differences else "different"


def compare(terminal_minor: int, batch: Sequence[Account], *, books: bool) -> Reconciliation:
    """Return the comparison of a batch: the payments of one terminal since its last close."""
    return Reconciliation(
        terminal_minor=terminal_minor,
        journal_minor=sum(_net_minor(account.payment) for account in batch),
        back_office_minor=sum(
            _net_minor(account.payment)
            for account in batch
            if account.payment.recording is p.Recording.RECORDED
            or account.payment.request.type is p.PaymentType.TIP_ADJUST
            or _never_booked(account.payment)
        )
        if books
        else None,
        differences=tuple(_differences(batch)),
    )


def _net_minor(payment: p.Payment) -> int:
    """Return what the operation did to the batch; a voided pair counts nothing."""
    if payment.status is not p.Status.APPROVED and payment.funds not in p.MOVED:
        return 0
    kind = payment.request.type
    approved = payment.approval.amount.minor if payment.approval else 0
    if kind in p.TAKES:
        return 0 if payment.funds is p.Funds.VOIDED else payment.captured.minor
    if kind is p.PaymentType.REFUND:
        return -approved
    return approved if kind is p.PaymentType.TIP_ADJUST else 0


def _never_booked(payment: p.Payment) -> bool:
    """True for money that came and went before its sale was recorded."""
    return payment.recording is p.Recording.NOT_REQUIRED and payment.funds is p.Funds.REFUNDED


def _differences(batch: Iterable[Account]) -> Iterable[Difference]:
    for account in batch:
        payment = account.payment
        minor = _net_minor(payment) or payment.request.amount.minor
        if payment.status is p.Status.IN_DOUBT:
            yield Difference(account.payment_id, "in_doubt", minor)
        elif payment.discrepancies and not payment.decided_by:
            yield Difference(account.payment_id, "discrepancy", minor)
        elif payment.recording in {p.Recording.PENDING, p.Recording.REJECTED}:
            yield Difference(account.payment_id, "not_booked", minor)
        elif payment.recording is p.Recording.UNCONFIRMED:
            yield Difference(account.payment_id, "booking_unconfirmed", minor)
