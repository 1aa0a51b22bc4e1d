"""What a till does in the matrix, as scenes; each takes a minute at most. Virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.matrix.shop import SECOND_GIFT, Shop, euros, gift

Scene = Callable[[Shop], Awaitable[None]]


async def sale(shop: Shop) -> None:
    await shop.begin(
        "payment/start", {"method": "gift_card", "gift_card": gift(), "amounts": euros("20.00")}
    )


async def sale_at_once(shop: Shop) -> None:
    await sale(shop)


async def plan(shop: Shop) -> None:
    legs = [
        {"method": "gift_card", "gift_card": gift(), "amount": "20.00"},
        {"method": "gift_card", "gift_card": gift(SECOND_GIFT), "amount": "10.00"},
        {"method": "card"},
    ]
    await shop.begin("payment/start", {"amounts": euros("47.90"), "plan": legs})


async def plan_declined(shop: Shop) -> None:
    shop.card_declines()
    await plan(shop)


async def top_up(shop: Shop) -> None:
    load = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00"), "deadline_s": 60}
    await shop.begin("gift_card/load", load)
    await asyncio.sleep(15.0)
    await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})


async def top_up_declined(shop: Shop) -> None:
    shop.card_declines()
    await top_up(shop)


async def _kept_hold(shop: Shop, operation: str, more: dict[str, object]) -> None:
    start = {"method": "gift_card", "gift_card": gift(), "amounts": euros("20.00")}
    shop.disarm()
    hold = await shop.begin("payment/start", {**start, "capture": "manual"})
    await asyncio.sleep(5.0)
    shop.arm()
    await shop.begin(operation, {"original_payment_id": hold, **more})


async def capture(shop: Shop) -> None:
    await _kept_hold(shop, "payment/capture", {"amounts": euros("20.00")})


async def part(shop: Shop) -> None:
    await _kept_hold(shop, "payment/capture", {"amounts": euros("12.50")})


async def void(shop: Shop) -> None:
    await _kept_hold(shop, "payment/void", {})
