"""Deaths at every commit, rivals at the same moment, and a server with its own mind."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from bridge.money.payment import Status
from bridge.money.store.journal import Journal
from tests.crash.test_plan_restarts import Fuse, journal_with
from tests.matrix import scenes
from tests.matrix.judge import judge
from tests.matrix.mutants import ForgetsWhatItSent
from tests.matrix.scenes import Scene
from tests.matrix.shop import GIFT, SETTLED_SECONDS, Shop, euros, gift, in_shop, new_id

SCENE_SECONDS_MAX = 60.0

# The commits of what each scene is about, counted from its beginning.
COMMITS: dict[Scene, range] = {
    scenes.sale: range(1, 8),
    scenes.refund: range(8, 15),
    scenes.part_refunds: range(15, 22),
    scenes.store_credit: range(10, 17),
    scenes.top_up: range(1, 15),
    scenes.new_card: range(2, 9),
    scenes.unload: range(1, 6),
    scenes.reverse: range(15, 20),
    scenes.part: range(5, 10),
}
DEATHS = [
    pytest.param(
        scene,
        number,
        side,
        id=f"{scene.__name__}-{number}-{side}",
        marks=() if scene in {scenes.sale, scenes.unload} else pytest.mark.slow,
    )
    for scene, numbers in COMMITS.items()
    for number in numbers
    for side in ("before", "after")
]


@pytest.mark.parametrize(("scene", "number", "side"), DEATHS)
def test_a_process_that_dies_at_any_commit_leaves_nothing_silently_wrong(
    tmp_path: Path, scene: Scene, number: int, side: Literal["before", "after"]
) -> None:
    async def main(shop: Shop) -> None:
        async with shop.powered():
            await die_at(shop, scene, Fuse(number, side))
            async with shop.alive():
                await asyncio.sleep(2 * SETTLED_SECONDS)
                judge(shop)

    in_shop(tmp_path, main)


def test_a_process_that_forgets_what_it_sent_is_caught(tmp_path: Path) -> None:
    async def main(shop: Shop) -> None:
        shop.plant(ForgetsWhatItSent)
        async with shop.powered():
            await die_at(shop, scenes.sale, Fuse(3, "before"))
            async with shop.alive():
                await asyncio.sleep(2 * SETTLED_SECONDS)
                with pytest.raises(AssertionError):
                    judge(shop)

    in_shop(tmp_path, main)


async def die_at(shop: Shop, scene: Scene, fuse: Fuse) -> None:
    """Play a scene in a process that dies when the fuse burns."""
    shop.world.wire.delay_seconds = 0.25
    shop.journal_type = journal_with(fuse)
    async with shop.alive():
        await _until_death(shop, scene, fuse)
    assert fuse.burnt.is_set(), "the scene has that many commits"
    shop.journal_type = Journal


async def _until_death(shop: Shop, scene: Scene, fuse: Fuse) -> None:
    """Play a scene until the process is dead, or for as long as it can take."""
    loop = asyncio.get_running_loop()
    playing = loop.create_task(scene(shop))
    with suppress(TimeoutError):
        async with asyncio.timeout(SCENE_SECONDS_MAX):
            await fuse.burnt.wait()
    playing.cancel()
    with suppress(asyncio.CancelledError, AssertionError):
        await playing


@pytest.mark.parametrize("minor", [("30.00", "30.00"), ("20.00", "25.00")])
def test_two_registers_with_one_card_take_no_more_than_it_holds(
    tmp_path: Path, minor: tuple[str, str]
) -> None:
    async def main(shop: Shop) -> None:
        shop.world.wire.delay_seconds = 0.25
        async with shop.open():
            asked = [
                shop.ask(
                    "payment/start",
                    {
                        "payment_id": new_id(),
                        "method": "gift_card",
                        "gift_card": gift(),
                        "amounts": euros(amount),
                    },
                    register,
                )
                for register, amount in zip(("till-1", "till-2"), minor, strict=True)
            ]
            await asyncio.gather(*asked)
            await asyncio.sleep(SETTLED_SECONDS)
            judge(shop)
            paid = [one for one in shop.accounts() if one.payment.status is Status.APPROVED]
            assert len(paid) == (1 if minor[0] == "30.00" else 2)

    in_shop(tmp_path, main)


def test_two_registers_with_one_card_in_two_splits_take_no_more_than_it_holds(
    tmp_path: Path,
) -> None:
    async def main(shop: Shop) -> None:
        shop.world.wire.delay_seconds = 0.25
        legs = [
            {"method": "gift_card", "gift_card": gift(), "amount": "30.00"},
            {"method": "gift_card", "gift_card": gift("6396210000008888"), "amount": "5.00"},
        ]
        async with shop.open():
            fields = {"amounts": euros("35.00"), "plan": legs}
            asked = [
                shop.ask("payment/start", {"payment_id": new_id(), **fields}, register)
                for register in ("till-1", "till-2")
            ]
            await asyncio.gather(*asked)
            await asyncio.sleep(SETTLED_SECONDS)
            judge(shop)
            card = shop.state.find_gift_card(GIFT)
            assert card is not None
            assert card.balance == 20, "one of the two took its money"

    in_shop(tmp_path, main)


@pytest.mark.parametrize("scene", [scenes.sale, scenes.part, scenes.void, scenes.reverse])
def test_a_server_that_answers_a_second_end_of_a_hold_like_the_first_ends_it_once(
    tmp_path: Path, scene: Scene
) -> None:
    async def main(shop: Shop) -> None:
        shop.state.ends_are_idempotent = True
        shop.fault("apply_then_drop", "giftcardTransCapture")
        async with shop.open():
            await scene(shop)
            await asyncio.sleep(SETTLED_SECONDS)
            judge(shop)
            assert all(one.payment.is_final for one in shop.accounts())

    in_shop(tmp_path, main)
