"""A gift card is filled and then pays: value that lives in the back office, not on the terminal."""

from __future__ import annotations

from simulators.demo.day import Day, expect

_CARD = {"stored_value_id": "6396210000004711", "pin": "8642"}
_ON_IT_MINOR = 3000


async def fill(day: Day) -> None:
    """A gift card is sold: set aside first, on the card only when the bank card has paid for it."""
    day.says("A gift card is sold", "30.00 is set aside, and is on it once it has been paid for.")
    await day.environment.command_office(
        do="gift_card", code=_CARD["stored_value_id"], pin=_CARD["pin"], balance="0.00"
    )
    charges, bookings = day.charges(), day.bookings()
    load_id = await day.send("gift_card/load", "30.00", sale_id="S-4", gift_card=_CARD)
    await day.until(load_id, "money set aside for the gift card", stage="finishing")
    expect(day.on_gift_cards() == 0, "nothing on the card before somebody paid")
    await day.look()
    await day.shopper(brand="visa")
    payment_id = await day.ring_up("30.00", "S-4")
    await day.until_ended(payment_id, "approved")
    await day.until(load_id, "a filled gift card", funds="loaded")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    expect(day.charges() == charges + 1, f"one more charge, but there are {day.charges()}")
    expect(day.bookings() == bookings + 1, f"one more purchase, but there are {day.bookings()}")
    expect(day.on_gift_cards() == _ON_IT_MINOR, "30.00 on the gift card")
    await day.look()


async def split(day: Day) -> None:
    """One sale, two cards: the gift card is held, the bank card pays the rest, then both count."""
    day.says(
        "Gift card and card: 49.90", "30.00 is held on the gift card; the bank card pays 19.90."
    )
    charges, bookings = day.charges(), day.bookings()
    await day.shopper(brand="mastercard")
    plan = [
        {"method": "gift_card", "gift_card": _CARD, "amount": "30.00"},
        {"method": "card", "amount": "remaining"},
    ]
    answer = await day.ring_up_parts("49.90", "S-5", plan=plan)
    hold, card = (leg["payment_id"] for leg in answer["result"]["legs"])
    await day.until(hold, "30.00 held on the gift card", funds="held")
    await day.until_ended(card, "approved")
    await day.until(hold, "the gift card's part taken", funds="captured")
    await day.until(card, "a recorded purchase", recording="recorded")
    day.says("Gift card and card: 49.90", "Both counted, and one purchase of 49.90 in the books.")
    expect(day.charges() == charges + 1, f"one more charge, but there are {day.charges()}")
    expect(day.bookings() == bookings + 1, f"one purchase for both, not {day.bookings()}")
    expect(day.on_gift_cards() == 0, "an empty gift card")
    await day.look()
