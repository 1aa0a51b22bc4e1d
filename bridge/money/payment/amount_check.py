"""Whether the amount that was taken is the one that was asked. Pure."""

from __future__ import annotations

from bridge.money.payment.state import Discrepancy, Payment, Status
from drivers.amounts import amount_text
from drivers.contract import Approval, Money


def amount_discrepancies(payment: Payment, approval: Approval) -> tuple[Discrepancy, ...]:
    """Return what a person must know of an amount that is neither what was asked nor allowed.

    A larger amount is explained by the tip, surcharge, fee and cash-back that the answer names, but
    only in the conversation that took the money: a terminal's memory may show somebody else's. Tips
    have a limit.
    """
    request = payment.request
    taken, asked = approval.amount.minor, request.amount.minor
    if approval.amount.currency != request.amount.currency:
        return ()  # nothing can be compared; a discrepancy of its own says so
    if taken < asked:
        if request.accept_partial:
            return ()
        text = f"the terminal took {amount_text(approval.amount)} of {amount_text(request.amount)}"
        return (Discrepancy("less_than_asked", text, approval),)
    if taken == asked:
        return ()
    over = taken - asked
    if not _was_told_while_paying(payment, approval):
        text = f"{amount_text(approval.amount)} were taken for {amount_text(request.amount)}"
        return (Discrepancy("more_than_asked", text, approval),)
    tip_minor = _minor(approval.tip)
    tip_limit_minor = max(request.tip_limit_minor, _minor(request.tip))
    explained = (
        max(min(tip_minor, tip_limit_minor) - _minor(request.tip), 0)
        + _minor(approval.surcharge)
        + _minor(approval.fee)
        + _minor(approval.cash_back)
    )
    if over <= explained:
        return ()
    unexplained = Money(over - explained, approval.amount.currency)
    why = "tip above the limit" if tip_minor > tip_limit_minor else "not named by the terminal"
    text = f"{amount_text(unexplained)} more than was asked: {why}"
    return (Discrepancy("more_than_asked", text, approval),)


def _was_told_while_paying(payment: Payment, approval: Approval) -> bool:
    """Tell whether an approval came in the payment's own conversation, or was offered there."""
    if payment.status is not Status.IN_DOUBT:
        return True
    offer = payment.offer
    return (
        offer is not None
        and offer.amount == approval.amount
        and offer.fingerprint == approval.fingerprint
    )


def _minor(part: Money | None) -> int:
    return part.minor if part is not None else 0
