"""What a sale still needs, and whether it was paid before money went back. Pure.

A sale that was paid once asks for nothing any more: what goes back to the shopper afterwards does
not open it again. What went back before the sale was paid, a void because another card shall pay,
is needed again. The order in which payments ended says which of the two it was; no clock does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.money import payment as p
from bridge.money.admission import held_for_goods_minor, most_asked
from bridge.money.payment.signature import Signature
from bridge.money.purchase import SaleDetails, outstanding_minor
from bridge.money.store.records import PaymentRecord, captured_payments
from drivers.contract import Money


def details_of(accounts: Iterable[PaymentRecord]) -> SaleDetails | None:
    """Return what is known of what was sold, None before a register stated it."""
    return p.known_sale(one.payment for one in sorted(accounts, key=lambda one: one.created_at))


def still_needed(account: PaymentRecord, siblings: Sequence[PaymentRecord]) -> Money | None:
    """Return what the account's sale still needs, what is held counted as paid.

    None where there is no sale: for money that was given back without an original. `siblings` are
    all payments of the sale, the account included or not.
    """
    request = account.payment.request
    if request.type in p.FOLLOW_UPS and not request.original_payment_id:
        return None
    everything = [account, *(one for one in siblings if one.payment_id != account.payment_id)]
    if was_given_back(everything):
        return Money(0, request.amount.currency)
    # What gives money back, or fills a gift card, asked for nothing that the sale must bring.
    asking = [one.payment for one in everything if one.payment.is_for_goods] or [account.payment]
    details = details_of(everything)
    if details is not None:
        total = details.to_pay
    elif account.payment.is_for_goods:
        total = most_asked(request, [one for one in asking if one is not account.payment])
    else:
        total = most_asked(asking[0].request, asking[1:])
    left_minor = outstanding_minor(total, captured_payments(everything, ""))
    held_minor = held_for_goods_minor([one.payment for one in everything])
    return Money(max(left_minor - held_minor, 0), total.currency)


def was_given_back(accounts: Iterable[PaymentRecord]) -> bool:
    """Tell whether a sale had been paid when money of it went back to the shopper.

    Where no register stated the total, it is the most that a payment had asked for until then.
    Money that was taken on a signature that was refused never counted.
    """
    accounts = list(accounts)
    details = details_of(accounts)
    brought: dict[str, int] = {}  # by payment, what of it pays for goods
    asked_minor = 0
    for one in sorted(accounts, key=lambda account: account.ended_seq):
        payment, of = one.payment, one.payment.request.original_payment_id
        if payment.request.type in p.TAKES and payment.goods_minor:
            if payment.signature is Signature.REFUSED and payment.funds is p.Funds.VOIDED:
                continue
            brought[one.payment_id] = payment.goods_minor
            asked_minor = max(asked_minor, payment.request.goods_minor)
        elif payment.request.type in p.GIVES and payment.approval is not None and of in brought:
            total_minor = details.to_pay.minor if details is not None else asked_minor
            if sum(brought.values()) >= total_minor:
                return True
            is_whole = payment.request.type is p.PaymentType.VOID
            went = brought[of] if is_whole else payment.approval.amount.minor
            brought[of] = max(brought[of] - went, 0)
    return False
