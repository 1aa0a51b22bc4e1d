"""What happens at every counter: a login, a sale, a no, a change of mind, goods that come back."""

from __future__ import annotations

import sys
from decimal import Decimal

from simulators.demo.books import read_charges
from simulators.demo.day import SCENE_SECONDS_MAX, Day, expect
from simulators.demo.process import Process
from simulators.demo.screen_model import Invitation


async def log_in(day: Day) -> None:
    """A person lets this machine into the back office, with a code."""
    day.says(
        "Log in to the back office", "Scan the code, compare it, agree. Here we agree for you."
    )
    login = Process("login")
    try:
        command = (sys.executable, "-m", "bridge", "login", "--json", "--config")
        code = await login.start((*command, str(day.environment.configuration)))
        day.screen_model.invitation = Invitation(
            code["user_code"], code["verification_uri"], code["verification_uri_complete"]
        )
        day.screen_model.tell(f"login: type {code['user_code']} at {code['verification_uri']}")
        await day.look(day.pace.code)
        await day.environment.command_office(do="approve", user_code=code["user_code"])
        answer = await login.answer()
    finally:
        day.screen_model.invitation = None
        await login.end()
    expect(answer.get("logged_in") is True, f"a login, but the answer is {answer}")
    day.screen_model.tell(f"login: agreed, logged in as {answer['as']}")


_COFFEE = {
    "total_amount": "47.90",
    "tax_amount": "3.13",
    "lines": [
        {
            "item_id": 1,
            "product_code": "COFFEE-1KG",
            "product_label": "Coffee, 1 kg",
            "quantity": "2",
            "unit_price": "19.95",
            "item_amount": "39.90",
        },
        {
            "item_id": 2,
            "product_code": "MUG",
            "product_label": "Mug",
            "quantity": "1",
            "unit_price": "8.00",
            "item_amount": "8.00",
        },
    ],
}


async def sell(day: Day) -> None:
    """A sale with two lines: approved, and recorded with its lines."""
    day.says("A sale: 47.90", "Card, bank, receipt; then the purchase is recorded.")
    await day.shopper()
    payment_id = await day.ring_up("47.90", "S-1", sale=_COFFEE)
    day.paid_before = payment_id
    await day.until_ended(payment_id, "approved")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    expect(day.charges() == 1, f"one charge, but there are {day.charges()}")
    expect(day.bookings() == 1, f"one purchase, but there are {day.bookings()}")
    await day.look()


async def decline(day: Day) -> None:
    """The bank says no, and the cashier reads that nothing was charged."""
    day.says(
        "The bank says no", "Nothing is charged, nothing is recorded, and the cashier reads so."
    )
    before = day.charges()
    await day.shopper(outcome="decline", code=0x33, text="Guthaben zu gering")
    payment_id = await day.ring_up("12.50", "S-2")
    await day.until_ended(payment_id, "declined")
    expect(day.charges() == before, "no charge")
    await day.look()


async def cancel(day: Day) -> None:
    """The cashier cancels while the terminal waits for a card."""
    day.says("The cashier cancels", "The terminal is told to stop before a card is there.")
    before = day.charges()
    await day.shopper(seconds_to_card=SCENE_SECONDS_MAX)
    payment_id = await day.ring_up("8.00", "S-3")
    await day.until(payment_id, "waiting for a card", stage="waiting_for_card")
    await day.look()
    day.screen_model.tell("till: payment/cancel")
    await day.environment.register.cancel(payment_id)
    await day.until_ended(payment_id, "canceled")
    expect(day.charges() == before, "no charge")
    await day.look()


async def refund(day: Day) -> None:
    """One of two things comes back: its price goes back to the card, and out of the books."""
    day.says("The mug comes back", "8.00 of the first sale goes back to the card, once.")
    charges, bookings = day.charges(), day.bookings()
    await day.shopper()
    refund_id = await day.send("payment/refund", "8.00", original_payment_id=day.paid_before)
    await day.until_ended(refund_id, "approved")
    await day.until(refund_id, "a recorded return", recording="recorded")
    await day.until(day.paid_before, "a sale that knows", funds="partially_refunded")
    day.screen_model.document = day.document(refund_id)
    expect(day.charges() == charges + 1, f"one return, but there are {day.charges() - charges}")
    expect(day.bookings() == bookings + 1, f"one return, but there are {day.bookings() - bookings}")
    await day.look()


async def close_the_day(day: Day) -> None:
    """The terminal closes its batch, and its sum is compared with the journal's."""
    day.says("End of day", "The terminal adds up and closes. Does the journal say the same?")
    day.screen_model.document = None
    day.screen_model.tell("till: terminal/reconcile")
    answer = await day.environment.register.ask("terminal/reconcile", {})
    expect(answer["status"] == "ok", f"an end of day, but the answer is {answer.get('error')}")
    screen_model = day.screen_model
    await screen_model.until(
        lambda: bool(screen_model.reconciliation.get("closed")),
        "the end of day, as a document",
        seconds=SCENE_SECONDS_MAX,
    )
    sums = screen_model.reconciliation["compare"]
    words = ", ".join(f"{name} {sums[name]}" for name in ("terminal", "journal", "recorded"))
    screen_model.tell(f"bridge: {screen_model.reconciliation['status']}: {words}")
    taken = sum(one.amount_minor for one in read_charges(day.environment.terminal_ledger))
    expect(screen_model.reconciliation["status"] == "matched", f"equal sums, not {words}")
    expect(sums["books"] == "not_compared", "nobody asked the back office, and nobody says so")
    expect(Decimal(sums["terminal"]) * 100 == taken, f"what the terminal took, not {words}")
    day.says("End of day", f"Terminal and journal: {sums['terminal']} each, and acknowledged.")
    await day.look()


async def repeat_the_command(day: Day) -> None:
    """A till sends the command of its first sale again: it hears of it, the card does not."""
    day.says("The till repeats itself", "The first sale is sent again, with the same payment_id.")
    charges, bookings = day.charges(), day.bookings()
    day.screen_model.tell("till: payment/start 47.90 EUR, sale S-1, once more")
    answer = await day.environment.register.pay(
        "47.90", payment_id=day.paid_before, sale_id="S-1", sale=_COFFEE
    )
    expect(answer.get("duplicate") is True, f"an answer that says duplicate, not {answer}")
    expect(answer.get("payment_status") == "approved", "the answer says approved")
    day.screen_model.document = day.document(day.paid_before)
    day.screen_model.tell("bridge: that is the payment from before: approved, not charged again")
    await day.look()
    expect(day.charges() == charges, "no second charge")
    expect(day.bookings() == bookings, "no second purchase")
