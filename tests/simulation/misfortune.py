"""What goes wrong in a world: deaths, cables, power, disks, clocks, and people who type."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import apsw

from bridge.money import payment as p
from simulators.back_office.faults import Effect, Fault, FaultAnswer
from tests.simulation.incarnation import Incarnation
from tests.simulation.purchase_judge import PROVES_NOTHING

if TYPE_CHECKING:
    from tests.simulation.world import World

# Who answers in the office's place: with proof that it never saw the request, and without.
OUTAGES = (
    *("moved_307", "portal_302", "not_found_404", "proxy_407", "too_many_429", "empty_401"),
    *("html_200", "html_503", "gzip_503", "problem_503", "unavailable_503", "drop", "reset"),
)
ALONE_MINOR_MIN = 50_000  # what is typed in at a terminal costs more than anything a till sells


def stumble(world: World, life: Incarnation) -> None:
    """Be the disk at one write or sync."""
    if world.commit_dies_at is not None:
        world.commit_dies_at -= 1
        if world.commit_dies_at <= 0:
            world.commit_dies_at = None
            die(world, life, "in a commit")
    elif world.loop.time() < world.disk_trouble_until and life.alive.yes:
        life.had_trouble = True
        raise apsw.FullError("no space left")


def die(world: World, life: Incarnation | None, when: str) -> None:
    """Kill the process, or cut the store PC's power."""
    if life is None or not life.alive.yes:
        return
    life.was_killed = True
    open_now = life.ledger.payments.unfinished() if life.ready else []
    if any(one.payment.status in p.MAYBE_CHARGED for one in open_now):
        world.story.mark("death with money in the air")
    life.kill()
    if world.rng.random() < world.weather.power_cut:
        world.story.tell("bridge", f"loses power {when}")
        world.story.mark(f"power cut {when}")
        world.disk.cut_power()
    else:
        world.story.tell("bridge", f"is killed {when}")
        world.story.mark(f"kill {when}")


def chaos(world: World) -> list[Coroutine[None, None, None]]:
    """Return the work that makes the weather's misfortunes happen."""
    weather, rng = world.weather, world.rng
    events: Sequence[tuple[float, Callable[[], None]]] = (
        (weather.kill_mean, lambda: die(world, world.life, "at any time")),
        (weather.unplug_mean, partial(_unplug, world)),
        (weather.terminal_off_mean, partial(_terminal_off, world)),
        (weather.broker_cut_mean, world.broker.cut),
        (
            weather.broker_restart_mean,
            lambda: world.broker.restart(rng.uniform(0.5, 20), forget=rng.random() < 0.6),
        ),
        (weather.office_away_mean, partial(_office_away, world)),
        (weather.outage_mean, partial(_outage, world)),
        (weather.login_mean, partial(_log_out, world)),
        (weather.disk_trouble_mean, partial(_disk_full, world)),
        (weather.clock_jump_mean, partial(_clock_jump, world)),
        (weather.alone_mean, partial(_somebody_types, world)),
        (weather.void_alone_mean, lambda: world.void_alone(_some_terminal(world))),
        (weather.close_alone_mean, lambda: world.close_alone(_some_terminal(world))),
        (weather.elsewhere_mean, partial(_another_shop, world)),
    )
    works = [_every(world, mean, happens) for mean, happens in events if mean < 1e6]
    if weather.storm_seconds:
        works.append(_storm(world, weather.storm_seconds))
    return works


async def _storm(world: World, seconds: float) -> None:
    """Kill the process again and again, whatever it is at."""
    while True:
        await asyncio.sleep(seconds)
        world.story.mark("restart in a storm")
        die(world, world.life, "in a storm")


async def _every(world: World, mean: float, happens: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(world.rng.expovariate(1 / mean))
        happens()


def _some_terminal(world: World) -> str:
    return world.rng.choice(sorted(world.terminals))


def _unplug(world: World) -> None:
    name = _some_terminal(world)
    world.story.tell(name, "is unplugged")
    world.terminals[name].unplug(world.rng.choice((0.2, 3.0, 20.0, 100.0)))


def _terminal_off(world: World) -> None:
    name = _some_terminal(world)
    world.story.tell(name, "loses power")
    world.story.mark("terminal power cut")
    forget = world.rng.random() < world.weather.forget
    if forget:
        world.story.mark("terminal lost its memory")
    world.terminals[name].power_cut(world.rng.choice((2.0, 10.0, 40.0)), forget=forget)


def _office_away(world: World) -> None:
    world.story.tell("office", "is away")
    world.office.away = True
    world.loop.call_later(world.rng.uniform(1, 40), partial(_office_back, world))


def _office_back(world: World) -> None:
    world.office.away = False


def _outage(world: World) -> None:
    """Let somebody else answer everything that is asked, for a while."""
    if world.office.outage is not None:
        return
    answer = FaultAnswer(world.rng.choice(OUTAGES))
    world.story.tell("office", f"somebody in its place answers {answer.value}")
    world.story.mark(f"outage {answer.value}")
    # Behind a gateway that gives no answer the office may be at work all the same.
    is_applied = answer in PROVES_NOTHING and world.rng.random() < 0.3
    world.office.outage = Fault(Effect.APPLIED if is_applied else Effect.NONE, answer)
    world.judge.purchases.outage_begins(answer)
    world.loop.call_later(world.rng.uniform(5, 60), partial(end_outage, world))


def end_outage(world: World) -> None:
    """Have the office answer for itself again."""
    if world.office.outage is not None:
        world.story.tell("office", "answers for itself again")
        world.office.outage = None
        world.judge.purchases.outage_ends()


def _log_out(world: World) -> None:
    world.story.tell("office", "wants a login")
    world.office.login_needed = world.rng.random() < 0.5
    world.office.expire_tokens()
    world.loop.call_later(world.rng.uniform(1, 40), partial(_log_in, world))


def _log_in(world: World) -> None:
    world.office.login_needed = False


def _disk_full(world: World) -> None:
    world.story.tell("disk", "is full")
    world.disk_trouble_until = world.loop.time() + world.rng.uniform(0.1, 10)


def _clock_jump(world: World) -> None:
    world.story.mark("clock jump")
    world.clock_offset += timedelta(seconds=world.rng.choice((-3600, -5, 5, 3600, 10**7)))


def _somebody_types(world: World) -> None:
    """Pay by hand, now and then just what a till asks for: nobody can tell them by the amount."""
    name = _some_terminal(world)
    same = [till.last_amount for till in world.tills if till.last_amount]
    if same and world.rng.random() < 0.5 and world.may_pay_the_same(name):
        world.pay_alone(name, world.rng.choice(same))
    else:
        world.pay_alone(name, ALONE_MINOR_MIN + world.rng.randint(1, 9999))


def _another_shop(world: World) -> None:
    """Use a gift card elsewhere; by amounts that no sum of others equals, see `trades.EURO`."""
    card = world.rng.choice(world.shop.gift_cards)
    euros = 100 * world.rng.randint(1, 20)
    minor = -(euros + 1) if world.rng.random() < 0.7 else euros + 10
    world.office.use_elsewhere(card.code, minor)
