"""A split payment as one document: how it stands, and how each of its parts does. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from bridge.money import payment as p
from bridge.money.split_payment import ENDS, brought_minor, plan_status
from bridge.money.store.records import PaymentRecord
from bridge.register import api as k
from drivers.contract import Money


def plan_document(
    plan: p.Plan,
    accounts: Sequence[PaymentRecord],
    *,
    is_wanted: bool,
    beyond_help: AbstractSet[str],
) -> k.PlanDocument:
    """Return the whole retained document of a plan.

    `accounts` are its parts that have begun, and what ends their holds; at least one. `is_wanted`
    says that further parts will begin, `beyond_help` names holds that only a person can still end.
    """
    payments = {one.payment_id: one.payment for one in accounts}
    status = plan_status(plan, payments, is_wanted=is_wanted, beyond_help=beyond_help)
    request, total = accounts[0].payment.request, plan.total
    parts = ((leg, payments.get(leg.payment_id)) for leg in plan.legs)
    return k.PlanDocument.model_validate(
        {
            "rev": sum(one.rev for one in accounts),
            "plan_id": plan.plan_id,
            "register_id": request.register_id,
            "sale_id": request.sale_id or None,
            "status": status,
            "final": status in ENDS,
            "currency": total.currency,
            "requested_amount": k.format_amount(total),
            "captured_amount": k.format_amount(
                Money(sum(map(brought_minor, payments.values())), total.currency)
            ),
            "held_amount": k.format_amount(
                Money(sum(one.held_minor for one in payments.values()), total.currency)
            ),
            "legs": tuple(
                {
                    "payment_id": leg.payment_id,
                    "method": leg.method,
                    "amount": k.format_amount(leg.amount),
                    "status": part.status if part is not None else None,
                    "funds": part.funds if part is not None else None,
                }
                for leg, part in parts
            ),
            "created_at": k.read_time(min(one.created_at for one in accounts)),
            "updated_at": k.read_time(max(one.updated_at for one in accounts)),
        }
    )
