"""Balances and purchases equal what was taken, whatever the back office does. Virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from simulators.back_office.faults import NAMED, UNLIMITED
from tests.matrix import scenes
from tests.matrix.judge import judge
from tests.matrix.scenes import Scene
from tests.matrix.shop import SETTLED_SECONDS, Shop, in_shop

LOOK, HOLD, MAKE = "giftcard", "giftcardTransAdd", "giftcardAdd"
END, BOOK = "giftcardTransCapture", "purchaseAdd"

# Which requests each scene makes, and so where a fault can meet it.
MATRIX: dict[Scene, tuple[str, ...]] = {
    scenes.sale: (LOOK, HOLD, END, BOOK),
    scenes.sale_at_once: (HOLD,),
    scenes.plan: (LOOK, HOLD, END, BOOK),
    scenes.plan_declined: (HOLD, END),
    scenes.top_up: (LOOK, HOLD, END, BOOK),
    scenes.top_up_declined: (HOLD, END),
    scenes.capture: (END, BOOK),
    scenes.part: (END,),
    scenes.void: (END,),
    scenes.refund: (LOOK, HOLD, END, BOOK),
    scenes.refund_at_once: (HOLD,),
    scenes.part_refunds: (HOLD, END),
    scenes.store_credit: (HOLD, END, BOOK),
    scenes.new_card: (MAKE, HOLD, END),
    scenes.unload: (HOLD, END),
    scenes.unload_at_once: (HOLD,),
    scenes.reverse: (HOLD, END),
}
WITHOUT_HOLDS = {scenes.sale_at_once, scenes.refund_at_once, scenes.unload_at_once}
# Where every fault is tried: once for each request that changes something.
EVERY_FAULT: dict[Scene, tuple[str, ...]] = {
    scenes.sale: (LOOK, HOLD, END, BOOK),
    scenes.sale_at_once: (HOLD,),
    scenes.void: (END,),
    scenes.top_up: (HOLD, END),
    scenes.refund: (HOLD, END, BOOK),
    scenes.refund_at_once: (HOLD,),
    scenes.new_card: (MAKE,),
}
# One of each kind of proof; the others differ in how they are said, and run with the slow tests.
QUICK = frozenset(
    {
        "apply_then_drop",
        "drop_before_apply",
        "drop_then_apply_late",
        "fusion_error_applied",
        "not_authorized",
        "too_many_429",
    }
)
# A server that answers with an id and then loses the commit deceives every client, and one that
# holds later than the quiet time every balance: what is told then stands with the gift cards.
FOR_EVER = "capture_always_refused"
FAULTS = sorted(set(NAMED) - {"lost_commit", "purchase_lost", "hold_applied_late", FOR_EVER})
CELLS = [
    pytest.param(
        scene,
        operation,
        fault,
        id=f"{scene.__name__}-{operation}-{fault}",
        marks=() if fault in QUICK else pytest.mark.slow,
    )
    for scene, operations in MATRIX.items()
    for operation in operations
    for fault in FAULTS
    if fault in QUICK or operation in EVERY_FAULT.get(scene, ())
]
CELLS += [
    pytest.param(scene, END, FOR_EVER, id=f"{scene.__name__}-{END}-{FOR_EVER}")
    for scene, operations in MATRIX.items()
    if END in operations
]
# Where the balance is the only witness, and another till makes it lie.
CONTESTED = [
    pytest.param(scene, operation, fault, id=f"{scene.__name__}-{operation}-{fault}")
    for scene, operations in MATRIX.items()
    for operation in operations
    if operation in {HOLD, END}
    for fault in ("apply_then_drop", "drop_before_apply", "fusion_error_applied")
]


@pytest.mark.parametrize(("scene", "operation", "fault"), CELLS)
def test_what_is_told_is_what_was_done(
    tmp_path: Path, scene: Scene, operation: str, fault: str
) -> None:
    async def main(shop: Shop) -> None:
        shop.holds = scene not in WITHOUT_HOLDS
        shop.fault(fault, operation)
        async with shop.open():
            await scene(shop)
            await asyncio.sleep(SETTLED_SECONDS)
            left = [one for one in shop.office.faults.pending() if one.times != UNLIMITED]
            assert left == [], "the fault was met"
            judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize(("scene", "operation", "fault"), CONTESTED)
def test_another_till_that_spends_in_between_makes_no_wrong_answer(
    tmp_path: Path, scene: Scene, operation: str, fault: str
) -> None:
    async def main(shop: Shop) -> None:
        shop.holds = scene not in WITHOUT_HOLDS
        shop.fault(fault, operation)
        async with shop.open():
            spending = asyncio.get_running_loop().create_task(_spend_at_the_fault(shop))
            await scene(shop)
            await asyncio.sleep(SETTLED_SECONDS)
            await spending
            judge(shop)

    in_shop(tmp_path, main)


async def _spend_at_the_fault(shop: Shop) -> None:
    """Let another till use the card right after the fault struck."""
    for _ in range(1_000):
        if shop.is_armed and not shop.office.faults.pending():
            break
        await asyncio.sleep(0.2)
    shop.spend_elsewhere("5.00")


@pytest.mark.parametrize("scene", [scenes.sale, scenes.plan, scenes.top_up, scenes.void])
@pytest.mark.parametrize("fault", ["too_many_429", "not_authorized", "unavailable_503"])
def test_nothing_stays_held_once_a_lasting_fault_is_over(
    tmp_path: Path, scene: Scene, fault: str
) -> None:
    async def main(shop: Shop) -> None:
        shop.fault(fault, END, times=-1)
        async with shop.open():
            await scene(shop)
            await asyncio.sleep(SETTLED_SECONDS)
            shop.office.faults.clear()
            await asyncio.sleep(2 * SETTLED_SECONDS)
            judge(shop)

    in_shop(tmp_path, main)
