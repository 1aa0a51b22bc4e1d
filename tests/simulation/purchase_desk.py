"""A person who answers for purchases, one at a time and many at once, and mends what was rejected.

They know what they see: the bridge's own list, and the office's.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.control import Control
from tests.simulation.weather import NEVER

if TYPE_CHECKING:
    from tests.simulation.world import World

NAME = "supervisor-1"
OTHER = "supervisor-2"
MEND = 0.6  # of what was rejected: corrected, not just sent again
MANY = 0.7  # of the times when several wait: answered in one go


async def answer_for_purchases(world: World) -> None:
    """Answer for each purchase that waits for a person, with the truth."""
    rng = random.Random(f"{world.seed}/purchase desk/{world.loop.time()}")
    waiting = {
        name: state
        for name, state in world.judge.pages.purchases.items()
        if state in {"unconfirmed", "rejected"}
    }
    for name, state in waiting.items():
        if state == "unconfirmed" and world.weather.outage_mean < NEVER:
            world.judge.purchases.needs_a_person(name)
        if rng.random() < MEND and await _mend(world, name, state, rng):
            waiting = {one: was for one, was in waiting.items() if one != name}
    if len(waiting) > 1 and rng.random() < MANY:
        await _answer_together(world, rng)
        return
    for name, state in waiting.items():
        world.story.mark(f"a person answered a purchase that was {state}")
        await _answer(world, name, NAME)


async def _answer(world: World, name: str, by: str) -> None:
    order = {"do": "resolve_purchase", "payment_id": name, "by": by, **_looked_up(world, name)}
    await at_the_command_line(world, order)


def _looked_up(world: World, name: str) -> dict[str, Any]:
    """Return what the office's own list says of a purchase."""
    found = world.books.purchases_of(name)
    return {"record_id": found[0].id} if found else {"send_again": True}


async def _mend(world: World, name: str, state: str, rng: random.Random) -> bool:
    """Correct what was rejected; what may be in the books nobody lets them correct."""
    order = {"do": "mend_purchase", "payment_id": name, "by": NAME, "why": "the store has moved"}
    number = rng.randint(100, 999)
    sku = {"line_number": 1, "sku": f"MENDED-{number}"}
    answer = await at_the_command_line(
        world, order | {"store_code": f"S{number}", "skus": [sku], "member_id": f"M{number}"}
    )
    if answer["ok"]:
        world.story.mark("a person mended a purchase")
    elif state == "unconfirmed":
        world.story.mark("a person may not mend a purchase")
    return bool(answer["ok"])


async def _answer_together(world: World, rng: random.Random) -> None:
    """Look at the list, then answer all of it; meanwhile somebody else may have answered one."""
    shown = await at_the_command_line(world, {"do": "waiting_purchases"})
    if not shown["ok"]:
        return
    names = [one["transaction_id"] for one in shown["purchases"]]
    answers = [
        {"name": one["transaction_id"], "seen_rev": one["seen_rev"]}
        | _looked_up(world, one["transaction_id"])
        for one in shown["purchases"]
    ]
    if not answers:
        return
    changed = rng.choice(names) if rng.random() < 0.5 else ""
    if changed:
        await _answer(world, changed, OTHER)
    order = {"do": "resolve_purchases", "by": NAME, "why": "looked up", "answers": answers}
    done = await at_the_command_line(world, order)
    if not done["ok"]:
        return
    world.story.mark("a person answered many purchases at once")
    for one in done["results"]:
        if one["name"] == changed and one["done"]:
            world.story.accuse("S10", f"{changed} is answered, and it had changed")
        elif one["name"] != changed and not one["done"]:
            world.story.accuse("L2", f"{one['name']} is not answered: {one['message']}")


async def at_the_command_line(world: World, order: dict[str, Any]) -> dict[str, Any]:
    """Give the service an order as the command line does, from the socket's line on."""
    life = world.life
    if life is None or not life.ready:
        return {"ok": False}
    door = Control(Path("/control"), life.ledger, life.desk)
    answer = await door._answer(json.dumps(order).encode())
    about = str(order.get("payment_id", ""))[-4:]
    world.story.tell("person", f"{order['do']} {about} {answer}")
    return answer
