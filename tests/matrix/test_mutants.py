"""The judge of the matrix catches every planted bug. Virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.backoffice.gift_cards.steps import GiftCardSteps
from bridge.backoffice.purchase_recorder import Recorder
from bridge.money.background.split_payments import SplitPayments
from tests.matrix import mutants as m
from tests.matrix import scenes
from tests.matrix.judge import judge
from tests.matrix.scenes import Scene
from tests.matrix.shop import SETTLED_SECONDS, Shop, in_shop
from tests.matrix.test_faults import BOOK, END, HOLD, WITHOUT_HOLDS

Mutant = type[GiftCardSteps | SplitPayments | Recorder]


@dataclass(frozen=True, slots=True)
class Trap:
    """Where a bug shows; `spent` is what another till takes meanwhile."""

    scene: Scene
    fault: str = ""
    operation: str = ""
    spent: str = ""


@pytest.mark.parametrize(
    ("mutant", "trap"),
    [
        (m.HoldsAgain, Trap(scenes.sale, "apply_then_drop", HOLD)),
        (m.SaysNo, Trap(scenes.sale, "apply_then_drop", HOLD)),
        (m.SaysNo, Trap(scenes.sale, "drop_then_apply_late", HOLD)),
        (m.BelievesTheAmount, Trap(scenes.sale, "drop_before_apply", HOLD, "20.00")),
        (m.ForgetsTheHold, Trap(scenes.sale, "not_authorized", END)),
        (m.CapturesAtOnce, Trap(scenes.plan_declined)),
        (m.FillsAtOnce, Trap(scenes.top_up_declined)),
        (m.BelievesTheRelease, Trap(scenes.void)),
        (m.BelievesTheCapture, Trap(scenes.refund)),
        (m.BelievesTheCapture, Trap(scenes.unload)),
        (m.BelievesTheCapture, Trap(scenes.new_card)),
        (m.BelievesTheBalance, Trap(scenes.sale, "capture_always_refused", END)),
        (m.BelievesTheBalance, Trap(scenes.capture, "capture_always_refused", END)),
        (m.CallsItUntouched, Trap(scenes.sale_at_once, "hold_applied_late", HOLD)),
        (m.HoldsAgain, Trap(scenes.refund_at_once, "apply_then_drop", HOLD)),
        (m.SaysNo, Trap(scenes.unload_at_once, "apply_then_drop", HOLD)),
        (m.AsksNobody, Trap(scenes.sale, "apply_then_drop", HOLD)),
        (m.ForgetsToRelease, Trap(scenes.plan_declined)),
        (m.KeepsWhatItHolds, Trap(scenes.plan_declined)),
        (m.SendsAgain, Trap(scenes.sale, "apply_then_drop", BOOK)),
        (m.BelievesSilence, Trap(scenes.sale, "drop_before_apply", BOOK)),
        (m.DropsWhatIsRefused, Trap(scenes.sale, "validation", BOOK)),
    ],
)
def test_a_planted_bug_is_caught(tmp_path: Path, mutant: Mutant, trap: Trap) -> None:
    async def main(shop: Shop) -> None:
        shop.plant(mutant)
        shop.holds = trap.scene not in WITHOUT_HOLDS
        if trap.fault:
            shop.fault(trap.fault, trap.operation)
        async with shop.open():
            await trap.scene(shop)
            if trap.spent:
                await asyncio.sleep(1.0)
                shop.spend_elsewhere(trap.spent)
            await asyncio.sleep(SETTLED_SECONDS)
            with pytest.raises(AssertionError):
                judge(shop)

    in_shop(tmp_path, main)


@pytest.mark.parametrize("scene", [scenes.sale, scenes.plan, scenes.top_up, scenes.part])
def test_what_goes_well_is_not_accused(tmp_path: Path, scene: Scene) -> None:
    async def main(shop: Shop) -> None:
        async with shop.open():
            await scene(shop)
            await asyncio.sleep(SETTLED_SECONDS)
            judge(shop)
            assert all(one.payment.is_final for one in shop.accounts())

    in_shop(tmp_path, main)
