"""What may go wrong in the middle of a payment: the cable, the back office, the service itself."""

from __future__ import annotations

from simulators.demo.day import Day, expect

AWAY_SECONDS = 600.0  # longer than the demo; the scene itself ends it


async def pull_the_cable(day: Day) -> None:
    """The cable comes out while the bank is asked; found again, resolved, charged once."""
    day.says("Someone trips over the cable", "The bank was just asked. Paid or not? Nobody knows.")
    before = day.charges()
    await day.shopper(seconds_at_host=day.pace.slow_host)
    payment_id = await day.ring_up("23.45", "S-6")
    await day.until(payment_id, "asking the bank", stage="authorizing")
    await day.environment.command_terminal(do="unplug")
    day.screen_model.cable_in = False
    day.screen_model.tell("demo: the cable is pulled")
    await day.until(payment_id, "a payment in doubt", status="in_doubt")
    await day.look(day.pace.unplugged)
    await day.environment.command_terminal(do="replug")
    day.screen_model.cable_in = True
    day.says("The cable is back", "The bridge finds the terminal and asks what became of it.")
    day.screen_model.tell("demo: the cable is plugged in")
    await day.until_ended(payment_id, "approved")
    expect(day.was_warned(payment_id), "the cashier is told not to charge again")
    expect(day.charges() == before + 1, f"one more charge, but there are {day.charges()}")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    await day.look()


async def lose_the_back_office(day: Day) -> None:
    """The back office is away: the sale goes on, the purchase is recorded later."""
    day.says("The back office is away", "Payments go on. What must be recorded waits.")
    booked = day.bookings()
    await day.environment.command_office(do="away", seconds=AWAY_SECONDS)
    day.screen_model.office_open = False
    await day.shopper(brand="visa")
    payment_id = await day.ring_up("15.20", "S-7")
    await day.until_ended(payment_id, "approved")
    await day.until(payment_id, "a purchase that waits", recording="pending")
    await day.look()
    expect(day.bookings() == booked, "no purchase while the back office is away")
    await day.environment.command_office(do="back")
    day.screen_model.office_open = True
    day.says("The back office is back", "The purchase follows, once.")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    expect(day.bookings() == booked + 1, f"one more purchase, but there are {day.bookings()}")
    await day.look()


async def kill_the_service(day: Day) -> None:
    """Kill -9 in mid-payment: after the restart the payment is found and told right."""
    day.says("kill -9 in mid-payment", "The service dies while the bank is asked.")
    before = day.charges()
    await day.shopper(seconds_at_host=day.pace.slowest_host, brand="mastercard")
    payment_id = await day.ring_up("31.00", "S-8")
    await day.until(payment_id, "asking the bank", stage="authorizing")
    await day.environment.kill_service()
    await day.look(day.pace.reading / 2)
    day.says("The service starts again", "Its journal says what was open; the terminal is asked.")
    await day.environment.start_service()
    document = await day.until_ended(payment_id, "approved")
    # Not was_warned: the terminal may have answered before the broker was found again.
    doubted = any(line["status"] == "in_doubt" for line in document["history"])
    expect(doubted, "the payment was in doubt, whatever it became")
    expect(day.charges() == before + 1, f"one more charge, but there are {day.charges()}")
    await day.until(payment_id, "a recorded purchase", recording="recorded")
    await day.look()
