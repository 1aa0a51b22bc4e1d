"""What a till does in the matrix, as scenes; each takes a minute at most. Virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.matrix.shop import SECOND_GIFT, Shop, euros, gift, new_id

Scene = Callable[[Shop], Coroutine[Any, Any, None]]


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


async def _paid_by_gift_card(shop: Shop) -> str:
    """Have a sale paid and recorded, with the faults kept for what follows."""
    shop.disarm()
    start = {"method": "gift_card", "gift_card": gift(), "amounts": euros("20.00")}
    sale_id = await shop.begin("payment/start", start)
    await asyncio.sleep(5.0)
    shop.arm()
    return sale_id


async def refund(shop: Shop) -> None:
    original = await _paid_by_gift_card(shop)
    back = {"gift_card": gift(), "amounts": euros("20.00"), "original_payment_id": original}
    await shop.begin("payment/refund", back)


async def refund_at_once(shop: Shop) -> None:
    await refund(shop)


async def part_refunds(shop: Shop) -> None:
    original = await _paid_by_gift_card(shop)
    back = {"gift_card": gift(), "original_payment_id": original}
    await shop.begin("payment/refund", {**back, "amounts": euros("12.50")})
    await asyncio.sleep(5.0)
    await shop.ask("payment/refund", {"payment_id": new_id(), **back, "amounts": euros("7.50")})


async def store_credit(shop: Shop) -> None:
    shop.disarm()
    original = await shop.begin("payment/start", {"amounts": euros("20.00")})
    await asyncio.sleep(15.0)
    shop.arm()
    back = {"gift_card": gift(), "amounts": euros("15.00"), "original_payment_id": original}
    await shop.begin("payment/refund", {**back, "approved_by": "anna"})


async def new_card(shop: Shop) -> None:
    card = gift("6396210000009999", "4321")
    load = {"sale_id": "S1", "gift_card": card, "amounts": euros("30.00"), "deadline_s": 60}
    await shop.begin("gift_card/activate", load)
    await asyncio.sleep(15.0)
    await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})


async def unload(shop: Shop) -> None:
    fields = {"gift_card": gift(), "amounts": euros("20.00"), "approved_by": "anna"}
    await shop.begin("gift_card/unload", fields)


async def unload_at_once(shop: Shop) -> None:
    await unload(shop)


async def reverse(shop: Shop) -> None:
    shop.disarm()
    load = {"sale_id": "S1", "gift_card": gift(), "amounts": euros("30.00")}
    load_id = await shop.begin("gift_card/load", load)
    await shop.begin("payment/start", {"sale_id": "S1", "amounts": euros("30.00")})
    await asyncio.sleep(15.0)
    shop.arm()
    await shop.begin("gift_card/reverse", {"original_payment_id": load_id, "gift_card": gift()})
