"""From a split payment to the payments it is made of: its legs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge.errors import RequestError
from bridge.money import payment as p
from bridge.register import api as k
from bridge.register.commands.payment_request import gift_card_code
from drivers.contract import Money

LEGS_MIN = 2


def refuse_bad_plan(request: k.PaymentStart) -> None:
    """Refuse a plan that cannot be carried out as it stands, before anything is held.

    Raises:
        RequestError: `invalid_request` or `operation_not_supported`, with the leg's path.
    """
    legs = request.plan or ()
    if len(legs) < LEGS_MIN:
        raise RequestError("invalid_request", "a plan has two legs or more", path="plan")
    not_with_plan = (
        (request.type != "sale", "type"),
        (request.method != "card", "method"),
        (request.gift_card is not None, "gift_card"),
        (request.accept_partial, "accept_partial"),
        (request.capture != "auto", "capture"),
        (request.amounts.tip is not None and request.amounts.tip.mode != "none", "amounts.tip"),
        (request.amounts.cash_back_amount is not None, "amounts.cash_back_amount"),
    )
    for refused, path in not_with_plan:
        if refused:
            raise RequestError("operation_not_supported", "not together with a plan", path=path)
    seen: set[tuple[str, str]] = set()
    for number, leg in enumerate(legs):
        path, is_last = f"plan.{number}", number == len(legs) - 1
        if (leg.method == "gift_card") is not (leg.gift_card is not None):
            raise RequestError(
                "invalid_request",
                "method 'gift_card' and the field gift_card go together",
                path=f"{path}.gift_card",
            )
        if leg.method == "card" and not is_last:
            raise RequestError(
                "operation_not_supported",
                "one card, and after the gift cards: they are held first",
                path=f"{path}.method",
            )
        if leg.amount == "remaining" and not is_last:
            raise RequestError(
                "invalid_request", "only the last leg pays what remains", path=f"{path}.amount"
            )
        if leg.gift_card is not None:
            identity = (leg.gift_card.code_type, _as_read(leg.gift_card.stored_value_id))
            if identity in seen:
                raise RequestError(
                    "invalid_request", "the same gift card stands twice", path=f"{path}.gift_card"
                )
            seen.add(identity)


def _as_read(code: str) -> str:
    """Return a code without what people and scanners add to it: spaces, dashes, capitals.

    Only to see that two codes are one; what the back office is asked for is what was written.
    Zeros in front stay: they are a part of the code.
    """
    return "".join(code.replace("-", "").split()).casefold()


def leg_amounts(request: k.PaymentStart) -> tuple[Money, ...]:
    """Return what each leg pays.

    Raises:
        RequestError: `invalid_amount` or `invalid_request`: the legs do not make the amount.
    """
    wanted = request.amounts.requested
    amounts: list[Money] = []
    total = Money(0, wanted.currency)
    for number, leg in enumerate(request.plan or ()):
        path = f"plan.{number}.amount"
        if leg.amount == "remaining":
            amount = Money(max(wanted.minor - total.minor, 0), wanted.currency)
        else:
            amount = k.parse_amount(leg.amount, wanted.currency, path=path)
        if amount.minor == 0:
            raise RequestError("invalid_amount", "nothing is left for this leg", path=path)
        amounts.append(amount)
        total += amount
    if total != wanted:
        raise RequestError(
            "invalid_request",
            f"the legs make {k.format_amount(total)}, not {k.format_amount(wanted)}",
            path="plan",
        )
    return tuple(amounts)


def legs_of(
    request: k.PaymentStart,
    whole: p.PaymentRequest,
    amounts: tuple[Money, ...],
    *,
    leg_id: Callable[[str, int], str],
) -> tuple[p.PaymentRequest, ...]:
    """Return the payments of a plan in their order; `whole` is the start without its plan."""
    plan_id = request.payment_id
    legs = request.plan or ()
    plan = p.Plan(
        plan_id,
        tuple(
            p.PlanLeg(leg_id(plan_id, number), leg.method, amount)
            for number, (leg, amount) in enumerate(zip(legs, amounts, strict=True), 1)
        ),
    )
    return tuple(
        replace(
            whole,
            payment_id=planned.payment_id,
            terminal_id=p.GIFT_CARDS if leg.gift_card else whole.terminal_id,
            type=p.PaymentType.PREAUTH if leg.gift_card else p.PaymentType.SALE,
            amount=planned.amount,
            sale_id=whole.sale_id or plan_id,
            sale=whole.sale if number == 0 else None,
            gift_card=gift_card_code(leg.gift_card) if leg.gift_card else None,
            plan=plan,
        )
        for number, (leg, planned) in enumerate(zip(legs, plan.legs, strict=True))
    )
