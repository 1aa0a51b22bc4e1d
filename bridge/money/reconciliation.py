"""What a terminal's batch should hold, compared with what the terminal says. Pure, to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.money import payment as p
from bridge.money.store.records import PaymentRecord


@dataclass(frozen=True, slots=True)
class Difference:
    """One payment that explains, or may explain, why sums differ."""

    payment_id: str
    kind: Literal["in_doubt", "discrepancy", "not_booked", "booking_unconfirmed"]
    minor: int


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Sums of one batch, in minor units, signed: money given back counts against.

    Each is named after who said it. What is recorded, our own journal says: that the back office
    acknowledged it, not that it has it now.
    """

    terminal_minor: int
    journal_minor: int
    recorded_minor: int | None  # None: the books are somebody else's
    differences: tuple[Difference, ...]

    @property
    def status(self) -> Literal["matched", "different"]:
        """Whether the terminal and the journal agree, and nothing in the journal is open."""
        equal = self.terminal_minor == self.journal_minor
        return "matched" if equal and not self.differences else "different"


def compare(
    terminal_minor: int, batch: Sequence[PaymentRecord], *, books: bool, tips: bool = False
) -> Reconciliation:
    """Return the comparison of a batch: the payments of one terminal since its last close.

    `books` says whether we record sales at all, `tips` whether tips that are added later are
    recorded with them.
    """
    sums = net_by_payment(batch)
    payments = {account.payment_id: account.payment for account in batch}
    return Reconciliation(
        terminal_minor=terminal_minor,
        journal_minor=sum(sums.values()),
        recorded_minor=sum(
            sums[name] for name, one in payments.items() if _is_recorded(one, payments, tips=tips)
        )
        if books
        else None,
        differences=tuple(_differences(batch, sums)),
    )


def net_by_payment(batch: Iterable[PaymentRecord]) -> dict[str, int]:
    """Return what each payment of a batch did to its sum, in minor units, signed.

    This is the only arithmetic of a batch. A void takes back its original with every tip that was
    added to it, as if none of them had been.
    """
    payments = {account.payment_id: account.payment for account in batch}
    return {name: _net_minor(one, payments) for name, one in payments.items()}


def _net_minor(payment: p.Payment, batch: Mapping[str, p.Payment]) -> int:
    kind, approval = payment.request.type, payment.approval
    if approval is None or payment.funds in {p.Funds.NONE, p.Funds.UNKNOWN}:
        return 0
    original = batch.get(payment.request.original_payment_id)
    match kind:
        case p.PaymentType.SALE | p.PaymentType.CAPTURE:
            return 0 if payment.funds is p.Funds.VOIDED else approval.amount.minor
        case p.PaymentType.REFUND:
            return -approval.amount.minor
        case p.PaymentType.TIP_ADJUST:
            voided = original is not None and original.funds is p.Funds.VOIDED
            return 0 if voided else approval.amount.minor
        case _:
            return 0  # what is held is in no batch; a void is done to its original


def _is_recorded(payment: p.Payment, batch: Mapping[str, p.Payment], *, tips: bool) -> bool:
    """Say whether the books have what a payment did, by our own word.

    What follows a payment before its sale is recorded has no record of its own: the sale is
    recorded with what it left.
    """
    if payment.recording is not p.Recording.NOT_REQUIRED:
        return payment.recording is p.Recording.RECORDED
    original = batch.get(payment.request.original_payment_id)
    if payment.request.type is p.PaymentType.TIP_ADJUST and not tips:
        return False
    return original is not None and original.recording is p.Recording.RECORDED


def _differences(batch: Iterable[PaymentRecord], sums: Mapping[str, int]) -> Iterable[Difference]:
    for account in batch:
        payment = account.payment
        minor = sums[account.payment_id] or payment.request.amount.minor
        if payment.status is p.Status.IN_DOUBT:
            yield Difference(account.payment_id, "in_doubt", minor)
        elif payment.discrepancies and not payment.decided_by:
            yield Difference(account.payment_id, "discrepancy", minor)
        elif payment.recording in {p.Recording.PENDING, p.Recording.REJECTED}:
            yield Difference(account.payment_id, "not_booked", minor)
        elif payment.recording is p.Recording.UNCONFIRMED:
            yield Difference(account.payment_id, "booking_unconfirmed", minor)
