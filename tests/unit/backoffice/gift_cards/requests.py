"""What a register asks of the gift card that the simulated back office has."""

from __future__ import annotations

from dataclasses import replace

from bridge.money import payment as p
from drivers.contract import Money

CODE = "6396210000004711"
CARD = p.GiftCardCode("PHYSICAL", CODE)


def gift_request(number: int = 1, minor: int = 2000, **more: object) -> p.PaymentRequest:
    plain = p.PaymentRequest(
        payment_id=f"018f6f0e-8a44-7c1b-9a3e-{number:012d}",
        register_id="till-1",
        terminal_id=p.GIFT_CARDS,
        type=p.PaymentType.SALE,
        amount=Money(minor, "EUR"),
        content_hash=f"{minor}",
        gift_card=CARD,
    )
    return replace(plain, **more)  # type: ignore[arg-type]
