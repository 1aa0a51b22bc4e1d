"""What can be counted down: the wait for a card, a question, the next look at a doubt."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from simulators.terminals.shared.shopper import Mischief, Plan, Scenario
from tests.support.shop import Plans, Shop, in_a_shop


def test_the_register_is_told_how_long_a_card_is_waited_for(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1, deadline_s=60)
        document = await shop.until("till-1", 1, stage="waiting_for_card")
        assert 55 <= document["display"]["countdown_s"] <= 60
        document = await shop.until("till-1", 1, status="approved")
        assert document["display"]["countdown_s"] is None

    slow = Scenario(payments=(Plan(seconds_to_card=20.0),))
    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": slow}))


def test_a_doubt_says_when_the_terminal_is_asked_again(tmp_path: Path) -> None:
    async def test(shop: Shop) -> None:
        await shop.pay("till-1", 1)
        document = await shop.until("till-1", 1, status="in_doubt")
        told = datetime.fromisoformat(document["in_doubt"]["next_check_at"])
        assert timedelta() <= told - shop.now() <= timedelta(seconds=5)
        await asyncio.sleep(95)
        assert shop.document("till-1", 1)["in_doubt"]["needs_operator"]
        async with asyncio.timeout(60):
            while (  # noqa: ASYNC110 - virtual time
                at := shop.document("till-1", 1)["in_doubt"]["next_check_at"]
            ) is None:
                await asyncio.sleep(0.1)  # it is being asked
        assert timedelta(seconds=25) < datetime.fromisoformat(at) - shop.now()

    gone = Plan(mischief=(Mischief(kind="die", at="status", seconds=600),))
    in_a_shop(tmp_path, test, Plans(shoppers={"counter-1": Scenario(payments=(gone,))}))
