"""When a world has come to rest: nothing is open but what only a person can answer.

Told from the disk, the broker, the tills and the office alone, as the judge does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.ending import is_missing
from tests.simulation.judge import short
from tests.simulation.pages import Pages, Written
from tests.simulation.weather import NEVER

if TYPE_CHECKING:
    from tests.simulation.world import World

INQUIRIES_MIN = 4
STUCK_INQUIRIES_MIN = 12  # about a gift card: its balance would have answered by then


def restless(world: World) -> str:
    """Say what is still open, "" when nothing is."""
    life, pages = world.life, world.judge.pages
    if life is None or not life.ready or not life.bus.connected:
        return "the bridge does not serve"
    for till in world.tills:
        if not till.idle:
            return f"{till.name} waits"
    for payment in pages.open_payments():
        if waits_for_its_sale(pages, payment):
            continue
        if not may_be_answered(world, payment):
            return f"{short(payment.payment_id)} is {payment.row.status}"
    if what := unended_hold(pages):
        return what
    if what := unsigned(world, pages):
        return what
    for name, state in pages.purchases.items():
        if state in {"pending", "sending"}:
            return f"{name} waits for the books"
    if world.judge.pledges.awaits_refusal(life.number):
        return "a refusal is not published yet"
    if world.office.late_effects:
        return "the office is still at it"
    for name, terminal in world.terminals.items():
        if terminal.busy:
            return f"{name} is busy"
    return ""


def waits_for_its_sale(pages: Pages, payment: Written) -> bool:
    """Tell whether a load looks at a payment of its sale that a person is asked about."""
    return payment.type == "load" and any(
        one.row.sale_key == payment.row.sale_key and one.type != "load"
        for one in pages.open_payments()
    )


def unended_hold(pages: Pages) -> str:
    """Say which plan still holds a gift card while nobody is asked about the plan, or ""."""
    doubtful = {one.plan_id for one in pages.open_payments()}
    for payment in pages.payments():
        is_hold = payment.plan_id and payment.type == "preauth" and payment.is_approved
        if not is_hold or payment.plan_id in doubtful:
            continue
        if not pages.following(payment.payment_id, "capture", "void"):
            return f"{short(payment.payment_id)} is held"
    return ""


def unsigned(world: World, pages: Pages) -> str:
    """Say which payment awaits a signature, or the void that a refused one asks for, or ""."""
    for topic, message in world.broker.retained.items():
        if "/prompts/" in topic and message.payload:
            return f"{short(topic)} awaits a signature"
    for payment in pages.payments():
        if payment.refused_signature is None or payment.has("ReversalFailed"):
            continue
        name = payment.payment_id
        in_doubt = any(one.original_id == name for one in pages.open_payments())
        if not in_doubt and not pages.following(name, "void", "refund"):
            return f"{short(name)} was signed by somebody else"
    return ""


def may_be_answered(world: World, payment: Written) -> bool:
    """Tell whether a person may step in, which most worlds allow to be quick.

    A gift card's balance answers by itself, or nothing but a person does.
    """
    told = world.judge.told.get(payment.payment_id)
    doubt = told.document.get("in_doubt") if told is not None else None
    if not doubt or payment.row.status != "in_doubt":
        return False
    if payment.row.method == "gift_card":
        stuck = bool(doubt["needs_operator"]) and doubt["attempts"] >= STUCK_INQUIRIES_MIN
        return payment.has("EvidenceLost") or stuck
    patient = world.weather.clock_jump_mean < NEVER
    return bool(doubt["needs_operator"]) or (not patient and doubt["attempts"] >= INQUIRIES_MIN)


def all_told(world: World) -> bool:
    """Tell whether every outcome is known, recorded and published."""
    pages = world.judge.pages
    if restless(world) or pages.open_payments():
        return False
    if any(state != "recorded" for state in pages.purchases.values()):
        return False
    return not any(is_missing(world, payment_id) for payment_id in pages.rows)
