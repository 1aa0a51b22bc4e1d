"""What a terminal is asked for a payment. Pure."""

from __future__ import annotations

from bridge.money import payment as p
from drivers import contract as c


def money_operation(request: p.PaymentRequest) -> c.MoneyOperation:
    """Return what a terminal is asked for a payment."""
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
            )
        case p.PaymentType.LOAD:
            return c.LoadGift(name, amount)
        case p.PaymentType.PREAUTH:
            return c.Authorize(name, amount)
        case p.PaymentType.REFUND:
            return c.Refund(name, amount, original)
        case _:
            assert original is not None, "a follow-up carries what the terminal must be told"
    match request.type:
        case p.PaymentType.INCREMENT:
            return c.Authorize(name, amount, original)
        case p.PaymentType.CAPTURE:
            return c.Capture(name, amount, original)
        case p.PaymentType.VOID | p.PaymentType.UNLOAD:
            return c.Reverse(name, original)
        case p.PaymentType.TIP_ADJUST:
            return c.AdjustTip(name, amount, original)
        case _:
            raise AssertionError(f"{request.type} is none of a terminal's operations")
