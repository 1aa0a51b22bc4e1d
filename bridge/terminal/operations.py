"""What a terminal is asked for a payment. Pure."""

from __future__ import annotations

from bridge.money import payment as p
from drivers import contract as c


def money_operation(request: p.PaymentRequest, last: c.Baseline | None = None) -> c.MoneyOperation:
    """Return what a terminal is asked for a payment.

    `last` is the baseline that was stored when the payment was about to be sent.
    """
    name, amount, original = request.payment_id, request.amount, request.original
    match request.type:
        case p.PaymentType.SALE:
            return c.Pay(
                name,
                amount,
                tip=request.tip,
                accept_partial=request.accept_partial,
                language=request.language,
                gift=request.gift,
                last=last,
            )
        case p.PaymentType.LOAD:
            return c.LoadGift(name, amount)
        case p.PaymentType.PREAUTH:
            return c.Authorize(name, amount, last=last)
        case p.PaymentType.REFUND:
            return c.Refund(name, amount, original, last)
        case _:
            assert original is not None, "a follow-up carries what the terminal must be told"
    match request.type:
        case p.PaymentType.INCREMENT:
            return c.Authorize(name, amount, original, last)
        case p.PaymentType.CAPTURE:
            return c.Capture(name, amount, original)
        case p.PaymentType.VOID | p.PaymentType.UNLOAD:
            return c.Reverse(name, original)
        case p.PaymentType.TIP_ADJUST:
            return c.AdjustTip(name, amount, original)
        case _:
            raise AssertionError(f"{request.type} is none of a terminal's operations")


def inquiry_about(payment: p.Payment) -> c.Inquire:
    """Return the question what became of a payment, with all that is known of it."""
    return c.Inquire(
        money_operation(payment.request),
        payment.baseline,
        payment.offer,
        payment.taken,
        memory_asked=payment.doubt is not None and payment.doubt.memory_asked,
        handle=payment.handle,
    )
