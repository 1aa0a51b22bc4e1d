"""When a world has come to rest: nothing is open but what only a person can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.money import payment as p
from bridge.money import purchase as s
from bridge.money.store.records import Account
from tests.simulation.ending import is_missing
from tests.simulation.incarnation import Incarnation
from tests.simulation.judge import short
from tests.simulation.weather import NEVER

if TYPE_CHECKING:
    from tests.simulation.world import World

INQUIRIES_MIN = 4


def restless(world: World) -> str:
    """Say what is still open, "" when nothing is."""
    life = world.life
    if life is None or not life.ready or life.desk.connection is None:
        return "the bridge does not serve"
    for till in world.tills:
        if not till.idle:
            return f"{till.name} waits"
    for account in life.ledger.unfinished():
        doubt = account.payment.doubt
        if waits_for_its_sale(life, account):
            continue
        if doubt is None or not may_be_answered(world, account.payment, doubt):
            return f"{short(account.payment_id)} is {account.payment.status.value}"
    if what := unended_hold(life):
        return what
    followed = {one.payment.request.original_payment_id for one in life.ledger.unfinished()}
    for account in life.ledger.unsigned():
        if account.payment_id in followed:
            continue  # its reversal is in doubt: that one is asked about
        return f"{short(account.payment_id)} awaits a signature"
    for purchase in life.ledger.open_purchases():
        if purchase.purchase.state in {s.PurchaseState.PENDING, s.PurchaseState.SENDING}:
            return f"{purchase.purchase.content.transaction_id} waits for the books"
    if world.office.late_effects:
        return "the office is still at it"
    for name, terminal in world.terminals.items():
        if terminal.busy:
            return f"{name} is busy"
    return ""


def waits_for_its_sale(life: Incarnation, account: Account) -> bool:
    """Tell whether a load looks at a payment of its sale that a person is asked about."""
    request = account.payment.request
    return request.type is p.PaymentType.LOAD and any(
        one.payment.request.sale_key == request.sale_key
        and one.payment.request.type is not p.PaymentType.LOAD
        for one in life.ledger.unfinished()
    )


def unended_hold(life: Incarnation) -> str:
    """Say which plan still holds a gift card while nobody is asked about the plan, or ""."""
    doubtful = {
        one.payment.request.plan
        for one in life.ledger.unfinished()
        if one.payment.request.plan is not None
    }
    for account in life.ledger.accounts():
        plan = account.payment.request.plan
        if plan is None or plan in doubtful or account.payment.funds is not p.Funds.HELD:
            continue
        return f"{short(account.payment_id)} is held"
    return ""


def may_be_answered(world: World, payment: p.Payment, doubt: p.Doubt) -> bool:
    """Tell whether a person may step in, which most worlds allow to be quick.

    A gift card's balance answers by itself, or nothing but a person does.
    """
    if payment.request.method == "gift_card":
        return doubt.evidence_lost
    patient = world.weather.clock_jump_mean < NEVER
    return doubt.needs_operator or (not patient and doubt.inquiries >= INQUIRIES_MIN)


def all_told(world: World) -> bool:
    """Tell whether every outcome is known, recorded and published."""
    life = world.life
    if restless(world) or life is None or life.ledger.open_purchases():
        return False
    if any(is_missing(world.broker, account) for account in life.ledger.accounts()):
        return False
    return not life.ledger.unfinished()
